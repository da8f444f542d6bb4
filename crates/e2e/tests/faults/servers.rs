//! The servers: killed, stopped, cut off.

use crate::{clean, durable};
use anyhow::{Context, bail};
use checker::{Marker, Outcome, Report, check};
use e2e::{Fleet, Folder, REST_MAX, Signal, Story, evidence::By, probe, runs};
use kafka::{Group, Lent, TopicSpec, Transactional, cluster::End};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Kills a server under load, and waits until it is back and the load goes on.
async fn kill(fleet: &Fleet, story: &Story<'_>, server: &str) -> anyhow::Result<Duration> {
    let pid = fleet.signal_server(server, Signal::KILL)?;
    let killed = Instant::now();
    fleet.server_is_back(server, pid).await?;
    story.goes_on(100).await?;
    Ok(killed.elapsed())
}

/// Stops a server for some time, under load.
async fn stand_still(fleet: &Fleet, server: &str, time: Duration) -> anyhow::Result<()> {
    fleet.signal_server(server, Signal::STOP)?;
    tokio::time::sleep(time).await;
    fleet.signal_server(server, Signal::CONT).map(drop)
}

/// kill −9 of the broker under load, while somebody writes markers: one transaction each, over three partitions.
pub async fn a_broker_is_killed(fleet: &Fleet) -> anyhow::Result<String> {
    let markers = Markers::write_through(fleet, fleet.cluster.bootstrap()).await?;
    let mut story = Story::begin(fleet, "broker").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    markers.go_on(fleet).await?;
    let took = kill(fleet, &story, "kafka").await?;
    story.goes_on(200).await?;
    markers.go_on(fleet).await?;
    let markers = markers.check(fleet).await?;
    let report = clean(story.check(By::Console, REST_MAX).await?)?;
    Ok(format!("back after {took:.1?}; {markers}\n{report}"))
}

const PARTITIONS: i32 = 3;

/// Somebody who writes markers until told to end.
pub struct Markers {
    topic: String,
    /// Also a story that breaks off ends the writing: a runtime waits for its blocking tasks, for ever if need be.
    stop: DropGuard,
    committed: Arc<AtomicUsize>,
    writing: JoinHandle<anyhow::Result<Written>>,
}

/// Each marker with what its writer was told, and how long the longest took.
type Written = (Vec<(String, Outcome)>, Duration);

impl Markers {
    /// Writes to a topic of its own, by this address of the broker.
    pub async fn write_through(fleet: &Fleet, bootstrap: &str) -> anyhow::Result<Self> {
        let topic = test_support::unique("markers");
        kafka::topics::ensure(&fleet.cluster, &[TopicSpec::new(&topic, PARTITIONS as usize, 1, None)])
            .await?;
        let (bootstrap, name) = (bootstrap.to_owned(), topic.clone());
        let (stop, committed) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (stop.clone(), committed.clone());
        let writing =
            tokio::task::spawn_blocking(move || write_markers(&bootstrap, &name, &stopped, &counted));
        Ok(Self { topic, stop: stop.drop_guard(), committed, writing })
    }

    /// Waits until some more are committed.
    pub async fn go_on(&self, fleet: &Fleet) -> anyhow::Result<()> {
        let until = self.committed.load(Ordering::Relaxed) + 20;
        let holds = || async { self.committed.load(Ordering::Relaxed) >= until };
        fleet.within(Duration::from_secs(60), "markers are written", holds).await
    }

    /// Ends the writing. None may be torn, and one must have been interrupted.
    pub async fn check(self, fleet: &Fleet) -> anyhow::Result<String> {
        drop(self.stop);
        let (written, longest) = self.writing.await??;
        // A transaction takes some milliseconds; this one was under way when the fault came.
        if longest < Duration::from_secs(1) {
            bail!("no transaction was interrupted: the fault has hit none");
        }
        let markers = seen(fleet, &self.topic, written).await?;
        let unknown = markers.iter().filter(|marker| marker.outcome == Outcome::Unknown).count();
        clean(Report { findings: check::markers(&markers), ..Report::default() })?;
        Ok(format!(
            "{} markers, the longest took {longest:.1?}, {unknown} of unknown fate, none torn",
            markers.len()
        ))
    }
}

