//! What people do by hand.

use super::*;

/// Runs the run to its end; tasks named in `bad` fail. Answers the run's state and its tasks' in order of name.
async fn go_on(queue: &Queue, id: uuid::Uuid, bad: &[&str]) -> (RunState, Vec<TaskState>) {
    queue.admit("d", 1).await.unwrap();
    play_on(queue, id, bad).await
}

#[tokio::test]
async fn a_clear_runs_again_what_it_names_and_nothing_else() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a c<b d<a", &unique("key"))).await.unwrap();
    go_on(&queue, id, &[]).await;
    let named = |tasks: &str, downstream, upstream| Clear {
        tasks: Some(vec![tasks.into()]),
        downstream,
        upstream,
        only_failed: false,
    };
    let cases = [
        (named("b", false, false), vec!["b"]),
        (named("b", true, false), vec!["b", "c"]),
        (named("b", false, true), vec!["a", "b"]),
        (named("b", true, true), vec!["a", "b", "c"]),
        (Clear { only_failed: true, ..named("b", true, true) }, vec![]),
        (Clear { only_failed: false, ..Clear::failed() }, vec!["a", "b", "c", "d"]),
    ];
    for (which, expected) in cases {
        assert_eq!(queue.clear(id, &which, &by()).await.unwrap(), expected.len() as u64, "{which:?}");
        let waiting = queue.tasks(id).await.unwrap();
        let waiting = waiting.iter().filter(|task| task.state == TaskState::Waiting);
        assert_eq!(waiting.map(|task| task.name.as_str()).collect::<Vec<_>>(), expected, "{which:?}");
        assert_eq!(
            go_on(&queue, id, &[]).await,
            (RunState::Success, vec![TaskState::Success; 4]),
            "{which:?}"
        );
    }
}

#[tokio::test]
async fn a_cleared_task_has_all_its_tries_again() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    go_on(&queue, id, &["a"]).await;
    queue.clear(id, &Clear::failed(), &by()).await.unwrap();
    queue.admit("d", 1).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!((claim.attempt, claim.tries), (2, 1));
}

#[tokio::test]
async fn a_task_marked_failed_stays_failed_though_its_holder_says_otherwise() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert!(queue.mark(id, "a", TaskState::Failed, &by()).await.unwrap());
    assert_eq!(queue.finish(&claim, &success()).await.unwrap(), Finished::Refused);
    let tasks = queue.tasks(id).await.unwrap();
    assert_eq!((tasks[0].state, tasks[1].state), (TaskState::Failed, TaskState::UpstreamFailed));
    assert_eq!(tasks[0].reason.as_deref(), Some("marked failed by anna: a test"));
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Failed);
    let attempt = queue.attempts(id, "a").await.unwrap().remove(0);
    assert_eq!((attempt.state.as_str(), attempt.ended_at.is_some()), ("failed", true));
}

#[tokio::test]
async fn a_mark_lets_an_open_run_go_on_and_changes_how_an_ended_one_ended() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    assert!(queue.mark(id, "a", TaskState::Skipped, &by()).await.unwrap());
    assert_eq!(go_on(&queue, id, &[]).await, (RunState::Success, vec![TaskState::Skipped; 2]));
    let (id, _) = queue.create(&run_of("a b<a:all_done", &unique("key"))).await.unwrap();
    assert!(queue.mark(id, "a", TaskState::Failed, &by()).await.unwrap());
    assert_eq!(go_on(&queue, id, &["b"]).await.0, RunState::Failed);
    assert!(queue.mark(id, "b", TaskState::Success, &by()).await.unwrap());
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Success);
    assert!(!queue.mark(id, "c", TaskState::Success, &by()).await.unwrap());
}

#[tokio::test]
async fn a_mark_on_a_run_that_has_not_begun_counts_when_it_begins() {
    let queue = queue().await;
    let (first, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    assert!(queue.mark(id, "a", TaskState::Success, &by()).await.unwrap());
    assert_eq!(go_on(&queue, first, &[]).await.0, RunState::Success);
    assert_eq!(go_on(&queue, id, &[]).await, (RunState::Success, vec![TaskState::Success; 2]));
}

#[tokio::test]
async fn each_act_is_written_down_with_who_and_why() {
    let queue = queue().await;
    queue.publish_dags("p", "h", &[("d".into(), false)]).await.unwrap();
    let new = run_of("a b<a", &unique("key"));
    let (id, _) = queue.trigger(&new, &by()).await.unwrap();
    queue.trigger(&new, &by()).await.unwrap();
    queue.pause("d", true, &by()).await.unwrap();
    queue.mark(id, "a", TaskState::Failed, &by()).await.unwrap();
    queue.clear(id, &Clear::failed(), &by()).await.unwrap();
    assert!(queue.cancel(id, &by()).await.unwrap());
    assert!(!queue.cancel(id, &by()).await.unwrap());
    let written = queue.actions(Some("d"), None, 10).await.unwrap();
    let what: Vec<&str> = written.iter().rev().map(|action| action.what.as_str()).collect();
    assert_eq!(what, ["trigger", "pause", "mark", "clear", "cancel"]);
    assert!(written.iter().all(|action| action.who == "anna" && action.why.as_deref() == Some("a test")));
    assert_eq!(queue.actions(None, Some(id), 10).await.unwrap().len(), 4);
    let reason = queue.run(id).await.unwrap().unwrap().reason;
    assert_eq!(reason.as_deref(), Some("cancelled by anna: a test"));
}

#[tokio::test]
async fn pages_of_runs_show_each_run_once() {
    let queue = queue().await;
    let mut made = vec![];
    for _ in 0..7 {
        made.push(queue.create(&run_of("a", &unique("key"))).await.unwrap().0);
    }
    let (mut seen, mut before) = (vec![], None);
    loop {
        let page = queue.runs_page(&Which { before, ..Which::default() }, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|run| run.id));
    }
    made.reverse();
    assert_eq!(seen, made);
    let queued = Which { state: Some(RunState::Queued), dag: Some("d"), before: None };
    assert_eq!(queue.runs_page(&queued, 10).await.unwrap().len(), 6);
}

#[tokio::test]
async fn an_approval_is_a_persons_and_is_taken_once() {
    let queue = queue().await;
    for (yes, run, task) in
        [(true, RunState::Success, TaskState::Success), (false, RunState::Failed, TaskState::Failed)]
    {
        let mut new = run_of("ask then<ask", &unique("key"));
        new.tasks[0].kind = "approve";
        let (id, _) = queue.create(&new).await.unwrap();
        assert!(!queue.decide(id, "then", yes, &by()).await.unwrap(), "it asks nothing");
        let look = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
        let waits = Ending::Deferred {
            look_again_in: Duration::from_secs(3600),
            reason: "go on?".into(),
            kept: None,
        };
        queue.finish(&look, &waits).await.unwrap();
        assert!(queue.decide(id, "ask", yes, &by()).await.unwrap());
        assert!(!queue.decide(id, "ask", !yes, &by()).await.unwrap(), "it has its answer");
        let asked = queue.tasks(id).await.unwrap().remove(0);
        assert_eq!((asked.state, asked.result.unwrap()["who"].as_str()), (task, Some("anna")));
        assert_eq!(go_on(&queue, id, &[]).await.0, run);
    }
}
