//! Pools, limits of DAGs, priorities and turns: what one claim gives.

use super::*;
use std::{collections::BTreeMap, time::Instant};

/// What is promised to a task whose pool and DAG have room, whatever waits elsewhere.
const START_MAX: Duration = Duration::from_secs(1);

/// A run of `dag` with tasks that nobody waits for, all in one pool.
fn run_in(dag: &str, pool: &str, tasks: usize, priority: i32) -> NewRun {
    let shape: Vec<String> = (0..tasks).map(|n| format!("t{n}")).collect();
    let mut run = run_of(&shape.join(" "), &unique("key"));
    run.dag = dag.into();
    for task in &mut run.tasks {
        task.pool = pool.into();
        task.priority = priority;
    }
    run
}

async fn pools(queue: &Queue, pools: &[(&str, u32)]) {
    let pools: BTreeMap<String, u32> = pools.iter().map(|(name, slots)| ((*name).into(), *slots)).collect();
    queue.set_pools(&pools).await.unwrap();
}

fn dags(claims: &[Claim]) -> Vec<&str> {
    let mut dags: Vec<&str> = claims.iter().map(|claim| claim.dag.as_str()).collect();
    dags.sort_unstable();
    dags
}

#[tokio::test]
async fn thirty_six_slots_take_exactly_thirty_six_of_forty() {
    let queue = queue().await;
    pools(&queue, &[("p", 36)]).await;
    queue.create(&run_in("d", "p", 40, 0)).await.unwrap();
    let claimers = (0..8).map(|_| {
        // As in a process of its own.
        let queue = Queue::new(queue.pool().clone());
        tokio::spawn(async move { queue.claim("me", LEASE, 10).await.unwrap() })
    });
    let claims: Vec<Claim> = futures_all(claimers).await.into_iter().flatten().collect();
    assert_eq!(claims.len(), 36);
    assert!(queue.claim("me", LEASE, 10).await.unwrap().is_empty());
    queue.finish(&claims[0], &success()).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_pool_does_not_hold_up_another() {
    let queue = queue().await;
    pools(&queue, &[("a", 2), ("b", 2)]).await;
    queue.create(&run_in("x", "a", 1_000, 100)).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 16).await.unwrap().len(), 2);
    let started = Instant::now();
    queue.create(&run_in("y", "b", 1, 0)).await.unwrap();
    assert_eq!(dags(&queue.claim("me", LEASE, 16).await.unwrap()), ["y"]);
    assert!(started.elapsed() < START_MAX, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_dag_with_ten_thousand_ready_tasks_takes_turns_with_one_that_has_one() {
    let queue = queue().await;
    queue.create(&run_in("x", "default", 10_000, 0)).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 4).await.unwrap().len(), 4);
    let started = Instant::now();
    queue.create(&run_in("y", "default", 1, 0)).await.unwrap();
    assert_eq!(dags(&queue.claim("me", LEASE, 4).await.unwrap()), ["x", "x", "x", "y"]);
    assert!(started.elapsed() < START_MAX, "{:?}", started.elapsed());
}

