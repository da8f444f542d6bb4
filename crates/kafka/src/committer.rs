//! Keeping a group's offsets, without librdkafka's threads and buffers.

use crate::{Cluster, KafkaError, cluster::check, connection::Connection};
use kafka_protocol::{
    messages::{
        GroupId, OffsetCommitRequest, TopicName,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
    protocol::StrBytes,
};
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

    /// Keeps offsets ("next to read"), and waits for the broker's answer. A coordinator that has gone meanwhile is looked for once.
    pub async fn commit(&self, next: &Offsets) -> Result<(), KafkaError> {
        let request = self.request(next);
        let mut kept = self.coordinator.lock().await;
        if let Some(connection) = kept.take()
            && let Ok(connection) = self.ask(connection, &request).await
        {
            *kept = Some(connection);
            return Ok(());
        }
        let address = self.cluster.coordinator(&self.group).await?;
        *kept = Some(self.ask(Connection::open(&address).await?, &request).await?);
        Ok(())
    }

    /// Gives the connection back where it may be used again.
    async fn ask(
        &self,
        mut connection: Connection,
        request: &OffsetCommitRequest,
    ) -> Result<Connection, KafkaError> {
        let answer = connection.ask(VERSION, request).await?;
        for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            check(&format!("the offsets of group {}", self.group), partition.error_code)?;
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
