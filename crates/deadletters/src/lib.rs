//! Dead letters: finding them, and sending them back to where they were meant for.
//!
//! A letter is replayed once: the database remembers it by its place. Whoever asks again is told when it was. A crash between
//! sending and remembering may send it twice; both records have the same id, so tables take the row once, and a count over the
//! topic counts two.

mod ledger;
mod letter;
mod read;

pub use ledger::Replay;
pub use letter::{Letter, Way};
pub use read::{Read, all, at};

use kafka::{Cluster, KafkaError, Outgoing, Place, RECORD_ID, SendError, Sender};
use ledger::{Claim, Ledger};
use postgres::PgPool;
use reqwest::{Client, header};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;
use wire::ingest::{Answer, Outcome, Problem};

/// Sends letters back.
#[derive(Clone)]
pub struct Replayer {
    cluster: Cluster,
    sender: Sender,
    ledger: Ledger,
    http: Client,
    producer_url: String,
}

/// What became of a letter that was to be replayed.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// It is in its topic again, durable.
    Sent { topic: String, place: Place },
    /// It was replayed before; nothing was sent.
    Already(Replay),
}

/// Why a letter was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("it can't be replayed: {0}")]
    Unfit(String),
    #[error("somebody else is replaying it at this moment: look again in a minute")]
    Busy,
    #[error("\"{topic}\" refuses it: {reason}. Replay it edited, or correct what refuses it")]
    Refused { topic: String, reason: String },
    #[error(
        "it is not known whether it was written: {0}. Replay it again: its id makes a repeat harmless to tables"
    )]
    Unknown(String),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("PostgreSQL did not answer: {0}. Nothing was sent")]
    Ledger(#[from] sqlx::Error),
}

/// The producer answers within 30 s.
const ANSWER_MAX: Duration = Duration::from_secs(45);

impl Replayer {
    /// The pool is of Millrace's own database.
    pub fn new(bootstrap: &str, pool: PgPool, producer_url: &str) -> Result<Self, KafkaError> {
        let http = Client::builder().no_proxy().timeout(ANSWER_MAX).build().map_err(|cause| {
            KafkaError::Refused { what: "an HTTP client".into(), cause: cause.to_string() }
        })?;
        Ok(Self {
            cluster: Cluster::new(bootstrap),
            sender: Sender::new(bootstrap)?,
            ledger: Ledger::new(pool),
            http,
            producer_url: producer_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Replays a letter, edited where `edited` is given.
    pub async fn replay(&self, letter: &Letter, edited: Option<&Value>) -> Result<Replayed, ReplayError> {
        let way = letter.way(edited).map_err(ReplayError::Unfit)?;
        let topic_id = self.topic_id(&letter.dead_topic).await?;
        match self.ledger.claim(topic_id, letter, edited.is_some()).await? {
            Claim::Ours => {}
            Claim::Sent(replay) => return Ok(Replayed::Already(replay)),
            Claim::Theirs => return Err(ReplayError::Busy),
        }
        match self.send(letter, way).await {
            Ok(place) => {
                self.ledger.sent(topic_id, letter, place).await?;
                Ok(Replayed::Sent { topic: letter.origin.topic.clone(), place })
            }
            Err(cause) => {
                // Where this fails too, the claim ends by itself.
                let _ = self.ledger.failed(topic_id, letter, &cause.to_string()).await;
                Err(cause)
            }
        }
    }

    /// The replays of a dead-letter topic's letters, of its present life.
    pub async fn replays(&self, dead_topic: &str) -> Result<Vec<Replay>, ReplayError> {
        Ok(self.ledger.all(self.topic_id(dead_topic).await?).await?)
    }

    /// A topic that was deleted and made again has other letters at the same offsets.
    async fn topic_id(&self, topic: &str) -> Result<Uuid, KafkaError> {
        Ok(self.cluster.topic(topic).await?.id)
    }

    async fn send(&self, letter: &Letter, way: Way) -> Result<Place, ReplayError> {
        match way {
            Way::Door(record) => self.through_the_door(&letter.origin.topic, record).await,
            Way::Topic(payload) => self.to_the_topic(letter, payload).await,
        }
    }

    /// What the producer refused, or was edited, must be judged by it.
    async fn through_the_door(&self, stream: &str, record: Vec<u8>) -> Result<Place, ReplayError> {
        let url = format!("{}/v1/streams/{stream}/records", self.producer_url);
        let request = self.http.post(&url).header(header::CONTENT_TYPE, "application/json").body(record);
        let away = |cause: reqwest::Error| ReplayError::Unknown(format!("the producer at {url}: {cause}"));
        let answer = request.send().await.map_err(away)?;
        let (status, body) = (answer.status(), answer.bytes().await.map_err(away)?);
        let told =
            serde_json::from_slice::<Answer>(&body).ok().and_then(|answer| answer.results.into_iter().next());
        let refused = |reason| ReplayError::Refused { topic: stream.to_owned(), reason };
        match told {
            Some(Outcome::Written { partition, offset }) => Ok(Place { partition, offset }),
            Some(Outcome::Rejected { reason } | Outcome::Dead { reason, .. }) => Err(refused(reason)),
            Some(Outcome::Unknown { reason }) => Err(ReplayError::Unknown(reason)),
            None => {
                let problem = serde_json::from_slice::<Problem>(&body).map(|problem| problem.error);
                let reason = problem.unwrap_or_else(|_| format!("the producer answered {status}"));
                Err(if status.is_server_error() { ReplayError::Unknown(reason) } else { refused(reason) })
            }
        }
    }

    /// As it was: the same bytes, key and id. The key leads it to its partition.
    async fn to_the_topic(&self, letter: &Letter, payload: Vec<u8>) -> Result<Place, ReplayError> {
        let origin = format!("{}/{}/{}", letter.dead_topic, letter.partition, letter.offset);
        let id = letter.record_id.clone().map(|id| (RECORD_ID, id));
        let record = Outgoing {
            topic: letter.origin.topic.as_str().into(),
            key: letter.key.as_ref().map(|key| key.to_vec()),
            payload: Some(payload),
            headers: id.into_iter().chain([("replay-of", origin)]).collect(),
            partition: None,
        };
        match self.sender.send_all(vec![record]).await.pop() {
            Some(Ok(place)) => Ok(place),
            Some(Err(SendError::Refused(reason))) => {
                Err(ReplayError::Refused { topic: letter.origin.topic.clone(), reason })
            }
            Some(Err(SendError::Unknown(reason))) => Err(ReplayError::Unknown(reason)),
            None => Err(ReplayError::Unknown("Kafka gave no answer".into())),
        }
    }
}
