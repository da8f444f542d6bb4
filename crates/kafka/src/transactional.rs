//! Outputs and input offsets in one transaction. Blocking: it belongs to a thread of its own.

use crate::{ANSWER_MAX, Group, KafkaError, Lent, client, sender::owned};
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError as Cause, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext},
};
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// A producer whose `transactional.id` fences every earlier one of the same id.
///
/// After any error it must be dropped and made anew: librdkafka has no KIP-890, so the end of a transaction whose answer was
/// lost could otherwise land on the next one.
pub struct Transactional(Arc<BaseProducer<FirstError>>);

/// An input partition's place after the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub topic: String,
    pub partition: i32,
    /// Next to read.
    pub offset: i64,
    /// Kept beside the offset; the worker keeps the watermark there.
    pub metadata: String,
}

/// Why a transaction did not commit.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Another producer has this id now. This one must end, and nothing of its open transaction will be seen.
    #[error("another worker has taken over this slot")]
    Fenced,
    /// It was or will be aborted: drop the producer, read the inputs again.
    #[error("the transaction did not commit: {0}")]
    Aborted(String),
}

/// The broker aborts a transaction that is open for longer, so that readers are never blocked for more than that.
pub const OPEN_MAX: Duration = Duration::from_secs(10);
/// Longer than librdkafka's own limit, so that where it keeps that its own words are told.
const OFFSETS_MAX: Duration = Duration::from_secs(11);

/// A broker on the same machine takes a batch in a millisecond or two.
const BETWEEN_LOOKS: Duration = Duration::from_micros(300);

impl Transactional {
    /// Makes the producer and fences every earlier one with this id.
    pub fn new(bootstrap: &str, transactional_id: &str) -> Result<Self, TransactionError> {
        let timeout = OPEN_MAX.as_millis().to_string();
        let producer: BaseProducer<FirstError> = client(bootstrap)
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", &timeout)
            .set("message.timeout.ms", &timeout)
            .set("partitioner", "murmur2_random")
            .set("compression.type", "zstd")
            .set("compression.level", "1")
            // The commit says whether all of them are there; only what failed is worth a word before.
            .set("delivery.report.only.error", "true")
            // A commit waits no longer for it; without it each record would wake the library's thread, and go nearly alone.
            .set("linger.ms", "2")
            .create_with_context(FirstError::default())
            .map_err(judge)?;
        producer.init_transactions(Duration::from_secs(30)).map_err(judge)?;
        Ok(Self(Arc::new(producer)))
    }

    pub fn begin(&self) -> Result<(), TransactionError> {
        self.0.begin_transaction().map_err(judge)
    }

    pub fn send(&self, record: Lent<'_>) -> Result<(), TransactionError> {
        let mut outgoing = BaseRecord::<[u8], [u8]>::to(record.topic);
        outgoing.key = record.key;
        outgoing.payload = record.payload;
        outgoing.partition = record.partition;
        outgoing.headers = (!record.headers.is_empty()).then(|| owned(record.headers));
        let Err((mut cause, mut refused)) = self.0.send(outgoing) else { return Ok(()) };
        let started = Instant::now();
        // The queue is bounded: let the broker take some of it.
        while is_full(&cause) && started.elapsed() < OPEN_MAX {
            self.wait();
            match self.0.send(refused) {
                Ok(()) => return Ok(()),
                Err(again) => (cause, refused) = again,
            }
        }
        Err(judge(cause))
    }

    /// Commits what was sent since `begin`, with the places of the inputs, as one.
    pub fn commit(&self, inputs: &[Progress], group: &Group) -> Result<(), TransactionError> {
        self.drain()?;
        if !inputs.is_empty() {
            let group =
                group.metadata().ok_or_else(|| TransactionError::Aborted("the group has no name".into()))?;
            self.send_offsets(list(inputs).map_err(judge)?, group)?;
        }
        self.0.commit_transaction(ANSWER_MAX).map_err(judge)
    }

    /// On a thread of its own, because librdkafka's limit does not hold (its issue 5456): where the group's coordinator dies at the
    /// wrong moment it never answers. The thread then keeps the producer until a broker comes or goes; by then another producer
    /// has fenced it.
    fn send_offsets(
        &self,
        places: TopicPartitionList,
        group: ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        let (told, answer) = mpsc::sync_channel(1);
        let producer = self.0.clone();
        let ask = move || told.send(producer.send_offsets_to_transaction(&places, &group, ANSWER_MAX));
        thread::Builder::new()
            .name("offsets".into())
            .spawn(ask)
            .map_err(|cause| TransactionError::Aborted(format!("no thread to send the offsets: {cause}")))?;
        let silent = |_| {
            let why = format!("the group's coordinator did not take the offsets within {OFFSETS_MAX:?}");
            TransactionError::Aborted(why)
        };
        answer.recv_timeout(OFFSETS_MAX).map_err(silent)?.map_err(judge)
    }

    /// Waits until all that was sent is acknowledged. librdkafka's own flush polls in steps of 100 ms.
    fn drain(&self) -> Result<(), TransactionError> {
        let started = Instant::now();
        while self.0.in_flight_count() > 0 {
            self.wait();
            if started.elapsed() > OPEN_MAX {
                return Err(TransactionError::Aborted(format!(
                    "the broker did not acknowledge within {OPEN_MAX:?}"
                )));
            }
        }
        match self.0.context().0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(cause) => Err(self.judge_delivery(cause)),
            None => Ok(()),
        }
    }

    /// The binding's own waiting looks at the clock without a pause in its last millisecond.
    fn wait(&self) {
        self.0.poll(Duration::ZERO);
        thread::park_timeout(BETWEEN_LOOKS);
    }

    /// A fenced producer's records are purged from its queue: that says nothing yet. Why, the end of the transaction says.
    fn judge_delivery(&self, cause: Cause) -> TransactionError {
        use RDKafkaErrorCode::{Fatal, PurgeQueue};
        match (cause.rdkafka_error_code(), judge(cause)) {
            (Some(PurgeQueue | Fatal), unclear) => {
                self.0.abort_transaction(ANSWER_MAX).map_err(judge).err().unwrap_or(unclear)
            }
            (_, judged) => judged,
        }
    }
}

/// Fences every holder of this id, as a deploy with another number of slots must do with each old one.
pub fn fence(bootstrap: &str, transactional_id: &str) -> Result<(), KafkaError> {
    let refused = |cause: TransactionError| KafkaError::Refused {
        what: format!("to fence {transactional_id}"),
        cause: cause.to_string(),
    };
    Transactional::new(bootstrap, transactional_id).map(drop).map_err(refused)
}

fn list(inputs: &[Progress]) -> Result<TopicPartitionList, Cause> {
    let mut list = TopicPartitionList::with_capacity(inputs.len());
    for input in inputs {
        let mut place = list.add_partition(&input.topic, input.partition);
        place.set_offset(Offset::Offset(input.offset))?;
        place.set_metadata(&input.metadata);
    }
    Ok(list)
}

fn is_full(cause: &Cause) -> bool {
    cause.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

fn judge(cause: Cause) -> TransactionError {
    use RDKafkaErrorCode::*;
    match cause.rdkafka_error_code() {
        Some(Fenced | ProducerFenced | InvalidProducerEpoch) => TransactionError::Fenced,
        _ => TransactionError::Aborted(cause.to_string()),
    }
}

/// Keeps the first delivery that failed.
#[derive(Default)]
struct FirstError(Mutex<Option<Cause>>);

impl ClientContext for FirstError {}

impl ProducerContext for FirstError {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((cause, _)) = result {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| cause.clone());
        }
    }
}
