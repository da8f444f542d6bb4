//! What is wrong, in sentences: the first thing that the overview says. Pure.

use crate::{
    pages::{counted, href},
    picture::{Group, Kind, Picture, Topic, Trend},
    poll::{JOBS_EVERY, KAFKA_EVERY, SCHEMAS_EVERY},
    seen::{Kept, Seen},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};
use web::format;

/// One thing that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// It is wrong now; otherwise it may become wrong.
    pub severe: bool,
    pub text: String,
    /// Where more is told.
    pub href: Option<String>,
}

/// Everything that is wrong, the worst first.
pub fn wrong(seen: &Seen, now: DateTime<Utc>) -> Vec<Wrong> {
    let mut found: Vec<Wrong> = unreachable(seen, now).into_iter().collect();
    if let Some(picture) = seen.kafka.value() {
        found.extend(leaderless(picture));
        found.extend(ours(picture).filter_map(missed));
        found.extend(failed_slots(seen));
        found.extend(under_replicated(picture));
        found.extend(ours(picture).filter_map(|group| behind(group, picture.at, now)));
        found.extend(unknown(picture));
        found.extend(picture.troubles.iter().map(|trouble| warning(trouble.clone(), None)));
    }
    found.sort_by_key(|wrong| !wrong.severe);
    found
}

/// Why a server's data are old, and how old: one sentence for every page that shows them.
pub fn failing<T>(kept: &Kept<T>, every: Duration, now: DateTime<Utc>) -> Option<String> {
    let failing = kept.failing.as_ref()?;
    let reason = failing.reason.trim_end_matches('.');
    let end = if reason.ends_with('?') { "" } else { "." };
    let since = format::relative(failing.since, now);
    let shown = match kept.at() {
        Some(at) => format!("What is shown was true {}", format::relative(at, now)),
        None => "It was not seen since this process was started".to_owned(),
    };
    Some(format!(
        "{reason}{end} First failure {since}; retrying with pauses of {} s. {shown}.",
        every.as_secs()
    ))
}

fn unreachable(seen: &Seen, now: DateTime<Utc>) -> Vec<Wrong> {
    let kafka = failing(&seen.kafka, KAFKA_EVERY, now).map(|text| severe(text, None));
    let registry = failing(&seen.schemas, SCHEMAS_EVERY, now).map(|text| warning(text, None));
    let postgres = failing(&seen.jobs, JOBS_EVERY, now).map(|text| warning(text, None));
    [kafka, registry, postgres].into_iter().flatten().collect()
}

/// The groups that Millrace runs. Of others nobody here knows whether they are still meant to read.
fn ours(picture: &Picture) -> impl Iterator<Item = &Group> {
    picture.groups.iter().filter(|group| group.kind != Kind::Other)
}

fn leaderless(picture: &Picture) -> Option<Wrong> {
    let topics: Vec<&Topic> = picture.topics.iter().filter(|topic| topic.leaderless() > 0).collect();
    let partitions: usize = topics.iter().map(|topic| topic.leaderless()).sum();
    let text = format!(
        "{} without a leader: nobody can read or write {}. {}",
        counted(partitions as u64, "partition"),
        topic_names(&topics),
        missing_brokers(picture)
    );
    (partitions > 0).then(|| severe(text, link(&topics)))
}

fn under_replicated(picture: &Picture) -> Option<Wrong> {
    let topics: Vec<&Topic> = picture.topics.iter().filter(|topic| topic.under_replicated() > 0).collect();
    let partitions: usize = topics.iter().map(|topic| topic.under_replicated()).sum();
    let text = format!(
        "{} with fewer copies in sync than declared: {}. Another failure may stop writing. {}",
        counted(partitions as u64, "partition"),
        topic_names(&topics),
        missing_brokers(picture)
    );
    (partitions > 0).then(|| warning(text, link(&topics)))
}

/// The brokers that should hold copies and are not there.
fn missing_brokers(picture: &Picture) -> String {
    let declared =
        picture.topics.iter().flat_map(|topic| &topic.partitions).flat_map(|partition| &partition.replicas);
    let missing: BTreeSet<i32> =
        declared.copied().filter(|id| !picture.brokers.iter().any(|broker| broker.id == *id)).collect();
    match missing.iter().map(i32::to_string).collect::<Vec<_>>().as_slice() {
        [] => "All brokers are there: the copies may be catching up.".to_owned(),
        [one] => format!("Broker {one} is not there: start it."),
        many => format!("Brokers {} are not there: start them.", many.join(", ")),
    }
}

fn missed(group: &Group) -> Option<Wrong> {
    let missed = group.missed();
    let text = format!(
        "{} has missed {}: they were deleted before it read them. Keep records longer, or let the source send them again.",
        group.name,
        counted(missed, "record")
    );
    (missed > 0).then(|| severe(text, Some(href(&["groups", &group.name]))))
}

fn behind(group: &Group, at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Wrong> {
    let lag = counted(group.lag().unwrap_or(0), "record");
    let oldest = group.oldest().map_or(String::new(), |oldest| {
        format!(" The oldest unread one was written {}.", format::relative(oldest, now))
    });
    let text = match group.trend(at) {
        Trend::Growing => format!("{} is falling behind: {lag}, and more every minute.{oldest}", group.name),
        Trend::Still => format!(
            "{} is {lag} behind and has committed nothing since {}. Is its process running?{oldest}",
            group.name,
            format::moment(group.moved_at)
        ),
        Trend::Unknown | Trend::CaughtUp | Trend::Reading => return None,
    };
    Some(warning(text, Some(href(&["groups", &group.name]))))
}

/// One sentence for all, because they mostly have one cause.
fn unknown(picture: &Picture) -> Option<Wrong> {
    let unknown: Vec<&Group> =
        ours(picture).filter(|group| group.trend(picture.at) == Trend::Unknown).collect();
    let reason = unknown
        .iter()
        .find_map(|group| group.problem.as_deref())
        .unwrap_or("a partition's leader does not answer.");
    let text = format!(
        "The lag of {} is not known: {reason}",
        names(unknown.iter().map(|group| group.name.as_str()))
    );
    (!unknown.is_empty()).then(|| warning(text, Some("/groups".into())))
}

fn failed_slots(seen: &Seen) -> Vec<Wrong> {
    let failed = seen.jobs.value().into_iter().flatten().filter(|slot| slot.state == "failed");
    let told = failed.map(|slot| {
        let reason = slot.reason.as_deref().unwrap_or("no reason is told").trim_end_matches('.');
        severe(
            format!("Slot {} of job {} has failed: {reason}.", slot.slot, slot.job),
            Some("/groups".into()),
        )
    });
    told.collect()
}

fn topic_names(topics: &[&Topic]) -> String {
    names(topics.iter().map(|topic| topic.name.as_str()))
}

fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    /// More names would hide the sentence.
    const NAMES_MAX: usize = 5;
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names.take(NAMES_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn link(topics: &[&Topic]) -> Option<String> {
    match topics {
        [only] => Some(href(&["topics", &only.name])),
        _ => Some("/topics".into()),
    }
}

fn severe(text: String, href: Option<String>) -> Wrong {
    Wrong { severe: true, text, href }
}

fn warning(text: String, href: Option<String>) -> Wrong {
    Wrong { severe: false, text, href }
}
