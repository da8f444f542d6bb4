//! Runs that follow the success of another DAG's run.

use super::*;
use uuid::Uuid;

pub(super) fn follow(success: &Success) -> NewRun {
    NewRun {
        dag: success.dag.clone(),
        cause: Cause::After,
        ..run_of("b", &format!("after:{}:{}", success.dag, success.run_id))
    }
}

pub(super) async fn following(queue: &Queue) {
    let dags = [("up".into(), false), ("down".into(), false), ("also".into(), true)];
    queue.publish_dags("p", "h", &dags).await.unwrap();
    queue
        .publish_followers("p", &[("down".into(), "up".into()), ("also".into(), "up".into())])
        .await
        .unwrap();
}

/// Runs the one task of a run of `up`.
pub(super) async fn end(queue: &Queue, ending: &Ending) -> Uuid {
    let (id, _) = queue.create(&NewRun { dag: "up".into(), ..run_of("a", &unique("key")) }).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, ending).await.unwrap();
    id
}

#[tokio::test]
async fn each_success_is_followed_once_by_each_follower_and_no_failure_is() {
    let queue = queue().await;
    following(&queue).await;
    end(&queue, &failed()).await;
    assert_eq!(queue.successes().await.unwrap(), []);
    let succeeded = end(&queue, &success()).await;
    // `also` is paused: it follows later.
    let found = queue.successes().await.unwrap();
    assert_eq!(
        found.iter().map(|it| (it.dag.as_str(), it.run_id)).collect::<Vec<_>>(),
        [("down", succeeded)]
    );
    // Two schedulers that saw it at once.
    let followed = async || queue.follow(&found[0], &follow(&found[0])).await.unwrap();
    let (one, other) = tokio::join!(followed(), followed());
    assert!(one != other, "made by exactly one of them: {one}, {other}");
    assert_eq!(queue.runs(Some("down"), 10).await.unwrap().len(), 1);
    queue.pause("also", false, &by()).await.unwrap();
    assert_eq!(queue.successes().await.unwrap()[0].dag, "also");
}

#[tokio::test]
async fn a_run_that_succeeds_again_is_not_followed_again() {
    let queue = queue().await;
    following(&queue).await;
    end(&queue, &success()).await;
    let first = queue.successes().await.unwrap().remove(0);
    assert!(queue.follow(&first, &follow(&first)).await.unwrap());
    steps::watch_no_more(queue.pool()).await;
    let again = "UPDATE run SET state = 'running' WHERE dag = 'up'; UPDATE run SET state = 'success' WHERE dag = 'up'";
    sqlx::raw_sql(again).execute(queue.pool()).await.unwrap();
    let second = queue.successes().await.unwrap().remove(0);
    assert!(!queue.follow(&second, &follow(&second)).await.unwrap());
    assert_eq!(queue.successes().await.unwrap(), []);
}

#[tokio::test]
async fn who_no_longer_follows_is_not_started() {
    let queue = queue().await;
    following(&queue).await;
    end(&queue, &success()).await;
    assert_eq!(queue.successes().await.unwrap().len(), 1);
    queue.publish_followers("p", &[]).await.unwrap();
    assert_eq!(queue.successes().await.unwrap(), []);
    end(&queue, &success()).await;
    assert_eq!(queue.successes().await.unwrap(), []);
}
