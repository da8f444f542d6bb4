use super::*;

fn ready() -> Held {
    Held {
        state: TaskState::Ready,
        reason: None,
        deferred: false,
        attempt: 0,
        ready_at: Some("2026-03-01T12:03:10Z".parse().unwrap()),
        later: false,
        dag: "d".into(),
        run_queued: false,
        max_active_runs: 2,
        backfill: None,
        pool: Pool {
            name: "heavy".into(),
            slots: Some(20),
            taken: 3,
            need: 1,
            most_by: Some("y".into()),
            head: None,
        },
        tasks_max: None,
        dag_tasks: 3,
        parent: None,
        past: None,
        item_of: None,
    }
}

#[test]
fn a_task_that_waits_says_what_holds_it_back() {
    let past = Uuid::nil();
    let waiting = |state: &str| Held {
        state: TaskState::Waiting,
        parent: Some(("z".into(), state.into(), ready().ready_at)),
        ..ready()
    };
    let pool = |taken, need| Held { pool: Pool { taken, need, ..ready().pool }, ..ready() };
    let failed = Held { state: TaskState::Retrying, reason: Some("no".into()), attempt: 1, ..ready() };
    let looked = Held { deferred: true, reason: Some("the file f is not there".into()), ..ready() };
    let cases = [
        (ready(), "ready: a scheduler with a free place takes it"),
        (
            Held { run_queued: true, ..ready() },
            "the run is queued: the DAG \"d\" has its maximum of 2 active runs",
        ),
        (
            Held { run_queued: true, backfill: Some(("running".into(), 4)), ..ready() },
            "the run is queued: its backfill has its maximum of 4 active runs",
        ),
        (
            Held { run_queued: true, backfill: Some(("paused".into(), 4)), ..ready() },
            "the run is queued: its backfill is paused",
        ),
        (waiting("running"), "waits for \"z\", which runs since 12:03:10 UTC"),
        (waiting("retrying"), "waits for \"z\", which is retrying"),
        (
            Held { item_of: Some(("load".into(), Some(4))), parent: None, ..waiting("ready") },
            "\"load\" has its maximum of 4 open items; this one begins when another has ended",
        ),
        (Held { later: true, ..failed.clone() }, "try 2 begins at 12:03:10 UTC: no"),
        (failed, "ready: a scheduler with a free place takes it"),
        (Held { later: true, ..looked }, "the file f is not there; it looks again at 12:03:10 UTC"),
        (pool(20, 1), "the pool \"heavy\" is full: 20 of 20 slots are taken, most by the DAG \"y\""),
        (
            Held { pool: Pool { head: Some(("big".into(), "z".into(), 18)), ..ready().pool }, ..ready() },
            "waits behind \"big\" of the DAG \"z\", which needs 18 slots of the pool \"heavy\": 3 of 20 are taken",
        ),
        (pool(18, 4), "it needs 4 slots of the pool \"heavy\": 18 of 20 are taken, most by the DAG \"y\""),
        (Held { tasks_max: Some(3), ..ready() }, "the DAG \"d\" has its maximum of 3 running tasks"),
        (
            Held { pool: Pool { slots: None, ..ready().pool }, ..ready() },
            "no pool is called \"heavy\": add it to [pools] in config/scheduler.toml",
        ),
        (
            Held { past: Some(("failed".into(), past)), ..ready() },
            "depends on the past: the same task of the run before, 00000000-0000-0000-0000-000000000000, is failed",
        ),
        (
            Held { past: Some(("success".into(), past)), ..ready() },
            "ready: a scheduler with a free place takes it",
        ),
    ];
    for (held, expected) in cases {
        assert_eq!(held.sentence(), expected, "{held:?}");
    }
}
