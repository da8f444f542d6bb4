use super::*;
use pipeline::{Bundle, Pipeline};
use serde_json::json;

fn task(when: &str) -> pipeline::Task {
    let dag = format!(
        "[params.full]\ntype = \"boolean\"\ndefault = true\n[tasks.a]\nkind = \"noop\"\nwhen = '{when}'\n"
    );
    let files = [("pipeline.toml".to_owned(), String::new()), ("dags/d.toml".to_owned(), dag)].into();
    Pipeline::parse(&Bundle { name: "p".into(), files }).unwrap().dags["d"].tasks["a"].clone()
}

#[test]
fn a_task_whose_condition_does_not_hold_is_skipped_and_one_without_an_answer_fails() {
    let context = json!({ "params": { "full": true, "rows": 3 } });
    let skipped = |reason: &str| Some(Ending::Skipped { reason: reason.into() });
    let failed = |reason: &str| Some(Ending::Failed { reason: reason.into(), retry_in: None });
    let cases = [
        ("{{ params.full }}", None),
        ("{{ not params.full }}", skipped("`when` does not hold: {{ not params.full }}")),
        ("{{ params.full and dag == 1 }}", None),
        ("yes", failed("`when` gives \"yes\", neither true nor false: yes")),
    ];
    for (when, expected) in cases {
        let context = if when.contains("dag") {
            json!({ "params": { "full": true }, "dag": 1 })
        } else {
            context.clone()
        };
        assert_eq!(unwanted(&task(when), &context), expected, "{when}");
    }
    let unknown = unwanted(&task("{{ params.full }}"), &json!({ "params": {} })).unwrap();
    assert!(
        matches!(&unknown, Ending::Failed { reason, .. } if reason.contains("can't be filled")),
        "{unknown:?}"
    );
}

#[test]
fn claims_leave_time_for_others_to_become_ready_and_a_full_executor_for_room() {
    let now = Instant::now();
    let wait_after = |tasks: usize, ago_ms: u64, filled, free| {
        let claimed_at = now.checked_sub(Duration::from_millis(ago_ms));
        Pace { claimed_at, tasks, filled }.wait(now, free, 32).as_millis()
    };
    let wait = |ago_ms, filled, free| wait_after(8, ago_ms, filled, free);
    assert_eq!(Pace::default().wait(now, 1, 32), Duration::ZERO);
    assert_eq!([wait(0, false, 1), wait(1, false, 31), wait(2, false, 1)], [2, 1, 0]);
    assert_eq!([wait(0, true, 15), wait(4, true, 1), wait(10, true, 1)], [10, 6, 0]);
    assert_eq!([wait(0, true, 16), wait(2, true, 32)], [2, 0]);
    assert_eq!(
        [(1, false, 32), (1, false, 31), (1, true, 0), (0, false, 32)]
            .map(|(tasks, filled, free)| wait_after(tasks, 0, filled, free)),
        [0, 2, 10, 2]
    );
}
