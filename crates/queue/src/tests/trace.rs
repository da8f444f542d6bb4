//! What is noted of runs that end, for a collector of traces.

use super::*;

const WANTED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_run_that_ends_is_noted_once_while_somebody_wants_to_tell_it() {
    let queue = queue().await;
    play(&queue, "a", &[]).await;
    assert!(queue.take_traces(10).await.unwrap().is_empty(), "nobody wanted it");
    queue.want_traces(WANTED).await.unwrap();
    let (cancelled, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    queue.cancel(cancelled, &by()).await.unwrap();
    assert_eq!(queue.take_traces(10).await.unwrap(), [cancelled]);
    assert!(queue.take_traces(10).await.unwrap().is_empty(), "it was taken");
    for _ in 0..3 {
        play(&queue, "a", &["a"]).await;
    }
    assert_eq!(queue.drop_traces(2).await.unwrap(), 1);
    let (one, two) = (queue.take_traces(1).await.unwrap(), queue.take_traces(10).await.unwrap());
    assert!(one.len() == 1 && two.len() == 1 && one != two);
}

#[tokio::test]
async fn a_traced_run_has_all_its_attempts_with_their_holders_and_ends() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b<a", &unique("key"))).await.unwrap();
    queue.claim("lost", Duration::ZERO, 1).await.unwrap();
    queue.rescue().await.unwrap();
    let again = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&again, &success()).await.unwrap();
    let last = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&last, &failed()).await.unwrap();
    let (runs, attempts) = queue.traced(&[id]).await.unwrap();
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Failed));
    let told: Vec<_> = attempts
        .iter()
        .map(|of| (of.task.as_str(), of.attempt, of.holder.as_deref().unwrap(), of.state.as_str()))
        .collect();
    assert_eq!(told, [("a", 1, "lost", "failed"), ("a", 2, "me", "success"), ("b", 1, "me", "failed")]);
    assert!(attempts[0].ended_at <= attempts[1].started_at);
    assert_eq!(attempts[0].reason.as_deref(), Some("lost fell silent while it held the task"));
    // A task tells since when it could begin: at first, and at its last try.
    let tasks = queue.tasks(id).await.unwrap();
    assert_eq!(
        [tasks[0].scheduled_at, tasks[0].queued_at, tasks[1].scheduled_at, tasks[1].queued_at],
        [0, 1, 2, 2].map(|of: usize| attempts[of].ready_at)
    );
    assert!(tasks[0].scheduled_at < tasks[0].queued_at);
    assert!(attempts.iter().all(|of| of.ready_at.unwrap() <= of.started_at && of.started_at <= of.ended_at));
}
