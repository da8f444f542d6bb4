//! What people do to runs and tasks, by REST and by command: each act has its effect, and is written down with who and why.

#![allow(clippy::unwrap_used)]

use e2e::World;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Output},
};
use test_support::eventually;

/// A DAG that asks a person, and in which one task fails.
const DAG: &str = r#"
max_active_runs = 10

[params.n]
type = "integer"
maximum = 5
default = 1

[tasks.ask]
kind = "approve"
question = "go on with {{ params.n }}?"

[tasks.then]
kind = "noop"
after = ["ask"]

[tasks.bad]
kind = "command"
run = ["false"]
"#;

async fn post(world: &World, path: &str, key: Option<&str>, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/{path}", world.stack.address("scheduler"));
    let mut request = world.http.post(url).json(&body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Posts what must be taken, with who and why.
async fn act(world: &World, path: &str, mut body: Value) -> Value {
    body["who"] = json!("anna");
    body["why"] = json!("a test");
    let (status, answer) = post(world, path, None, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn trigger(world: &World, dag: &str) -> String {
    let made = act(world, &format!("dags/{dag}/runs"), json!({})).await;
    made["run_id"].as_str().unwrap().to_owned()
}

async fn run(world: &World, id: &str) -> Value {
    world.get("scheduler", &format!("/api/v1/runs/{id}")).await
}

fn task<'a>(run: &'a Value, name: &str) -> &'a Value {
    run["tasks"].as_array().unwrap().iter().find(|task| task["name"] == name).unwrap()
}

/// Waits until the run is in a state and its tasks too, in order of name.
async fn stands(world: &World, id: &str, state: &str, tasks: [&str; 3]) -> Value {
    eventually(&format!("run {id} is {state}, its tasks {tasks:?}"), || async {
        let found = run(world, id).await;
        let states: Vec<&str> =
            found["tasks"].as_array()?.iter().filter_map(|task| task["state"].as_str()).collect();
        (found["run"]["state"] == state && states == tasks).then_some(found)
    })
    .await
}

/// Waits until the task asks: then a person may answer.
async fn asks(world: &World, id: &str) -> Value {
    eventually("the task asks", || async {
        let found = run(world, id).await;
        let reason = task(&found, "ask")["reason"].as_str()?.to_owned();
        reason.contains("waits for a person to approve: go on with 1?").then_some(found)
    })
    .await
}

fn millrace(arguments: &[&str]) -> Output {
    let stack = std::env::var("MILLRACE_TEST_STACK").expect("run the tests with `make test`");
    Command::new(test_support::binaries().join("millrace"))
        .args(arguments)
        .arg("--home")
        .arg(Path::new(&stack).parent().unwrap())
        .output()
        .unwrap()
}

/// Runs a command that must end with `code`. Answers what it says.
fn says(arguments: &[&str], code: i32) -> String {
    let output = millrace(arguments);
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    told
}

#[tokio::test]
async fn a_person_answers_marks_and_clears_by_rest() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let id = trigger(&world, &folder.name).await;
    asks(&world, &id).await;

    let decide = format!("runs/{id}/tasks/ask/decide");
    assert_eq!(
        act(&world, &decide, json!({"approve": true})).await,
        json!({"task": "ask", "approved": true})
    );
    let found = stands(&world, &id, "failed", ["success", "failed", "success"]).await;
    assert_eq!(
        task(&found, "ask")["result"],
        json!({"approved": true, "who": "anna", "why": "a test"}),
        "{found:#}"
    );
    let (status, answer) = post(&world, &decide, None, json!({"approve": false})).await;
    assert!(status == 409 && answer["error"].as_str().unwrap().contains("asks nothing now"), "{answer}");

    // A mark changes how the run ended; a clear runs the task again, which fails again.
    act(&world, &format!("runs/{id}/tasks/bad/mark"), json!({"state": "skipped"})).await;
    let found = stands(&world, &id, "success", ["success", "skipped", "success"]).await;
    assert_eq!(task(&found, "bad")["reason"], "marked skipped by anna: a test");
    let cleared = act(&world, &format!("runs/{id}/tasks/bad/clear"), json!({})).await;
    assert_eq!(cleared, json!({"tasks": 1}));
    let found = stands(&world, &id, "failed", ["success", "failed", "success"]).await;
    assert_eq!(task(&found, "bad")["attempt"], 2, "{found:#}");
    let cleared = act(&world, &format!("runs/{id}/clear"), json!({"only_failed": true})).await;
    assert_eq!(cleared, json!({"tasks": 1}));

    let what: Vec<String> = actions(&world, &format!("run={id}")).await;
    assert_eq!(what, ["trigger", "approve", "mark", "clear", "clear"]);
}

/// What was done, the oldest first. All of it by anna, for a test.
async fn actions(world: &World, query: &str) -> Vec<String> {
    let found = world.get("scheduler", &format!("/api/v1/actions?{query}")).await;
    let found = found.as_array().unwrap();
    assert!(found.iter().all(|act| act["who"] == "anna" && act["why"] == "a test"), "{found:#?}");
    found.iter().rev().map(|act| act["what"].as_str().unwrap().to_owned()).collect()
}

/// The arguments of a command, with who and why.
fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--who", "anna", "--why", "a test"]].concat()
}

