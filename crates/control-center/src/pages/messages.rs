//! `/topics/{name}/messages`

use super::{counted, frame, href, link, offset, topic::views};
use crate::messages::{Asked, Content, Found, Message, Shown};
use maud::{Markup, html};
use web::{Header, Notice, Page, Row, actions, crumbs, empty, format, id, notice, table, time};

/// The page, or why there is nothing on it.
pub fn messages(topic: &str, asked: &Asked, limit: usize, found: Result<&Found, String>) -> Page {
    let body = html! {
        (crumbs(&[("/topics", "Topics"), (&href(&["topics", topic]), topic)]))
        (views(topic, true))
        @match found {
            Ok(found) => (shown(topic, asked, limit, found)),
            Err(reason) => (notice(Notice::Error, reason)),
        }
    };
    frame(&format!("Messages of {topic}"), "/topics", None, body)
}

fn shown(topic: &str, asked: &Asked, limit: usize, found: &Found) -> Markup {
    html! {
        (form(topic, asked, limit, found))
        @if !found.unfinished.is_empty() { (notice(Notice::Warning, unfinished(found))) }
        @if found.messages.is_empty() {
            (empty("There is no message here. Records that were deleted or whose transaction was aborted leave gaps.", &format!("millrace topic read {topic}")))
        } @else {
            (way(topic, limit, asked, found))
            (listed(&found.messages))
            p class="muted" { (counted(found.messages.len() as u64, "message")) ", the newest first; only those whose transaction is committed." }
        }
    }
}

fn unfinished(found: &Found) -> String {
    let partitions: Vec<String> = found.unfinished.iter().map(i32::to_string).collect();
    format!(
        "Kafka did not give everything in time: newer messages may be missing of partition {}. Load the page again.",
        partitions.join(", ")
    )
}

fn form(topic: &str, asked: &Asked, limit: usize, found: &Found) -> Markup {
    let from = match asked.place {
        crate::messages::Place::From(offset) => Some(offset),
        _ => None,
    };
    actions(html! {
        form method="get" action=(href(&["topics", topic, "messages"])) {
            label { "Partition " select name="partition" {
                option value="" { "all" }
                @for (partition, first) in &found.first.0 {
                    @let end = found.end.0.get(partition).copied().unwrap_or(*first);
                    option value=(partition) selected[asked.partition == Some(*partition)] { (partition) ": " (first) " to " (end) }
                }
            } }
            label { "From offset " input name="offset" value=[from] size="10" inputmode="numeric" placeholder="newest"; }
            label { "Messages " input name="limit" value=(limit) size="4" inputmode="numeric"; }
            button type="submit" { "Show messages" }
        }
    })
}

/// Links to the older and the newer messages of a partition.
fn way(topic: &str, limit: usize, asked: &Asked, found: &Found) -> Markup {
    let Some(partition) = asked.partition else { return html! {} };
    let base = format!("{}?partition={partition}&limit={limit}", href(&["topics", topic, "messages"]));
    html! {
        nav class="actions" aria-label="Other messages of this partition" {
            @if let Some(before) = found.older { a class="button" href=(format!("{base}&before={before}")) { "Older messages" } }
            @if let Some(from) = found.newer { a class="button" href=(format!("{base}&offset={from}")) { "Newer messages" } }
        }
    }
}

fn listed(messages: &[Message]) -> Markup {
    let headers = [
        Header::number("Offset"),
        Header::number("Partition"),
        "Written".into(),
        "Key".into(),
        "Value".into(),
    ];
    table("messages", "Messages", &headers, &messages.iter().map(row).collect::<Vec<_>>())
}

fn row(message: &Message) -> Row {
    Row::with_id(
        format!("message-{}-{}", message.partition, message.offset),
        vec![
            offset(message.offset),
            html! { (message.partition) },
            super::known(message.time, time),
            super::known(message.key.as_ref(), |key| id(&cut(&key.shown.line(), KEY_CHARS_MAX))),
            value(message),
        ],
    )
}

/// What a click copies of a key: keys are ids, but may be anything.
const KEY_CHARS_MAX: usize = 1_000;
/// The line of a value: what fits beside the other columns.
const LINE_CHARS_MAX: usize = 120;
/// What is folded out of one value: the whole of it is in the JSON of this page.
const BLOCK_CHARS_MAX: usize = 16_000;

pub(super) fn value(message: &Message) -> Markup {
    // A dead letter is there for its reason.
    let reason = message.header("reason").map(str::to_owned);
    let problem = message.value.as_ref().and_then(|value| value.problem.clone());
    let line =
        message.value.as_ref().map_or_else(|| "no value: a tombstone".to_owned(), |value| value.shown.line());
    html! {
        details {
            summary {
                @if let Some(told) = reason.or(problem) { (web::state_as(web::State::Failed, &cut(&told, LINE_CHARS_MAX))) }
                @else { code { (cut(&line, LINE_CHARS_MAX)) } }
            }
            @if let Some(value) = &message.value { (block(value)) }
            (headers(message))
        }
    }
}

fn block(value: &Content) -> Markup {
    let how = match &value.shown {
        Shown::Json(_) => "Avro, decoded",
        Shown::Text(_) => "text as it is",
        Shown::Bytes(_) => "bytes as they are, those that are not ASCII escaped",
    };
    html! {
        @if let Some(problem) = &value.problem { p { "Not decoded: " (problem) } }
        (web::code(&cut(&value.shown.block(), BLOCK_CHARS_MAX)))
        p class="muted" {
            (how) ", " (format::bytes(value.bytes as u64))
            @if let Some(id) = value.schema_id { ", schema id " (id) }
        }
    }
}

fn headers(message: &Message) -> Markup {
    html! {
        @if !message.headers.is_empty() {
            dl class="facts" {
                @for (name, value) in &message.headers {
                    dt { (name) }
                    // In a dead letter this header names a topic of ours.
                    dd { @if name == "topic" { (link("topics", value)) } @else { code { (value) } } }
                }
            }
        }
    }
}

pub(super) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
