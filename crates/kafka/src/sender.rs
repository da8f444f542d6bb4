//! Idempotent writing, with an answer per record.

use crate::{KafkaError, client};
use rdkafka::{
    ClientContext, Message,
    error::{KafkaError as Cause, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OnceCell, oneshot};

/// Writes records with `acks=all` and idempotence, keyed as Java clients key (murmur2).
///
/// The queue inside is bounded by [`QUEUE_KBYTES_MAX`]; whoever calls bounds what it hands over at once.
#[derive(Clone)]
pub struct Sender {
    producer: Arc<ThreadedProducer<Acks>>,
    pulse: Arc<Pulse>,
}

/// A sender that is made when it is first asked for: who sends seldom may never send, and has none of librdkafka's threads till then.
pub struct LateSender {
    bootstrap: String,
    made: OnceCell<Sender>,
}

impl LateSender {
    pub fn new(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), made: OnceCell::new() }
    }

    pub async fn get(&self) -> Result<&Sender, KafkaError> {
        self.made.get_or_try_init(async || Sender::new(&self.bootstrap)).await
    }
}

/// A record to write.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    pub topic: Arc<str>,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, String)>,
    /// Left to the topic's partitioner where absent.
    pub partition: Option<i32>,
}

/// A record to write, lent for as long as it takes to hand it over: librdkafka copies it.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a> {
    pub topic: &'a str,
    pub key: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
    pub headers: &'a [(&'static str, &'a str)],
    /// Left to the topic's partitioner where absent.
    pub partition: Option<i32>,
}

impl Lent<'_> {
    pub fn to_owned(self) -> Outgoing {
        Outgoing {
            topic: self.topic.into(),
            key: self.key.map(<[u8]>::to_vec),
            payload: self.payload.map(<[u8]>::to_vec),
            headers: self.headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            partition: self.partition,
        }
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

/// Why a record may not be durable.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum SendError {
    /// The broker will never take it.
    #[error("Kafka refuses the record: {0}")]
    Refused(String),
    /// It may or may not be there: send it again, its id makes that harmless.
    #[error("Kafka did not confirm the record: {0}")]
    Unknown(String),
}

/// The most that waits inside for the broker, in KiB.
pub const QUEUE_KBYTES_MAX: usize = 65_536;
/// A record that the broker has not confirmed by then is answered as unknown.
pub const CONFIRM_MAX: Duration = Duration::from_secs(30);

impl Sender {
    pub fn new(bootstrap: &str) -> Result<Self, KafkaError> {
        let producer = client(bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            // Its context is made anew for each batch, and at the usual level 3 that is three quarters of a MiB to be cleared.
            .set("compression.level", "1")
            .set("linger.ms", "2")
            // A broker that has just come back does not know its topics yet. What it says of one then is believed until it is asked
            // again, by default after five minutes.
            .set("topic.metadata.refresh.interval.ms", "5000")
            .set("message.timeout.ms", CONFIRM_MAX.as_millis().to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES_MAX.to_string())
            .create_with_context(Acks)
            .map_err(|cause| KafkaError::Unreachable {
                bootstrap: bootstrap.to_owned(),
                cause: cause.to_string(),
            })?;
        Ok(Self { producer: Arc::new(producer), pulse: Arc::new(Pulse::default()) })
    }

    /// Writes all records and answers in their order, when the last of them is durable or given up.
    pub async fn send_all(&self, records: Vec<Outgoing>) -> Vec<Result<Place, SendError>> {
        if records.is_empty() {
            return vec![];
        }
        let waiting = Waiting::new(&self.pulse);
        let (batch, answer) = Batch::of(records.len());
        for (index, record) in records.into_iter().enumerate() {
            self.send(record, Box::new((batch.clone(), index)));
        }
        let answers = answer.await.unwrap_or_default();
        if answers.iter().any(Result::is_ok) {
            waiting.0.beat();
        }
        answers
    }

    /// For how long calls of `send_all` wait and none is confirmed. Zero where nobody waits.
    pub fn silent_for(&self) -> Duration {
        self.pulse.silent_for()
    }

    fn send(&self, record: Outgoing, ticket: Box<Ticket>) {
        let mut outgoing = BaseRecord::<[u8], [u8], Box<Ticket>>::with_opaque_to(&record.topic, ticket);
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.payload.as_deref();
        outgoing.partition = record.partition;
        outgoing.headers = (!record.headers.is_empty()).then(|| owned(&record.headers));
        if let Err((cause, refused)) = self.producer.send(outgoing) {
            let (batch, index) = *refused.delivery_opaque;
            batch.settle(index, Err(judge(&cause)));
        }
    }

    /// Waits until nothing is on its way. Dropping a producer would purge its queue.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer
            .flush(timeout)
            .map_err(|cause| KafkaError::Refused { what: "to flush".into(), cause: cause.to_string() })
    }
}

