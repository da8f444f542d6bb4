//! What is kept under a group's name: how far each partition is done. Blocking: it belongs to a thread of its own.

use crate::{ANSWER_MAX, KafkaError, client, reader::refused};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata},
    topic_partition_list::TopicPartitionListElem,
};
use std::time::Duration;

/// A group's places. It reads nothing itself, and takes part in no rebalancing.
pub struct Group(BaseConsumer);

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub partition: i32,
    /// Next to read; `None` where nothing was committed yet.
    pub offset: Option<i64>,
    pub metadata: String,
}

impl Group {
    pub fn new(bootstrap: &str, name: &str) -> Result<Self, KafkaError> {
        let consumer = client(bootstrap)
            .set("group.id", name)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()
            .map_err(|cause| KafkaError::Unreachable {
                bootstrap: bootstrap.to_owned(),
                cause: cause.to_string(),
            })?;
        Ok(Self(consumer))
    }

    /// What the group has committed for `topic`.
    pub fn committed(&self, topic: &str, partitions: i32) -> Result<Vec<Committed>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let found =
            self.0.committed_offsets(list, ANSWER_MAX).map_err(|cause| refused("to tell offsets", &cause))?;
        found.elements().iter().map(place).collect()
    }

    /// Keeps offsets ("next to read"), and waits for the broker's answer.
    pub fn commit(&self, offsets: &[(String, i32, i64)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|cause| refused("an offset", &cause))?;
        }
        self.forget_news();
        self.0.commit(&list, CommitMode::Sync).map_err(|cause| refused("to commit offsets", &cause))
    }

    /// First and last stable offset of a partition.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
        self.0
            .fetch_watermarks(topic, partition, ANSWER_MAX)
            .map_err(|cause| refused("to tell a partition's ends", &cause))
    }

    pub(crate) fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.forget_news();
        self.0.group_metadata()
    }

    /// What the library wants to say (a broker went, a broker came) would be kept for ever.
    fn forget_news(&self) {
        while self.0.poll(Duration::ZERO).is_some() {}
    }
}

/// A partition whose offset could not be told is an error: taken for one without an offset it would be read from its beginning.
fn place(told: &TopicPartitionListElem<'_>) -> Result<Committed, KafkaError> {
    told.error().map_err(|cause| refused("to tell an offset", &cause))?;
    Ok(Committed {
        partition: told.partition(),
        offset: match told.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        },
        metadata: told.metadata().to_owned(),
    })
}
