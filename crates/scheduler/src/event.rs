//! Records become runs: a DAG with `on` runs when its topic has grown.

use crate::outside::Outside;
use kafka::cluster::{End, Topic};
use pipeline::{Dag, On, Start};
use queue::{Cause, NewRun, Offsets, Place};
use serde_json::json;
use service::Service;
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// A record waits so long at most before it is seen.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Where no DAG waits for records, a new one is noticed so late at most.
const NOBODY_WAITS: Duration = Duration::from_secs(10);

/// Looks at the topics until the process is to end.
pub async fn follow(service: &Service, outside: &Outside) -> anyhow::Result<()> {
    let mut told = false;
    while !service.shutdown.is_cancelled() {
        let pause = match postgres::answered(round(outside)).await {
            Ok(0) => NOBODY_WAITS,
            Ok(_) => LOOK_AGAIN,
            Err(cause) => {
                if !told {
                    tracing::warn!("topics that start runs were not looked at: {cause}");
                }
                told = true;
                tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => {} }
                continue;
            }
        };
        told = false;
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = service.shutdown.cancelled() => {} }
    }
    Ok(())
}

/// Looks once. Answers how many DAGs wait for records.
async fn round(outside: &Outside) -> anyhow::Result<usize> {
    let places = outside.queue.places().await?;
    if places.is_empty() {
        return Ok(0);
    }
    let seen = look(outside, &places).await?;
    for place in &places {
        let pipeline = match outside.version(&place.pipeline, &place.hash).await {
            Ok(pipeline) => pipeline,
            Err(reason) => {
                tracing::warn!(dag = place.dag, "{reason}");
                continue;
            }
        };
        if let Some(dag) = pipeline.dags.get(&place.dag)
            && let Some(on) = &dag.settings.on
        {
            act(outside, dag, place, step(on, place, seen.get(&place.topic))).await?;
        }
    }
    Ok(places.len())
}

/// A topic as it is now.
#[derive(Clone, Debug, Default)]
struct Seen {
    id: Uuid,
    /// The oldest offsets that are kept; known only where somebody begins with this topic.
    first: Offsets,
    end: Offsets,
}

/// The topics that are waited for, with three questions for all of them.
async fn look(outside: &Outside, places: &[Place]) -> anyhow::Result<BTreeMap<String, Seen>> {
    let mut topics = outside.cluster.topics().await?;
    topics.retain(|topic| places.iter().any(|place| place.topic == topic.name));
    let begins = |topic: &Topic| {
        places.iter().any(|place| place.topic == topic.name && place.topic_id != Some(topic.id))
    };
    let first = if topics.iter().any(begins) {
        outside.cluster.ends_of(&topics, End::First).await?
    } else {
        BTreeMap::new()
    };
    let end = outside.cluster.ends_of(&topics, End::Stable).await?;
    let of = |all: &BTreeMap<String, wire::passed::Offsets>, name: &str| {
        all.get(name).map(|offsets| offsets.0.clone()).unwrap_or_default()
    };
    let seen = |topic: Topic| {
        let (first, end) = (of(&first, &topic.name), of(&end, &topic.name));
        // Of a partition without a leader nothing is known now; a topic is begun with only as a whole.
        let whole = end.len() == topic.partitions.len();
        (topic.name, Seen { id: topic.id, first: if whole { first } else { Offsets::new() }, end })
    };
    Ok(topics.into_iter().map(seen).collect())
}

/// What a look leads to.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Rest,
    /// The place is written down, and no run made.
    Move(Place),
    Run {
        from: Offsets,
        to: Offsets,
        records: i64,
    },
}

/// Decides. Pure.
fn step(on: &On, place: &Place, seen: Option<&Seen>) -> Step {
    let Some(seen) = seen else {
        // Whatever is in it when it appears came after the DAG.
        return if place.looked { Step::Rest } else { Step::Move(Place { looked: true, ..place.clone() }) };
    };
    if place.topic_id != Some(seen.id) {
        return begin(on, place, seen);
    }
    let from = |partition: &i32| place.offsets.get(partition).copied().unwrap_or(0);
    let mut to = place.offsets.clone();
    to.extend(seen.end.iter().map(|(partition, end)| (*partition, (*end).max(from(partition)))));
    let records: i64 = to.iter().map(|(partition, end)| end - from(partition)).sum();
    if records == 0 || place.paused || place.queued {
        return Step::Rest;
    }
    let waited = place.since.map(|since| (place.now - since).to_std().unwrap_or_default());
    let enough = records.unsigned_abs() >= on.at_least;
    match (on.within, waited) {
        (Some(within), Some(waited)) if waited >= within => {}
        _ if enough => {}
        (Some(_), None) => return Step::Move(Place { since: Some(place.now), ..place.clone() }),
        _ => return Step::Rest,
    }
    let from = to.keys().map(|partition| (*partition, from(partition))).collect();
    Step::Run { from, to, records }
}

/// The first look at a topic, or at one that was made again.
fn begin(on: &On, place: &Place, seen: &Seen) -> Step {
    let after = !place.looked && on.from == Start::End;
    let offsets = if after { &seen.end } else { &seen.first };
    if seen.first.is_empty() {
        return Step::Rest;
    }
    Step::Move(Place {
        looked: true,
        topic_id: Some(seen.id),
        offsets: offsets.clone(),
        since: None,
        ..place.clone()
    })
}

async fn act(outside: &Outside, dag: &Dag, place: &Place, step: Step) -> Result<(), sqlx::Error> {
    match step {
        Step::Rest => {}
        Step::Move(to) => drop(outside.queue.set_place(place, &to).await?),
        Step::Run { from, to, records } => {
            let run = run(dag, place, &from, &to, records);
            if let Some(run_id) = outside.queue.take(place, &to, &run).await? {
                tracing::info!(run.id = %run_id, dag = dag.name, topic = place.topic, "{records} records start a run");
            }
        }
    }
    Ok(())
}

/// The run of some records. Its key is where they end, in this life of the topic.
fn run(dag: &Dag, place: &Place, from: &Offsets, to: &Offsets, records: i64) -> NewRun {
    let ends: Vec<String> = to.iter().map(|(partition, end)| format!("{partition}={end}")).collect();
    let life = place.topic_id.unwrap_or_default();
    let key = format!("kafka:{}:{}:{life}:{}", dag.name, place.topic, ends.join(","));
    let run = NewRun::of(dag, &place.pipeline, &place.hash, key, place.now, Cause::Kafka);
    let event = json!({ "topic": place.topic, "from": from, "to": to, "records": records });
    NewRun { event: Some(event), ..run }
}

#[cfg(test)]
mod tests;
