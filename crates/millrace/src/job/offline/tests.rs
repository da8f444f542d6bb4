#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

const SCHEMA: &str = r#"{"type": "record", "name": "Event", "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "long"}]}"#;

/// A folder with `[streams]` and `[jobs]` only; the target is not declared.
fn folder(sql: &str, pipeline: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[streams.events]\nschema = \"events.avsc\"\nkey = [\"id\"]\n\n[jobs.doubled]\nsql = \"job.sql\"\ninto = \"doubled\"\n{pipeline}"
    );
    fs::write(dir.path().join("pipeline.toml"), text).unwrap();
    fs::write(dir.path().join("events.avsc"), SCHEMA).unwrap();
    fs::write(dir.path().join("job.sql"), sql).unwrap();
    dir
}

fn tried(dir: &Path, name: &str, steps: &str) -> Result<String, String> {
    let declared = Declared::read(dir, name).map_err(|failure| told(&failure, dir))?;
    let mut out = vec![];
    match steps::run(&declared.spec, steps.as_bytes(), &StepOptions::default(), &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(told(&failure(&declared, Path::new("steps.jsonl"), error).unwrap_err(), dir)),
    }
}

/// The exit code's variant and the message without the temporary folder.
fn told(failure: &Failure, dir: &Path) -> String {
    let kind = if matches!(failure, Failure::WrongInput(_)) { "2" } else { "1" };
    format!("{kind} {}", failure.to_string().replace(&format!("{}/", dir.display()), ""))
}

#[test]
fn a_folder_with_streams_and_jobs_only_can_be_tried() {
    let dir = folder("SELECT id, n * 2 AS n2 FROM events", "");
    let steps = "{\"in\": \"events\", \"row\": {\"id\": \"a\", \"n\": 21}}\n{\"flush\": true}\n";
    let expected = "{\"out\":\"doubled\",\"row\":{\"id\":\"a\",\"n2\":42}}\n{\"flushed\":1}\n";
    assert_eq!(tried(dir.path(), "doubled", steps), Ok(expected.to_string()));
}

#[test]
fn wrong_input_is_told_with_its_file_and_line() {
    let good = "SELECT id, n FROM events";
    let cases = [
        (
            good,
            "",
            "doubled",
            "\n{\"in\": \"event\", \"row\": {}}",
            "2 steps.jsonl:2: there is no stream event",
        ),
        ("SELECT id,\n  m FROM events", "", "doubled", "", "2 job.sql:2:3: "),
        (good, "", "halved", "", "2 pipeline.toml:1: there is no job \"halved\"; there are: doubled"),
        (good, "slotz = 1\n", "doubled", "", "2 pipeline.toml:8: unknown field `slotz`"),
        (
            good,
            "[streams.lost]\nschema = \"lost.avsc\"\nkey = []\n",
            "doubled",
            "",
            "2 pipeline.toml:8: [streams.lost] names the file",
        ),
    ];
    for (sql, pipeline, job, steps, expected) in cases {
        let dir = folder(sql, pipeline);
        let found = tried(dir.path(), job, steps).unwrap_err();
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_job_is_found_in_the_pipelines_of_the_configuration_and_explained() {
    let config = tempfile::tempdir().unwrap();
    let dir = folder("SELECT id, n FROM events", "");
    let target = config.path().join("pipelines/events");
    fs::create_dir_all(&target).unwrap();
    for file in fs::read_dir(dir.path()).unwrap().flatten() {
        fs::copy(file.path(), target.join(file.file_name())).unwrap();
    }
    let declared = look_for(config.path(), "doubled").unwrap();
    assert!(query::compile(&declared.spec).unwrap().explain().contains("events"));
}
