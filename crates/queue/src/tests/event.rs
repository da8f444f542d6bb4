//! Records that start runs: each is in one run.

use super::*;
use uuid::Uuid;

pub(super) async fn waiting(queue: &Queue) -> Place {
    queue.publish_dags("p", "h", &[("d".into(), false)]).await.unwrap();
    queue.publish_events("p", &[("d".into(), "t".into())]).await.unwrap();
    let seen = place(queue).await;
    assert!(!seen.looked && seen.offsets.is_empty(), "{seen:?}");
    let begun =
        Place { looked: true, topic_id: Some(Uuid::nil()), offsets: [(0, 10)].into(), ..seen.clone() };
    assert!(queue.set_place(&seen, &begun).await.unwrap());
    place(queue).await
}

pub(super) async fn place(queue: &Queue) -> Place {
    queue.places().await.unwrap().remove(0)
}

pub(super) fn run_to(offset: i64) -> NewRun {
    let event =
        serde_json::json!({ "topic": "t", "from": {"0": 10}, "to": {"0": offset}, "records": offset - 10 });
    NewRun { cause: Cause::Kafka, event: Some(event), ..run_of("a", &format!("kafka:d:t:{offset}")) }
}

#[tokio::test]
async fn two_schedulers_that_saw_the_same_records_make_one_run() {
    let queue = queue().await;
    let seen = waiting(&queue).await;
    // They looked one after the other: the second saw one record more.
    let take = async |to: i64| queue.take(&seen, &[(0, to)].into(), &run_to(to)).await.unwrap();
    let (one, other) = tokio::join!(take(12), take(13));
    assert!(one.is_some() != other.is_some(), "exactly one of them: {one:?}, {other:?}");
    let runs = queue.runs(Some("d"), 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    let to = place(&queue).await.offsets[&0];
    assert_eq!(runs[0].event.as_ref().unwrap()["to"]["0"], to);
    assert_eq!(queue.event(runs[0].id).await.unwrap(), runs[0].event);
}

#[tokio::test]
async fn who_never_heard_that_it_was_taken_takes_it_no_second_time() {
    let queue = queue().await;
    let seen = waiting(&queue).await;
    let take = async || queue.take(&seen, &[(0, 12)].into(), &run_to(12)).await.unwrap();
    assert!(take().await.is_some());
    // The answer was lost: it asks again, and then looks anew.
    assert_eq!(take().await, None);
    let now = place(&queue).await;
    assert_eq!((now.offsets[&0], now.version), (12, seen.version + 1));
    assert_eq!(queue.runs(Some("d"), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_paused_dag_takes_its_records_when_it_goes_on() {
    let queue = queue().await;
    let seen = waiting(&queue).await;
    queue.pause("d", true, &by()).await.unwrap();
    assert_eq!(queue.take(&seen, &[(0, 12)].into(), &run_to(12)).await.unwrap(), None);
    assert!(place(&queue).await.paused);
    queue.pause("d", false, &by()).await.unwrap();
    let seen = place(&queue).await;
    assert_eq!(seen.offsets, [(0, 10)].into());
    assert!(queue.take(&seen, &[(0, 12)].into(), &run_to(12)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_place_is_kept_by_an_edit_and_begun_anew_with_another_topic() {
    let queue = queue().await;
    let seen = waiting(&queue).await;
    queue.publish_events("p", &[("d".into(), "t".into())]).await.unwrap();
    assert_eq!(place(&queue).await.offsets, seen.offsets);
    queue.publish_events("p", &[("d".into(), "u".into())]).await.unwrap();
    let other = place(&queue).await;
    assert!(!other.looked && other.offsets.is_empty() && other.topic_id.is_none(), "{other:?}");
    queue.publish_events("p", &[]).await.unwrap();
    assert_eq!(queue.places().await.unwrap(), []);
}
