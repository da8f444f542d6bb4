//! Tasks that are done once for each item, and branches.

use super::*;
use serde_json::json;
use uuid::Uuid;

fn items(n: usize, items_max: Option<u32>) -> Expansion {
    Expansion {
        items: (0..n).map(|item| json!(item * 10)).collect(),
        kind: "noop",
        pool: "default".into(),
        slots: 1,
        items_max,
    }
}

/// How a task ends whose items have ended; the scheduler's sentence is longer.
fn ending(items: &[Item]) -> Ending {
    match items.iter().find(|item| item.state != TaskState::Success) {
        Some(item) => Ending::Failed { reason: format!("{} is {}", item.name, item.state), retry_in: None },
        None => Ending::Success(items.iter().filter_map(|item| item.result.clone()).collect()),
    }
}

/// Runs everything that becomes ready; `m` is done once for each item. Answers the greatest number of items that ran at once.
async fn play_map(queue: &Queue, id: Uuid, expansion: &Expansion, bad: &[&str]) -> usize {
    queue.admit("d", 1).await.unwrap();
    let mut most = 0;
    loop {
        let claims = queue.claim("me", LEASE, 100_000).await.unwrap();
        most = most.max(claims.iter().filter(|claim| claim.task.starts_with("m[")).count());
        if claims.is_empty() {
            return most;
        }
        for claim in claims {
            let taken = match claim.task.as_str() {
                "m" => match queue.items(id, "m").await.unwrap() {
                    None => queue.expand(&claim, expansion).await.unwrap(),
                    Some(items) => queue.finish(&claim, &ending(&items.all)).await.unwrap(),
                },
                other if bad.contains(&other) => queue.finish(&claim, &failed()).await.unwrap(),
                other => queue.finish(&claim, &Ending::Success(json!(other))).await.unwrap(),
            };
            assert_eq!(taken, Finished::Taken, "{}", claim.task);
        }
    }
}

async fn states(queue: &Queue, id: Uuid) -> Vec<String> {
    let tasks = queue.tasks(id).await.unwrap();
    tasks.into_iter().map(|task| format!("{} {}", task.name, task.state)).collect()
}

async fn state(queue: &Queue, id: Uuid) -> RunState {
    queue.run(id).await.unwrap().unwrap().state
}

