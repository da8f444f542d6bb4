//! `millrace topic`: topics of Kafka and what is in them.

use kafka::Cluster;
use kafka::cluster::End;
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{NamedArgs, Topic, TopicListArgs, TopicReadArgs};
use crate::failure::Failure;
use crate::messages::{self, Message, Wanted};
use crate::{output, table};

pub async fn run(addresses: &Addresses, asked: &Topic) -> Result<(), Failure> {
    match asked {
        Topic::List(args) => list(&Cluster::new(addresses.kafka()?), args).await,
        Topic::Show(args) => show(&Cluster::new(addresses.kafka()?), args).await,
        Topic::Read(args) => read(addresses, args).await,
    }
}

async fn list(cluster: &Cluster, args: &TopicListArgs) -> Result<(), Failure> {
    let mut topics = cluster.topics().await?;
    topics.retain(|topic| args.all || !(topic.internal || topic.name.starts_with('_')));
    let (first, end) =
        (cluster.ends_of(&topics, End::First).await?, cluster.ends_of(&topics, End::Stable).await?);
    let sizes = cluster.sizes().await?;
    let row = |topic: &kafka::cluster::Topic| {
        let (first, end) = (first.get(&topic.name), end.get(&topic.name));
        let held = first.zip(end).map(|(first, end)| first.behind(end));
        let bytes = sizes.get(&topic.name).map(|sizes| sizes.values().sum::<i64>());
        json!({ "name": topic.name, "partitions": topic.partitions.len(), "offsets": held, "bytes": bytes, "internal": topic.internal })
    };
    let rows: Vec<Value> = topics.iter().map(row).collect();
    if args.json {
        output::json(&json!(rows));
    } else {
        output::line(table::of_objects(&["name", "partitions", "offsets", "bytes"], &rows));
    }
    Ok(())
}

async fn show(cluster: &Cluster, args: &NamedArgs) -> Result<(), Failure> {
    let topic = cluster.topic(&args.name).await?;
    let (first, end) =
        (cluster.ends(&args.name, End::First).await?, cluster.ends(&args.name, End::Stable).await?);
    let row = |partition: &kafka::cluster::Partition| {
        json!({
            "partition": partition.id, "first": first.0.get(&partition.id), "end": end.0.get(&partition.id),
            "leader": partition.leader, "replicas": partition.replicas, "in_sync": partition.in_sync,
        })
    };
    let rows: Vec<Value> = topic.partitions.iter().map(row).collect();
    if args.json {
        output::json(
            &json!({ "name": topic.name, "id": topic.id, "internal": topic.internal, "partitions": rows }),
        );
    } else {
        output::line(table::of_objects(
            &["partition", "first", "end", "leader", "replicas", "in_sync"],
            &rows,
        ));
    }
    Ok(())
}

async fn read(addresses: &Addresses, args: &TopicReadArgs) -> Result<(), Failure> {
    let wanted = Wanted {
        topic: args.name.clone(),
        partition: args.partition,
        from: args.from,
        limit: args.limit as usize,
    };
    let found = messages::read(addresses, &wanted).await?;
    if args.json {
        output::json(&found.iter().map(Message::json).collect());
    } else {
        found.iter().for_each(|message| output::line(one_line(message)));
    }
    Ok(())
}

fn one_line(message: &Message) -> String {
    let (record, key) = (&message.record, message.key());
    let place = format!("{}:{}", record.partition, record.offset);
    let problem = message.problem.as_ref().map(|problem| format!("  [{problem}]")).unwrap_or_default();
    let (time, key) = (message.time().unwrap_or_default(), key.unwrap_or_else(|| "-".into()));
    format!("{place}  {time}  {key}  {}{problem}", message.value)
}
