//! A load client of the producer: many lanes, each with keys of its own, each writing its ledger.

use crate::{Event, Fate, Outcome, ledger::Writer};
use reqwest::Client;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::ingest::{Answer, Outcome as Said, Problem};

/// What is to be sent, and where.
#[derive(Clone, Debug)]
pub struct Load {
    /// `http://host:port` of the producer.
    pub producer: String,
    pub stream: String,
    /// Begins every id and key, so that two loads are never mixed up.
    pub run: String,
    /// Requests at the same time. A key belongs to one lane, which waits for an answer before it sends the key again.
    pub lanes: usize,
    pub keys_per_lane: usize,
    pub records_per_request: usize,
    /// The number of each lane's first event: a second load of a run begins where the first has ended.
    pub first: i64,
    /// Between two requests of a lane: the rate.
    pub pause: Duration,
}

/// An answer that takes longer counts as unknown: the producer's own bound is 30 s, faults here last less.
const ANSWER_MAX: Duration = Duration::from_secs(12);
/// After a failed request, so that a producer that is away is not hammered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Why a load can't go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the ledger cannot be written: {0}. Is the disk full?")]
    Ledger(#[from] std::io::Error),
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    #[error("a lane of the load ended: {0}")]
    Lane(#[from] tokio::task::JoinError),
}

impl Load {
    /// Sends until `stop`. Nothing is sent twice: what is unknown stays unknown.
    pub async fn run(self, ledger: Arc<Writer>, stop: CancellationToken) -> Result<(), LoadError> {
        let client = client()?;
        let load = Arc::new(self);
        let mut lanes = JoinSet::new();
        for lane in 0..load.lanes {
            let (load, ledger, client, stop) = (load.clone(), ledger.clone(), client.clone(), stop.clone());
            lanes.spawn(async move {
                let mut next = load.first;
                while !stop.is_cancelled() {
                    let events = load.events(lane, &mut next);
                    let all_well = load.send(&client, &ledger, &events).await?;
                    let pause = if all_well { load.pause } else { load.pause.max(PAUSE_AFTER_FAILURE) };
                    tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => {} }
                }
                Ok::<(), LoadError>(())
            });
        }
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Sends one request of each lane, `requests` times, and answers whether all was acknowledged.
    pub async fn burst(&self, ledger: &Writer, requests: usize) -> Result<bool, LoadError> {
        let client = client()?;
        let mut all_well = true;
        let mut next = vec![self.first; self.lanes];
        for _ in 0..requests {
            for (lane, next) in next.iter_mut().enumerate() {
                all_well &= self.send(&client, ledger, &self.events(lane, next)).await?;
            }
        }
        Ok(all_well)
    }

    /// The next events of a lane: each key in turn, most to be kept, some filtered, some dead.
    fn events(&self, lane: usize, next: &mut i64) -> Vec<Event> {
        let at = chrono::Utc::now().timestamp_millis();
        let keys = self.keys_per_lane as i64;
        let event = |n: i64| Event {
            id: format!("{}-{lane}-{n:07}", self.run),
            key: format!("{}-{lane}-{}", self.run, n % keys),
            seq: n / keys,
            at,
            fate: match n % 17 {
                5 => Fate::Filtered,
                11 => Fate::Dead,
                _ => Fate::Clean,
            },
        };
        let first = *next;
        *next += self.records_per_request as i64;
        (first..*next).map(event).collect()
    }

    async fn send(&self, client: &Client, ledger: &Writer, events: &[Event]) -> Result<bool, LoadError> {
        ledger.invoke(events)?;
        let outcomes = self.post(client, events).await;
        let all_well = outcomes.iter().all(|(outcome, _)| *outcome == Outcome::Ok);
        let told = events.iter().zip(outcomes);
        ledger.told(told.map(|(event, (outcome, reason))| (event.id.as_str(), outcome, reason)))?;
        Ok(all_well)
    }

    async fn post(&self, client: &Client, events: &[Event]) -> Vec<(Outcome, String)> {
        let url = format!("{}/v1/streams/{}/records", self.producer, self.stream);
        let lines: Vec<String> = events.iter().map(Event::payload).collect();
        let asked = client.post(url).header("content-type", "application/x-ndjson").body(lines.join("\n"));
        let body = match asked.send().await {
            Ok(answer) => answer.bytes().await,
            // A connection that was refused has carried nothing.
            Err(cause) if cause.is_connect() => {
                return vec![(Outcome::Fail, cause.to_string()); events.len()];
            }
            Err(cause) => Err(cause),
        };
        match body {
            Ok(body) => read(&body, events.len()),
            Err(cause) => vec![(Outcome::Unknown, cause.to_string()); events.len()],
        }
    }
}

/// What an answer says of each record. An answer with an error says that nothing was begun.
fn read(body: &[u8], records: usize) -> Vec<(Outcome, String)> {
    if let Ok(answer) = serde_json::from_slice::<Answer>(body)
        && answer.results.len() == records
    {
        return answer
            .results
            .into_iter()
            .map(|said| match said {
                Said::Written { .. } => (Outcome::Ok, String::new()),
                Said::Dead { reason, .. } | Said::Rejected { reason } => (Outcome::Fail, reason),
                Said::Unknown { reason } => (Outcome::Unknown, reason),
            })
            .collect();
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => vec![(Outcome::Fail, problem.error); records],
        Err(_) => vec![(Outcome::Unknown, "the answer can't be read".into()); records],
    }
}

fn client() -> Result<Client, reqwest::Error> {
    Client::builder().no_proxy().timeout(ANSWER_MAX).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_for_each_record_and_what_it_does_not_say_is_unknown() {
        let outcomes =
            |body: &str| read(body.as_bytes(), 2).into_iter().map(|(outcome, _)| outcome).collect::<Vec<_>>();
        let whole = r#"{"accepted":1,"dead":0,"rejected":0,"results":[{"status":"written","partition":0,"offset":1},{"status":"unknown","reason":"r"}]}"#;
        assert_eq!(outcomes(whole), [Outcome::Ok, Outcome::Unknown]);
        assert_eq!(outcomes(r#"{"error":"busy"}"#), [Outcome::Fail, Outcome::Fail]);
        assert_eq!(outcomes(r#"{"accepted":1,"dead":0,"rejected":0,"results":[]}"#), [Outcome::Unknown; 2]);
    }

    #[test]
    fn a_key_belongs_to_one_lane_and_counts_up() {
        let load = Load {
            producer: String::new(),
            stream: "events".into(),
            run: "r".into(),
            lanes: 2,
            keys_per_lane: 3,
            records_per_request: 4,
            first: 0,
            pause: Duration::ZERO,
        };
        let mut next = 0;
        let both: Vec<Event> = [load.events(1, &mut next), load.events(1, &mut next)].concat();
        let keys: Vec<(&str, i64)> = both.iter().map(|event| (event.key.as_str(), event.seq)).collect();
        assert_eq!(keys[..4], [("r-1-0", 0), ("r-1-1", 0), ("r-1-2", 0), ("r-1-0", 1)]);
        assert_eq!(
            (keys[7], both[5].fate, both[7].id.as_str()),
            (("r-1-1", 2), Fate::Filtered, "r-1-0000007")
        );
    }
}
