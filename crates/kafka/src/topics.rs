//! Making topics.

use crate::{ANSWER_MAX, Cluster, KafkaError, RECORD_BYTES_MAX, client};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};
use std::time::Duration;

/// A topic as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: usize,
    pub replication: i32,
    /// Topic settings by their Kafka names, such as `cleanup.policy`.
    pub settings: Vec<(String, String)>,
}

impl TopicSpec {
    /// A topic whose records are kept for `retention` (`None`: for ever).
    pub fn new(
        name: impl Into<String>,
        partitions: usize,
        replication: i32,
        retention: Option<Duration>,
    ) -> Self {
        let millis = retention.map_or("-1".into(), |time| time.as_millis().to_string());
        Self { name: name.into(), partitions, replication, settings: vec![("retention.ms".into(), millis)] }
    }

    /// A topic for dead letters: for ever, and large enough for any record that a topic of the broker's default size holds, with
    /// the letter's headers beside it.
    pub fn dead(name: impl Into<String>, partitions: usize, replication: i32) -> Self {
        let mut spec = Self::new(name, partitions, replication, None);
        spec.settings.push(("max.message.bytes".into(), RECORD_BYTES_MAX.to_string()));
        spec
    }

    /// A topic that keeps the last record of each key.
    pub fn compacted(name: impl Into<String>, partitions: usize, replication: i32) -> Self {
        Self {
            name: name.into(),
            partitions,
            replication,
            settings: vec![("cleanup.policy".into(), "compact".into())],
        }
    }
}

/// Makes the topics that do not exist, and refuses those that exist with another number of partitions.
pub async fn ensure(cluster: &Cluster, specs: &[TopicSpec]) -> Result<(), KafkaError> {
    let existing = cluster.topics().await?;
    let mut missing = vec![];
    for spec in specs {
        match existing.iter().find(|topic| topic.name == spec.name) {
            Some(found) if found.partitions.len() != spec.partitions => {
                return Err(KafkaError::Partitions {
                    topic: spec.name.clone(),
                    found: found.partitions.len(),
                    declared: spec.partitions,
                });
            }
            Some(_) => {}
            None => missing.push(spec),
        }
    }
    if missing.is_empty() { Ok(()) } else { create(cluster.bootstrap(), &missing).await }
}

async fn create(bootstrap: &str, specs: &[&TopicSpec]) -> Result<(), KafkaError> {
    let unreachable = |cause: rdkafka::error::KafkaError| KafkaError::Unreachable {
        bootstrap: bootstrap.to_owned(),
        cause: cause.to_string(),
    };
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create().map_err(unreachable)?;
    let topics: Vec<NewTopic<'_>> = specs
        .iter()
        .map(|spec| {
            let topic =
                NewTopic::new(&spec.name, spec.partitions as i32, TopicReplication::Fixed(spec.replication));
            spec.settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(ANSWER_MAX)).request_timeout(Some(ANSWER_MAX));
    for made in admin.create_topics(&topics, &options).await.map_err(unreachable)? {
        match made {
            // Another process was quicker: that is what we wanted.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, cause)) => {
                return Err(KafkaError::Refused {
                    what: format!("to make topic {topic}"),
                    cause: cause.to_string(),
                });
            }
        }
    }
    Ok(())
}
