//! Random histories against a plain reference: however rows are spread over partitions, batches, commits, restarts and slots,
//! the rows that come out are the same.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, io::Cursor};

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use query::{
    Emit, JobSpec, StreamDef,
    steps::{StepOptions, run},
};
use serde_json::{Value, json};

const SIZE_MS: i64 = 1_000;
const DELAY_MS: i64 = 700;
const PARTITIONS: i32 = 3;
/// Enough to meet every mix of late rows, commits and restarts many times, and done in seconds.
const HISTORIES: u32 = 60;

#[derive(Debug, Clone)]
enum Event {
    Row(Row),
    Flush,
    Restart,
    Idle(i32),
}

#[derive(Debug, Clone)]
struct Row {
    partition: i32,
    key: u8,
    at_ms: i64,
    value: Option<f64>,
    wanted: bool,
}

fn row() -> impl Strategy<Value = Row> {
    let value = prop_oneof![1 => Just(None), 4 => (-1e6..1e6).prop_map(Some)];
    (0..PARTITIONS, 0..4u8, -3_000..6_000i64, value, prop::bool::weighted(0.8))
        .prop_map(|(partition, key, at_ms, value, wanted)| Row { partition, key, at_ms, value, wanted })
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    let event =
        prop_oneof![20 => row().prop_map(Event::Row), 2 => Just(Event::Flush), 1 => Just(Event::Restart)];
    prop::collection::vec(event, 0..120)
}

fn options() -> impl Strategy<Value = StepOptions> {
    (prop::sample::select(vec![1usize, 2, 7, 4096]), any::<bool>()).prop_map(
        |(batch_rows, restart_after_flush)| StepOptions {
            batch_rows,
            restart_after_flush,
            ..StepOptions::default()
        },
    )
}

/// Fixed, so that a failure here is a failure everywhere.
fn check(test: impl Fn(Vec<Event>, StepOptions) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: HISTORIES,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&(history(), options()), |(history, options)| test(history, options))
        .unwrap();
}

#[test]
fn final_rows_are_those_of_the_reference_with_groups_over_all_partitions() {
    check(|history, options| {
        let (expected, late) = reference(&history);
        let (rows, counted) = outcome(Emit::Final, &history, &options);
        prop_assert_eq!(rows, expected);
        prop_assert_eq!(counted, late);
        Ok(())
    });
}

#[test]
fn three_slots_give_the_final_rows_of_one_where_a_key_has_one_partition() {
    check(|mut history, options| {
        for event in &mut history {
            if let Event::Row(row) = event {
                row.partition = i32::from(row.key) % PARTITIONS;
            }
        }
        let (expected, late) = reference(&history);
        for slots in [1, 2, 3] {
            let (rows, counted) = outcome(Emit::Final, &history, &StepOptions { slots, ..options.clone() });
            prop_assert_eq!(&rows, &expected);
            prop_assert_eq!(counted, late);
        }
        Ok(())
    });
}

#[test]
fn the_last_update_of_each_key_is_its_final_row() {
    check(|history, options| {
        let (expected, _) = reference(&history);
        let (rows, _) = outcome(Emit::Updates, &history, &options);
        let mut last = BTreeMap::new();
        for row in rows {
            let key = (row["window_start"].to_string(), row["key"].to_string());
            // A group only grows, so its last update is the one with the most rows.
            let kept = last.entry(key).or_insert_with(|| row.clone());
            if row["rows"].as_i64() > kept["rows"].as_i64() {
                *kept = row;
            }
        }
        let mut last: Vec<Value> = last.into_values().collect();
        last.sort_by_key(Value::to_string);
        prop_assert_eq!(last, expected);
        Ok(())
    });
}

/// Which row is late may depend on when a partition was idle, but not on batches or restarts: the answers are the same text.
#[test]
fn idle_partitions_are_remembered_through_batches_and_restarts() {
    let marked = (history(), prop::collection::vec((any::<prop::sample::Index>(), 0..PARTITIONS), 0..12));
    let config = Config {
        cases: HISTORIES,
        rng_seed: RngSeed::Fixed(21),
        failure_persistence: None,
        ..Config::default()
    };
    let test = |(mut history, marks): (Vec<Event>, Vec<(prop::sample::Index, i32)>)| {
        for (at, partition) in marks {
            history.insert(at.index(history.len() + 1), Event::Idle(partition));
        }
        let plain: Vec<Event> = history.iter().filter(|e| !matches!(e, Event::Restart)).cloned().collect();
        let expected = text(Emit::Final, &plain, &StepOptions { batch_rows: 1, ..StepOptions::default() });
        for (batch_rows, restart_after_flush) in [(1, true), (7, false), (7, true), (4096, true)] {
            let options = StepOptions { batch_rows, restart_after_flush, ..StepOptions::default() };
            prop_assert_eq!(text(Emit::Final, &history, &options), expected.clone());
        }
        Ok(())
    };
    TestRunner::new(config).run(&marked, test).unwrap();
}

