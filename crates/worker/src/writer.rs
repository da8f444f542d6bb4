//! How a slot writes: in transactions, and without them only where a test wants to see what is then lost or doubled.

use crate::slot::Work;
use kafka::{Group, KafkaError, Lent, Outgoing, Progress, Sender, TransactionError, Transactional};
use service::Break;

pub enum Writer {
    Transactional(Transactional),
    Apart(Apart),
}

impl Writer {
    /// Fences every earlier writer of this slot.
    pub fn new(work: &Work) -> Result<Self, TransactionError> {
        let bootstrap = &work.config.kafka.bootstrap;
        if work.guards.lack(Break::NoTransaction) {
            let sender = Sender::new(bootstrap).map_err(aborted)?;
            return Ok(Self::Apart(Apart {
                sender,
                runtime: work.runtime.clone(),
                pending: vec![],
                rounds: 0,
            }));
        }
        let mut id = work.job.transactional_id(work.number);
        if work.guards.lack(Break::NoFence) {
            id = format!("{id}/{}", std::process::id());
        }
        Transactional::new(bootstrap, &id).map(Self::Transactional)
    }

    pub fn begin(&mut self) -> Result<(), TransactionError> {
        match self {
            Self::Transactional(producer) => producer.begin(),
            Self::Apart(_) => Ok(()),
        }
    }

    pub fn send(&mut self, record: Lent<'_>) -> Result<(), TransactionError> {
        match self {
            Self::Transactional(producer) => producer.send(record),
            Self::Apart(apart) => {
                apart.pending.push(record.to_owned());
                Ok(())
            }
        }
    }

    /// Commits what was sent since `begin`, with the places of the inputs, as one.
    pub fn commit(&mut self, inputs: &[Progress], group: &Group) -> Result<(), TransactionError> {
        match self {
            Self::Transactional(producer) => producer.commit(inputs, group),
            Self::Apart(apart) => apart.commit(inputs, group),
        }
    }
}

/// Outputs first, places by and by, as a client does that knows no transactions.
pub struct Apart {
    sender: Sender,
    runtime: tokio::runtime::Handle,
    pending: Vec<Outgoing>,
    rounds: u32,
}

/// Such clients keep their places every few seconds.
const ROUNDS_PER_PLACE: u32 = 20;

impl Apart {
    fn commit(&mut self, inputs: &[Progress], group: &Group) -> Result<(), TransactionError> {
        let sent = self.sender.send_all(std::mem::take(&mut self.pending));
        for confirmed in self.runtime.block_on(sent) {
            confirmed.map_err(|cause| TransactionError::Aborted(cause.to_string()))?;
        }
        self.rounds += 1;
        if !self.rounds.is_multiple_of(ROUNDS_PER_PLACE) {
            return Ok(());
        }
        let places: Vec<_> =
            inputs.iter().map(|input| (input.topic.clone(), input.partition, input.offset)).collect();
        group.commit(&places).map_err(aborted)
    }
}

fn aborted(cause: KafkaError) -> TransactionError {
    TransactionError::Aborted(cause.to_string())
}
