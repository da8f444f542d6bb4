//! Questions about brokers, topics, offsets and groups.

use crate::{KafkaError, connection::ask};
use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, DescribeLogDirsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest,
        ListOffsetsRequest, MetadataRequest, MetadataResponse, OffsetFetchRequest, TopicName,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        offset_fetch_request::OffsetFetchRequestGroup,
    },
    protocol::StrBytes,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;
use wire::passed::Offsets;

/// A cluster, known by its bootstrap addresses.
#[derive(Clone, Debug)]
pub struct Cluster {
    bootstrap: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Broker {
    pub id: i32,
    pub address: String,
    pub controller: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Topic {
    pub name: String,
    /// Told anew for every incarnation of the name.
    pub id: Uuid,
    pub internal: bool,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    pub id: i32,
    /// -1 where there is none at the moment.
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

/// Which end of a partition is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The oldest record that is kept.
    First,
    /// Behind the last record whose transaction has ended: what a `read_committed` reader can reach.
    Stable,
    /// Behind the last record, whatever becomes of its transaction.
    Written,
}

impl Cluster {
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self { bootstrap: bootstrap.into() }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub async fn brokers(&self) -> Result<Vec<Broker>, KafkaError> {
        let metadata = self.metadata(Some(&[])).await?;
        let controller = metadata.controller_id;
        let broker = |b: kafka_protocol::messages::metadata_response::MetadataResponseBroker| Broker {
            id: b.node_id.0,
            address: format!("{}:{}", b.host, b.port),
            controller: b.node_id == controller,
        };
        Ok(metadata.brokers.into_iter().map(broker).collect())
    }

    /// All topics, by name.
    pub async fn topics(&self) -> Result<Vec<Topic>, KafkaError> {
        let mut topics: Vec<Topic> =
            self.metadata(None).await?.topics.into_iter().filter(|t| t.error_code == 0).map(topic).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    pub async fn topic(&self, name: &str) -> Result<Topic, KafkaError> {
        self.described(name).await.map(|(topic, _)| topic)
    }

    /// Addresses of the leaders of a topic's partitions, by partition. One that has no leader at the moment is left out.
    pub async fn leaders(&self, name: &str) -> Result<BTreeMap<i32, String>, KafkaError> {
        let (topic, addresses) = self.described(name).await?;
        let leader = |partition: Partition| Some((partition.id, addresses.get(&partition.leader)?.clone()));
        Ok(topic.partitions.into_iter().filter_map(leader).collect())
    }

    /// The offsets at one end of a topic, per partition.
    pub async fn ends(&self, name: &str, end: End) -> Result<Offsets, KafkaError> {
        let (topic, addresses) = self.described(name).await?;
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in &topic.partitions {
            by_leader.entry(partition.leader).or_default().push(partition.id);
        }
        let mut offsets = Offsets::default();
        for (leader, partitions) in by_leader {
            let address = addresses.get(&leader).ok_or_else(|| {
                refused(&format!("the offsets of {name}"), "a partition has no leader at the moment")
            })?;
            let answer = ask(address, 7, &ends_request(&BTreeMap::from([(name, partitions)]), end)).await?;
            for found in answer.topics.into_iter().flat_map(|t| t.partitions) {
                check(&format!("the offsets of {name}"), found.error_code)?;
                offsets.0.insert(found.partition_index, found.offset);
            }
        }
        Ok(offsets)
    }

    /// The offsets at one end of many topics, with one question per broker. A partition without a leader, or whose leader
    /// does not answer, is left out.
    pub async fn ends_of(&self, topics: &[Topic], end: End) -> Result<BTreeMap<String, Offsets>, KafkaError> {
        let mut offsets: BTreeMap<String, Offsets> = BTreeMap::new();
        for broker in self.brokers().await? {
            let asked = led_by(broker.id, topics);
            if asked.is_empty() {
                continue;
            }
            let Ok(answer) = ask(&broker.address, 7, &ends_request(&asked, end)).await else { continue };
            for topic in answer.topics {
                let of_topic = offsets.entry(topic.name.to_string()).or_default();
                for found in topic.partitions.into_iter().filter(|found| found.error_code == 0) {
                    of_topic.0.insert(found.partition_index, found.offset);
                }
            }
        }
        Ok(offsets)
    }

    /// What a group has committed: per topic, the offsets that are next to read.
    pub async fn committed(&self, group: &str) -> Result<BTreeMap<String, Offsets>, KafkaError> {
        let coordinator = self.coordinator(group).await?;
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_topics(None);
        let answer = ask(
            &coordinator,
            8,
            &OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true),
        )
        .await?;
        let mut committed: BTreeMap<String, Offsets> = BTreeMap::new();
        for found in answer.groups {
            check_group(group, "the offsets", found.error_code)?;
            for topic in found.topics {
                let offsets = committed.entry(topic.name.to_string()).or_default();
                for partition in topic.partitions.iter().filter(|p| p.committed_offset >= 0) {
                    offsets.0.insert(partition.partition_index, partition.committed_offset);
                }
            }
        }
        Ok(committed)
    }

    /// The names of all groups, over all brokers.
    pub async fn groups(&self) -> Result<Vec<String>, KafkaError> {
        let mut groups = vec![];
        for broker in self.brokers().await? {
            let answer = ask(&broker.address, 4, &ListGroupsRequest::default()).await?;
            check("the list of groups", answer.error_code)?;
            groups.extend(answer.groups.into_iter().map(|group| group.group_id.to_string()));
        }
        groups.sort();
        Ok(groups)
    }

    /// Bytes on disk per topic, partition and replica added up.
    pub async fn sizes(&self) -> Result<HashMap<String, BTreeMap<i32, i64>>, KafkaError> {
        let mut sizes: HashMap<String, BTreeMap<i32, i64>> = HashMap::new();
        for broker in self.brokers().await? {
            let answer =
                ask(&broker.address, 4, &DescribeLogDirsRequest::default().with_topics(None)).await?;
            for topic in answer.results.into_iter().flat_map(|result| result.topics) {
                let of_topic = sizes.entry(topic.name.to_string()).or_default();
                for partition in topic.partitions {
                    *of_topic.entry(partition.partition_index).or_default() += partition.partition_size;
                }
            }
        }
        Ok(sizes)
    }

    pub(crate) async fn coordinator(&self, group: &str) -> Result<String, KafkaError> {
        let key = StrBytes::from_string(group.to_owned());
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![key]);
        let answer = self.ask_any(4, &request).await?;
        let found = answer
            .coordinators
            .into_iter()
            .next()
            .ok_or_else(|| refused("a group's coordinator", "no answer"))?;
        check_group(group, "the coordinator", found.error_code)?;
        Ok(format!("{}:{}", found.host, found.port))
    }

    /// A topic, and the addresses of the brokers.
    async fn described(&self, name: &str) -> Result<(Topic, HashMap<i32, String>), KafkaError> {
        let metadata = self.metadata(Some(&[name])).await?;
        let addresses = addresses(&metadata);
        let found = metadata.topics.into_iter().find(|t| t.error_code == 0).map(topic);
        Ok((found.ok_or_else(|| KafkaError::NoTopic { topic: name.to_owned() })?, addresses))
    }

    async fn metadata(&self, topics: Option<&[&str]>) -> Result<MetadataResponse, KafkaError> {
        let named = |name: &&str| {
            MetadataRequestTopic::default()
                .with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
        };
        let topics = topics.map(|names| names.iter().map(named).collect());
        self.ask_any(
            12,
            &MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false),
        )
        .await
    }

