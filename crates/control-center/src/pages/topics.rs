//! `/topics`

use super::{kafka_doubt, kafka_seen, known, link};
use crate::{picture::Topic, seen::Seen};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use web::{
    Header, Row, State, actions, bytes, count, empty, filter, format, section, sparkline, state_as, table,
};

pub fn body(seen: &Seen, now: DateTime<Utc>) -> Markup {
    let Some(picture) = seen.kafka.value() else {
        return html! { (kafka_doubt(seen, now)) (empty("Topics will be listed as soon as Kafka answers.", "millrace up")) };
    };
    let (internal, own): (Vec<&Topic>, Vec<&Topic>) = picture.topics.iter().partition(|topic| topic.internal);
    html! {
        (kafka_doubt(seen, now))
        @if own.is_empty() {
            (empty("There are no topics yet. A pipeline's topics are made when it is published.", "millrace check"))
        } @else {
            (actions(html! { (filter("topics", "Filter topics")) (kafka_seen(seen)) }))
            (listed("topics", "Topics", &own))
            (note())
        }
        @if !internal.is_empty() { (section("Kafka's own", listed("internal", "Kafka's own topics", &internal))) }
    }
}

/// What the number of records does not tell.
pub fn note() -> Markup {
    html! { p class="muted" { "Records kept is the end minus the first offset: an upper bound, because transaction markers and compacted records are counted." } }
}

fn listed(id: &str, label: &str, topics: &[&Topic]) -> Markup {
    let headers = [
        "Topic".into(),
        Header::number("Partitions"),
        Header::number("Records kept"),
        Header::number("Size"),
        "Written, last 2 min".into(),
        Header::number("Replication"),
        "Copies".into(),
    ];
    table(id, label, &headers, &topics.iter().map(|topic| row(topic)).collect::<Vec<_>>())
}

fn row(topic: &Topic) -> Row {
    let rate = topic.rate().map_or_else(|| format::UNKNOWN.to_owned(), format::rate);
    Row::with_id(
        format!("topic-{}", topic.name),
        vec![
            link("topics", &topic.name),
            count(topic.partitions.len() as u64),
            count(topic.kept()),
            known(topic.bytes(), bytes),
            sparkline(topic.rates.values(), &rate),
            count(topic.replication() as u64),
            copies(topic),
        ],
    )
}

/// Whether all copies of a topic are where they should be.
pub fn copies(topic: &Topic) -> Markup {
    match (topic.leaderless(), topic.under_replicated()) {
        (0, 0) => state_as(State::Success, "in sync"),
        (0, behind) => state_as(State::Late, &format!("{} under-replicated", format::count(behind as u64))),
        (without, _) => {
            state_as(State::Failed, &format!("{} without a leader", format::count(without as u64)))
        }
    }
}
