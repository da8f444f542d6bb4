//! What tasks of each kind do and tell, on the real servers.

#![allow(clippy::unwrap_used)]

use axum::{Json, Router, http::StatusCode, routing::get};
use e2e::{Crew, Folder, World};
use serde_json::{Value, json};
use servers::Identity;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use test_support::eventually;

/// Processes that tasks wrote the ids of, line by line.
fn written(file: &Path) -> Vec<u32> {
    let told = std::fs::read_to_string(file).unwrap_or_default();
    told.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_takes_too_long_is_ended_with_its_process_and_tried_again() {
    let crew = Crew::start(&[("one", &[])]).await;
    let file = crew.place("pids");
    let folder = crew.dag(&format!(
        "[tasks.slow]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"echo $$ >> {}; exec sleep 60\"]\n\
         timeout = \"1s\"\nretries = 1\nretry_delay = \"10ms\"\n",
        file.display()
    ));
    let id = crew.trigger(&folder.name).await;
    assert_eq!(crew.ends(id).await, "failed");
    let told = crew.get(&format!("runs/{id}/tasks/slow")).await.unwrap();
    let tries = told["attempts"].as_array().unwrap();
    assert_eq!(tries.len(), 2, "{told:#}");
    for one in tries {
        assert_eq!(one["reason"], "it took longer than its timeout of 1 s", "{one}");
    }
    let pids = written(&file);
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| Identity::of(*pid).is_none()), "{pids:?} are gone");
}

/// Between asking to end and killing.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_processes_that_obey_at_once_and_kills_the_others_with_their_children() {
    let crew = Crew::start(&[("one", &[])]).await;
    let (obeying, stubborn) = (crew.place("obeying"), crew.place("stubborn"));
    let folder = crew.dag(&format!(
        "[tasks.obeying]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"echo $$ >> {}; exec sleep 600\"]\n\
         [tasks.stubborn]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"trap '' TERM; sleep 600 & echo $$ $! >> {}; wait\"]\n",
        obeying.display(),
        stubborn.display()
    ));
    let id = crew.trigger(&folder.name).await;
    let lives = eventually("both have begun", || async {
        let pids = [written(&obeying), written(&stubborn)].concat();
        let lives: Vec<Identity> = pids.iter().filter_map(|pid| Identity::of(*pid)).collect();
        (lives.len() == 3).then_some(lives)
    })
    .await;
    let (status, _) = crew.post(&format!("runs/{id}/cancel"), &json!({})).await;
    let since = Instant::now();
    assert_eq!(status, 200);
    eventually("the one that obeys is gone", || async { (!lives[0].is_alive()).then_some(()) }).await;
    let obeyed = since.elapsed();
    assert!(lives[1].is_alive() && lives[2].is_alive(), "the others have their time");
    eventually("the others are gone", || async {
        lives[1..].iter().all(|process| !process.is_alive()).then_some(())
    })
    .await;
    let killed = since.elapsed();
    println!("after a cancel, who obeys was gone in {obeyed:?}, who does not and its child in {killed:?}");
    assert!(obeyed < GRACE / 2 && killed > GRACE * 9 / 10 && killed < GRACE * 2);
    assert_eq!(crew.ends(id).await, "cancelled");
}

