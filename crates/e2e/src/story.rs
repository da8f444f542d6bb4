//! A story of the fault tests: a load, its ledger, faults by the teller, rest, and the check.

use crate::{
    Outside,
    evidence::{self, By, Marks},
    places::Places,
    say,
};
use anyhow::{Context, bail};
use checker::{Ledger, Report, ledger::Writer, load::Load, load::LoadError};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What belongs to one story and to no other: its ids and keys begin with `run`.
pub struct Story<'a> {
    outside: &'a Outside,
    pub run: String,
    ledger: PathBuf,
    writer: Arc<Writer>,
    from: Marks,
    places: Places,
    /// A story that breaks off ends its load too.
    load: Option<(DropGuard, JoinHandle<Result<(), LoadError>>)>,
}

/// The jobs and tables that events go through, in their order: the group, and the topic that it reads.
const FIRST: [(&str, &str); 2] = [("job.clean", "events"), ("job.counts", "events")];
const THEN: [(&str, &str); 5] = [
    ("sink.events_by_id", "events_clean"),
    ("sink.events_by_key", "events_clean"),
    ("sink.event_rows", "events_clean"),
    ("sink.newest_events", "events_clean"),
    ("sink.event_counts", "event_counts"),
];

/// After the last fault everything is at rest within this, or what is missing then is lost. Some seconds on a quiet machine.
pub const REST_MAX: Duration = Duration::from_secs(120);

impl<'a> Story<'a> {
    pub async fn begin(outside: &'a Outside, name: &str) -> anyhow::Result<Self> {
        let run = test_support::unique(name);
        let ledger = outside.folder.join("ledgers").join(format!("{run}.jsonl"));
        Ok(Self {
            outside,
            writer: Arc::new(Writer::create(&ledger)?),
            ledger,
            from: Marks::now(outside).await?,
            places: Places::watch(&outside.cluster, &[&FIRST[..], &THEN[..]].concat()),
            run,
            load: None,
        })
    }

    /// Some hundred events a second, on many keys of each partition.
    pub fn events(&self) -> Load {
        Load {
            producer: self.outside.producer.clone(),
            stream: "events".into(),
            run: self.run.clone(),
            lanes: 4,
            keys_per_lane: 6,
            records_per_request: 20,
            first: 0,
            pause: Duration::from_millis(300),
        }
    }

    /// Sends until [`Story::end_load`].
    pub fn load(&mut self, load: Load) {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(load.run(self.writer.clone(), stop.clone()));
        self.load = Some((stop.drop_guard(), handle));
    }

    /// Sends so many requests of each lane, and answers whether each record was acknowledged.
    pub async fn burst(&self, load: &Load, requests: usize) -> anyhow::Result<bool> {
        Ok(load.burst(&self.writer, requests).await?)
    }

    pub async fn end_load(&mut self) -> anyhow::Result<()> {
        if let Some((stop, handle)) = self.load.take() {
            drop(stop);
            handle.await.context("the load")??;
        }
        Ok(())
    }

    /// How many operations were acknowledged so far.
    pub fn acknowledged(&self) -> anyhow::Result<usize> {
        Ok(Ledger::read(&self.ledger)?.count(checker::Outcome::Ok))
    }

    /// Waits until `more` further operations were acknowledged.
    pub async fn goes_on(&self, more: usize) -> anyhow::Result<()> {
        let until = self.acknowledged()? + more;
        let limit = Duration::from_secs(120);
        self.outside
            .within(limit, "the load goes on", || async { self.acknowledged().is_ok_and(|now| now >= until) })
            .await
    }

    /// The check is made by other clients than those that were there before the faults.
    pub fn look_from(&mut self, outside: &'a Outside) {
        self.outside = outside;
    }

    /// Ends the load, waits for rest, reads everything and checks it.
    pub async fn check(mut self, by: By, rest_max: Duration) -> anyhow::Result<Report> {
        self.end_load().await?;
        if let Err(cause) = self.rest(rest_max).await {
            say(&format!("    {}: {cause:#}", self.run));
        }
        let mut evidence = evidence::read(self.outside, &self.run, &self.from, by).await?;
        evidence.places = self.places.end().await;
        let ledger = Ledger::read(&self.ledger)?;
        if ledger.operations.is_empty() {
            bail!("nothing was sent: the story tells nothing");
        }
        Ok(checker::check(&ledger, &evidence))
    }

    /// Jobs have passed what was sent, then sinks what the jobs wrote.
    pub async fn rest(&self, limit: Duration) -> anyhow::Result<()> {
        self.is_worked_on(limit).await?;
        self.passed(&THEN, limit).await
    }

    /// Jobs have passed what was sent.
    pub async fn is_worked_on(&self, limit: Duration) -> anyhow::Result<()> {
        self.passed(&FIRST, limit).await
    }

    async fn passed(&self, stations: &[(&str, &str)], limit: Duration) -> anyhow::Result<()> {
        for (group, topic) in stations {
            self.outside.has_passed(group, topic, limit).await?;
        }
        Ok(())
    }
}