/// The values of a group, by partition.
type Partitions = BTreeMap<i32, Vec<Option<f64>>>;

/// Rows and the number of late ones, by the plainest means: the watermark of a partition, one map of groups.
fn reference(history: &[Event]) -> (Vec<Value>, u64) {
    let mut watermarks: BTreeMap<i32, i64> = BTreeMap::new();
    let mut groups: BTreeMap<(i64, u8), Partitions> = BTreeMap::new();
    let mut late = 0;
    for event in history {
        let Event::Row(row) = event else { continue };
        let start = row.at_ms.div_euclid(SIZE_MS) * SIZE_MS;
        let reached = watermarks.entry(row.partition).or_insert(i64::MIN);
        if start + SIZE_MS <= *reached {
            late += 1;
        } else if row.wanted {
            groups.entry((start, row.key)).or_default().entry(row.partition).or_default().push(row.value);
        }
        *reached = (*reached).max(row.at_ms - DELAY_MS);
    }
    let mut rows: Vec<Value> =
        groups.iter().map(|((start, key), parts)| group_row(*start, *key, parts)).collect();
    rows.sort_by_key(Value::to_string);
    (rows, late)
}

/// Sums are exact: a partition's values in their order, then the partitions in theirs.
fn group_row(start: i64, key: u8, parts: &Partitions) -> Value {
    let all: Vec<f64> = parts.values().flatten().flatten().copied().collect();
    let partial = |values: &Vec<Option<f64>>| values.iter().flatten().copied().reduce(|a, b| a + b);
    let sum = parts.values().filter_map(partial).reduce(|a, b| a + b);
    let count = all.len();
    json!({
        "window_start": chrono::DateTime::from_timestamp_millis(start).unwrap().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        "key": key.to_string(),
        "rows": parts.values().map(Vec::len).sum::<usize>(),
        "total": sum,
        "least": all.iter().copied().reduce(f64::min),
        "most": all.iter().copied().reduce(f64::max),
        "mean": sum.map(|s| s / count as f64),
        "positive": all.iter().filter(|v| **v > 0.0).count(),
    })
}

fn outcome(emit: Emit, history: &[Event], options: &StepOptions) -> (Vec<Value>, u64) {
    let out = text(emit, history, options);
    let lines: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let mut rows: Vec<Value> = lines.iter().filter_map(|l| l.get("row").cloned()).collect();
    rows.sort_by_key(Value::to_string);
    let counters = lines.last().unwrap();
    assert_eq!(
        (&counters["dead"], &counters["state_rows"]),
        (&json!(0), &json!(0)),
        "after the end no state is left"
    );
    (rows, counters["late"].as_u64().unwrap())
}

fn text(emit: Emit, history: &[Event], options: &StepOptions) -> String {
    let mut steps: Vec<String> = history.iter().map(|event| line(event).to_string()).collect();
    steps.push(json!({"end": true}).to_string());
    let options = StepOptions { counters: true, ..options.clone() };
    let mut out = Vec::new();
    run(&spec(emit), Cursor::new(steps.join("\n")), &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn line(event: &Event) -> Value {
    match event {
        Event::Flush => json!({"flush": true}),
        Event::Restart => json!({"restart": true}),
        Event::Idle(partition) => json!({"idle": "readings", "partition": partition}),
        Event::Row(r) => json!({
            "in": "readings",
            "partition": r.partition,
            "row": {"key": r.key.to_string(), "at": r.at_ms, "value": r.value, "wanted": r.wanted},
        }),
    }
}

fn spec(emit: Emit) -> JobSpec {
    let schema = r#"{"type": "record", "name": "readings", "fields": [{"name": "key", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "value", "type": ["null", "double"]}, {"name": "wanted", "type": "boolean"}]}"#;
    let readings = StreamDef {
        name: "readings".into(),
        schema: schema.into(),
        event_time: Some("at".into()),
        watermark_delay_ms: DELAY_MS,
        key: vec!["key".into()],
    };
    let sql = "SELECT window_start, key, count(*) AS rows, sum(value) AS total, min(value) AS least,
            max(value) AS most, avg(value) AS mean, count(*) FILTER (WHERE value > 0) AS positive
        FROM tumble(readings, at, INTERVAL '1' SECOND) WHERE wanted GROUP BY window_start, window_end, key";
    JobSpec {
        name: "readings".into(),
        sql: sql.into(),
        inputs: vec![readings],
        into: "stats".into(),
        emit,
        ..JobSpec::default()
    }
}