    /// Asks the first bootstrap address that answers.
    async fn ask_any<R: kafka_protocol::protocol::Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, KafkaError> {
        let mut last = refused("a question", "no bootstrap address is set");
        for address in self.bootstrap.split(',') {
            match ask(address.trim(), version, request).await {
                Ok(answer) => return Ok(answer),
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }
}

fn topic(found: kafka_protocol::messages::metadata_response::MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<Partition> = found
        .partitions
        .into_iter()
        .map(|p| Partition {
            id: p.partition_index,
            leader: p.leader_id.0,
            replicas: p.replica_nodes.into_iter().map(|broker| broker.0).collect(),
            in_sync: p.isr_nodes.into_iter().map(|broker| broker.0).collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.id);
    let name = found.name.map(|name| name.to_string()).unwrap_or_default();
    Topic { name, id: found.topic_id, internal: found.is_internal, partitions }
}

fn addresses(metadata: &MetadataResponse) -> HashMap<i32, String> {
    metadata.brokers.iter().map(|b| (b.node_id.0, format!("{}:{}", b.host, b.port))).collect()
}

fn led_by(broker: i32, topics: &[Topic]) -> BTreeMap<&str, Vec<i32>> {
    let led = |topic: &Topic| {
        topic
            .partitions
            .iter()
            .filter(|partition| partition.leader == broker)
            .map(|partition| partition.id)
            .collect()
    };
    topics
        .iter()
        .map(|topic| (topic.name.as_str(), led(topic)))
        .filter(|(_, led): &(_, Vec<i32>)| !led.is_empty())
        .collect()
}

fn ends_request(asked: &BTreeMap<&str, Vec<i32>>, end: End) -> ListOffsetsRequest {
    let timestamp = match end {
        End::First => -2,
        End::Stable | End::Written => -1,
    };
    let committed_only = i8::from(end != End::Written);
    let partition = |id: &i32| {
        ListOffsetsPartition::default()
            .with_partition_index(*id)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp)
    };
    let topic = |(name, partitions): (&&str, &Vec<i32>)| {
        ListOffsetsTopic::default()
            .with_name(TopicName(StrBytes::from_string((*name).to_owned())))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(committed_only)
        .with_topics(asked.iter().map(topic).collect())
}

pub(crate) fn check(what: &str, code: i16) -> Result<(), KafkaError> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(cause) => Err(refused(what, &cause.to_string())),
    }
}

/// The same of an answer about a group. Who coordinates it may be about to change.
pub(crate) fn check_group(group: &str, what: &str, code: i16) -> Result<(), KafkaError> {
    use ResponseError::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    match ResponseError::try_from_code(code) {
        Some(cause @ (CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)) => {
            Err(KafkaError::NoCoordinator { group: group.to_owned(), cause: cause.to_string() })
        }
        _ => check(&format!("{what} of group {group}"), code),
    }
}

fn refused(what: &str, cause: &str) -> KafkaError {
    KafkaError::Refused { what: what.to_owned(), cause: cause.to_owned() }
}