/// A server that answers with whatever status it has.
async fn server(status: u16) -> (String, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let now = status.clone();
    let answer = async move || {
        (StatusCode::from_u16(now.load(Ordering::Relaxed)).unwrap(), Json(json!({ "rows": 3 })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    (url, status)
}

/// The tasks of a run by name: state, result, reason.
async fn ended(crew: &Crew, folder: &Folder) -> impl Fn(&str) -> (String, Value, String) {
    let id = crew.trigger(&folder.name).await;
    crew.ends(id).await;
    let tasks = crew.get(&format!("runs/{id}/tasks")).await.unwrap();
    move |name| {
        let task = tasks.as_array().unwrap().iter().find(|task| task["name"] == name);
        let task = task.unwrap_or_else(|| panic!("{name}: {tasks:#}"));
        let text = |key: &str| task[key].as_str().unwrap_or_default().to_owned();
        (text("state"), task["result"].clone(), text("reason"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_in_cassandra_and_a_call_of_a_url_give_what_was_answered() {
    let crew = Crew::start(&[("one", &[])]).await;
    let (url, _) = server(418).await;
    let folder = crew.dag(&format!(
        "[tasks.cql]\nkind = \"cql\"\nstatement = \"SELECT key FROM system.local\"\n\
         [tasks.wrong_cql]\nkind = \"cql\"\nstatement = \"SELECT nothing FROM system.local\"\n\
         [tasks.http]\nkind = \"http\"\nurl = \"{url}\"\nexpect_status = 418\n\
         [tasks.wrong_http]\nkind = \"http\"\nurl = \"{url}\"\nmethod = \"GET\"\n"
    ));
    let task = ended(&crew, &folder).await;
    let (state, result, _) = task("cql");
    assert_eq!((state.as_str(), result), ("success", json!({ "columns": ["key"], "rows": [["local"]] })));
    let (state, _, reason) = task("wrong_cql");
    assert!(state == "failed" && reason.contains("nothing"), "{reason}");
    let (state, result, _) = task("http");
    assert_eq!((state.as_str(), result), ("success", json!({ "status": 418, "body": { "rows": 3 } })));
    let (state, _, reason) = task("wrong_http");
    let expected = format!("{url} answered 418, expected 200: {{\"rows\":3}}");
    assert_eq!((state, reason), ("failed".into(), expected));
}

/// A stream, a job from it into another, and its table in PostgreSQL.
const PIPELINE: &str = r#"
[streams.{p}_in]
schema = "n.avsc"
key = ["id"]
partitions = 1

[streams.{p}_out]
schema = "n.avsc"
key = ["id"]
partitions = 1

[jobs.{p}_job]
sql = "copy.sql"
into = "{p}_out"
slots = 1

[tables.{p}_t]
store = "postgres"
stream = "{p}_out"
"#;
const SCHEMA: &str =
    r#"{"type":"record","name":"N","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"}]}"#;

fn pipeline(crew: &Crew, dag: &str) -> Folder {
    let files = [("pipeline.toml", PIPELINE), ("n.avsc", SCHEMA), ("copy.sql", "SELECT id, n FROM {p}_in")];
    crew.pipeline(&files, dag)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_stopped_started_and_waited_for() {
    let crew = Crew::start(&[("one", &[])]).await;
    let folder = pipeline(
        &crew,
        "[tasks.stop]\nkind = \"job\"\njob = \"{p}_job\"\naction = \"stop\"\n\
         [tasks.start]\nkind = \"job\"\njob = \"{p}_job\"\naction = \"start\"\nafter = [\"stop\"]\n\
         [tasks.wait]\nkind = \"job\"\njob = \"{p}_job\"\naction = \"wait\"\nafter = [\"start\"]\n",
    );
    let (job, name) = (format!("{}_job", folder.name), &folder.name);
    let id = crew.trigger(name).await;
    let unknown = format!("the coordinator does not know the job \"{job}\" yet");
    assert_eq!(crew.ends(id).await, "failed");
    assert_eq!(crew.task(id, "stop").await["reason"], unknown);

    let wanted = async || -> String {
        let statement = "SELECT wanted FROM job WHERE name = $1";
        sqlx::query_scalar(statement).bind(&job).fetch_one(&crew.pool).await.unwrap()
    };
    let made = "INSERT INTO job (name, pipeline, hash, version, slots) VALUES ($1, $2, '', '', 1)";
    sqlx::query(made).bind(&job).bind(name).execute(&crew.pool).await.unwrap();
    let slot = "INSERT INTO slot (job, slot, version, state) VALUES ($1, 0, '', 'starting')";
    sqlx::query(slot).bind(&job).execute(&crew.pool).await.unwrap();
    let id = crew.trigger(name).await;
    crew.says(id, "wait", &format!("0 of 1 slots of {job} run")).await;
    assert_eq!(wanted().await, "running");
    let runs = "UPDATE slot SET state = 'running' WHERE job = $1";
    sqlx::query(runs).bind(&job).execute(&crew.pool).await.unwrap();
    assert_eq!(crew.ends(id).await, "success");
    assert_eq!(crew.task(id, "stop").await["result"], json!({ "job": job }));
    assert_eq!(crew.task(id, "wait").await["result"], json!({ "job": job, "slots": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dag_is_run_with_parameters_and_its_failure_is_ours() {
    let crew = Crew::start(&[("one", &[])]).await;
    let other = crew.dag(
        "[params.code]\ntype = \"integer\"\ndefault = 0\n\
         [tasks.end]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"exit {{ params.code }}\"]\n",
    );
    // Both folders are read at once, and published one after the other.
    eventually("the other DAG is published", || crew.listed(&other.name)).await;
    let calls = |code| format!("kind = \"run\"\ndag = \"{}\"\nparams = {{ code = {code} }}\n", other.name);
    let folder = crew.dag(&format!("[tasks.good]\n{}[tasks.bad]\n{}", calls(0), calls(3)));
    let task = ended(&crew, &folder).await;
    let (state, result, reason) = task("good");
    assert_eq!((state.as_str(), &result["dag"]), ("success", &json!(other.name)), "{reason}");
    let (state, _, reason) = task("bad");
    assert!(
        state == "failed" && reason.contains(&format!("of {} ended as failed: ", other.name)),
        "{reason}"
    );
}

/// `{url}`, `{file}` and `{other}` are put in.
const WAITS: &str = r#"
[params.at]
type = "string"
[tasks.lag]
kind = "wait"
lag = { table = "{p}_t", at_most = 0 }
[tasks.rows]
kind = "wait"
rows = { table = "{p}_t", at_least = 2 }
[tasks.file]
kind = "wait"
file = "{file}"
[tasks.http]
kind = "wait"
http = "{url}"
[tasks.time]
kind = "wait"
until = "{{ params.at }}"
[tasks.run]
kind = "wait"
run = { dag = "{other}", at = "2026-01-01T00:00:00Z" }
"#;
/// Long enough to see that it has not come.
const COMES_IN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn each_wait_says_what_it_waits_for_and_takes_no_slot_meanwhile() {
    let crew = Crew::start(&[("one", &[("MILLRACE_POOLS_DEFAULT", "1")])]).await;
    let world = World::running();
    let analytics = world.postgres("analytics").await;
    let (url, status) = server(503).await;
    let (file, other) = (crew.place("arrived"), crew.dag("[tasks.a]\nkind = \"noop\"\n"));
    let text = WAITS
        .replace("{url}", &url)
        .replace("{file}", &file.display().to_string())
        .replace("{other}", &other.name);
    let folder = pipeline(&crew, &text);
    let (table, stream) = (format!("{}_t", folder.name), format!("{}_out", folder.name));
    make(&analytics, &format!("CREATE TABLE {table} (id text)")).await;
    let bootstrap = world.stack.address("kafka").to_owned();
    three_records(&bootstrap, &stream).await;
    let at = chrono::Utc::now() + COMES_IN;
    let id = crew.trigger_with(&folder.name, &json!({ "params": { "at": at } })).await;

    let reasons = [
        ("lag", format!("the table {table} is 3 records behind")),
        ("rows", format!("the table {table} has 0 of 2 rows")),
        ("file", format!("the file {} is not there", file.display())),
        ("http", format!("{url} answers 503")),
        ("time", "it is not yet ".into()),
        ("run", format!("there is no run of {} for 2026-01-01T00:00:00Z yet", other.name)),
    ];
    for (task, reason) in &reasons {
        crew.says(id, task, reason).await;
    }
    // The one slot of the pool is free: another DAG runs.
    let between = crew.dag("[tasks.a]\nkind = \"command\"\nrun = [\"true\"]\n");
    let passing = crew.trigger(&between.name).await;
    assert_eq!(crew.ends(passing).await, "success");

    make(&analytics, &format!("INSERT INTO {table} VALUES ('a'), ('b')")).await;
    std::fs::write(&file, "").unwrap();
    status.store(200, Ordering::Relaxed);
    crew.trigger_with(&other.name, &json!({ "logical_time": "2026-01-01T00:00:00Z" })).await;
    tokio::task::spawn_blocking(move || {
        kafka::Group::new(&bootstrap, &format!("sink.{table}")).unwrap().commit(&[(stream, 0, 3)]).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(crew.ends(id).await, "success");
    for (task, _) in reasons {
        assert_eq!(crew.task(id, task).await["state"], "success", "{task}");
    }
    make(&analytics, &format!("DROP TABLE {}_t", folder.name)).await;
}

async fn make(pool: &postgres::PgPool, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
}

async fn three_records(bootstrap: &str, topic: &str) {
    let spec = kafka::TopicSpec::new(topic, 1, 1, None);
    kafka::topics::ensure(&kafka::Cluster::new(bootstrap), &[spec]).await.unwrap();
    let record = || kafka::Outgoing {
        topic: topic.into(),
        payload: Some(b"x".to_vec()),
        partition: Some(0),
        ..kafka::Outgoing::default()
    };
    let sender = kafka::Sender::new(bootstrap).unwrap();
    let told = sender.send_all(vec![record(), record(), record()]).await;
    assert!(told.iter().all(Result::is_ok));
}

const CHECKS: &str = r#"
[tasks.rows]
kind = "check"
rows = { table = "{p}_t", at_least = 4, at_most = 9 }
[tasks.fresh]
kind = "check"
fresh = { table = "{p}_t", column = "seen_at", within = "1h" }
[tasks.unique]
kind = "check"
unique = { table = "{p}_t", columns = ["id", "n"] }
[tasks.query]
kind = "check"
sql = "SELECT count(*) FROM {p}_t WHERE n > 1"
expect = { equals = 2 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_does_not_hold_says_what_was_expected_and_what_was_found() {
    let crew = Crew::start(&[("one", &[])]).await;
    let analytics = World::running().postgres("analytics").await;
    let folder = pipeline(&crew, CHECKS);
    let table = format!("{}_t", folder.name);
    make(&analytics, &format!("CREATE TABLE {table} (id text, n bigint, seen_at timestamptz)")).await;
    let two_hours = "now() - interval '2 hours'";
    let rows = format!("('a', 1, {two_hours}), ('a', 1, {two_hours}), ('b', 2, {two_hours})");
    make(&analytics, &format!("INSERT INTO {table} VALUES {rows}")).await;
    let task = ended(&crew, &folder).await;
    let reason = |name: &str| {
        let (state, _, reason) = task(name);
        assert_eq!(state, "failed", "{name}");
        reason
    };
    assert_eq!(reason("rows"), format!("expected at least 4 rows in {table}, found 3 rows"));
    let fresh = reason("fresh");
    let expected = format!("expected the newest seen_at of {table} within 3600 s, found 2");
    assert!(fresh.starts_with(&expected) && fresh.contains("Z, 72"), "{fresh}");
    let unique = reason("unique");
    assert_eq!(
        unique,
        format!("expected each id, n of {table} once, found 1 more often, \"a, 1\" among them")
    );
    assert_eq!(reason("query"), "expected 2, found 1");

    let mended = format!(
        "TRUNCATE {table}; INSERT INTO {table} VALUES ('a', 1, now()), ('b', 2, now()), ('b', 3, null), ('c', 1, null)"
    );
    make(&analytics, &mended).await;
    let task = ended(&crew, &folder).await;
    let found = |name: &str| {
        let (state, result, reason) = task(name);
        assert_eq!(state, "success", "{name}: {reason}");
        result["found"].clone()
    };
    assert_eq!((found("rows"), found("query")), (json!(4), json!(2)));
    assert!(found("fresh").is_string());
    assert_eq!(found("unique"), json!({ "more_than_once": 0 }));
    make(&analytics, &format!("DROP TABLE {table}")).await;
}