/// What the run counts, and what is so.
async fn open_tasks(queue: &Queue, id: Uuid) -> (i64, i64) {
    sqlx::query_as("SELECT tasks_left::bigint, (SELECT count(*) FROM task WHERE run_id = $1 AND ended_at IS NULL) FROM run WHERE id = $1")
        .bind(id)
        .fetch_one(queue.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_task_is_done_once_for_each_item_and_what_waits_for_it_waits_for_all() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a m<a z<m", &unique("key"))).await.unwrap();
    assert_eq!(play_map(&queue, id, &items(3, None), &[]).await, 3);
    let expected = ["a success", "m success", "m[0] success", "m[1] success", "m[2] success", "z success"];
    assert_eq!(
        (state(&queue, id).await, states(&queue, id).await),
        (RunState::Success, expected.map(Into::into).into())
    );
    let tasks = queue.tasks_named(id, &["m".into()]).await.unwrap();
    assert_eq!(tasks[0].result, Some(json!(["m[0]", "m[1]", "m[2]"])));
    assert_eq!((queue.item(id, "m[2]").await.unwrap(), open_tasks(&queue, id).await), (json!(20), (0, 0)));
    // Making items and ending with them is one try.
    assert_eq!(queue.attempts(id, "m").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_item_that_fails_fails_its_task_when_the_others_have_ended() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("m z<m", &unique("key"))).await.unwrap();
    play_map(&queue, id, &items(3, Some(1)), &["m[0]"]).await;
    let expected = ["m failed", "m[0] failed", "m[1] success", "m[2] success", "z upstream_failed"];
    assert_eq!(
        (state(&queue, id).await, states(&queue, id).await),
        (RunState::Failed, expected.map(Into::into).into())
    );
    let reason = queue.run(id).await.unwrap().unwrap().reason.unwrap();
    assert_eq!(reason, "task \"m\" failed: m[0] is failed");
}

#[tokio::test]
async fn no_more_items_are_open_at_once_than_allowed() {
    let queue = queue().await;
    for (max, most) in [(1, 1), (2, 2), (50, 20)] {
        let (id, _) = queue.create(&run_of("m", &unique("key"))).await.unwrap();
        let expansion = items(20, Some(max));
        assert_eq!(play_map(&queue, id, &expansion, &["m[3]", "m[7]"]).await, most, "{max}");
        assert_eq!((state(&queue, id).await, open_tasks(&queue, id).await), (RunState::Failed, (0, 0)));
    }
}

#[tokio::test]
async fn an_item_without_a_place_says_so() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("m", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.expand(&claim, &items(2, Some(1))).await.unwrap();
    let why: Vec<_> =
        queue.tasks_explained(id).await.unwrap().into_iter().filter_map(|task| task.reason).collect();
    let expected = [
        "waits for \"m[0]\", which is ready",
        "ready: a scheduler with a free place takes it",
        "\"m\" has its maximum of 1 open items; this one begins when another has ended",
    ];
    assert_eq!(why, expected);
}

#[tokio::test]
async fn items_are_made_once_whoever_dies_when() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("m z<m", &unique("key"))).await.unwrap();
    // One that fell silent before it made the items comes too late.
    let zombie = queue.claim("zombie", Duration::ZERO, 1).await.unwrap().remove(0);
    assert_eq!(queue.rescue().await.unwrap(), 1);
    let other = queue.claim("other", LEASE, 1).await.unwrap().remove(0);
    assert_eq!(queue.expand(&zombie, &items(5, None)).await.unwrap(), Finished::Refused);
    assert_eq!(queue.expand(&other, &items(2, None)).await.unwrap(), Finished::Taken);
    // The answer to it was lost: it is asked again.
    assert_eq!(queue.expand(&other, &items(2, None)).await.unwrap(), Finished::Refused);
    assert_eq!(open_tasks(&queue, id).await, (4, 4));
    // One that fell silent when it was to end with its items.
    for claim in queue.claim("me", LEASE, 10).await.unwrap() {
        queue.finish(&claim, &success()).await.unwrap();
    }
    queue.claim("zombie", Duration::ZERO, 1).await.unwrap();
    assert_eq!(queue.rescue().await.unwrap(), 1);
    play_map(&queue, id, &items(9, None), &[]).await;
    let expected = ["m success", "m[0] success", "m[1] success", "z success"];
    assert_eq!(states(&queue, id).await, expected);
}

#[tokio::test]
async fn a_cleared_task_makes_its_items_anew_and_a_cleared_item_only_runs_again() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a m<a z<m", &unique("key"))).await.unwrap();
    play_map(&queue, id, &items(3, Some(2)), &["m[1]"]).await;
    // What failed: one item, and what it failed.
    assert_eq!(queue.clear(id, &Clear::failed(), &by()).await.unwrap(), 3);
    play_map(&queue, id, &items(9, None), &[]).await;
    assert_eq!((state(&queue, id).await, states(&queue, id).await.len()), (RunState::Success, 6));
    assert_eq!(queue.attempts(id, "m[1]").await.unwrap().len(), 2);
    assert_eq!(queue.attempts(id, "m[0]").await.unwrap().len(), 1);
    // One item, by its name: its task ends anew.
    let one =
        Clear { tasks: Some(vec!["m[2]".into()]), downstream: false, upstream: false, only_failed: false };
    assert_eq!(queue.clear(id, &one, &by()).await.unwrap(), 2);
    play_map(&queue, id, &items(9, None), &["m[2]"]).await;
    assert_eq!(states(&queue, id).await[1..5], ["m failed", "m[0] success", "m[1] success", "m[2] failed"]);
    // The task, with what follows: other items now.
    let all = Clear { tasks: Some(vec!["m".into()]), downstream: true, upstream: false, only_failed: false };
    assert_eq!(queue.clear(id, &all, &by()).await.unwrap(), 2);
    assert_eq!(open_tasks(&queue, id).await, (2, 2));
    play_map(&queue, id, &items(1, None), &[]).await;
    let expected = ["a success", "m success", "m[0] success", "z success"];
    assert_eq!(
        (state(&queue, id).await, states(&queue, id).await),
        (RunState::Success, expected.map(Into::into).into())
    );
    // Its tries go on where they were.
    assert_eq!(queue.attempts(id, "m[0]").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_mark_ends_a_task_with_its_items_and_a_parent_that_ends_late_is_counted() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("a b m<a,b:one_success", &unique("key"))).await.unwrap();
    let claims = queue.claim("me", LEASE, 10).await.unwrap();
    queue.finish(&claims[0], &success()).await.unwrap();
    let map = queue.claim("me", LEASE, 10).await.unwrap().remove(0);
    // While the items are being made.
    queue.finish(&claims[1], &success()).await.unwrap();
    assert_eq!(queue.expand(&map, &items(2, None)).await.unwrap(), Finished::Taken);
    play_map(&queue, id, &items(2, None), &[]).await;
    assert_eq!(state(&queue, id).await, RunState::Success);
    let (id, _) = queue.create(&run_of("m z<m", &unique("key"))).await.unwrap();
    let map = queue.claim("me", LEASE, 10).await.unwrap().remove(0);
    queue.expand(&map, &items(3, Some(1))).await.unwrap();
    let item = queue.claim("me", LEASE, 10).await.unwrap().remove(0);
    assert!(queue.mark(id, "m", TaskState::Skipped, &by()).await.unwrap());
    assert_eq!(queue.finish(&item, &success()).await.unwrap(), Finished::Refused);
    assert_eq!((state(&queue, id).await, open_tasks(&queue, id).await), (RunState::Success, (0, 0)));
}