/// After an error everything is made anew.
fn write_markers(
    bootstrap: &str,
    topic: &str,
    stop: &CancellationToken,
    committed: &AtomicUsize,
) -> anyhow::Result<Written> {
    let group = Group::new(bootstrap, topic)?;
    let (mut told, mut producer, mut longest) = (vec![], None, Duration::ZERO);
    while !stop.is_cancelled() {
        let made = producer.take().or_else(|| Transactional::new(bootstrap, topic).ok());
        let Some(writer) = made else { continue };
        let id = format!("{topic}-{}", told.len());
        let started = Instant::now();
        let written = write_marker(&writer, topic, &id, &group);
        longest = longest.max(started.elapsed());
        committed.fetch_add(usize::from(written.is_ok()), Ordering::Relaxed);
        told.push((id, if written.is_ok() { Outcome::Ok } else { Outcome::Unknown }));
        producer = written.is_ok().then_some(writer);
    }
    Ok((told, longest))
}

fn write_marker(
    writer: &Transactional,
    topic: &str,
    id: &str,
    group: &Group,
) -> Result<(), kafka::TransactionError> {
    writer.begin()?;
    for partition in 0..PARTITIONS {
        writer.send(Lent {
            topic,
            key: Some(id.as_bytes()),
            payload: Some(id.as_bytes()),
            headers: &[],
            partition: Some(partition),
        })?;
    }
    writer.commit(&[], group)
}

/// How often Kafka's own consumer sees each marker.
async fn seen(fleet: &Fleet, topic: &str, told: Vec<(String, Outcome)>) -> anyhow::Result<Vec<Marker>> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, value) in e2e::evidence::console(fleet, topic).await? {
        *times.entry(String::from_utf8(value)?).or_default() += 1;
    }
    Ok(told
        .into_iter()
        .map(|(id, outcome)| {
            let seen = times.get(&id).copied().unwrap_or(0);
            Marker { id, outcome, written: PARTITIONS as usize, seen }
        })
        .collect())
}

/// So long that everybody's patience with a server is over.
const STOPPED: Duration = Duration::from_secs(30);

pub async fn a_broker_stands_still(fleet: &Fleet) -> anyhow::Result<String> {
    clean(crate::scenes::transactions_time_out(fleet, "", STOPPED).await?)
}

pub async fn cassandra_is_killed_and_stands_still(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "cassandra").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    stand_still(fleet, "cassandra", STOPPED).await?;
    story.goes_on(200).await?;
    let took = kill(fleet, &story, "cassandra").await?;
    Ok(format!("back after {took:.1?}\n{}", clean(story.check(By::Ours, REST_MAX).await?)?))
}

/// Triggered while PostgreSQL breaks.
const RUNS: usize = 20;

pub async fn postgresql_is_killed(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "postgres").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let took = runs::meanwhile(fleet, RUNS, kill(fleet, &story, "postgres")).await?;
    story.goes_on(200).await?;
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    let killed = || async {
        let pid = fleet.signal_server("postgres", Signal::KILL)?;
        fleet.server_is_back("postgres", pid).await
    };
    let told = durable::told_runs_stay(fleet, killed).await?;
    Ok(format!("back after {took:.1?}; {RUNS} keys made as many runs; {told}\n{report}"))
}

/// `pg_terminate_backend` of every connection but our own, again and again.
pub async fn connections_to_postgresql_are_cut(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "cut").await?;
    story.load(story.events());
    let fault = async {
        let mut cut = 0;
        for _ in 0..5 {
            story.goes_on(150).await?;
            cut += terminate(fleet).await?;
        }
        Ok(cut)
    };
    let cut = runs::meanwhile(fleet, RUNS, fault).await?;
    if cut == 0 {
        bail!("no connection was cut: the fault has not happened");
    }
    story.goes_on(200).await?;
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    let once = triggered_around_a_cut(fleet).await?;
    fleet.restart_with(&["scheduler"], &[("MILLRACE_TEST_BREAK", "no-run-key")]).await?;
    let without = triggered_around_a_cut(fleet).await;
    fleet.restart_with(&["scheduler"], &[]).await?;
    match (once, without?) {
        (1, 2..) => Ok(format!("{cut} connections cut; {RUNS} keys made as many runs\n{report}")),
        (once, without) => {
            bail!("a key made {once} runs around a cut, {without} without its guard: 1 and more are right")
        }
    }
}

/// Who does not know whether a run was made triggers it again with the same key. Answers how many runs there are.
async fn triggered_around_a_cut(fleet: &Fleet) -> anyhow::Result<i64> {
    let (began, key) = (runs::count(fleet).await?, test_support::unique("around"));
    let triggered = || probe::trigger(fleet, &key);
    fleet.within(GOES_ON_WITHIN, "a trigger is answered", triggered).await?;
    terminate(fleet).await?;
    fleet.within(GOES_ON_WITHIN, "a trigger is answered after the cut", triggered).await?;
    Ok(runs::count(fleet).await? - began)
}

