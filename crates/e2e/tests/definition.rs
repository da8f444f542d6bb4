//! What a DAG file can say about its tasks, on the running stack: items, groups, branches, and values that are not in the file.

#![allow(clippy::unwrap_used)]

use e2e::{Folder, World};
use serde_json::{Value, json};
use test_support::{eventually, unique};

const SECRET: &str = "a-secret-of-this-test";

/// `{c}` is a connection.
const DAG: &str = r#"
[params.files]
type = "array"
default = ["x", "y", "z"]

[groups.loaded]
after = ["start"]

[tasks.start]
kind = "noop"

[tasks.load]
kind = "command"
group = "loaded"
foreach = "{{ params.files }}"
max_active_items = 2
run = ["sh", "-c", "echo $PASSWORD for {{ item }}; echo {{ map_index }}"]
env = { PASSWORD = "{{ connections.{c}.password }}" }

[tasks.pick]
kind = "branch"
after = ["group:loaded"]
choose = "{{ 'few' if params.files | length < 5 else 'many' }}"

[tasks.few]
kind = "noop"
after = ["pick"]

[tasks.many]
kind = "noop"
after = ["pick"]

[tasks.end]
kind = "command"
after = ["few", "many"]
trigger_rule = "none_failed_min_one_success"
run = ["sh", "-c", "test \"$PASSWORD\" != \"\" && echo $PASSWORD >&2 && exit 3"]
env = { PASSWORD = "{{ connections.{c}.password }}" }
"#;

async fn put(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/v1/{path}", world.stack.address("scheduler"));
    let answer = world.http.put(url).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn states(run: &Value) -> Vec<String> {
    let text = |task: &Value, key: &str| task[key].as_str().unwrap_or_default().to_owned();
    let tasks = run["tasks"].as_array().unwrap().iter();
    let mut states: Vec<String> =
        tasks.map(|task| format!("{} {}", text(task, "name"), text(task, "state"))).collect();
    states.sort();
    states
}

#[tokio::test]
async fn a_dag_of_items_groups_and_branches_runs_and_its_secrets_are_in_no_answer() {
    let world = World::running();
    let (dag, connection) = (unique("definition"), unique("c").replace('-', "_"));
    let set = json!({ "value": { "host": "db", "password": SECRET }, "who": "anna" });
    assert_eq!(
        put(&world, &format!("connections/{connection}"), &set).await,
        (200, json!({ "name": connection }))
    );
    let _folder = Folder::add(&[
        ("pipeline.toml", ""),
        (&format!("dags/{dag}.toml"), &DAG.replace("{c}", &connection)),
    ]);
    eventually("the DAG is published", || async {
        let dags = world.get("scheduler", "/api/v1/dags").await;
        dags.as_array()?.iter().any(|row| row["name"] == dag.as_str()).then_some(())
    })
    .await;

    let run = world.run_to_the_end(&dag, &unique("key")).await;
    let expected = [
        "end failed",
        "few success",
        "load success",
        "load[0] success",
        "load[1] success",
        "load[2] success",
        "many skipped",
        "pick success",
        "start success",
    ];
    assert_eq!(states(&run), expected, "{run:#}");
    let id = run["run"]["id"].as_str().unwrap();
    let item = world.get("scheduler", &format!("/api/v1/runs/{id}/tasks/load[1]")).await;
    let lines: Vec<&str> =
        item["log"].as_array().unwrap().iter().filter_map(|line| line["line"].as_str()).collect();
    assert_eq!(lines, ["*** for y", "1"]);
    let end = world.get("scheduler", &format!("/api/v1/runs/{id}/tasks/end")).await;
    assert_eq!(end["log"][0]["line"], "***");
    for (page, shows) in [("", "load"), ("/tasks/load", "load[1]"), ("/tasks/end", "***")] {
        let page = world.page("scheduler", &format!("/runs/{id}{page}")).await;
        assert!(!page.contains(SECRET) && page.contains(shows), "{page}");
    }
    assert!(!format!("{run}{item}{end}").contains(SECRET));

    let listed = world.get("scheduler", "/api/v1/connections").await;
    let mine = listed.as_array().unwrap().iter().find(|row| row["name"] == connection.as_str()).unwrap();
    assert_eq!((mine["from"].as_str(), mine["changed_by"].as_str()), (Some("PostgreSQL"), Some("anna")));
    assert!(!listed.to_string().contains(SECRET));
    let url = format!("{}/api/v1/connections/{connection}", world.stack.address("scheduler"));
    let delete = async || world.http.delete(&url).send().await.unwrap().status().as_u16();
    assert_eq!((delete().await, delete().await), (200, 404));
}

#[tokio::test]
async fn a_value_that_can_not_be_kept_is_refused_with_what_to_do() {
    let world = World::running();
    let cases = [
        ("connections/Big", json!({ "value": {} }), "can't be a name: give a small letter"),
        ("connections/c", json!({ "value": "hunter22" }), "has no fields: give {"),
        ("connections/c", json!({ "value": { "password": "hunt" } }), "take a longer one"),
        ("variables/v", json!({ "value": 3 }), "is no text: give one"),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = put(&world, path, &body).await;
        let told = answer["error"].as_str().unwrap();
        assert!(
            status == 422 && told.contains(expected) && !told.contains("hunt"),
            "{path}: {status} {told}"
        );
    }
}