/// Whether the broker confirms anything.
struct Pulse {
    waiting: AtomicUsize,
    /// The last confirmation, or when somebody began to wait.
    last: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { waiting: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Pulse {
    fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        match self.waiting.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            _ => self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed(),
        }
    }
}

/// A call that waits; one that is given up no longer does.
struct Waiting<'a>(&'a Pulse);

impl<'a> Waiting<'a> {
    fn new(pulse: &'a Pulse) -> Self {
        if pulse.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            pulse.beat();
        }
        Self(pulse)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(crate) fn owned(headers: &[(&'static str, impl AsRef<str>)]) -> OwnedHeaders {
    let start = OwnedHeaders::new_with_capacity(headers.len());
    headers.iter().fold(start, |all, (key, value)| all.insert(Header { key, value: Some(value.as_ref()) }))
}

type Answers = Vec<Result<Place, SendError>>;
type Ticket = (Arc<Batch>, usize);

/// The records of one call: counts down to its answer.
struct Batch {
    left: AtomicUsize,
    answers: Mutex<Answers>,
    done: Mutex<Option<oneshot::Sender<Answers>>>,
}

impl Batch {
    fn of(records: usize) -> (Arc<Self>, oneshot::Receiver<Answers>) {
        let (done, answer) = oneshot::channel();
        let open = vec![Err(SendError::Unknown("no answer".into())); records];
        let batch = Self { left: records.into(), answers: open.into(), done: Some(done).into() };
        (Arc::new(batch), answer)
    }

    fn settle(&self, index: usize, answer: Result<Place, SendError>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers[index] = answer;
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let all = std::mem::take(&mut *answers);
            if let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Nobody waits any more where the caller hung up.
                let _ = done.send(all);
            }
        }
    }
}

struct Acks;

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let (batch, index) = *ticket;
        batch.settle(
            index,
            match result {
                Ok(message) => Ok(Place { partition: message.partition(), offset: message.offset() }),
                Err((cause, _)) => Err(judge(cause)),
            },
        );
    }
}

fn judge(cause: &Cause) -> SendError {
    use RDKafkaErrorCode::*;
    match cause.rdkafka_error_code() {
        Some(
            MessageSizeTooLarge
            | InvalidRecord
            | TopicAuthorizationFailed
            | UnknownTopic
            | UnknownTopicOrPartition
            | UnknownPartition,
        ) => SendError::Refused(cause.to_string()),
        _ => SendError::Unknown(cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_counted_only_while_somebody_waits() {
        let pulse = Pulse::default();
        let before = Instant::now() - Duration::from_secs(7);
        let set = || *pulse.last.lock().unwrap() = before;
        set();
        assert_eq!(pulse.silent_for(), Duration::ZERO);
        let first = Waiting::new(&pulse);
        assert!(pulse.silent_for() < Duration::from_secs(5), "whoever waits first begins the silence");
        set();
        let second = Waiting::new(&pulse);
        assert!(pulse.silent_for() > Duration::from_secs(5), "the next does not end it");
        drop(first);
        pulse.beat();
        assert!(pulse.silent_for() < Duration::from_secs(5));
        set();
        drop(second);
        assert_eq!(pulse.silent_for(), Duration::ZERO);
    }
}
