//! One fetch, from the stored cursor to the stored answer.

use crate::{
    Config,
    cursor::{Position, Step, Walk},
    deliver::{DeliverError, Producer},
    get::{Clients, GetError, Getter},
    ledger::{Attempt, Ledger, LedgerError},
    page::{self, AskError},
    shape,
    variables::Variables,
};
use chrono::Utc;
use pipeline::{Published, Source};
use postgres::PgPool;
use prometheus::IntCounterVec;
use serde_json::{Map, Value};
use service::Service;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedMutexGuard, watch};
use wire::fetch::{Answer, Request};

/// What every fetch needs.
pub struct Fetcher {
    published: watch::Receiver<Published>,
    ledger: Ledger,
    producer: Producer,
    variables: Variables,
    clients: Clients,
    /// A lock a source: two fetches of one source would fetch the same page. As many as there are sources.
    alone: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    counted: IntCounterVec,
}

/// Why a fetch did not come to its end. What was stored before stays stored; the next attempt goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "no published pipeline has a source \"{name}\": declare it under [sources.{name}], or correct the name"
    )]
    Unknown { name: String },
    #[error("source \"{name}\" is being fetched for more than {ALONE_MAX:?} already: try again")]
    Busy { name: String },
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// How long a fetch waits for another one of the same source.
const ALONE_MAX: Duration = Duration::from_secs(60);
/// Between the two looks at an empty page: long enough for a short trouble to pass, short for who waits.
const CONFIRM_AFTER: Duration = Duration::from_millis(500);

/// What one fetch would do first.
#[derive(Debug, serde::Serialize)]
pub struct DryRun {
    pub source: String,
    pub stream: String,
    /// The address that was asked, with secrets left out.
    pub url: String,
    /// As they would be sent.
    pub records: Vec<Map<String, Value>>,
    pub cursor: Value,
    /// The cursor after this page.
    pub next: Value,
}

impl Fetcher {
    pub fn new(
        service: &Service,
        config: &Config,
        pool: PgPool,
        published: watch::Receiver<Published>,
    ) -> anyhow::Result<Self> {
        let help =
            "Records read from the source, delivered to its stream, and rejected into the dead letters";
        Ok(Self {
            published,
            ledger: Ledger::new(pool),
            producer: Producer::new(&config.producer_url)?,
            variables: Variables::new(std::env::vars(), &config.users_api),
            clients: Clients::new(&config.proxy),
            alone: Mutex::default(),
            counted: service.metrics.counters(
                "millrace_fetcher_records_total",
                help,
                &["source", "outcome"],
            )?,
        })
    }

    /// Does a fetch, or tells what it did if it is done already.
    pub async fn fetch(&self, request: &Request) -> Result<Answer, FetchError> {
        let (source, key) = self.source(&request.source)?;
        if let Some(answer) = self.ledger.finished(request.attempt_id).await? {
            return Ok(answer);
        }
        let _alone = self.alone(&source.name).await?;
        // Asked twice at once: the first may have done it while this one waited.
        if let Some(answer) = self.ledger.finished(request.attempt_id).await? {
            return Ok(answer);
        }
        let getter = Getter::new(&source, self.clients.of(&source)?);
        Running::begin(self, &source, &key, &getter, Attempt::of(request)).await?.go().await
    }

    /// Shows the next page of a source as it would be sent. Nothing is sent or stored.
    pub async fn dry_run(&self, name: &str) -> Result<DryRun, FetchError> {
        let (source, _) = self.source(name)?;
        let position = Position::read(&source.page, &self.ledger.cursor(name).await?.value);
        let asked = page::ask(&source, &position, &self.variables)?;
        let page = Getter::new(&source, self.clients.of(&source)?).page(&asked).await?;
        let now = Utc::now();
        Ok(DryRun {
            url: asked.shown,
            records: page.records.iter().map(|record| shape::shape(record, &source.fields, now)).collect(),
            next: position.after(page.records.len(), page.next.as_deref()).to_json(),
            cursor: position.to_json(),
            stream: source.into,
            source: source.name,
        })
    }

    /// The source as it is published now, and the key of its stream.
    fn source(&self, name: &str) -> Result<(Source, Vec<String>), FetchError> {
        let published = self.published.borrow();
        let found = published
            .source(name)
            .and_then(|(pipeline, source)| Some((source, pipeline.streams.get(&source.into)?)));
        let (source, stream) = found.ok_or_else(|| FetchError::Unknown { name: name.to_owned() })?;
        Ok((Source { name: name.to_owned(), ..source.clone() }, stream.key.clone()))
    }

    async fn alone(&self, name: &str) -> Result<OwnedMutexGuard<()>, FetchError> {
        let lock = self
            .alone
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name.to_owned())
            .or_default()
            .clone();
        tokio::time::timeout(ALONE_MAX, lock.lock_owned())
            .await
            .map_err(|_| FetchError::Busy { name: name.to_owned() })
    }
}