/// What the guard `empty-foreach` stands against.
#[tokio::test]
async fn a_task_that_waited_for_no_items_would_never_be_told_from_one_that_has_made_none_yet() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_of("m z<m", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!(queue.expand(&claim, &items(0, None)).await.unwrap(), Finished::Taken);
    let again = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    assert_eq!((again.task.as_str(), queue.items(id, "m").await.unwrap()), ("m", None));
    assert_eq!(queue.expand(&again, &items(0, None)).await.unwrap(), Finished::Refused);
    assert_eq!(state(&queue, id).await, RunState::Running);
}

#[tokio::test]
async fn ten_thousand_items_are_made_in_a_moment() {
    let queue = queue().await;
    queue.create(&run_of("m z<m", &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    let started = std::time::Instant::now();
    assert_eq!(queue.expand(&claim, &items(pipeline::ITEMS_MAX, Some(16))).await.unwrap(), Finished::Taken);
    println!("{} items: {:?}", pipeline::ITEMS_MAX, started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let started = std::time::Instant::now();
    let claims = queue.claim("me", LEASE, 100_000).await.unwrap();
    for claim in &claims {
        queue.finish(claim, &success()).await.unwrap();
    }
    println!("claimed and ended 16 of them: {:?}", started.elapsed());
    assert_eq!((claims.len(), queue.claim("me", LEASE, 100_000).await.unwrap().len()), (16, 16));
}

#[tokio::test]
async fn what_a_branch_does_not_choose_is_skipped_and_so_is_what_follows_it() {
    let queue = queue().await;
    let shape = "b x<b y<b x2<x y2<y join<x2,y2:none_failed_min_one_success";
    let (id, _) = queue.create(&run_of(shape, &unique("key"))).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    let chose = |left_out: &str| Ending::Branched {
        result: json!({ "chose": ["x"] }),
        left_out: vec![left_out.into()],
        reason: "\"b\" chose \"x\"".into(),
    };
    assert_eq!(queue.finish(&claim, &chose("y")).await.unwrap(), Finished::Taken);
    play_map(&queue, id, &items(0, None), &[]).await;
    let expected = ["b success", "join success", "x success", "x2 success", "y skipped", "y2 skipped"];
    assert_eq!(
        (state(&queue, id).await, states(&queue, id).await),
        (RunState::Success, expected.map(Into::into).into())
    );
    // What was left out stays so until the branch is asked again.
    let clear = |task: &str| Clear {
        tasks: Some(vec![task.into()]),
        downstream: true,
        upstream: false,
        only_failed: false,
    };
    assert_eq!(queue.clear(id, &clear("y"), &by()).await.unwrap(), 2);
    play_map(&queue, id, &items(0, None), &[]).await;
    assert_eq!(states(&queue, id).await, expected);
    assert_eq!(queue.clear(id, &clear("b"), &by()).await.unwrap(), 6);
    queue.admit("d", 1).await.unwrap();
    let claim = queue.claim("me", LEASE, 1).await.unwrap().remove(0);
    queue.finish(&claim, &chose("x")).await.unwrap();
    play_map(&queue, id, &items(0, None), &[]).await;
    let expected = ["b success", "join success", "x skipped", "x2 skipped", "y success", "y2 success"];
    assert_eq!(states(&queue, id).await, expected);
}
