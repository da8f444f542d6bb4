//! `/`: is anything wrong, and how much is there.

use super::{counted, kafka_doubt, known};
use crate::{
    picture::{Picture, Topic},
    seen::Seen,
    wrong::{Wrong, wrong},
};
use chrono::{DateTime, Utc};
use kafka::cluster::Broker;
use maud::{Markup, html};
use web::{
    Chart, Figure, Header, Notice, Row, Series, State, bytes, chart, count, empty, figures, format, notice,
    section, state_as, table, time,
};

pub fn body(seen: &Seen, now: DateTime<Utc>) -> Markup {
    let wrong = wrong(seen, now);
    html! {
        @if !wrong.is_empty() { (all(&wrong)) }
        @match seen.kafka.value() {
            Some(picture) => {
                (summary(seen, picture, &wrong))
                (written(picture))
                (section("Brokers", brokers(picture)))
            }
            None => {
                @if seen.kafka.failing.is_none() { (kafka_doubt(seen, now)) }
                (empty("Topics, groups and messages will be shown as soon as Kafka answers.", "millrace up"))
            }
        }
    }
}

/// More would push all else off the page; the worst come first.
const WRONG_MAX: usize = 8;

fn all(wrong: &[Wrong]) -> Markup {
    let more = wrong.len().saturating_sub(WRONG_MAX);
    html! {
        section aria-label="What is wrong" {
            @for each in wrong.iter().take(WRONG_MAX) { (told(each)) }
            @if more > 0 { p class="muted" { "And " (counted(more as u64, "more sentence")) " like these, under /api/v1/overview." } }
        }
    }
}

fn told(wrong: &Wrong) -> Markup {
    let kind = if wrong.severe { Notice::Error } else { Notice::Warning };
    notice(kind, html! { (wrong.text) @if let Some(href) = &wrong.href { " " a href=(href) { "Details" } } })
}

fn summary(seen: &Seen, picture: &Picture, wrong: &[Wrong]) -> Markup {
    let figure = |label: &str, value: Markup, note: Markup| Figure { label: label.into(), value, note };
    let own: Vec<&Topic> = picture.own_topics().collect();
    let partitions: usize = own.iter().map(|topic| topic.partitions.len()).sum();
    let kept: u64 =
        own.iter().filter(|topic| topic.dead_letters_of().is_none()).map(|topic| topic.kept()).sum();
    let size: Option<u64> = picture.topics.iter().map(Topic::bytes).sum();
    figures(&[
        figure(
            "State",
            health(seen, wrong),
            html! { (counted(picture.brokers.len() as u64, "broker")) @if let Some(at) = seen.kafka.at() { ", seen " (time(at)) } },
        ),
        figure("Topics", count(own.len() as u64), html! { (counted(partitions as u64, "partition")) }),
        figure("Records kept", count(kept), html! { "markers are counted" }),
        figure("On disk", known(size, bytes), html! { "all replicas" }),
        behind(picture),
        dead_letters(&own),
    ])
}

fn health(seen: &Seen, wrong: &[Wrong]) -> Markup {
    if seen.kafka.failing.is_some() {
        return state_as(State::Failed, "away");
    }
    match wrong.iter().map(|wrong| wrong.severe).max() {
        None => state_as(State::Success, "healthy"),
        Some(false) => state_as(State::Late, "with warnings"),
        Some(true) => state_as(State::Failed, "unhealthy"),
    }
}

fn behind(picture: &Picture) -> Figure {
    let lag: u64 = picture.groups.iter().filter_map(|group| group.lag()).sum();
    let note = html! { a href="/groups" { (counted(picture.groups.len() as u64, "group")) } };
    Figure { label: "Records behind".into(), value: count(lag), note }
}

fn dead_letters(own: &[&Topic]) -> Figure {
    let dead: Vec<&&Topic> =
        own.iter().filter(|topic| topic.dead_letters_of().is_some() && topic.kept() > 0).collect();
    let note = html! {
        @match dead.as_slice() {
            [] => "none kept",
            [only] => a href=(super::href(&["topics", &only.name, "messages"])) { (only.name) },
            many => { "in " a href="/topics" { (counted(many.len() as u64, "topic")) } }
        }
    };
    Figure { label: "Dead letters".into(), value: count(dead.iter().map(|topic| topic.kept()).sum()), note }
}

fn written(picture: &Picture) -> Markup {
    let (Some(from), Some(to)) = (picture.times.first(), picture.times.last()) else { return html! {} };
    let series = [
        Series { name: "records".into(), points: picture.rates(|topic| topic.dead_letters_of().is_none()) },
        Series {
            name: "dead letters".into(),
            points: picture.rates(|topic| topic.dead_letters_of().is_some()),
        },
    ];
    chart(&Chart {
        id: "written",
        title: "Written per second",
        from: *from,
        to: *to,
        say: format::rate,
        series: &series,
    })
}

fn brokers(picture: &Picture) -> Markup {
    let headers = [
        "Broker".into(),
        "Address".into(),
        "Role".into(),
        Header::number("Leads partitions"),
        Header::number("Copies"),
        Header::number("Out of sync"),
    ];
    let rows: Vec<Row> = picture.brokers.iter().map(|broker| row(broker, picture)).collect();
    html! {
        (table("brokers", "Brokers", &headers, &rows))
        p class="muted" { "Kafka's own topics are counted here, but not above." }
    }
}

fn row(broker: &Broker, picture: &Picture) -> Row {
    let partitions = || picture.topics.iter().flat_map(|topic| &topic.partitions);
    let copies = partitions().filter(|partition| partition.replicas.contains(&broker.id));
    let out = copies.clone().filter(|partition| !partition.in_sync.contains(&broker.id)).count();
    let leads = partitions().filter(|partition| partition.leader == Some(broker.id)).count();
    Row::with_id(
        format!("broker-{}", broker.id),
        vec![
            html! { (broker.id) },
            html! { code { (broker.address) } },
            html! { @if broker.controller { "controller" } },
            count(leads as u64),
            count(copies.count() as u64),
            if out == 0 { count(0) } else { state_as(State::Late, &format::count(out as u64)) },
        ],
    )
}
