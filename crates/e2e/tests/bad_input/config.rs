//! `millrace check`: mistakes in pipelines, DAGs and settings, each told once with file and line; and none of them panics.

use std::{fs, path::Path, process::Command};
use test_support::copy_folder;

const PIPELINE: &str = "pipelines/users/pipeline.toml";
const DAG: &str = "pipelines/users/dags/users.toml";
const AVSC: &str = "pipelines/users/users.avsc";
const SQL: &str = "pipelines/users/users_clean.sql";

/// File, what is replaced, by what; where it is told and what.
const CASES: &[(&str, &str, &str, &str)] = &[
    (DAG, "schedule = \"* * * * *\"", "schedule = \"61 * * * *\"", "dags/users.toml:"),
    (DAG, "schedule = \"* * * * *\"", "schedule = \"* * * *\"", "dags/users.toml:"),
    (DAG, "schedule = \"* * * * *\"", "schedule = \"0 0 30 2 *\"", "dags/users.toml:"),
    (DAG, "schedule = \"* * * * *\"", "schedule = \"\\u0000\"", "dags/users.toml:"),
    (DAG, "timezone = \"UTC\"", "timezone = \"Mars/Olympus\"", "dags/users.toml:"),
    (DAG, "catchup = \"latest\"", "catchup = \"sometimes\"", "dags/users.toml:"),
    (DAG, "kind = \"fetch\"", "kind = \"fetsch\"", "dags/users.toml:"),
    (DAG, "source = \"users\"", "source = \"nobody\"", "dags/users.toml:"),
    (DAG, "after = [\"fetch\"]", "after = [\"verified\"]", "waits for itself"),
    (DAG, "after = [\"fetch\"]", "after = [\"nobody\"]", "dags/users.toml:"),
    (DAG, "{{ tasks.fetch.result.offsets }}", "{{ tasks.fetch.result.offsets", "dags/users.toml:"),
    (PIPELINE, "key = [\"id\"]", "key = [\"nobody\"]", "pipeline.toml:"),
    (PIPELINE, "key = [\"id\"]", "key = []", "pipeline.toml:"),
    (PIPELINE, "partitions = 4", "partitions = 0", "pipeline.toml:"),
    (PIPELINE, "partitions = 4", "partitions = 1e400", "pipeline.toml:"),
    (PIPELINE, "partitions = 4", "partitions = 4\npartitions = 5", "pipeline.toml:"),
    (PIPELINE, "retention = \"7d\"", "retention = \"a week\"", "pipeline.toml:"),
    (PIPELINE, "event_time = \"fetched_at\"", "event_time = \"country\"", "pipeline.toml:"),
    (PIPELINE, "into = \"users\"", "into = \"nobody\"", "pipeline.toml:"),
    (PIPELINE, "records = \"/results\"", "records = \"results\"", "pipeline.toml:"),
    (PIPELINE, "schema = \"users.avsc\"", "schema = \"../../../../etc/passwd\"", "pipeline.toml:"),
    (PIPELINE, "sql = \"users_clean.sql\"", "sql = \"/etc/passwd\"", "pipeline.toml:"),
    (PIPELINE, "store = \"cassandra\"", "store = \"oracle\"", "pipeline.toml:"),
    (PIPELINE, "slots = 2", "slots = -2", "pipeline.toml:"),
    (PIPELINE, "[sources.users]", "[sources.users", "pipeline.toml:"),
    (PIPELINE, "[streams.users]", "[streams.\"users; DROP TABLE x\"]", "pipeline.toml:"),
    (PIPELINE, "deadletter_when = \"", "deadletter_when = \"nobody(id) OR ", "Invalid function 'nobody'"),
    (AVSC, "\"name\": \"id\", \"type\": \"string\"", "\"name\": \"id\", \"type\": \"strinG\"", "users.avsc"),
    (AVSC, "{ \"type\": \"record\"", "{ \"type\": \"record", "users.avsc"),
    (AVSC, "\"name\": \"last_name\"", "\"name\": \"first_name\"", "users.avsc"),
    (SQL, "lower(trim(email))", "lower(trim(email)", "users_clean.sql:"),
    (SQL, "FROM users", "FROM users; DROP TABLE users", "users_clean.sql:"),
    (SQL, "FROM users", "FROM nobody", "users_clean.sql:"),
    ("producer.toml", "listen = \"127.0.0.1:7070\"", "listen = 7070", "producer.toml:2"),
    ("scheduler.toml", "[kafka]", "[kafka]\nnope = 1", "unknown field `nope`"),
];

/// Status and output of `millrace check` with one file changed.
fn check(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config"), folder.path()).unwrap();
    let path = folder.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    let output = Command::new(test_support::binaries().join("millrace"))
        .arg("check")
        .arg(folder.path())
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn each_mistake_is_told_with_its_file() {
    let mut wrong = vec![];
    for (file, from, to, expected) in CASES {
        let (status, told) = check(file, |text| {
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(from), "{file} has no {from}");
            text.replacen(from, to, 1).into_bytes()
        });
        if status != Some(2) || !told.contains(expected) || told.contains("panicked") {
            wrong.push(format!("{file}: {from} -> {to}: {status:?} {told}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} mistakes are not told:\n{}",
        wrong.len(),
        CASES.len(),
        wrong.join("\n")
    );
}

#[test]
fn files_that_are_no_text_or_cut_anywhere_are_told_and_nothing_panics() {
    for file in [PIPELINE, DAG, AVSC, SQL, "producer.toml", "millrace.toml"] {
        let (status, told) = check(file, |text| [&[0xff, 0xfe, 0], &text[..]].concat());
        assert!(
            status == Some(2) && !told.contains("panicked"),
            "{file} that is not UTF-8: {status:?} {told}"
        );
        for tenth in 1..10 {
            let (status, told) = check(file, |text| text[..text.len() * tenth / 10].to_vec());
            assert!(
                matches!(status, Some(0 | 2)) && !told.contains("panicked"),
                "{file} cut at {tenth}/10: {told}"
            );
        }
    }
}