/// By a connection that is new: those of a pool were cut the last time.
async fn terminate(fleet: &Fleet) -> anyhow::Result<i64> {
    let own = postgres::one_connection(&fleet.analytics);
    let statement = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let cut = sqlx::query_scalar(statement).fetch_one(&own).await;
    cut.context("cut the connections")
}

/// Known schemas go on without it. A worker and sinks that begin meanwhile know none: they wait, bury nothing, and go on afterwards.
pub async fn the_registry_stands_still(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "registry").await?;
    story.load(story.events());
    story.goes_on(200).await?;
    let letters = fleet.cluster.ends(SINKS_LETTERS, End::Stable).await.unwrap_or_default();
    fleet.signal_server("registry", Signal::STOP)?;
    let told = async {
        story.goes_on(400).await?;
        rows_arrive(fleet, &story).await?;
        begin_without_it(fleet).await?;
        story.goes_on(400).await
    };
    let told = told.await;
    fleet.signal_server("registry", Signal::CONT)?;
    told?;
    for name in FORGETFUL {
        fleet.ready(name).await?;
    }
    rows_arrive(fleet, &story).await?;
    let report = clean(story.check(By::Ours, REST_MAX).await?)?;
    if fleet.cluster.ends(SINKS_LETTERS, End::Stable).await.unwrap_or_default() != letters {
        bail!("a sink has buried a record whose schema it could not ask for");
    }
    Ok(report)
}

/// What sinks can't write.
const SINKS_LETTERS: &str = "events_clean-dead";
/// Who is killed while the registry is away, and has forgotten all schemas then. The worker last: where it writes nothing, a sink that begins
/// finds no record to ask for.
const FORGETFUL: [&str; 3] = ["cassandra-sink", "postgres-sink", "worker-1"];
/// What goes on does so within this.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// Kills some, and waits until each has asked the registry in vain.
async fn begin_without_it(fleet: &Fleet) -> anyhow::Result<()> {
    for name in FORGETFUL {
        let in_vain = || fleet.log(name).matches("the schema registry at").count();
        let before = in_vain();
        fleet.kill(name)?;
        fleet.start_one(name, "")?;
        let asks = || async { in_vain() > before };
        fleet.within(GOES_ON_WITHIN, &format!("{name} asks the registry in vain"), asks).await?;
    }
    Ok(())
}

/// Rows of this story reach both databases.
async fn rows_arrive(fleet: &Fleet, story: &Story<'_>) -> anyhow::Result<()> {
    let in_postgres = || async {
        let counted =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM event_rows WHERE starts_with(id, $1)");
        counted.bind(&story.run).fetch_one(&fleet.analytics).await.unwrap_or(0) as usize
    };
    let in_cassandra = || async {
        e2e::evidence::rows_of(fleet, &story.run, "events_by_id", "id", "id")
            .await
            .map_or(0, |rows| rows.len())
    };
    let before = (in_postgres().await, in_cassandra().await);
    let more = || async { in_postgres().await > before.0 && in_cassandra().await > before.1 };
    fleet.within(GOES_ON_WITHIN, "rows arrive in both databases", more).await
}

const NEW_SCHEMA: &str = r#"{"type":"record","name":"N","fields":[{"name":"id","type":"string"}]}"#;
const NEW_STREAM: &str = "[streams.{p}_n]\nschema = \"n.avsc\"\nkey = [\"id\"]\n";

/// What needs a new schema waits and says so; what does not goes on.
pub async fn a_new_schema_waits_for_the_registry(fleet: &Fleet) -> anyhow::Result<String> {
    let mut story = Story::begin(fleet, "unknown").await?;
    story.load(story.events());
    story.goes_on(100).await?;
    fleet.signal_server("registry", Signal::STOP)?;
    let folder = Folder::add_in(&fleet.pipelines(), &[("n.avsc", NEW_SCHEMA), ("pipeline.toml", NEW_STREAM)]);
    let url = format!("{}/v1/streams/{}_n/records", fleet.url("producer"), folder.name);
    let told = || async {
        let asked = fleet.http.post(&url).body(r#"{"id": "1"}"#).send().await;
        asked.map_or(0, |answer| answer.status().as_u16())
    };
    let limit = Duration::from_secs(60);
    let waits = fleet.within(limit, "the new stream waits", || async { told().await == 503 }).await;
    let went_on = story.goes_on(400).await;
    fleet.signal_server("registry", Signal::CONT)?;
    waits.and(went_on)?;
    fleet.within(limit, "the new stream takes records", || async { told().await == 200 }).await?;
    clean(story.check(By::Ours, REST_MAX).await?)
}
