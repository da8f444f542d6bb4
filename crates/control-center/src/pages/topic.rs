//! `/topics/{name}`

use super::{counted, groups, href, joined, kafka_doubt, kafka_seen, known, link, offset, topics};
use crate::{
    picture::{Partition, Picture, Topic},
    seen::Seen,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use web::{
    Header, NavItem, Row, State, bytes, count, empty, id, key_value, rate, section, state_as, table, tabs,
};

pub fn body(name: &str, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let Some((picture, topic)) = seen.kafka.value().and_then(|picture| Some((picture, picture.topic(name)?)))
    else {
        return html! { (kafka_doubt(seen, now)) @if seen.kafka.value().is_some() { (empty(&format!("There is no topic {name}."), "millrace topic list")) } };
    };
    html! {
        (views(name, false))
        (kafka_doubt(seen, now))
        (facts(topic, picture, seen))
        (section("Partitions", partitions(topic)))
        (section("Read by", readers(topic, picture, now)))
        (kafka_seen(seen))
    }
}

/// The pages of one topic.
pub fn views(name: &str, messages: bool) -> Markup {
    tabs(
        "Views of this topic",
        &[
            NavItem::new(href(&["topics", name]), "Partitions", !messages),
            NavItem::new(href(&["topics", name, "messages"]), "Messages", messages),
        ],
    )
}

fn facts(topic: &Topic, picture: &Picture, seen: &Seen) -> Markup {
    let schema = seen.subject_of(&topic.name).map(|subject| {
        html! {
            (link("schemas", &subject.name))
            @if let Some(latest) = subject.latest() { " version " (latest.version) ", id " (latest.id) }
        }
    });
    let mut facts = vec![
        ("Records kept", count(topic.kept())),
        ("Size", html! { (known(topic.bytes(), bytes)) " on disk, all replicas" }),
        ("Written", html! { (known(topic.rate(), rate)) }),
        ("Copies", topics::copies(topic)),
        ("Schema", known(schema, |schema| schema)),
    ];
    match topic.dead_letters_of() {
        Some(source) => facts.push(("Dead letters of", link("topics", source))),
        None => facts.push(("Dead letters", dead_letters(&topic.name, picture))),
    }
    facts.push(("Topic id", id(&topic.id)));
    key_value(&facts)
}

fn dead_letters(name: &str, picture: &Picture) -> Markup {
    let dead = picture.topics.iter().find(|topic| topic.dead_letters_of() == Some(name));
    known(
        dead,
        |dead| html! { a href=(href(&["topics", &dead.name, "messages"])) { (counted(dead.kept(), "record")) } },
    )
}

fn partitions(topic: &Topic) -> Markup {
    let headers = [
        Header::number("Partition"),
        "Leader".into(),
        "Replicas".into(),
        "In sync".into(),
        Header::number("First offset"),
        Header::number("End offset"),
        Header::number("Records kept"),
        Header::number("Size"),
        "".into(),
    ];
    let rows: Vec<Row> = topic.partitions.iter().map(|partition| row(topic, partition)).collect();
    html! { (table("partitions", "Partitions", &headers, &rows)) (topics::note()) }
}

fn row(topic: &Topic, partition: &Partition) -> Row {
    let messages = href(&["topics", &topic.name, "messages"]);
    let name = format!("Messages of partition {}", partition.id);
    Row::with_id(
        format!("partition-{}", partition.id),
        vec![
            html! { (partition.id) },
            partition
                .leader
                .map_or_else(|| state_as(State::Failed, "none"), |leader| html! { "broker " (leader) }),
            joined(&partition.replicas),
            match partition.is_under_replicated() {
                true => html! { (state_as(State::Late, "only")) " " (joined(&partition.in_sync)) },
                false => joined(&partition.in_sync),
            },
            known(partition.first, offset),
            known(partition.end, offset),
            known(partition.kept(), count),
            known(partition.bytes, bytes),
            html! { a href={ (messages) "?partition=" (partition.id) } aria-label=(name) { "Messages" } },
        ],
    )
}

fn readers(topic: &Topic, picture: &Picture, now: DateTime<Utc>) -> Markup {
    let readers: Vec<_> = picture.readers(&topic.name).collect();
    match readers.as_slice() {
        [] => html! { p class="muted" { "No consumer group has committed an offset of this topic." } },
        _ => groups::of_topic(&topic.name, &readers, picture.at, now),
    }
}
