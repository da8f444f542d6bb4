//! Whole fetches over HTTP and PostgreSQL. The API and the producer are played by a server of the test, so that a test can
//! say what they answer and see what they were asked.

#![allow(clippy::unwrap_used)]

mod world;

use serde_json::json;
use uuid::Uuid;
use world::{Mood, World};

#[tokio::test]
async fn a_fetch_moves_the_cursor_and_remembers_the_ids() {
    let world = World::with_pages(&[3, 2]).await;
    let run = Uuid::new_v4();
    let answer = world.fetch(Uuid::new_v4(), Some(run)).await.unwrap();
    assert_eq!((answer.source.as_str(), answer.stream.as_str()), ("people", "people"));
    assert_eq!((answer.pages, answer.fetched, answer.delivered, answer.rejected), (1, 3, 3, 0));
    assert_eq!(serde_json::to_value(&answer.offsets).unwrap(), json!({"0": 3}));
    assert_eq!((world.cursor().await, answer.cursor), (json!({"page": 2}), json!({"page": 2})));
    assert_eq!(world.ids(run).await, ["1-0", "1-1", "1-2"]);
    assert_eq!(
        world.delivered(),
        [r#"{"id":"1-0","name":"1"}"#, r#"{"id":"1-1","name":"1"}"#, r#"{"id":"1-2","name":"1"}"#]
    );
    assert!(
        world
            .metrics()
            .await
            .contains(r#"millrace_fetcher_records_total{outcome="delivered",source="people"} 3"#)
    );
}

#[tokio::test]
async fn an_attempt_that_is_asked_again_does_nothing_more() {
    let world = World::with_pages(&[3, 2]).await;
    let attempt = Uuid::new_v4();
    let (one, other) = tokio::join!(world.fetch(attempt, None), world.fetch(attempt, None));
    assert_eq!(one, other);
    assert_eq!(world.fetch(attempt, None).await, one);
    assert_eq!((world.asked(), world.delivered().len()), (vec![1], 3));
}

#[tokio::test]
async fn two_fetches_at_once_take_turns() {
    let world = World::with_pages(&[1, 1, 1]).await;
    let (one, other) = tokio::join!(world.fetch(Uuid::new_v4(), None), world.fetch(Uuid::new_v4(), None));
    assert_eq!(one.unwrap().fetched + other.unwrap().fetched, 2);
    assert_eq!((world.asked(), world.cursor().await), (vec![1, 2], json!({"page": 3})));
}

#[tokio::test]
async fn an_empty_page_is_looked_at_twice_and_ends_the_fetch() {
    let world = World::with_pages(&[2]).await;
    world.fetch(Uuid::new_v4(), None).await.unwrap();
    let answer = world.fetch(Uuid::new_v4(), None).await.unwrap();
    assert_eq!((answer.pages, answer.fetched, answer.cursor), (0, 0, json!({"page": 2})));
    assert_eq!((world.asked(), world.cursor().await), (vec![1, 2, 2], json!({"page": 2})));
}

#[tokio::test]
async fn without_an_acknowledgement_the_cursor_stays_and_the_next_attempt_knows_what_was_written() {
    let world = World::with_pages(&[3, 2, 4]).await;
    let run = Uuid::new_v4();
    world.set_pages_per_run(2).await;
    world.set_mood(Mood::AwayAfter(3));
    let (status, error) = world.fetch(Uuid::new_v4(), Some(run)).await.unwrap_err();
    assert_eq!(status, 503);
    assert!(
        error.contains("did not take the records of stream \"people\" in 2 tries: the broker is away"),
        "{error}"
    );
    assert_eq!((world.cursor().await, world.ids(run).await.len()), (json!({"page": 2}), 3));
    world.set_mood(Mood::Good);
    let answer = world.fetch(Uuid::new_v4(), Some(run)).await.unwrap();
    assert_eq!(
        (answer.pages, answer.fetched, answer.delivered, &answer.cursor),
        (3, 9, 9, &json!({"page": 4}))
    );
    assert_eq!(serde_json::to_value(&answer.offsets).unwrap(), json!({"0": 9}));
    assert_eq!(world.ids(run).await.len(), 9);
    // Another task of the same run knows nothing of it.
    assert_eq!(world.fetch(Uuid::new_v4(), Some(Uuid::new_v4())).await.unwrap().fetched, 0);
}

#[tokio::test]
async fn a_cursor_that_another_fetch_moved_is_not_overwritten() {
    let world = World::with_pages(&[3, 2]).await;
    world.fetch(Uuid::new_v4(), None).await.unwrap();
    let run = Uuid::new_v4();
    world.set_mood(Mood::MovesTheCursor);
    let (status, error) = world.fetch(Uuid::new_v4(), Some(run)).await.unwrap_err();
    assert_eq!((status, error.contains("another fetch moved the cursor")), (409, true), "{error}");
    assert_eq!((world.cursor().await, world.ids(run).await.len()), (json!({"page": 77}), 0));
}

#[tokio::test]
async fn bad_records_are_counted_and_stop_nothing() {
    let world = World::with_pages(&[3]).await;
    world.set_mood(Mood::BuriesTheFirst);
    let answer = world.fetch(Uuid::new_v4(), None).await.unwrap();
    assert_eq!(
        (answer.fetched, answer.delivered, answer.rejected, answer.cursor),
        (3, 2, 1, json!({"page": 2}))
    );
}

#[tokio::test]
async fn a_dry_run_sends_and_stores_nothing() {
    let world = World::with_pages(&[2]).await;
    let shown = world.dry_run("people").await.unwrap();
    assert!(shown["url"].as_str().unwrap().ends_with("/people?key=${PATH}&page=1&v=1"), "{shown}");
    assert_eq!(shown["records"], json!([{"id": "1-0", "name": "1"}, {"id": "1-1", "name": "1"}]));
    assert_eq!((&shown["cursor"], &shown["next"]), (&json!({"page": 1}), &json!({"page": 2})));
    assert_eq!((world.cursor().await, world.delivered().len()), (json!(null), 0));
    assert_eq!(world.dry_run("peoples").await.unwrap_err().0, 404);
}

#[tokio::test]
async fn an_api_that_stays_broken_is_named() {
    let world = World::with_pages(&[]).await;
    world.set_mood(Mood::ApiInTrouble);
    let (status, error) = world.fetch(Uuid::new_v4(), None).await.unwrap_err();
    assert_eq!(status, 502);
    assert!(error.contains("/people?key=${PATH}&page=1&v=1 failed 2 times, the last time because it answered 200 with an error: in trouble"), "{error}");
    assert_eq!(world.cursor().await, json!(null));
}
