//! `/groups` and `/groups/{name}`, and the slots of jobs.

use super::{counted, doubt, joined, kafka_doubt, kafka_seen, known, link, offset};
use crate::{
    jobs::Slot,
    picture::{Group, Kind, Picture, Place, Trend},
    poll::JOBS_EVERY,
    seen::Seen,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use web::{
    Chart, Header, Row, Series, State, actions, chart, count, elapsed, empty, filter, format, key_value,
    section, sparkline, state_as, table, time,
};

pub fn body(seen: &Seen, now: DateTime<Utc>) -> Markup {
    html! {
        (kafka_doubt(seen, now))
        @match seen.kafka.value() {
            Some(picture) if picture.groups.is_empty() => (empty("No consumer group has committed an offset yet. Jobs and sinks do as soon as they have read something.", "millrace job list")),
            Some(picture) => { (actions(html! { (filter("groups", "Filter groups")) (kafka_seen(seen)) })) (all(picture, now)) }
            None => (empty("Consumer groups will be listed as soon as Kafka answers.", "millrace up")),
        }
        (section("Job slots", slots(seen, now)))
    }
}

fn all(picture: &Picture, now: DateTime<Utc>) -> Markup {
    let headers = [
        "Group".into(),
        "State".into(),
        "Lag, last 2 min".into(),
        Header::number("Oldest unread"),
        "Reads".into(),
        "Kind".into(),
    ];
    let rows: Vec<Row> = picture.groups.iter().map(|group| row(group, picture.at, now)).collect();
    table("groups", "Consumer groups", &headers, &rows)
}

fn row(group: &Group, at: DateTime<Utc>, now: DateTime<Utc>) -> Row {
    Row::with_id(
        format!("group-{}", group.name),
        vec![
            link("groups", &group.name),
            how(group, at),
            sparkline(
                group.lags.values(),
                &group.lag().map_or_else(|| format::UNKNOWN.to_owned(), format::count),
            ),
            age(group.lag(), group.oldest(), now),
            joined(group.topics.keys().map(|topic| link("topics", topic))),
            html! { (group.kind.word()) },
        ],
    )
}

/// How a group does, in a word.
fn how(group: &Group, at: DateTime<Utc>) -> Markup {
    if group.missed() > 0 {
        return state_as(State::Failed, "missed records");
    }
    match group.trend(at) {
        Trend::Unknown => state_as(State::Stale, "not known"),
        Trend::CaughtUp => state_as(State::Success, "caught up"),
        Trend::Reading => state_as(State::Running, "reading"),
        Trend::Growing => state_as(State::Late, "falling behind"),
        Trend::Still => state_as(State::Late, "stands still"),
    }
}

/// How old the oldest unread record is.
fn age(lag: Option<u64>, oldest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    known(oldest.filter(|_| lag != Some(0)), |oldest| elapsed(oldest, now))
}

/// The groups that read one topic, with their lag on it.
pub fn of_topic(topic: &str, readers: &[&Group], at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let headers =
        ["Group".into(), "State".into(), Header::number("Lag here"), Header::number("Oldest unread")];
    let row = |group: &&Group| {
        let places = group.topics.get(topic).map(Vec::as_slice).unwrap_or_default();
        let lag = places.iter().map(|place| place.lag).sum();
        let oldest = places.iter().filter_map(|place| place.oldest).min();
        let cells =
            vec![link("groups", &group.name), how(group, at), known(lag, count), age(lag, oldest, now)];
        Row::with_id(format!("reader-{}", group.name), cells)
    };
    table("readers", "Groups that read this topic", &headers, &readers.iter().map(row).collect::<Vec<_>>())
}

/// The page of one group.
pub fn one(name: &str, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let Some((picture, group)) = seen.kafka.value().and_then(|picture| Some((picture, picture.group(name)?)))
    else {
        return html! { (kafka_doubt(seen, now)) @if seen.kafka.value().is_some() { (empty(&format!("There is no consumer group {name}."), "millrace job list")) } };
    };
    html! {
        (kafka_doubt(seen, now))
        @if let Some(problem) = &group.problem { (web::notice(web::Notice::Warning, format!("Its offsets are not known: {problem}"))) }
        (key_value(&[
            ("State", how(group, picture.at)),
            ("Lag", html! { (known(group.lag(), |lag| html! { (counted(lag, "record")) })) ", transaction markers counted" }),
            ("Oldest unread", age(group.lag(), group.oldest(), now)),
            ("Last moved", html! { (time(group.moved_at)) }),
        ]))
        (lag_chart(group, picture))
        @for (topic, places) in &group.topics {
            section { h2 { (link("topics", topic)) } (per_partition(topic, places, now)) }
        }
        @if group.kind == Kind::Job { (section("Slots", job_slots(name, seen, now))) }
        (kafka_seen(seen))
    }
}

fn lag_chart(group: &Group, picture: &Picture) -> Markup {
    let (Some(from), Some(to)) = (picture.times.first(), picture.times.last()) else { return html! {} };
    let series =
        [Series { name: "records".into(), points: picture.points(|back| group.lags.from_end(back)) }];
    let say = |lag: f64| format::count(lag as u64);
    chart(&Chart { id: "lag", title: "Lag", from: *from, to: *to, say, series: &series })
}

fn per_partition(topic: &str, places: &[Place], now: DateTime<Utc>) -> Markup {
    let headers = [
        Header::number("Partition"),
        Header::number("Next to read"),
        Header::number("End offset"),
        Header::number("Lag"),
        Header::number("Oldest unread"),
        Header::number("Missed"),
    ];
    let row = |place: &Place| {
        let cells = vec![
            html! { (place.partition) },
            known(place.committed, offset),
            known(place.end, offset),
            known(place.lag, count),
            age(place.lag, place.oldest, now),
            if place.missed == 0 { count(0) } else { state_as(State::Failed, &format::count(place.missed)) },
        ];
        Row::with_id(format!("place-{topic}-{}", place.partition), cells)
    };
    table(
        &format!("places-{topic}"),
        &format!("Partitions of {topic}"),
        &headers,
        &places.iter().map(row).collect::<Vec<_>>(),
    )
}

fn slots(seen: &Seen, now: DateTime<Utc>) -> Markup {
    let none =
        "No streaming job is deployed. The slots of jobs are listed here with the worker that runs them.";
    html! {
        (doubt("PostgreSQL", &seen.jobs, JOBS_EVERY, now))
        @match seen.jobs.value() {
            Some(slots) if slots.is_empty() => (empty(none, "millrace job list")),
            Some(slots) => (slot_table(&slots.iter().collect::<Vec<_>>())),
            None => {}
        }
    }
}

fn job_slots(group: &str, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let job = group.trim_start_matches("job.");
    let of_job: Vec<&Slot> = seen.jobs.value().into_iter().flatten().filter(|slot| slot.job == job).collect();
    html! {
        (doubt("PostgreSQL", &seen.jobs, JOBS_EVERY, now))
        @if of_job.is_empty() && seen.jobs.value().is_some() { p class="muted" { "No slot of this job is known." } }
        @if !of_job.is_empty() { (slot_table(&of_job)) }
    }
}

fn slot_table(slots: &[&Slot]) -> Markup {
    let headers = [
        "Slot".into(),
        "State".into(),
        "Worker".into(),
        Header::number("In"),
        Header::number("Out"),
        Header::number("Dead"),
        Header::number("Lag"),
        Header::number("Watermark"),
        Header::number("Told"),
        "Reason".into(),
    ];
    table("slots", "Job slots", &headers, &slots.iter().map(|slot| slot_row(slot)).collect::<Vec<_>>())
}

fn slot_row(slot: &Slot) -> Row {
    let number = |n: i64| count(u64::try_from(n).unwrap_or(0));
    let shape = State::of(&slot.state).unwrap_or(State::Stale);
    Row::with_id(
        format!("slot-{}-{}", slot.job, slot.slot),
        vec![
            html! { (slot.job) "/" (slot.slot) },
            state_as(shape, &slot.state),
            known(slot.worker.as_ref(), |worker| html! { (worker) }),
            number(slot.rows_in),
            number(slot.rows_out),
            number(slot.dead),
            number(slot.lag),
            known(slot.watermark, time),
            known(slot.updated_at, time),
            html! { @if let Some(reason) = &slot.reason { (reason) } },
        ],
    )
}
