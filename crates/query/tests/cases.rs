//! Every folder of `testdata` is a job with its steps and the rows that must come out, whatever the batch size, the number of
//! slots and the restarts in between.

#![allow(clippy::unwrap_used)]

use std::{fs, io::Cursor, path::Path};

use query::{
    Emit, JobSpec, StreamDef,
    steps::{StepOptions, run},
};
use serde_json::Value;
use toml::Table;

#[test]
fn every_case_gives_its_rows_as_it_is() {
    for_each_case(|case| check(case, &StepOptions::default()));
}

#[test]
fn a_restart_after_every_flush_changes_nothing() {
    for_each_case(|case| check(case, &StepOptions { restart_after_flush: true, ..StepOptions::default() }));
}

#[test]
fn the_batch_size_changes_nothing() {
    for_each_case(|case| {
        for batch_rows in [1, 7, 4096] {
            check(case, &StepOptions { batch_rows, ..StepOptions::default() });
            check(case, &StepOptions { batch_rows, restart_after_flush: true, ..StepOptions::default() });
        }
    });
}

#[test]
fn three_slots_give_the_rows_of_one() {
    for_each_case(|case| {
        let expected = rows_only(&case.expected);
        for restart_after_flush in [false, true] {
            // Each slot has a watermark of its own, so a row may come out at another flush; not another row, though.
            let options = StepOptions { slots: case.slots, restart_after_flush, ..StepOptions::default() };
            assert_eq!(
                rows_only(&outcome(case, &options)),
                expected,
                "{} with {} slots",
                case.name,
                case.slots
            );
        }
    });
}

struct Case {
    name: String,
    spec: JobSpec,
    slots: u32,
    steps: String,
    expected: String,
}

fn check(case: &Case, options: &StepOptions) {
    assert_eq!(outcome(case, options), case.expected, "{} with {options:?}", case.name);
}

fn outcome(case: &Case, options: &StepOptions) -> String {
    let options = StepOptions { counters: true, ..options.clone() };
    let mut out = Vec::new();
    run(&case.spec, Cursor::new(&case.steps), &options, &mut out)
        .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    String::from_utf8(out).unwrap()
}

fn rows_only(text: &str) -> Vec<&str> {
    let mut rows: Vec<&str> = text.lines().filter(|l| l.starts_with("{\"out\"")).collect();
    rows.sort_unstable();
    rows
}

fn for_each_case(test: impl Fn(&Case)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut folders: Vec<_> =
        fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 5, "the cases are missing");
    folders.iter().for_each(|folder| test(&read_case(folder)));
}

/// Reads a folder as a pipeline with one job.
fn read_case(folder: &Path) -> Case {
    let text = |name: &str| {
        fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{}/{name}: {e}", folder.display()))
    };
    let pipeline: Table = text("pipeline.toml").parse().unwrap();
    let stream = |(name, s): (&String, &toml::Value)| StreamDef {
        name: name.clone(),
        schema: text(s["schema"].as_str().unwrap()),
        event_time: s.get("event_time").map(|t| t.as_str().unwrap().to_owned()),
        watermark_delay_ms: s.get("watermark_delay").map_or(0, millis),
        key: strings(s.get("key")),
    };
    let (name, job) = pipeline["jobs"].as_table().unwrap().iter().next().unwrap();
    let setting = |key: &str| job.get(key).map(|v| v.as_str().unwrap().to_owned());
    let spec = JobSpec {
        name: name.clone(),
        sql: text(job["sql"].as_str().unwrap()),
        inputs: pipeline["streams"].as_table().unwrap().iter().map(stream).collect(),
        into: setting("into").unwrap(),
        emit: if setting("emit").as_deref() == Some("updates") { Emit::Updates } else { Emit::Final },
        allowed_lateness_ms: job.get("allowed_lateness").map_or(0, millis),
        deadletter_when: setting("deadletter_when"),
        deadletter_reason: setting("deadletter_reason"),
        ..JobSpec::default()
    };
    let slots = u32::try_from(job["slots"].as_integer().unwrap()).unwrap();
    let case = folder.file_name().unwrap().to_string_lossy().into_owned();
    Case { name: case, spec, slots, steps: text("steps.jsonl"), expected: text("expected.jsonl") }
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let all = value.and_then(|v| v.as_array()).into_iter().flatten();
    all.map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn millis(value: &toml::Value) -> i64 {
    let text = value.as_str().unwrap();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_alphabetic()).unwrap());
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        other => panic!("{other}: the cases use s and m"),
    };
    number.parse::<i64>().unwrap() * unit
}

/// The expected lines are JSON: a slip in a file shows here, not as a strange difference.
#[test]
fn the_files_of_the_cases_are_json_lines() {
    for_each_case(|case| {
        for line in case.steps.lines().chain(case.expected.lines()) {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{}: {line}: {e}", case.name));
        }
    });
}
