//! The pages, made from what was seen. Pure.

pub mod dead;
mod groups;
mod messages;
mod overview;
mod schemas;
mod topic;
mod topics;

pub use messages::messages;

use crate::{
    poll::KAFKA_EVERY,
    seen::{Kept, Seen},
    wrong::failing,
};
use chrono::{DateTime, Utc};
use maud::{Markup, Render, html};
use std::{fmt::Write, time::Duration};
use web::{NavItem, Notice, Page, Target, crumbs, notice, palette, time};

/// What a page shows that changes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    Overview,
    Topics,
    Topic(String),
    Groups,
    Group(String),
    Schemas,
    Schema(String),
}

/// The id of the element that a patch replaces.
pub const VIEW_ID: &str = "view";

impl View {
    /// The view that an address of patches names.
    pub fn named(kind: &str, name: &str) -> Option<Self> {
        Some(match kind {
            "overview" => View::Overview,
            "topics" => View::Topics,
            "topic" => View::Topic(name.to_owned()),
            "groups" => View::Groups,
            "group" => View::Group(name.to_owned()),
            "schemas" => View::Schemas,
            "schema" => View::Schema(name.to_owned()),
            _ => return None,
        })
    }

    fn names(&self) -> (&'static str, &str) {
        match self {
            View::Overview => ("overview", ""),
            View::Topics => ("topics", ""),
            View::Topic(name) => ("topic", name),
            View::Groups => ("groups", ""),
            View::Group(name) => ("group", name),
            View::Schemas => ("schemas", ""),
            View::Schema(name) => ("schema", name),
        }
    }

    fn title(&self) -> &str {
        match self {
            View::Overview => "Overview",
            View::Topics => "Topics",
            View::Groups => "Consumer groups",
            View::Schemas => "Schemas",
            View::Topic(name) | View::Group(name) | View::Schema(name) => name,
        }
    }

    fn section(&self) -> &'static str {
        match self {
            View::Overview => "/",
            View::Topics | View::Topic(_) => "/topics",
            View::Groups | View::Group(_) => "/groups",
            View::Schemas | View::Schema(_) => "/schemas",
        }
    }

    /// Whether it is certain that there is nothing of this name.
    pub fn is_missing(&self, seen: &Seen) -> bool {
        let kafka = seen.kafka.value();
        match self {
            View::Topic(name) => kafka.is_some_and(|picture| picture.topic(name).is_none()),
            View::Group(name) => kafka.is_some_and(|picture| picture.group(name).is_none()),
            View::Schema(name) => {
                seen.schemas.value().is_some_and(|all| all.iter().all(|subject| subject.name != *name))
            }
            _ => false,
        }
    }
}

/// The whole page of a view.
pub fn page(view: &View, seen: &Seen, now: DateTime<Utc>) -> Page {
    let (kind, name) = view.names();
    let body = html! {
        (way(view))
        (self::view(view, seen, now))
        (palette(&targets(seen)))
    };
    let live = format!("/events?view={kind}&name={}", encoded(name));
    frame(view.title(), view.section(), Some(live), body)
}

/// The part of a view's page that a patch replaces.
pub fn view(view: &View, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let body = match view {
        View::Overview => overview::body(seen, now),
        View::Topics => topics::body(seen, now),
        View::Topic(name) => topic::body(name, seen, now),
        View::Groups => groups::body(seen, now),
        View::Group(name) => groups::one(name, seen, now),
        View::Schemas => schemas::body(seen, now),
        View::Schema(name) => schemas::one(name, seen, now),
    };
    html! { div id=(VIEW_ID) class="stack" { (body) } }
}

/// A page that says one thing, such as why there is no other.
pub fn said(title: &str, kind: Notice, text: &str) -> Page {
    frame(title, "", None, notice(kind, text))
}

fn frame(title: &str, section: &str, live: Option<String>, body: Markup) -> Page {
    let item = |(href, label): (&str, &str)| NavItem::new(href, label, href == section);
    let nav = [
        ("/", "Overview"),
        ("/topics", "Topics"),
        ("/groups", "Groups"),
        ("/schemas", "Schemas"),
        ("/deadletters", "Dead letters"),
    ];
    Page {
        title: title.to_owned(),
        product: "Control Center",
        nav: nav.into_iter().map(item).collect(),
        live,
        body,
    }
}

fn way(view: &View) -> Markup {
    match view {
        View::Topic(_) => crumbs(&[("/topics", "Topics")]),
        View::Group(_) => crumbs(&[("/groups", "Groups")]),
        View::Schema(_) => crumbs(&[("/schemas", "Schemas")]),
        _ => html! {},
    }
}

/// What Ctrl K finds.
fn targets(seen: &Seen) -> Vec<Target> {
    /// More would weigh more than the page itself.
    const TARGETS_MAX: usize = 300;
    let target = |kind: &str, folder: &str, name: &str| Target {
        label: name.to_owned(),
        href: href(&[folder, name]),
        kind: kind.to_owned(),
    };
    let picture = seen.kafka.value();
    let topics = picture
        .into_iter()
        .flat_map(|picture| picture.own_topics())
        .map(|topic| target("topic", "topics", &topic.name));
    let groups = picture
        .into_iter()
        .flat_map(|picture| &picture.groups)
        .map(|group| target("group", "groups", &group.name));
    let subjects =
        seen.schemas.value().into_iter().flatten().map(|subject| target("schema", "schemas", &subject.name));
    topics.chain(groups).chain(subjects).take(TARGETS_MAX).collect()
}

/// Says when Kafka was seen last, in a line of its own.
fn kafka_seen(seen: &Seen) -> Markup {
    seen_at("Kafka", &seen.kafka)
}

fn seen_at<T>(server: &str, kept: &Kept<T>) -> Markup {
    html! { @if let Some(at) = kept.at() { p class="muted" { (server) " seen " (time(at)) } } }
}

/// Says why what follows is old or not there. Nothing while all is well.
fn doubt<T>(server: &str, kept: &Kept<T>, every: Duration, now: DateTime<Utc>) -> Markup {
    match failing(kept, every, now) {
        Some(text) => notice(Notice::Error, text),
        None if kept.good.is_none() => {
            html! { p class="muted" { "Asking " (server) " for the first time." } }
        }
        None => html! {},
    }
}

fn kafka_doubt(seen: &Seen, now: DateTime<Utc>) -> Markup {
    doubt("Kafka", &seen.kafka, KAFKA_EVERY, now)
}

/// A path of ours: each part may be any text.
pub fn href(parts: &[&str]) -> String {
    parts.iter().fold(String::new(), |path, part| path + "/" + &encoded(part))
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            // Writing to a String does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

/// A count and its noun: `1 record`, `12 408 records`.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", web::format::count(n))
}

/// A value, or a dash where it is not known.
fn known<T>(value: Option<T>, show: impl FnOnce(T) -> Markup) -> Markup {
    value.map_or_else(|| html! { span class="muted num" { (web::format::UNKNOWN) } }, show)
}

/// An offset. Not grouped: it is copied into commands.
fn offset(offset: i64) -> Markup {
    html! { span class="num" { (offset) } }
}

/// A link to something that we show.
fn link(folder: &str, name: &str) -> Markup {
    html! { a href=(href(&[folder, name])) { (name) } }
}

/// Things beside each other, with commas between.
fn joined<T: Render>(things: impl IntoIterator<Item = T>) -> Markup {
    html! { @for (at, thing) in things.into_iter().enumerate() { @if at > 0 { ", " } (thing) } }
}