/// A fetch on its way: does what the [`Walk`] says, and tells it what came of it.
struct Running<'a> {
    fetcher: &'a Fetcher,
    source: &'a Source,
    key: &'a [String],
    getter: &'a Getter<'a>,
    attempt: Attempt,
    walk: Walk,
    version: i64,
    /// The page in hand, shaped.
    records: Vec<Map<String, Value>>,
    /// What this page adds.
    page: Answer,
    /// What this attempt has stored.
    part: Answer,
    /// What other attempts of the same task have stored.
    before: Vec<Answer>,
}

impl<'a> Running<'a> {
    async fn begin(
        fetcher: &'a Fetcher,
        source: &'a Source,
        key: &'a [String],
        getter: &'a Getter<'a>,
        attempt: Attempt,
    ) -> Result<Self, FetchError> {
        let cursor = fetcher.ledger.cursor(&source.name).await?;
        let parts = fetcher.ledger.parts(&attempt).await?;
        Ok(Self {
            fetcher,
            source,
            key,
            getter,
            attempt,
            walk: Walk::new(Position::read(&source.page, &cursor.value), source.pages_per_run),
            version: cursor.version,
            records: vec![],
            page: Answer::default(),
            part: parts.own,
            before: parts.others,
        })
    }

    async fn go(mut self) -> Result<Answer, FetchError> {
        loop {
            match self.walk.step() {
                Step::Ask(position) => self.ask(&position).await?,
                Step::Confirm(position) => {
                    tokio::time::sleep(CONFIRM_AFTER).await;
                    self.ask(&position).await?;
                }
                Step::Deliver => self.deliver().await?,
                Step::Store(next) => self.store(&next).await?,
                Step::End => return self.finish().await,
            }
        }
    }

    async fn ask(&mut self, position: &Position) -> Result<(), FetchError> {
        let asked = page::ask(self.source, position, &self.fetcher.variables)?;
        let page = self.getter.page(&asked).await?;
        let now = Utc::now();
        self.records =
            page.records.iter().map(|record| shape::shape(record, &self.source.fields, now)).collect();
        self.page = Answer { pages: 1, fetched: self.records.len() as u64, ..Answer::default() };
        self.walk.read(self.records.len(), page.next.as_deref());
        Ok(())
    }

    async fn deliver(&mut self) -> Result<(), FetchError> {
        let delivered =
            self.fetcher.producer.deliver(&self.source.into, &self.records, &self.source.retry).await?;
        self.page.delivered = delivered.written;
        self.page.rejected = delivered.dead;
        self.page.offsets = delivered.offsets;
        let count = |outcome, n| {
            self.fetcher.counted.with_label_values(&[self.source.name.as_str(), outcome]).inc_by(n)
        };
        count("fetched", self.page.fetched);
        count("delivered", self.page.delivered);
        count("rejected", self.page.rejected);
        self.walk.delivered();
        Ok(())
    }

    async fn store(&mut self, next: &Position) -> Result<(), FetchError> {
        let ids: Vec<String> = self.records.iter().filter_map(|record| shape::id(record, self.key)).collect();
        let part = sum([&self.part, &self.page]);
        self.version =
            self.fetcher.ledger.advance(&self.attempt, self.version, &next.to_json(), &ids, &part).await?;
        self.part = part;
        self.walk.stored();
        Ok(())
    }

    async fn finish(self) -> Result<Answer, FetchError> {
        let all = sum(self.before.iter().chain([&self.part]));
        let cursor = self.walk.position().to_json();
        let answer =
            Answer { source: self.source.name.clone(), stream: self.source.into.clone(), cursor, ..all };
        self.fetcher.ledger.finish(&self.attempt, &self.part, &answer).await?;
        let Answer { source, pages, fetched, delivered, rejected, .. } = &answer;
        tracing::info!(source, pages, fetched, delivered, rejected, "fetched");
        Ok(answer)
    }
}

/// What several fetches wrote, together: counts are added, the end of a partition is the last one.
fn sum<'a>(parts: impl IntoIterator<Item = &'a Answer>) -> Answer {
    let mut all = Answer::default();
    for part in parts {
        all.pages += part.pages;
        all.fetched += part.fetched;
        all.delivered += part.delivered;
        all.rejected += part.rejected;
        for (partition, next) in &part.offsets.0 {
            let end = all.offsets.0.entry(*partition).or_insert(0);
            *end = (*end).max(*next);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::passed::Offsets;

    #[test]
    fn what_several_attempts_wrote_is_added_and_the_offsets_are_the_last() {
        let part = |n, offsets: &[(i32, i64)]| Answer {
            pages: 1,
            fetched: n,
            delivered: n - 1,
            rejected: 1,
            offsets: Offsets(offsets.iter().copied().collect()),
            ..Answer::default()
        };
        let all = sum([&part(10, &[(0, 5), (1, 9)]), &part(20, &[(0, 8), (2, 1)]), &part(30, &[(1, 3)])]);
        assert_eq!((all.pages, all.fetched, all.delivered, all.rejected), (3, 60, 57, 3));
        assert_eq!(all.offsets, Offsets([(0, 8), (1, 9), (2, 1)].into()));
        assert_eq!(sum([]), Answer::default());
    }
}
