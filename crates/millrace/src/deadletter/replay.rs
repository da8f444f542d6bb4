//! `millrace deadletter replay`

use deadletters::{Letter, ReplayError, Replayed, Replayer};
use kafka::Cluster;
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::DeadReplayArgs;
use crate::failure::Failure;
use crate::output;

/// The first of a topic; those behind them are replayed one by one, by their places.
const LETTERS_MAX: usize = 10_000;

pub async fn run(addresses: &Addresses, args: &DeadReplayArgs) -> Result<(), Failure> {
    if !args.topic.ends_with(&model::dead::topic_of("")) {
        let meant = model::dead::topic_of(&args.topic);
        return Err(Failure::WrongInput(format!(
            "{} holds no dead letters; did you mean {meant}?",
            args.topic
        )));
    }
    let edited = args.edit.as_deref().map(edited).transpose()?;
    let kafka = addresses.kafka()?;
    Cluster::new(&kafka).topic(&args.topic).await?;
    let letters = letters(&kafka, args).await?;
    let (url, password) = addresses.metadata()?;
    let pool = postgres::connect_now(&url, &password).await?;
    postgres::migrate(&pool).await?;
    let replayer = Replayer::new(&kafka, pool, &addresses.producer()?)?;
    let mut results = vec![];
    for letter in &letters {
        results.push(result(letter, replayer.replay(letter, edited.as_ref()).await));
    }
    tell(args, &results)
}

fn edited(file: &std::path::Path) -> Result<Value, Failure> {
    let text = std::fs::read(file).map_err(Failure::io("read", file))?;
    let wrong =
        |cause| Failure::WrongInput(format!("{}: it is not one JSON record: {cause}", file.display()));
    serde_json::from_slice(&text).map_err(wrong)
}

async fn letters(kafka: &str, args: &DeadReplayArgs) -> Result<Vec<Letter>, Failure> {
    if let (Some(partition), Some(offset)) = (args.partition, args.offset) {
        let found = deadletters::at(kafka, &args.topic, partition, offset).await?;
        return Ok(vec![found.ok_or_else(|| {
            Failure::WrongInput(format!(
                "there is no dead letter at {} {partition} {offset}; `millrace deadletter list` shows which there are",
                args.topic
            ))
        })?]);
    }
    let read = deadletters::all(kafka, &args.topic, LETTERS_MAX).await?;
    if read.more {
        eprintln!("millrace: not all letters were read, only the first {}", read.letters.len());
    }
    let wanted = |letter: &Letter| args.reason.as_ref().is_none_or(|reason| letter.is_about(reason));
    Ok(read.letters.into_iter().filter(wanted).collect())
}

fn result(letter: &Letter, replayed: Result<Replayed, ReplayError>) -> Value {
    let (state, told) = match replayed {
        Ok(Replayed::Sent { topic, place }) => {
            ("sent", format!("to {topic} {} {}", place.partition, place.offset))
        }
        Ok(Replayed::Already(replay)) => {
            ("already", format!("it was sent {}", crate::instant::show(replay.changed_at)))
        }
        Err(cause) => ("failed", cause.to_string()),
    };
    json!({"topic": letter.dead_topic, "partition": letter.partition, "offset": letter.offset, "state": state, "told": told})
}

fn tell(args: &DeadReplayArgs, results: &[Value]) -> Result<(), Failure> {
    let count = |state: &str| results.iter().filter(|result| result["state"] == state).count();
    let (sent, already, failed) = (count("sent"), count("already"), count("failed"));
    if args.json {
        output::json(&json!({"sent": sent, "already": already, "failed": failed, "letters": results}));
    } else {
        let text = |result: &Value, name: &str| crate::table::cell(&result[name], "");
        for result in results {
            let [partition, offset, state, told] =
                ["partition", "offset", "state", "told"].map(|name| text(result, name));
            output::line(format_args!("{} {partition} {offset}: {state}, {told}", args.topic));
        }
        output::line(format_args!("{sent} sent, {already} already sent before, {failed} failed"));
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Failed(format!("{failed} letters were not replayed"))) }
}
