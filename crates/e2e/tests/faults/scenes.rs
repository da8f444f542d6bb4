//! Faults that a guard stands against. Each scene is told with the guard, and once without it.

use anyhow::{Context, bail};
use checker::{Finding, Report, load::Load};
use e2e::{Blocked, Fleet, REST_MAX, Signal, Story, evidence::By, probe};
use fault_proxy::{Action, Matches, Protocol, Proxy, Rule};
use kafka::cluster::End;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

pub const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

async fn restart_workers(fleet: &Fleet, breaks: &str) -> anyhow::Result<()> {
    fleet.restart_with(&WORKERS, &[("MILLRACE_TEST_BREAK", breaks)]).await
}

/// How long a process has for a step that it may not take. With its guard it never takes it, and the wait is only lost; without it
/// the step must come, also on a slow machine.
fn step_max(breaks: &str) -> Duration {
    Duration::from_secs(if breaks.is_empty() { 2 } else { 10 })
}

/// Waits until `holds`, or for as long as such a step may take.
async fn at_most<F: Future<Output = bool>>(breaks: &str, mut holds: impl FnMut() -> F) {
    let (started, limit) = (Instant::now(), step_max(breaks));
    while started.elapsed() < limit && !holds().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The broker stands still, the producer is killed with records on their way.
pub async fn producer_killed_before_the_broker_answers(
    fleet: &Fleet,
    breaks: &str,
) -> anyhow::Result<Report> {
    fleet.restart("producer", breaks).await?;
    let mut story = Story::begin(fleet, "ack").await?;
    story.load(story.events());
    story.goes_on(100).await?;
    fleet.signal_server("kafka", Signal::STOP)?;
    let before = story.acknowledged()?;
    at_most(breaks, || async { story.acknowledged().is_ok_and(|now| now > before + 400) }).await;
    let killed = fleet.kill("producer");
    fleet.signal_server("kafka", Signal::CONT)?;
    killed?;
    fleet.start_one("producer", "")?;
    fleet.ready("producer").await?;
    story.check(By::Ours, REST_MAX).await
}

/// How a sink ends while its store stands still.
#[derive(Clone, Copy, PartialEq)]
pub enum Ended {
    Killed,
    Asked,
}

/// Cassandra stands still and dies, so a batch is read and not written; meanwhile the sink ends.
pub async fn sink_ends_before_the_store_answers(
    fleet: &Fleet,
    breaks: &str,
    ended: Ended,
) -> anyhow::Result<Report> {
    fleet.restart("cassandra-sink", breaks).await?;
    let story = Story::begin(fleet, "sink").await?;
    let few = Load { lanes: 1, ..story.events() };
    story.burst(&few, 1).await?;
    // A sink that is still looking at its tables has read nothing that it could lose.
    story.rest(REST_MAX).await?;
    fleet.signal_server("cassandra", Signal::STOP)?;
    let told = async {
        story.burst(&Load { first: 1_000, ..few.clone() }, 5).await?;
        story.is_worked_on(REST_MAX).await?;
        // With its guard the sink never gets past this; without it, at once.
        let _ = fleet.has_passed("sink.events_by_id", "events_clean", step_max(breaks)).await;
        match ended {
            Ended::Killed => fleet.kill("cassandra-sink").map(drop),
            Ended::Asked => fleet.term("cassandra-sink").await.map(drop),
        }
    };
    let told = told.await;
    // Killed while it is stopped: going on, it would find in its buffers what the sink had sent.
    let pid = fleet.signal_server("cassandra", Signal::KILL)?;
    fleet.server_is_back("cassandra", pid).await?;
    told?;
    fleet.start_one("cassandra-sink", "")?;
    fleet.ready("cassandra-sink").await?;
    story.check(By::Ours, REST_MAX).await
}

/// Both workers are killed under load.
pub async fn workers_killed(fleet: &Fleet, breaks: &str) -> anyhow::Result<Report> {
    restart_workers(fleet, breaks).await?;
    let mut story = Story::begin(fleet, "workers").await?;
    story.load(story.events());
    story.goes_on(800).await?;
    for worker in WORKERS {
        fleet.kill(worker)?;
    }
    for worker in WORKERS {
        fleet.start_one(worker, "")?;
    }
    story.goes_on(100).await?;
    story.check(By::Ours, REST_MAX).await
}

/// What a worker says of a write of its own that Kafka has refused, and of nothing else.
const REFUSED: &str = "Kafka refused what this one wrote";

/// What a zombie did.
pub struct Zombie {
    /// How many of its writes were tried and refused.
    pub refused: usize,
    /// How long another worker took to go on in its place.
    pub taken_over: Duration,
    /// How long readers waited for what it had left open.
    pub blocked: Duration,
    pub report: Report,
}

/// A worker is stopped until another one has its slots, and then goes on.
pub async fn zombie(fleet: &Fleet, breaks: &str) -> anyhow::Result<Zombie> {
    restart_workers(fleet, breaks).await?;
    let mut story = Story::begin(fleet, "zombie").await?;
    story.load(story.events());
    story.goes_on(400).await?;
    let zombie = owner(fleet).await?;
    let zombie = *WORKERS.iter().find(|worker| **worker == zombie).context("a worker of ours")?;
    let refused = || fleet.log(zombie).matches(REFUSED).count();
    let before = refused();
    let blocked = Blocked::watch(&fleet.cluster, &OUTPUTS);
    fleet.signal(zombie, Signal::STOP)?;
    let stopped = Instant::now();
    let moved = fleet
        .within(Duration::from_secs(30), "another worker runs the slot", || async {
            owner(fleet).await.is_ok_and(|now| now != zombie)
        })
        .await;
    let acknowledged = story.goes_on(200).await;
    let taken_over = stopped.elapsed();
    fleet.signal(zombie, Signal::CONT)?;
    moved.and(acknowledged)?;
    story.goes_on(400).await?;
    if !breaks.is_empty() {
        restart_workers(fleet, "").await?;
    }
    let blocked = blocked.end().await;
    let report = story.check(By::Ours, REST_MAX).await?;
    Ok(Zombie { refused: refused() - before, taken_over, blocked, report })
}

/// A transaction that is open for so long is nobody's any more.
const LEFT_OPEN: Duration = Duration::from_secs(30);

/// Both workers are stopped in the middle of a transaction, so that nobody takes over: the broker alone ends it. Answers how long readers
/// waited.
pub async fn workers_stopped_with_open_transactions(fleet: &Fleet) -> anyhow::Result<(Duration, Report)> {
    let proxy = Proxy::start(fleet.cluster.bootstrap(), Protocol::Kafka).await?;
    fleet.restart_with(&WORKERS, &[("MILLRACE_KAFKA_BOOTSTRAP", &proxy.address())]).await?;
    let mut story = Story::begin(fleet, "open").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let blocked = Blocked::watch(&fleet.cluster, &OUTPUTS);
    let lost = proxy.rule(Rule::always(Matches::kind(fault_proxy::kafka::END_TXN), Action::Drop));
    let told = async {
        fleet.within(LEFT_OPEN, "the end of a transaction is lost", || async { lost.count() > 0 }).await?;
        for worker in WORKERS {
            fleet.signal(worker, Signal::STOP)?;
        }
        fleet.within(LEFT_OPEN, "the broker ends what was left open", || nothing_is_open(fleet)).await
    };
    let told = told.await;
    let blocked = blocked.end().await;
    proxy.heal();
    for worker in WORKERS {
        fleet.kill(worker)?;
        fleet.start_one(worker, "")?;
    }
    told?;
    Ok((blocked, story.check(By::Ours, REST_MAX).await?))
}

/// What the jobs write.
const OUTPUTS: [&str; 2] = ["events_clean", "event_counts"];

/// Readers of committed records see all that is written.
async fn nothing_is_open(fleet: &Fleet) -> bool {
    let is_read = |topic| async move {
        let written = fleet.cluster.ends(topic, End::Written).await?;
        Ok::<_, kafka::KafkaError>(written == fleet.cluster.ends(topic, End::Stable).await?)
    };
    let [clean, counts] = OUTPUTS.map(is_read);
    clean.await.unwrap_or(false) && counts.await.unwrap_or(false)
}

/// Which worker runs the first slot of the job, as the workers themselves say.
async fn owner(fleet: &Fleet) -> anyhow::Result<String> {
    let question = "SELECT worker FROM slot WHERE job = 'clean' AND slot = 0 AND state = 'running'";
    Ok(sqlx::query_scalar(question).fetch_one(&fleet.millrace).await?)
}

/// The same keys again and again in one batch: which is the newest is not the order of their writing.
pub async fn a_batch_full_of_one_key(fleet: &Fleet, breaks: &str) -> anyhow::Result<Report> {
    fleet.restart("cassandra-sink", breaks).await?;
    let story = Story::begin(fleet, "keys").await?;
    let load = Load { lanes: 20, keys_per_lane: 2, records_per_request: 400, ..story.events() };
    story.burst(&load, 1).await?;
    let report = story.check(By::Ours, REST_MAX).await?;
    fleet.restart("cassandra-sink", "").await?;
    Ok(report)
}

/// A slot whose place stood still for so long, with records behind it and the broker well, does not go on. With its guard it is at work
/// again after some seconds.
const STANDS_STILL: Duration = Duration::from_secs(15);
/// Longer than a request of a transaction may take.
pub const STILL: Duration = Duration::from_secs(12);

/// The broker stands still until the workers' transactional requests have timed out.
pub async fn transactions_time_out(fleet: &Fleet, breaks: &str, still: Duration) -> anyhow::Result<Report> {
    restart_workers(fleet, breaks).await?;
    // It may have stopped in the one moment in which nobody had a transaction open; then once more.
    for _ in 0..3 {
        let (timed_out, report) = stand_still_under_load(fleet, breaks, still).await?;
        if timed_out {
            if !breaks.is_empty() {
                restart_workers(fleet, "").await?;
            }
            return Ok(report);
        }
    }
    bail!("no transaction timed out: the fault has hit none")
}

async fn stand_still_under_load(
    fleet: &Fleet,
    breaks: &str,
    still: Duration,
) -> anyhow::Result<(bool, Report)> {
    let told = || WORKERS.map(|worker| fleet.log(worker).matches("WARN worker::slot").count());
    let mut story = Story::begin(fleet, "timeout").await?;
    // So many that a batch is always in hand.
    story.load(Load { pause: Duration::from_millis(10), ..story.events() });
    story.goes_on(2_000).await?;
    story.is_worked_on(REST_MAX).await?;
    let before = told();
    fleet.signal_server("kafka", Signal::STOP)?;
    tokio::time::sleep(still).await;
    fleet.signal_server("kafka", Signal::CONT)?;
    story.goes_on(200).await?;
    if breaks.is_empty() {
        let report = story.check(By::Ours, REST_MAX).await?;
        return Ok((told() != before, report));
    }
    story.end_load().await?;
    let stood = stands_still(fleet).await?;
    let report = story.check(By::Ours, Duration::ZERO).await?;
    if told() != before && !stood {
        bail!("without the guard every slot went on: {report}");
    }
    Ok((told() != before, report))
}

/// Whether there is a partition of which the job has not read the end, and reads nothing.
async fn stands_still(fleet: &Fleet) -> anyhow::Result<bool> {
    let ends = fleet.cluster.ends("events", End::Stable).await?;
    let places = || async {
        let committed = fleet.cluster.committed("job.clean").await?.remove("events");
        anyhow::Ok(committed.unwrap_or_default().0)
    };
    let before = places().await?;
    tokio::time::sleep(STANDS_STILL).await;
    let now = places().await?;
    Ok(ends.0.iter().any(|(partition, end)| {
        let (was, is) = (before.get(partition).copied(), now.get(partition).copied());
        was == is && is.unwrap_or(0) < *end
    }))
}

/// The producer stands still, then both are killed with a page on its way.
pub async fn fetcher_killed_before_the_producer_answers(
    fleet: &Fleet,
    breaks: &str,
) -> anyhow::Result<Report> {
    fleet.restart("fetcher", breaks).await?;
    let page = cursor(fleet).await?;
    fleet.signal("producer", Signal::STOP)?;
    let fetch = probe::fetched(fleet, "few");
    let look = at_most(breaks, || async { cursor(fleet).await.is_ok_and(|now| now != page) });
    tokio::select! { _ = fetch => {}, () = look => {} }
    // The producer too: going on, it would find in its buffers what the fetcher had sent.
    for name in ["fetcher", "producer"] {
        fleet.kill(name)?;
        fleet.start_one(name, "")?;
        fleet.ready(name).await?;
    }
    probe::fetch(fleet, "few").await?;
    let served = crate::api::served(fleet, "few", 50, page..=page).await?;
    let others: BTreeSet<String> = crate::api::in_topic(fleet, "others").await?.into_iter().collect();
    let there = served.intersection(&others).cloned().collect();
    let findings: Vec<Finding> = checker::check::same("the topic", &served, &there);
    Ok(Report { findings, looked_at: [("served", served.len() as u64)].into() })
}

/// The page that the source `few` is to ask for next.
async fn cursor(fleet: &Fleet) -> anyhow::Result<u64> {
    let found: Option<serde_json::Value> =
        sqlx::query_scalar("SELECT cursor FROM source_cursor WHERE source = 'few'")
            .fetch_optional(&fleet.millrace)
            .await?;
    Ok(found.and_then(|cursor| cursor["page"].as_u64()).unwrap_or(1))
}

/// Records that the job refuses.
pub async fn dead_letters(fleet: &Fleet, breaks: &str) -> anyhow::Result<Report> {
    restart_workers(fleet, breaks).await?;
    let story = Story::begin(fleet, "dead").await?;
    story.burst(&story.events(), 5).await?;
    let report = story.check(By::Ours, REST_MAX).await?;
    if !breaks.is_empty() {
        restart_workers(fleet, "").await?;
    }
    Ok(report)
}
