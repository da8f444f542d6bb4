//! The life of a run, from the trigger to green, on the real servers. Read it from top to bottom.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, World};
use serde_json::{Value, json};
use test_support::{eventually, unique};

fn task<'a>(run: &'a Value, name: &str) -> &'a Value {
    run["tasks"].as_array().unwrap().iter().find(|task| task["name"] == name).unwrap()
}

#[tokio::test]
async fn a_run_is_green_only_when_each_of_its_ids_has_arrived() {
    let world = World::running();
    let key = unique("run");

    // Asked for twice with one key, it is one run.
    let (first, second) = (world.trigger("users", &key).await, world.trigger("users", &key).await);
    assert_eq!(
        (&first["run_id"], &first["new"], &second["new"]),
        (&second["run_id"], &json!(true), &json!(false))
    );

    let run = world.run_to_the_end("users", &key).await;
    assert_eq!(run["run"]["state"], "success", "{run:#}");

    // The fetch says what it did; the check found each id in both databases.
    let fetched = &task(&run, "fetch")["result"]["fetched"];
    let verified = &task(&run, "verified")["result"];
    assert_eq!(fetched, &json!(500));
    assert_eq!(verified, &json!({"ids": 500, "dead": 0, "rows": {"created_users": 500, "users": 500}}));

    // The report, which waited for all others, has it all in one place.
    assert_eq!(task(&run, "report")["result"]["verified"], *verified);

    // The task tells what it did, and the page shows the run.
    let id = run["run"]["id"].as_str().unwrap();
    let log = world.get("scheduler", &format!("/api/v1/runs/{id}/tasks/verified")).await;
    assert!(
        log["log"].as_array().unwrap().iter().any(|line| line["line"] == "created_users: 500 of 500 ids"),
        "{log:#}"
    );
    let tasks = world.get("scheduler", &format!("/api/v1/runs/{id}/tasks")).await;
    for task in tasks.as_array().unwrap() {
        let time = |key: &str| task[key].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let times = ["scheduled_at", "queued_at", "started_at", "ended_at"].map(time);
        assert!(times.is_sorted(), "{times:?}");
    }
    let page = world.page("scheduler", &format!("/runs/{id}")).await;
    assert!(page.contains("success") && page.contains("verified"), "the page of run {id} does not show it");
}

#[tokio::test]
async fn the_daily_batch_counts_users_per_country_and_day() {
    let world = World::running();
    let run = world.run_to_the_end("users_daily", &unique("daily")).await;
    assert_eq!(run["run"]["state"], "success", "{run:#}");
    let analytics = world.postgres("analytics").await;
    let (countries, users): (i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT country), coalesce(sum(users), 0)::bigint FROM users_per_country_day",
    )
    .fetch_one(&analytics)
    .await
    .unwrap();
    assert!(countries > 0 && users >= countries, "{countries} countries, {users} users");
}

#[tokio::test]
async fn sign_ups_are_counted_per_country_and_minute() {
    let world = World::running();
    let cassandra = world.cassandra().await;
    let country = unique("Land");
    let record = |n: u32, second: u32| {
        json!({"id": format!("{country}-{n}"), "first_name": "a", "last_name": "b", "email": "a@b.c", "username": "u",
        "country": country, "nat": "NO", "fetched_at": now_at(second)}).to_string()
    };
    let lines: Vec<String> = (0..7).map(|n| record(n, n)).collect();
    let (status, answer) = world.send("users", &lines.join("\n"), "").await;
    assert_eq!(status, 200, "{answer}");
    let question = format!("SELECT signups FROM millrace.signups_per_country WHERE country = '{country}'");
    eventually("seven sign-ups are counted", || async {
        let rows = cassandra.query(&question).await.ok()?.rows;
        (rows.iter().filter_map(|row| row[0].as_i64()).sum::<i64>() == 7).then_some(())
    })
    .await;
}

/// Seven instants a millisecond apart, now: earlier ones would be late.
fn now_at(millisecond: u32) -> i64 {
    chrono::Utc::now().timestamp_millis() + i64::from(millisecond)
}

#[tokio::test]
async fn a_backfill_makes_one_run_per_due_time_however_often_it_is_asked() {
    let world = World::running();
    let url = format!("{}/api/v1/dags/users_daily/backfill", world.stack.address("scheduler"));
    let range = json!({ "from": "2026-03-01T00:00:00Z", "to": "2026-03-04T00:00:00Z" });
    let ask =
        || async { world.http.post(&url).json(&range).send().await.unwrap().json::<Value>().await.unwrap() };

    let first = ask().await;
    assert_eq!(first["made"].as_array().map(Vec::len), Some(3), "{first}");
    assert_eq!(ask().await, json!({ "made": [], "there": 3 }));

    let day = first["made"][0].as_str().unwrap();
    eventually("the first of them is green", || async {
        let runs = world.get("scheduler", "/api/v1/runs?dag=users_daily&limit=1000").await;
        let mine = runs.as_array()?.iter().find(|run| run["logical_at"] == day)?.clone();
        (mine["state"] == "success" && mine["cause"] == "backfill").then_some(())
    })
    .await;
}

/// As many as a DAG may have.
const TASKS_MAX: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_dag_of_ten_thousand_tasks_runs_to_its_end() {
    let crew = Crew::start(&[("one", &[("MILLRACE_TASKS_MAX", "32")])]).await;
    let middle: Vec<String> = (0..TASKS_MAX - 2).map(|n| format!("t{n}")).collect();
    let task = |name: &str, after: &[String]| format!("[tasks.{name}]\nkind = \"noop\"\nafter = {after:?}\n");
    let first = ["first".to_owned()];
    let text = task("first", &[]) + &middle.iter().map(|name| task(name, &first)).collect::<String>();
    let folder = crew.dag(&(text + &task("last", &middle)));
    let id = crew.trigger(&folder.name).await;
    assert_eq!(crew.ends(id).await, "success");
    let tasks = "SELECT count(*), min(started_at) = min(started_at) FILTER (WHERE name = 'first'),
        max(started_at) = max(started_at) FILTER (WHERE name = 'last') FROM task WHERE run_id = $1 AND state = 'success' AND attempt = 1";
    let done: (i64, bool, bool) = sqlx::query_as(tasks).bind(id).fetch_one(&crew.pool).await.unwrap();
    assert_eq!(done, (TASKS_MAX as i64, true, true), "each ran once, in their order");
    assert!(crew.page("/metrics").await.contains("counter_drift_total 0"));
}
