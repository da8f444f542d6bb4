//! `/deadletters`

use super::{frame, href, kafka_seen, link, messages, offset};
use crate::{
    messages::{Found, Message},
    seen::Seen,
};
use deadletters::Replay;
use maud::{Markup, html};
use std::collections::HashMap;
use web::{Header, Notice, Page, Row, actions, confirm, count, crumbs, empty, notice, table, time};

/// Which letters of a page are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// A part of it, in any case; all where empty.
    pub reason: String,
    pub stage: String,
}

impl Filter {
    pub fn of(query: &HashMap<String, String>) -> Self {
        let text = |name: &str| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self { reason: text("reason"), stage: text("stage") }
    }

    pub fn takes(&self, stage: &str, reason: &str) -> bool {
        (self.stage.is_empty() || self.stage == stage)
            && reason.to_lowercase().contains(&self.reason.to_lowercase())
    }
}

/// Whether a topic is one of dead letters, by its name.
pub fn is_dead(topic: &str) -> bool {
    topic.ends_with(&model::dead::topic_of(""))
}

/// All topics of dead letters.
pub fn list(seen: &Seen) -> Page {
    let picture = seen.kafka.value();
    let topics: Vec<_> = picture
        .into_iter()
        .flat_map(|picture| &picture.topics)
        .filter(|topic| is_dead(&topic.name))
        .collect();
    let row = |topic: &&crate::picture::Topic| {
        Row::with_id(
            format!("dead-{}", topic.name),
            vec![link("deadletters", &topic.name), count(topic.kept())],
        )
    };
    let body = html! {
        (kafka_seen(seen))
        @if topics.is_empty() {
            (empty("There is no topic of dead letters yet: a stream's is made with the stream.", "millrace deadletter list"))
        } @else {
            (table("dead", "Topics of dead letters", &["Topic".into(), Header::number("Letters, at most")], &topics.iter().map(row).collect::<Vec<_>>()))
            p class="muted" { "The end minus the first offset: transaction markers are counted too. A letter stays when it is replayed." }
        }
    };
    frame("Dead letters", SECTION, None, body)
}

const SECTION: &str = "/deadletters";

/// The newest letters of a topic, or why there is nothing on the page.
pub fn show(
    topic: &str,
    filter: &Filter,
    found: Result<&Found, &str>,
    replays: &Result<Vec<Replay>, String>,
) -> Page {
    let body = html! {
        (crumbs(&[(SECTION, "Dead letters")]))
        @match found {
            Err(reason) => (notice(Notice::Error, reason)),
            Ok(found) => (shown(topic, filter, found, replays)),
        }
    };
    frame(&format!("Dead letters in {topic}"), SECTION, None, body)
}

fn shown(topic: &str, filter: &Filter, found: &Found, replays: &Result<Vec<Replay>, String>) -> Markup {
    let taken = |message: &&Message| {
        filter
            .takes(message.header("stage").unwrap_or_default(), message.header("reason").unwrap_or_default())
    };
    let letters: Vec<&Message> = found.messages.iter().filter(taken).collect();
    let known = replays.as_deref().unwrap_or_default();
    let headers = [
        Header::number("Offset"),
        Header::number("Partition"),
        "Written".into(),
        "Stage".into(),
        "By".into(),
        "Reason".into(),
        "Replayed".into(),
    ];
    let rows: Vec<Row> = letters.iter().map(|letter| row(topic, letter, known)).collect();
    html! {
        (form(topic, filter))
        @if let Err(reason) = replays { (notice(Notice::Warning, format!("What was replayed is not known: {reason}"))) }
        @if letters.is_empty() {
            (empty("There is no such letter among the newest.", "millrace deadletter list"))
        } @else {
            (all(topic, filter))
            (table("letters", "Dead letters", &headers, &rows))
            p class="muted" { (letters.len()) " of the newest " (found.messages.len()) ". Older ones: " code { "millrace deadletter list" } }
        }
    }
}

fn form(topic: &str, filter: &Filter) -> Markup {
    actions(html! {
        form method="get" action=(href(&["deadletters", topic])) {
            label { "Stage " select name="stage" {
                @for (value, label) in [("", "all"), ("producer", "producer"), ("job", "job"), ("sink", "sink")] {
                    option value=(value) selected[filter.stage == value] { (label) }
                }
            } }
            label { "Reason " input name="reason" value=(filter.reason) size="30" placeholder="holds"; }
            label { "Letters " input name="limit" size="4" inputmode="numeric" placeholder="50"; }
            button type="submit" { "Show letters" }
        }
    })
}

/// The filter goes with it in the address of the action: what is replayed is what the filter takes, of all letters.
fn all(topic: &str, filter: &Filter) -> Markup {
    let what = match (filter.reason.as_str(), filter.stage.as_str()) {
        ("", "") => "all letters".to_owned(),
        (reason, "") => format!("all letters whose reason holds \"{reason}\""),
        ("", stage) => format!("all letters of the stage {stage}"),
        (reason, stage) => format!("all letters of the stage {stage} whose reason holds \"{reason}\""),
    };
    let action = href(&["deadletters", topic, "replay-all"]);
    let query = format!("?reason={}&stage={}", super::encoded(&filter.reason), super::encoded(&filter.stage));
    let says = format!(
        "Sends {what} of {topic} back to where they were meant for, each once. Those that were sent before are left out."
    );
    confirm(&format!("{action}{query}"), "Replay all of these", topic, &says)
}

fn row(topic: &str, letter: &Message, replays: &[Replay]) -> Row {
    let told = |name: &str| letter.header(name).unwrap_or("-").to_owned();
    let replay =
        replays.iter().find(|replay| (replay.partition, replay.offset) == (letter.partition, letter.offset));
    Row::with_id(
        format!("letter-{}-{}", letter.partition, letter.offset),
        vec![
            offset(letter.offset),
            html! { (letter.partition) },
            super::known(letter.time, time),
            html! { (told("stage")) },
            html! { (told("job")) },
            messages::value(letter),
            html! {
                @if let Some(replay) = replay { (state(replay)) }
                @if replay.is_none_or(|replay| replay.state == "failed") { (replay_form(topic, letter)) }
            },
        ],
    )
}

fn state(replay: &Replay) -> Markup {
    html! {
        (replay.state) " " (time(replay.changed_at)) ", try " (replay.tries)
        @if replay.edited { ", edited" }
        @if let Some(reason) = &replay.reason { p { (messages::cut(reason, 300)) } }
    }
}

fn replay_form(topic: &str, letter: &Message) -> Markup {
    html! {
        form method="post" action=(href(&["deadletters", topic, "replay"])) {
            input type="hidden" name="partition" value=(letter.partition);
            input type="hidden" name="offset" value=(letter.offset);
            details {
                summary { "Edit" }
                label { "Send this JSON record instead " textarea name="edited" rows="8" cols="40" spellcheck="false" {} }
            }
            button type="submit" { "Replay" }
        }
    }
}

/// What a button did.
pub fn done(topic: &str, kind: Notice, told: &str) -> Page {
    let body = html! {
        (crumbs(&[(SECTION, "Dead letters"), (&href(&["deadletters", topic]), topic)]))
        (notice(kind, told))
    };
    frame("Replay", SECTION, None, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_by_stage_and_by_a_part_of_the_reason_in_any_case() {
        let filter = Filter { reason: "No @".into(), stage: "job".into() };
        assert!(filter.takes("job", "the e-mail has no @"));
        assert!(!filter.takes("sink", "the e-mail has no @") && !filter.takes("job", "the id is empty"));
        assert!(Filter::default().takes("sink", ""));
    }
}