#[tokio::test]
async fn a_person_answers_marks_clears_and_cancels_by_command() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let told = says(&with(&["dag", "trigger", &folder.name, "--param", "n=1", "--json"]), 0);
    let id = serde_json::from_str::<Value>(&told).unwrap()["run_id"].as_str().unwrap().to_owned();
    asks(&world, &id).await;

    says(&with(&["task", "reject", &id, "ask"]), 0);
    stands(&world, &id, "failed", ["failed", "failed", "upstream_failed"]).await;
    says(&with(&["task", "approve", &id, "ask"]), 1);
    says(&with(&["task", "mark", &id, "bad", "success"]), 0);
    stands(&world, &id, "failed", ["failed", "success", "upstream_failed"]).await;

    let told = says(&with(&["run", "clear", &id, "--task", "ask", "--downstream"]), 0);
    assert!(told.contains("2 tasks"), "{told}");
    asks(&world, &id).await;
    says(&with(&["run", "cancel", &id]), 0);
    let found = stands(&world, &id, "cancelled", ["removed", "success", "removed"]).await;
    assert_eq!(found["run"]["reason"], "cancelled by anna: a test");
    assert!(says(&with(&["run", "cancel", &id]), 1).contains("has ended already"));
    assert_eq!(actions(&world, &format!("run={id}")).await, ["trigger", "reject", "mark", "clear", "cancel"]);
    let shown = says(&["run", "show", &id], 0);
    assert!(shown.contains("cancelled by anna: a test") && shown.contains("reject"), "{shown}");
}

#[tokio::test]
async fn a_key_makes_one_run_and_pages_show_each_run_once() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let dag = &folder.name;
    let runs = format!("dags/{dag}/runs");
    let mut made = vec![];
    for key in ["one", "two", "three", "one"] {
        let (status, answer) = post(&world, &runs, Some(key), json!({})).await;
        assert_eq!((status, &answer["new"]), (200, &json!(!made.contains(&answer["run_id"]))), "{answer}");
        assert_eq!(
            (&answer["run"]["id"], &answer["run"]["dag"]),
            (&answer["run_id"], &json!(dag)),
            "{answer}"
        );
        made.push(answer["run_id"].clone());
    }
    assert_eq!(made.pop(), made.first().cloned());

    let (mut seen, mut before) = (vec![], String::new());
    loop {
        let page = world.get("scheduler", &format!("/api/v1/runs?dag={dag}&limit=2{before}")).await;
        let page: Vec<Value> = page.as_array().unwrap().iter().map(|run| run["id"].clone()).collect();
        let Some(last) = page.last().and_then(Value::as_str) else { break };
        before = format!("&before={last}");
        seen.extend(page);
    }
    made.reverse();
    assert_eq!(seen, made);
    for id in seen {
        act(&world, &format!("runs/{}/cancel", id.as_str().unwrap()), json!({})).await;
    }
}

