//! Records to the producer, until it has said of each that it is durable.

use crate::trouble::{self, Trouble};
use model::Retry;
use reqwest::{Client, StatusCode, header};
use serde_json::{Map, Value};
use std::time::Duration;
use wire::{
    ingest::{Answer, Outcome, Problem},
    passed::Offsets,
};

/// The producer, as one who sends sees it.
pub struct Producer {
    client: Client,
    url: String,
}

/// What became of records that are all durable.
#[derive(Debug, Default, PartialEq)]
pub struct Delivered {
    /// In the stream's topic.
    pub written: u64,
    /// In the dead letters.
    pub dead: u64,
    /// The end of what was written to the stream's topic.
    pub offsets: Offsets,
}

/// Why not all records are known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("cannot make an HTTP client: {0}")]
    Client(String),
    #[error(
        "the producer did not take the records of stream \"{stream}\" in {attempts} tries: {cause}. Is it running, and Kafka? The cursor stays where it was"
    )]
    GaveUp { stream: String, attempts: u32, cause: String },
    #[error(
        "the producer refuses the records of stream \"{stream}\": {cause}. The cursor stays where it was"
    )]
    Refused { stream: String, cause: String },
    #[error(
        "Kafka takes neither a record of stream \"{stream}\" nor its dead letter: {reason}. Leave a field out of the source, or raise the topic's max.message.bytes. The cursor stays where it was"
    )]
    Rejected { stream: String, reason: String },
}

/// Of one request: the producer's own default bounds are ten and four times that.
const RECORDS_MAX: usize = 5_000;
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// A result a record, most of them short.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The producer answers within 30 s, by when Kafka has confirmed or has not.
const ANSWER_MAX: Duration = Duration::from_secs(45);

impl Producer {
    pub fn new(url: &str) -> Result<Self, DeliverError> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none());
        let client = client.build().map_err(|error| DeliverError::Client(trouble::reason(&error)))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// Sends the records, and those again of which nothing is known. Their ids make it harmless that one is written twice.
    pub async fn deliver(
        &self,
        stream: &str,
        records: &[Map<String, Value>],
        retry: &Retry,
    ) -> Result<Delivered, DeliverError> {
        let mut delivered = Delivered::default();
        for batch in batches(records.iter().map(|record| Value::Object(record.clone()).to_string())) {
            self.deliver_batch(stream, batch, retry, &mut delivered).await?;
        }
        Ok(delivered)
    }

    async fn deliver_batch(
        &self,
        stream: &str,
        mut pending: Vec<String>,
        retry: &Retry,
        delivered: &mut Delivered,
    ) -> Result<(), DeliverError> {
        let mut failed = 0;
        loop {
            let trouble = match self.post(stream, &pending).await {
                Err(trouble) => trouble,
                Ok(answer) => match settle(stream, pending, answer, delivered)? {
                    (left, _) if left.is_empty() => return Ok(()),
                    (left, trouble) => {
                        pending = left;
                        trouble
                    }
                },
            };
            failed += 1;
            let (stream, cause) = (stream.to_owned(), trouble.cause().to_owned());
            match trouble.wait(retry, failed) {
                Some(wait) => {
                    tracing::info!(
                        stream,
                        "the producer did not take all records: {cause}; trying again in {wait:?}"
                    );
                    tokio::time::sleep(wait).await;
                }
                None if matches!(trouble, Trouble::Lasting { .. }) => {
                    return Err(DeliverError::Refused { stream, cause });
                }
                None => return Err(DeliverError::GaveUp { stream, attempts: failed, cause }),
            }
        }
    }

    async fn post(&self, stream: &str, lines: &[String]) -> Result<Answer, Trouble> {
        let url = format!("{}/v1/streams/{stream}/records?on_invalid=deadletter", self.url);
        let request =
            self.client.post(url).header(header::CONTENT_TYPE, "application/x-ndjson").body(lines.join("\n"));
        let response = request.send().await.map_err(Trouble::of)?;
        let (status, trouble) = (response.status(), Trouble::of_status(&response));
        let body = trouble::body(response, ANSWER_BYTES_MAX).await?;
        match serde_json::from_slice::<Answer>(&body) {
            Ok(answer) if answer.results.len() == lines.len() => Ok(answer),
            _ => Err(told(status, trouble, &body)),
        }
    }
}

/// An answer that says nothing about the records.
fn told(status: StatusCode, trouble: Trouble, body: &[u8]) -> Trouble {
    let said = serde_json::from_slice::<Problem>(body)
        .map(|problem| problem.error)
        .unwrap_or_else(|_| trouble.cause().to_owned());
    match (status, trouble) {
        // A new stream: it may have reached us before it reached the producer.
        (StatusCode::NOT_FOUND, _) => Trouble::passing(said),
        (status, _) if status.is_success() => Trouble::passing("its answer does not tell of each record"),
        (_, Trouble::Passing { retry_after, .. }) => Trouble::Passing { cause: said, retry_after },
        (_, Trouble::Lasting { .. }) => Trouble::Lasting { cause: said },
    }
}

/// Counts what is durable, and answers what has to be sent again, and why.
fn settle(
    stream: &str,
    lines: Vec<String>,
    answer: Answer,
    delivered: &mut Delivered,
) -> Result<(Vec<String>, Trouble), DeliverError> {
    let (mut left, mut why, mut rejected) = (vec![], String::new(), None);
    for (line, outcome) in lines.into_iter().zip(answer.results) {
        match outcome {
            Outcome::Written { partition, offset } => {
                delivered.written += 1;
                delivered.offsets.include(partition, offset);
            }
            Outcome::Dead { .. } => delivered.dead += 1,
            Outcome::Unknown { reason } => {
                left.push(line);
                why = reason;
            }
            Outcome::Rejected { reason } => rejected = Some(reason),
        }
    }
    match rejected {
        Some(reason) => Err(DeliverError::Rejected { stream: stream.to_owned(), reason }),
        None => Ok((left, Trouble::passing(why))),
    }
}

/// Cuts lines into requests that the producer takes. A line that is larger goes alone.
fn batches(lines: impl Iterator<Item = String>) -> Vec<Vec<String>> {
    let (mut batches, mut batch, mut bytes) = (vec![], vec![], 0);
    for line in lines {
        if !batch.is_empty() && (batch.len() >= RECORDS_MAX || bytes + line.len() > BYTES_MAX) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += line.len() + 1;
        batch.push(line);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests;
