//! `millrace deadletter`: records that could not go on, kept byte for byte with the reason.

mod replay;

use kafka::Cluster;
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{DeadLetter, DeadListArgs, DeadShowArgs, ReadFrom};
use crate::failure::Failure;
use crate::messages::{self, Message, Wanted};
use crate::{output, table};

pub async fn run(addresses: &Addresses, asked: &DeadLetter) -> Result<(), Failure> {
    match asked {
        DeadLetter::List(args) => list(addresses, args).await,
        DeadLetter::Show(args) => show(addresses, args).await,
        DeadLetter::Replay(args) => replay::run(addresses, args).await,
    }
}

async fn list(addresses: &Addresses, args: &DeadListArgs) -> Result<(), Failure> {
    let mut letters = vec![];
    for topic in topics(addresses, args.stream.as_deref()).await? {
        let wanted = Wanted { topic, partition: None, from: ReadFrom::End, limit: args.limit as usize };
        letters.extend(messages::read(addresses, &wanted).await?);
    }
    if args.json {
        output::json(&letters.iter().map(Message::json).collect());
    } else if letters.is_empty() {
        output::line("There is no dead letter.");
    } else {
        let rows: Vec<Value> = letters.iter().map(row).collect();
        output::line(table::of_objects(
            &["topic", "partition", "offset", "time", "stage", "by", "came_from", "key", "reason"],
            &rows,
        ));
    }
    Ok(())
}

/// A stream without a dead letter has no such topic yet.
async fn topics(addresses: &Addresses, stream: Option<&str>) -> Result<Vec<String>, Failure> {
    let all = Cluster::new(addresses.kafka()?).topics().await?;
    let suffix = model::dead::topic_of("");
    let wanted = stream.map(model::dead::topic_of);
    if let Some(stream) = stream.filter(|stream| !all.iter().any(|topic| topic.name == *stream)) {
        return Err(Failure::WrongInput(format!(
            "there is no stream \"{stream}\"; `millrace topic list` shows which there are"
        )));
    }
    let is_wanted =
        |name: &str| wanted.as_ref().map_or_else(|| name.ends_with(&suffix), |wanted| name == wanted);
    Ok(all.into_iter().map(|topic| topic.name).filter(|name| is_wanted(name)).collect())
}

fn row(letter: &Message) -> Value {
    let record = &letter.record;
    let header = |name: &str| record.header(name);
    let from = [header("topic"), header("partition"), header("offset")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(":");
    json!({
        "topic": &*record.topic, "partition": record.partition, "offset": record.offset, "time": letter.time(),
        "stage": header("stage"), "by": header("job"), "came_from": from, "key": letter.key(), "reason": header("reason"),
    })
}

async fn show(addresses: &Addresses, args: &DeadShowArgs) -> Result<(), Failure> {
    let from = ReadFrom::Offset(args.offset);
    let wanted = Wanted { topic: args.topic.clone(), partition: Some(args.partition), from, limit: 1 };
    let found = messages::read(addresses, &wanted).await?;
    let (topic, partition, offset) = (&args.topic, args.partition, args.offset);
    // Where the offset is a transaction's marker or was deleted, the next record is found.
    let letter = found.iter().find(|message| message.record.offset == offset).ok_or_else(|| {
        Failure::WrongInput(format!("there is no record at {topic} {partition} {offset}; `millrace deadletter list` shows which there are"))
    })?;
    if args.json {
        output::json(&letter.json());
        return Ok(());
    }
    let whole = letter.json();
    output::line(table::of_fields(&whole["headers"]));
    output::line(format_args!(
        "\nkey {}, written {}",
        letter.key().unwrap_or_else(|| "-".into()),
        letter.time().unwrap_or_default()
    ));
    match &letter.problem {
        None => output::json(&letter.value),
        Some(problem) => output::line(format_args!("{}\n({problem})", table::cell(&letter.value, ""))),
    }
    Ok(())
}
