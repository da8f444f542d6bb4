//! Setups and teardowns: what decides how a run ends, and what a clear takes along.

use super::*;
use TaskState::*;

/// `make`, then `first` and `last`, then `drop`, which takes down what `make` has made; `side` is beside `first`.
fn run() -> NewRun {
    let shape = "drop<make,last,side:all_done_setup_success first<make last<first,make make side<make";
    let mut run = run_of(shape, &unique("key"));
    run.tasks[0].teardown_of = vec!["make".into()];
    run.tasks[2].implied = vec!["make".into()];
    run
}

fn named(task: &str) -> Clear {
    Clear { tasks: Some(vec![task.into()]), downstream: false, upstream: false, only_failed: false }
}

async fn waiting(queue: &Queue, id: uuid::Uuid) -> Vec<String> {
    let tasks = queue.tasks(id).await.unwrap();
    tasks.into_iter().filter(|task| task.state == Waiting).map(|task| task.name).collect()
}

#[tokio::test]
async fn a_teardown_runs_after_a_failure_and_does_not_decide_how_the_run_ends() {
    let queue = queue().await;
    let cases: [(&[&str], RunState, [TaskState; 5]); 4] = [
        (&[], RunState::Success, [Success, Success, Success, Success, Success]),
        (&["first"], RunState::Failed, [Success, Failed, UpstreamFailed, Success, Success]),
        (&["drop"], RunState::Success, [Failed, Success, Success, Success, Success]),
        (
            &["make"],
            RunState::Failed,
            [UpstreamFailed, UpstreamFailed, UpstreamFailed, Failed, UpstreamFailed],
        ),
    ];
    for (bad, state, tasks) in cases {
        assert_eq!(play_run(&queue, &run(), bad).await, (state, tasks.to_vec()), "with {bad:?} failing");
    }
}

#[tokio::test]
async fn what_is_cleared_after_the_teardown_runs_between_setup_and_teardown_again() {
    let queue = queue().await;
    for (bad, which, again) in [
        (None, named("last"), vec!["drop", "last", "make"]),
        (None, Clear { downstream: true, ..named("last") }, vec!["drop", "last", "make"]),
        (Some("last"), Clear::failed(), vec!["drop", "last", "make"]),
        (Some("first"), Clear::failed(), vec!["drop", "first", "last", "make"]),
        // The rest stands: only the teardown is tried again.
        (Some("drop"), Clear::failed(), vec!["drop"]),
        (None, named("drop"), vec!["drop"]),
    ] {
        let (id, _) = queue.create(&run()).await.unwrap();
        play_on(&queue, id, bad.as_slice()).await;
        let cleared = queue.clear(id, &which, &by()).await.unwrap();
        assert_eq!(
            (waiting(&queue, id).await, cleared),
            (again.iter().map(|name| (*name).to_owned()).collect(), again.len() as u64),
            "{which:?}"
        );
        queue.admit("d", 1).await.unwrap();
        // Though all that the file names before `last` has succeeded, it begins after its setup.
        let first = queue.claim("me", LEASE, 10).await.unwrap();
        assert_eq!(first.len(), 1, "{which:?}");
        assert_eq!(first[0].task == "make", again.contains(&"make"), "{which:?}");
        assert_eq!(queue.finish(&first[0], &success()).await.unwrap(), Finished::Taken);
        assert_eq!(play_on(&queue, id, &[]).await, (RunState::Success, vec![Success; 5]), "{which:?}");
    }
}

#[tokio::test]
async fn a_setup_that_still_stands_is_not_run_again() {
    let queue = queue().await;
    let (id, _) = queue.create(&run()).await.unwrap();
    let make = queue.claim("me", LEASE, 10).await.unwrap().remove(0);
    queue.finish(&make, &success()).await.unwrap();
    // `side` goes on, so the teardown has not begun.
    let both = queue.claim("me", LEASE, 10).await.unwrap();
    let first = both.iter().find(|claim| claim.task == "first").unwrap();
    queue.finish(first, &failed()).await.unwrap();
    assert_eq!(queue.clear(id, &named("first"), &by()).await.unwrap(), 1);
    assert_eq!(waiting(&queue, id).await, ["drop"]);
    let tasks = queue.tasks(id).await.unwrap();
    let of = |name: &str| tasks.iter().find(|task| task.name == name).unwrap().state;
    assert_eq!((of("make"), of("first")), (Success, Ready));
}

#[tokio::test]
async fn an_edge_that_no_file_names_is_shown_to_nobody_and_fits_a_version_that_has_it_too() {
    let queue = queue().await;
    let (id, _) = queue.create(&run()).await.unwrap();
    let edges = queue.edges(id).await.unwrap();
    assert!(!edges.contains(&("make".into(), "last".into())), "{edges:?}");
    play_on(&queue, id, &[]).await;
    let renewed = queue.clear_with(id, &named("last"), &run(), &by()).await.unwrap();
    assert_eq!(renewed, Renewed::Cleared(3));
}

#[test]
fn a_run_of_a_file_waits_for_the_setups_that_its_tasks_need() {
    let task = |name: &str, more: &str| format!("[tasks.{name}]\nkind = \"noop\"\n{more}\n");
    let dag = [
        task("make", "setup = true"),
        task("first", "after = [\"make\"]"),
        task("last", "after = [\"first\"]"),
        task("drop", "after = [\"last\"]\nteardown = [\"make\"]"),
    ];
    let files = [("pipeline.toml".to_owned(), String::new()), ("dags/d.toml".to_owned(), dag.concat())];
    let bundle = pipeline::Bundle { name: "p".into(), files: files.into() };
    let dag = pipeline::Pipeline::parse(&bundle).unwrap().dags.remove("d").unwrap();
    let run = NewRun::of(&dag, "p", "h", unique("key"), Utc::now(), Cause::Manual);
    let of = |task: &NewTask| {
        format!(
            "{}<{} {} {}",
            task.name,
            task.after.join(","),
            task.implied.join(","),
            task.teardown_of.join(",")
        )
    };
    let found: Vec<String> = run.tasks.iter().map(of).collect();
    assert_eq!(found, ["drop<last,make  make", "first<make  ", "last<first,make make ", "make<  "]);
}