#[tokio::test]
async fn a_dag_is_paused_and_goes_on_by_rest_and_by_command() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let dag = folder.name.as_str();
    let paused = async || {
        let dags = world.get("scheduler", "/api/v1/dags").await;
        dags.as_array().unwrap().iter().find(|row| row["name"] == dag).unwrap()["paused"].clone()
    };
    act(&world, &format!("dags/{dag}/pause"), json!({})).await;
    assert_eq!(paused().await, true);
    act(&world, &format!("dags/{dag}/unpause"), json!({})).await;
    assert_eq!(paused().await, false);
    says(&["dag", "pause", dag, "--who", "anna", "--why", "a test"], 0);
    assert_eq!(paused().await, true);
    says(&["dag", "unpause", dag, "--who", "anna", "--why", "a test"], 0);
    assert_eq!(paused().await, false);
    assert_eq!(actions(&world, &format!("dag={dag}")).await, ["pause", "unpause", "pause", "unpause"]);
    assert!(says(&["dag", "pause", "nobody"], 2).contains("there is no DAG \"nobody\""));
}

#[tokio::test]
async fn a_wrong_act_says_what_to_do() {
    let world = World::running();
    let folder = world.published(DAG).await;
    let (dag, id) = (&folder.name, trigger(&world, &folder.name).await);
    let nobody = "00000000-0000-0000-0000-000000000000";
    let cases = [
        (format!("dags/{dag}/runs"), json!({"params": {"n": 6}}), 422, "params.n"),
        (format!("dags/{dag}/runs"), json!({"params": {"m": 1}}), 422, "params.m"),
        (format!("dags/{dag}/runs"), json!({"logical_time": "yesterday"}), 422, "logical_time"),
        ("dags/nobody/pause".into(), json!({}), 404, "there is no DAG \"nobody\""),
        (format!("dags/{dag}/pause"), json!({"who": "a".repeat(2_000)}), 422, "at most 1000 bytes"),
        (format!("dags/{dag}/pause"), json!({"why": "a\u{0}b"}), 422, "sentences"),
        (format!("runs/{id}/clear"), json!({"task": "bad"}), 422, "unknown field `task`"),
        (
            format!("runs/{id}/tasks/bad/mark"),
            json!({"state": "running"}),
            422,
            "write success, failed or skipped",
        ),
        (format!("runs/{id}/tasks/bad/mark"), json!({}), 422, "missing field `state`"),
        (format!("runs/{id}/tasks/nope/mark"), json!({"state": "failed"}), 404, "there is no task \"nope\""),
        (format!("runs/{id}/tasks/then/decide"), json!({"approve": true}), 409, "asks nothing now"),
        (format!("runs/{id}/tasks/ask/decide"), json!({"approve": "yes"}), 422, "boolean"),
        (format!("runs/{nobody}/tasks/ask/mark"), json!({"state": "failed"}), 404, "there is no task"),
        (format!("dags/{dag}/runs"), json!({"params": {"a\u{0}b": 1}}), 422, "params."),
        (format!("runs/{id}/clear"), json!({"tasks": ["a\u{0}b"]}), 400, "Correct it"),
        (format!("runs/{nobody}/cancel"), json!({}), 404, "there is no run"),
        (format!("runs/{nobody}/clear"), json!({}), 404, "there is no run"),
        (format!("runs/{id}/tasks/nope/clear"), json!({}), 404, "there is no task \"nope\""),
    ];
    for (path, body, status, part) in cases {
        let (found, answer) = post(&world, &path, None, body).await;
        let told = answer["error"].as_str().unwrap_or_default();
        assert!(found == status && told.contains(part), "{path}: {found} {answer}");
    }
    act(&world, &format!("runs/{id}/cancel"), json!({})).await;
}

