//! One act on many runs.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, Folder};
use serde_json::{Value, json};
use test_support::eventually;
use uuid::Uuid;

const DAG: &str = "max_active_runs = 100\n[tasks.a]\nkind = \"noop\"\n[tasks.bad]\nkind = \"command\"\nafter = [\"a\"]\nrun = [\"false\"]\n";

/// A DAG with runs that failed, for the first hours of 2026.
async fn failed(crew: &Crew, many: usize) -> (Folder, Vec<Uuid>) {
    let folder = crew.dag(DAG);
    let mut runs = vec![];
    for hour in 0..many {
        let at = json!({ "logical_time": format!("2026-01-01T{hour:02}:00:00Z") });
        runs.push(crew.trigger_with(&folder.name, &at).await);
    }
    for id in &runs {
        assert_eq!(crew.ends(*id).await, "failed");
    }
    (folder, runs)
}

async fn bulk(crew: &Crew, mut body: Value) -> (u16, Value) {
    body["who"] = json!("anna");
    body["why"] = json!("a test");
    crew.post("bulk", &body).await
}

/// The run of each answer for which it was done, as asked.
fn done(answer: &Value) -> Vec<String> {
    let answers = answer["answers"].as_array().unwrap().iter().filter(|one| one["done"] == true);
    answers.map(|one| one["run_id"].as_str().unwrap().to_owned()).collect()
}

/// How many acts of this name were written down for these runs, each by anna for a test.
async fn acts(crew: &Crew, dag: &str, what: &str) -> usize {
    let acts = crew.get(&format!("actions?dag={dag}&limit=1000")).await.unwrap();
    let of = acts
        .as_array()
        .unwrap()
        .iter()
        .filter(|act| act["what"] == what && act["who"] == "anna" && act["why"] == "a test");
    of.filter(|act| act["run_id"].is_string()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_are_tried_again_marked_and_cancelled_and_each_is_answered() {
    let crew = Crew::start(&[("one", &[])]).await;
    let (folder, runs) = failed(&crew, 6).await;
    let dag = &folder.name;
    let names = |runs: &[Uuid]| runs.iter().map(Uuid::to_string).collect::<Vec<_>>();
    let tried = async |id: &Uuid| crew.task(*id, "bad").await["attempt"].as_i64().unwrap();

    // By a DAG, a state and a range of logical times.
    let some = json!({ "dag": dag, "state": "failed", "from": "2026-01-01T01:00:00Z", "to": "2026-01-01T03:00:00Z" });
    let (status, told) = bulk(&crew, json!({ "what": "retry", "where": some })).await;
    assert_eq!((status, done(&told)), (200, names(&runs[1..=3])), "{told:#}");
    assert!(told["answers"].as_array().unwrap().iter().all(|one| one["tasks"] == 1), "{told:#}");
    for (n, id) in runs.iter().enumerate() {
        eventually("it was tried again", || async {
            (tried(id).await == if (1..=3).contains(&n) { 2 } else { 1 }).then_some(())
        })
        .await;
        assert_eq!(crew.ends(*id).await, "failed");
    }
    assert_eq!(acts(&crew, dag, "clear").await, 3);

    // By name; one is not there, and is answered as such.
    let nobody = Uuid::nil();
    let asked = json!({ "what": "mark", "runs": [runs[0], nobody], "tasks": ["bad"], "state": "success" });
    let (_, told) = bulk(&crew, asked).await;
    assert_eq!((done(&told), &told["done"], &told["asked"]), (names(&runs[..1]), &json!(1), &json!(2)));
    assert_eq!(told["answers"][1]["error"], format!("there is no run {nobody}: correct the address"));
    assert_eq!(crew.ends(runs[0]).await, "success");
    assert_eq!(acts(&crew, dag, "mark").await, 1);

    let (_, told) = bulk(&crew, json!({ "what": "cancel", "runs": [runs[0]] })).await;
    assert_eq!(told["answers"][0]["error"], "it has ended already");

    // With the newest version, as one by one.
    let mended = DAG.replace("false", "true");
    folder.write(&format!("dags/{dag}.toml"), &mended);
    let old = crew.listed(dag).await.unwrap()["version"].clone();
    eventually("the edit is live", || async { (crew.listed(dag).await?["version"] != old).then_some(()) })
        .await;
    let (_, told) = bulk(
        &crew,
        json!({ "what": "retry", "where": { "dag": dag, "state": "failed" }, "version": "newest" }),
    )
    .await;
    assert_eq!(done(&told), names(&runs[1..]), "{told:#}");
    for id in &runs {
        eventually("it succeeds", || async { (crew.ends(*id).await == "success").then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dags_are_paused_together_and_what_can_not_be_is_refused_with_what_to_do() {
    let crew = Crew::start(&[("one", &[])]).await;
    let (one, two) = (crew.dag("[tasks.a]\nkind = \"noop\"\n"), crew.dag("[tasks.a]\nkind = \"noop\"\n"));
    for folder in [&one, &two] {
        crew.trigger(&folder.name).await;
    }
    let (_, told) = bulk(&crew, json!({ "what": "pause", "dags": [one.name, two.name, "nobody"] })).await;
    assert_eq!((&told["done"], &told["asked"]), (&json!(2), &json!(3)), "{told:#}");
    for folder in [&one, &two] {
        assert_eq!(crew.listed(&folder.name).await.unwrap()["paused"], true);
    }
    let many: Vec<Uuid> = (0..1_001).map(Uuid::from_u128).collect();
    let cases = [
        (json!({ "what": "cancel", "runs": many }), "more than 1000"),
        (json!({ "what": "cancel" }), "either `runs` or `where`"),
        (json!({ "what": "cancel", "where": {} }), "`where` says nothing"),
        (json!({ "what": "mark", "runs": [] }), "mark needs `tasks` and `state`"),
        (
            json!({ "what": "mark", "runs": [], "tasks": ["a"], "state": "running" }),
            "write success, failed or skipped",
        ),
        (json!({ "what": "pause" }), "name `dags`"),
        (json!({ "what": "delete", "runs": [] }), "unknown variant `delete`"),
    ];
    for (body, part) in cases {
        let (status, told) = bulk(&crew, body).await;
        assert!(status == 422 && told["error"].as_str().unwrap().contains(part), "{part}: {told}");
    }
}