#[tokio::test]
async fn ten_thousand_queued_runs_of_a_dag_do_not_hold_up_another_dag() {
    let queue = queue().await;
    let runs = "INSERT INTO run (id, dag, pipeline, hash, logical_at, cause, state, tasks_left)
                SELECT gen_random_uuid(), 'x', 'p', 'h', now() + n * interval '1 second', 'manual', 'queued', 1 FROM generate_series(1, 10000) n";
    let tasks = "INSERT INTO task (run_id, dag, name, kind, state, rule, upstream) SELECT id, dag, 't', 'noop', 'waiting', 'all_success', 0 FROM run";
    for statement in [runs, tasks] {
        sqlx::query(statement).execute(queue.pool()).await.unwrap();
    }
    queue.admit("x", 4).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 16).await.unwrap().len(), 4);
    let started = Instant::now();
    queue.create(&run_in("y", "default", 1, 0)).await.unwrap();
    let waiting = queue.waiting_dags().await.unwrap();
    assert_eq!(waiting.iter().map(|(dag, ..)| dag.as_str()).collect::<Vec<_>>(), ["x"]);
    assert_eq!(queue.admit("x", 4).await.unwrap(), 0);
    assert_eq!(dags(&queue.claim("me", LEASE, 16).await.unwrap()), ["y"]);
    assert!(started.elapsed() < START_MAX, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_higher_priority_goes_first_and_equals_take_turns() {
    let queue = queue().await;
    for (dag, priority) in [("x", 0), ("y", 0), ("z", 5)] {
        queue.create(&run_in(dag, "default", 3, priority)).await.unwrap();
    }
    let mut order = vec![];
    for limit in [3, 2, 2] {
        order.push(dags(&queue.claim("me", LEASE, limit).await.unwrap()).join(""));
    }
    assert_eq!(order, ["zzz", "xy", "xy"]);
}

#[tokio::test]
async fn a_dag_runs_no_more_tasks_at_once_than_it_says() {
    let queue = queue().await;
    let run = NewRun { max_active_tasks: Some(2), ..run_in("d", "default", 5, 0) };
    queue.create(&run).await.unwrap();
    let claims = queue.claim("me", LEASE, 10).await.unwrap();
    assert_eq!(claims.len(), 2);
    assert!(queue.claim("me", LEASE, 10).await.unwrap().is_empty());
    queue.finish(&claims[0], &success()).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_task_that_needs_many_slots_is_not_passed_by_small_ones_for_ever() {
    let queue = queue().await;
    pools(&queue, &[("p", 4)]).await;
    queue.create(&run_in("a", "p", 3, 0)).await.unwrap();
    let small = queue.claim("me", LEASE, 10).await.unwrap();
    let mut large = run_in("b", "p", 1, 0);
    large.tasks[0].slots = 9;
    queue.create(&large).await.unwrap();
    let (passed, _) = queue.create(&run_in("c", "p", 1, -1)).await.unwrap();
    assert!(queue.claim("me", LEASE, 10).await.unwrap().is_empty());
    let told = queue.tasks_explained(passed).await.unwrap()[0].reason.clone().unwrap();
    assert_eq!(
        told,
        "waits behind \"t0\" of the DAG \"b\", which needs 4 slots of the pool \"p\": 3 of 4 are taken"
    );
    for claim in &small {
        queue.finish(claim, &success()).await.unwrap();
    }
    // It needs more than there is, so it takes all.
    assert_eq!(dags(&queue.claim("me", LEASE, 10).await.unwrap()), ["b"]);
}

#[tokio::test]
async fn a_task_that_depends_on_the_past_waits_until_the_past_went_well() {
    let queue = queue().await;
    let mut ids = vec![];
    for day in 1..=2 {
        let mut run = run_of("a", &unique("key"));
        run.logical_at = format!("2026-03-0{day}T00:00:00Z").parse().unwrap();
        run.max_active_runs = 2;
        run.tasks[0].depends_on_past = true;
        ids.push(queue.create(&run).await.unwrap().0);
    }
    let first = queue.claim("me", LEASE, 10).await.unwrap();
    assert_eq!(first.iter().map(|claim| claim.run_id).collect::<Vec<_>>(), ids[..1]);
    queue.finish(&first[0], &failed()).await.unwrap();
    assert!(queue.claim("me", LEASE, 10).await.unwrap().is_empty());
    let told = queue.tasks_explained(ids[1]).await.unwrap()[0].reason.clone().unwrap();
    assert_eq!(told, format!("depends on the past: the same task of the run before, {}, is failed", ids[0]));
    queue.clear(ids[0], &Clear::failed(), &by()).await.unwrap();
    queue.admit("d", 2).await.unwrap();
    let again = queue.claim("me", LEASE, 10).await.unwrap();
    queue.finish(&again[0], &success()).await.unwrap();
    assert_eq!(queue.claim("me", LEASE, 10).await.unwrap()[0].run_id, ids[1]);
}

#[tokio::test]
async fn a_task_that_waits_says_why() {
    let queue = queue().await;
    pools(&queue, &[("p", 1)]).await;
    let mut run = run_of("a b c<a d<a", &unique("key"));
    run.tasks.iter_mut().for_each(|task| task.pool = "p".into());
    run.tasks[3].pool = "none".into();
    let (id, _) = queue.create(&run).await.unwrap();
    let (queued, _) = queue.create(&run_of("a", &unique("key"))).await.unwrap();
    let a = queue.claim("me", LEASE, 10).await.unwrap().remove(0);
    assert_eq!(a.task, "a");
    let reasons = |tasks: Vec<TaskRow>| -> Vec<String> {
        tasks.into_iter().map(|task| task.reason.unwrap_or_default()).collect()
    };
    let told = reasons(queue.tasks_explained(id).await.unwrap());
    assert_eq!(told[0], "");
    assert_eq!(told[1], "the pool \"p\" is full: 1 of 1 slots are taken, most by the DAG \"d\"");
    assert!(told[2].starts_with("waits for \"a\", which runs since "), "{}", told[2]);
    let told = reasons(queue.tasks_explained(queued).await.unwrap());
    assert_eq!(told, ["the run is queued: the DAG \"d\" has its maximum of 1 active runs"]);
    let retry = Ending::Failed { reason: "no".into(), retry_in: Some(Duration::from_secs(3600)) };
    queue.finish(&a, &retry).await.unwrap();
    let told = reasons(queue.tasks_explained(id).await.unwrap());
    assert!(told[0].starts_with("try 2 begins at ") && told[0].ends_with(" UTC: no"), "{}", told[0]);
    assert_eq!(told[1], "ready: a scheduler with a free place takes it");
    assert_eq!(told[2], "waits for \"a\", which is retrying");
}

#[tokio::test]
async fn a_task_in_an_unknown_pool_says_so() {
    let queue = queue().await;
    let (id, _) = queue.create(&run_in("d", "nowhere", 1, 0)).await.unwrap();
    assert!(queue.claim("me", LEASE, 10).await.unwrap().is_empty());
    let told = queue.tasks_explained(id).await.unwrap()[0].reason.clone().unwrap();
    assert_eq!(told, "no pool is called \"nowhere\": add it to [pools] in config/scheduler.toml");
}

#[tokio::test]
async fn a_passed_deadline_is_told_once_while_the_run_goes_on() {
    let queue = queue().await;
    let mut run = run_of("a b<a", &unique("key"));
    run.expected_in_seconds = Some(0.0);
    run.tasks[1].expected_in = Some(0.0);
    let (id, _) = queue.create(&run).await.unwrap();
    let told = queue.tell_late().await.unwrap();
    assert_eq!(told.iter().map(|late| late.task.as_deref()).collect::<Vec<_>>(), [None, Some("b")]);
    assert!(queue.tell_late().await.unwrap().is_empty());
    assert_eq!(queue.notices(id).await.unwrap().len(), 2);
    assert_eq!(queue.run(id).await.unwrap().unwrap().state, RunState::Running);
}

#[tokio::test]
async fn a_claim_joins_tasks_by_their_keys_however_many_are_kept() {
    let queue = queue().await;
    queue.make_months(Utc::now()).await.unwrap();
    months::old_runs(&queue, Utc::now(), 500, 40).await;
    sqlx::raw_sql("ANALYZE").execute(queue.pool()).await.unwrap();
    let claim = include_str!("../sql/claim.sql");
    let plan = async |begin: &'static str| {
        let mut transaction = queue.pool().begin_with(begin).await.unwrap();
        let prepare = format!("PREPARE claim (bigint, float8, text, text[]) AS {claim}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *transaction).await.unwrap();
        let rows: Vec<(String,)> = sqlx::query_as("EXPLAIN EXECUTE claim (32, 10, 'me', '{ready,retrying}')")
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        sqlx::raw_sql("DEALLOCATE claim").execute(&mut *transaction).await.unwrap();
        rows.into_iter().map(|(line,)| line).collect::<Vec<_>>().join("\n")
    };
    let joins = |plan: &str| plan.contains("Hash Join") || plan.contains("Merge Join");
    let with = plan(crate::claim::BEGIN).await;
    assert!(!joins(&with), "{with}");
    // Other months are empty, and cost nothing to walk through.
    let full = format!("Seq Scan on task_{}", Utc::now().format("%Y_%m"));
    assert!(!with.contains(&full), "{with}");
    // When the next is due is all that is asked of this index: no row of it is looked at.
    let walks = with.lines().filter(|line| line.contains("ready_at_idx") && !line.contains("pool_dag"));
    walks.for_each(|line| assert!(line.contains("Index Only Scan"), "{line}"));
    let without = plan("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan").await;
    assert!(joins(&without), "{without}");
}
