//! One fetch, from the stored cursor to the stored answer.

use crate::{
    Config,
    cursor::Position,
    deliver::{DeliverError, Producer},
    get::{Clients, GetError, Getter},
    ledger::{Attempt, Ledger, LedgerError},
    page::{self, AskError},
    running::Running,
    shape,
    variables::Variables,
};
use chrono::Utc;
use pipeline::{Published, Source};
use postgres::PgPool;
use prometheus::IntCounterVec;
use serde_json::{Map, Value};
use service::{Guards, Service};
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
    pub(crate) ledger: Ledger,
    pub(crate) producer: Producer,
    pub(crate) variables: Variables,
    clients: Clients,
    /// A lock a source: two fetches of one source would fetch the same page. As many as there are sources.
    alone: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) counted: IntCounterVec,
    pub(crate) guards: Guards,
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
            guards: service.guards,
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