/// All that a list has, page by page, two at a time; `of` is what the last of a page is named by.
async fn paged(world: &World, list: &str, of: &str) -> Vec<Value> {
    let (mut seen, mut before) = (vec![], String::new());
    loop {
        let page = world.get("scheduler", &format!("/api/v1/{list}&limit=2{before}")).await;
        let page = page.as_array().unwrap().clone();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { return seen };
        before = format!("&before={}", last[of].to_string().trim_matches('"'));
        seen.extend(page);
    }
}

#[tokio::test]
async fn acts_and_backfills_are_read_page_by_page() {
    let world = World::running();
    let text =
        "schedule = \"0 0 * * *\"\nstart = 2026-01-01T00:00:00Z\npaused = true\n[tasks.a]\nkind = \"noop\"\n";
    let folder = world.published(text).await;
    let dag = &folder.name;
    for day in 1..=5 {
        let asked = json!({ "dag": dag, "from": format!("2026-01-0{day}T00:00:00Z"), "to": format!("2026-01-0{day}T00:00:00Z") });
        act(&world, "backfills", asked).await;
    }
    let froms = paged(&world, &format!("backfills?dag={dag}"), "id").await;
    let days: Vec<&str> = froms.iter().map(|one| &one["from"].as_str().unwrap()[..10]).collect();
    assert_eq!(days, ["2026-01-05", "2026-01-04", "2026-01-03", "2026-01-02", "2026-01-01"]);
    let acts = paged(&world, &format!("actions?dag={dag}"), "id").await;
    let ids: Vec<i64> = acts.iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert!(ids.len() == 5 && ids.is_sorted_by(|a, b| a > b), "{ids:?}");
}

/// `2026-03-01T12:00:00.123456Z`
fn has_six_digits(time: &Value) -> bool {
    let text = time.as_str().unwrap_or_default();
    text.len() == 27 && text.as_bytes()[19] == b'.' && text.ends_with('Z')
}

#[tokio::test]
async fn the_times_of_a_task_have_six_digits() {
    let world = World::running();
    let folder = world.published("[tasks.a]\nkind = \"noop\"\n").await;
    let ended = world.run_to_the_end(&folder.name, "one").await;
    for time in ["scheduled_at", "queued_at", "started_at", "ended_at"] {
        assert!(has_six_digits(&ended["tasks"][0][time]), "{time}: {ended:#}");
    }
    for time in ["made_at", "started_at", "ended_at"] {
        assert!(has_six_digits(&ended["run"][time]), "{time}: {ended:#}");
    }
}

#[tokio::test]
async fn who_sets_and_deletes_a_variable_is_written_down_without_its_value() {
    let world = World::running();
    let name = test_support::unique("v");
    let url = format!("{}/api/v1/variables/{name}", world.stack.address("scheduler"));
    let body = json!({ "value": "hunter22hunter22", "who": "anna", "why": "a new key" });
    let set = world.http.put(&url).json(&body).send().await.unwrap();
    assert_eq!(set.status(), 200, "{}", set.text().await.unwrap());
    let gone =
        world.http.delete(&url).query(&[("who", "berta"), ("why", "no longer used")]).send().await.unwrap();
    assert_eq!(gone.status(), 200, "{}", gone.text().await.unwrap());
    let acts = world.get("scheduler", "/api/v1/actions?limit=1000").await;
    let of_it = acts.as_array().unwrap().iter().filter(|act| act["detail"]["name"] == name.as_str());
    let told: Vec<String> =
        of_it.map(|act| format!("{} {} {}", act["who"], act["what"], act["why"]).replace('"', "")).collect();
    assert_eq!(told, ["berta delete variable no longer used", "anna set variable a new key"]);
    assert!(!acts.to_string().contains("hunter22"));
}
