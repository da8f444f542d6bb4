//! Keeping a group's offsets, without librdkafka's threads and buffers.

use crate::{Cluster, KafkaError, cluster::check_group, connection::Connection};
use kafka_protocol::{
    messages::{
        GroupId, OffsetCommitRequest, TopicName,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
    protocol::StrBytes,
};
use std::time::Duration;
use tokio::sync::Mutex;
use wire::passed::Offsets;

/// Commits how far a group is in one topic. It takes no part in the group's rebalancing, and holds one connection.
pub struct Committer {
    cluster: Cluster,
    group: String,
    topic: String,
    coordinator: Mutex<Option<Connection>>,
}

/// Without members of the group being named.
const VERSION: i16 = 8;

impl Committer {
    pub fn new(cluster: &Cluster, group: &str, topic: &str) -> Self {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Self { cluster: cluster.clone(), group, topic, coordinator: Mutex::new(None) }
    }

    /// Keeps offsets ("next to read"), and waits for the broker's answer. A coordinator that has gone meanwhile is looked for.
    pub async fn commit(&self, next: &Offsets) -> Result<(), KafkaError> {
        let request = self.request(next);
        let mut kept = self.coordinator.lock().await;
        if let Some(connection) = kept.take()
            && let Ok(connection) = self.ask(connection, &request).await
        {
            *kept = Some(connection);
            return Ok(());
        }
        let request = &request;
        *kept = Some(until_coordinated(LOOK_AGAIN, move || self.ask_coordinator(request)).await?);
        Ok(())
    }

    async fn ask_coordinator(&self, request: &OffsetCommitRequest) -> Result<Connection, KafkaError> {
        let address = self.cluster.coordinator(&self.group).await?;
        self.ask(Connection::open(&address).await?, request).await
    }

    /// Gives the connection back where it may be used again.
    async fn ask(
        &self,
        mut connection: Connection,
        request: &OffsetCommitRequest,
    ) -> Result<Connection, KafkaError> {
        let answer = connection.ask(VERSION, request).await?;
        for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            check_group(&self.group, "the offsets", partition.error_code)?;
        }
        Ok(connection)
    }

    fn request(&self, next: &Offsets) -> OffsetCommitRequest {
        let partition = |(partition, offset): (&i32, &i64)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(*offset)
        };
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_string(self.topic.clone())))
            .with_partitions(next.0.iter().map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(self.group.clone())))
            .with_topics(vec![topic])
    }
}

/// A broker makes the topic of offsets when the first group asks for it, and reads it after a start: a second or two.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOKS_MAX: u32 = 20;

/// Asks again for as long as there is no coordinator, [`LOOKS_MAX`] times at most.
async fn until_coordinated<T, A: Future<Output = Result<T, KafkaError>>>(
    pause: Duration,
    ask: impl Fn() -> A,
) -> Result<T, KafkaError> {
    for _ in 1..LOOKS_MAX {
        match ask().await {
            Err(KafkaError::NoCoordinator { .. }) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    ask().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn no_coordinator() -> KafkaError {
        KafkaError::NoCoordinator { group: "g".into(), cause: "CoordinatorNotAvailable".into() }
    }

    /// Asks a broker that says `wrong` so many times before it takes the offsets. Answers whether it did, and how often it was asked.
    async fn asked(wrong: fn() -> KafkaError, times: u32) -> (bool, u32) {
        let count = Cell::new(0);
        let ask = || {
            count.set(count.get() + 1);
            std::future::ready(if count.get() > times { Ok(()) } else { Err(wrong()) })
        };
        (until_coordinated(Duration::ZERO, ask).await.is_ok(), count.get())
    }

    #[tokio::test]
    async fn a_coordinator_that_is_not_there_yet_is_waited_for_and_nothing_else_is() {
        let no_topic = || KafkaError::NoTopic { topic: "t".into() };
        assert_eq!(asked(no_coordinator, 0).await, (true, 1));
        assert_eq!(asked(no_coordinator, 3).await, (true, 4));
        assert_eq!(asked(no_coordinator, u32::MAX).await, (false, LOOKS_MAX));
        assert_eq!(asked(no_topic, 1).await, (false, 1));
    }
}
