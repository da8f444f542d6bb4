//! What is told of runs, and how often it is tried.

use super::*;
use uuid::Uuid;

async fn told(queue: &Queue) -> Vec<(String, String)> {
    let rows = queue.notifications(None, None, 100).await.unwrap();
    rows.into_iter().rev().map(|row| (row.kind, row.channel)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, channel)| ((*kind).into(), (*channel).into())).collect()
}

/// Runs a DAG of two tasks; those named in `bad` fail.
async fn run(queue: &Queue, bad: &[&str]) -> Uuid {
    let new = run_of("a b<a", &unique("key"));
    play_run(queue, &new, bad).await;
    queue.create(&new).await.unwrap().0
}

async fn listening(queue: &Queue, channels: &[&str]) {
    let pairs: Vec<_> = channels.iter().map(|channel| ("d".to_owned(), (*channel).to_owned())).collect();
    queue.publish_notify("p", &pairs).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_told_to_each_channel_and_the_first_success_after_it() {
    let queue = queue().await;
    run(&queue, &["a"]).await;
    assert_eq!(told(&queue).await, [], "nobody wants to know");
    listening(&queue, &["ops", "shop"]).await;
    run(&queue, &[]).await;
    assert_eq!(told(&queue).await, [], "nothing has failed since");
    run(&queue, &["b"]).await;
    let failures = [("failure", "ops"), ("failure", "shop")];
    assert_eq!(told(&queue).await, pairs(&failures));
    let first = queue.notifications(None, None, 1).await.unwrap().remove(0);
    assert!(
        first.text.starts_with("the run of DAG \"d\" for 20")
            && first.text.ends_with("failed: task \"b\" failed: no"),
        "{first:?}"
    );
    run(&queue, &[]).await;
    run(&queue, &[]).await;
    assert_eq!(
        told(&queue).await,
        pairs(&[failures[0], failures[1], ("recovery", "ops"), ("recovery", "shop")])
    );
}

#[tokio::test]
async fn a_run_that_fails_again_is_told_again_and_a_mark_that_leaves_it_failed_is_not() {
    let queue = queue().await;
    listening(&queue, &["ops"]).await;
    let id = run(&queue, &["a"]).await;
    queue.mark(id, "b", TaskState::Failed, &by()).await.unwrap();
    assert_eq!(told(&queue).await, pairs(&[("failure", "ops")]));
    queue.clear(id, &Clear::failed(), &by()).await.unwrap();
    queue.admit("d", 1).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, &failed()).await.unwrap();
    assert_eq!(told(&queue).await, pairs(&[("failure", "ops"); 2]));
    queue.publish_notify("p", &[]).await.unwrap();
    run(&queue, &["a"]).await;
    assert_eq!(told(&queue).await.len(), 2, "nobody wants to know any more");
}

#[tokio::test]
async fn a_deadline_is_told_once() {
    let queue = queue().await;
    listening(&queue, &["ops"]).await;
    let late = NewRun { expected_in_seconds: Some(0.0), ..run_of("a", &unique("key")) };
    queue.create(&late).await.unwrap();
    assert_eq!((queue.tell_late().await.unwrap().len(), queue.tell_late().await.unwrap().len()), (1, 0));
    assert_eq!(told(&queue).await, pairs(&[("deadline", "ops")]));
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again_and_not_for_ever() {
    let queue = queue().await;
    listening(&queue, &["ops"]).await;
    run(&queue, &["a"]).await;
    let now = "UPDATE notification SET next_at = now()";
    let take = async || {
        sqlx::query(now).execute(queue.pool()).await.unwrap();
        queue.take_notifications(10, LEASE).await.unwrap()
    };
    let lost = take().await.remove(0);
    assert!(queue.take_notifications(10, LEASE).await.unwrap().is_empty(), "it is on its way");
    for tries in 2..=crate::notify::TRIES_MAX {
        let taken = take().await.remove(0);
        assert_eq!((taken.tries, taken.key.clone()), (tries, lost.key.clone()));
        // Who was taken for dead says nothing any more.
        queue.notified(&lost, &Sent::Yes).await.unwrap();
        queue.notified(&taken, &Sent::NotNow("no answer".into())).await.unwrap();
    }
    assert!(take().await.is_empty());
    let failed = queue.notifications(Some("failed"), None, 10).await.unwrap();
    assert_eq!(failed[0].problem.as_deref(), Some("no answer"));
}
