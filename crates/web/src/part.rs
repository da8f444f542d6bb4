//! Parts of a page: notices, figures, lists of facts, tabs, buttons, what stands where there is nothing yet.

use crate::{page::NavItem, state::State, state::shape};
use maud::{Markup, html};
use serde::Serialize;

/// How much a notice asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing has to be done.
    Info,
    /// It will go wrong, or is late.
    Warning,
    /// It is wrong now.
    Error,
    /// What was asked for is done.
    Done,
}

/// Says one thing in plain sentences: what is wrong, why, and what can be done now.
pub fn notice(kind: Notice, text: impl maud::Render) -> Markup {
    let (state, word, role) = match kind {
        Notice::Info => (State::Queued, "Note", "note"),
        Notice::Warning => (State::Late, "Warning", "status"),
        Notice::Error => (State::Failed, "Error", "alert"),
        Notice::Done => (State::Success, "Done", "status"),
    };
    html! {
        div class={ "notice state " (state.hue()) } role=(role) {
            (shape(state)) span class="unseen" { (word) ": " } div { (text) }
        }
    }
}

/// Says why there is nothing here and shows the command that fills the page; a click copies it.
pub fn empty(text: &str, command: &str) -> Markup {
    html! {
        div class="empty" {
            p { (text) }
            @if !command.is_empty() {
                p { button class="id command" type="button" data-copy=(command) title="Copy this command" { (command) } }
            }
        }
    }
}

/// One number that the page is about.
pub struct Figure {
    pub label: String,
    pub value: Markup,
    /// What it is measured against, or since when.
    pub note: Markup,
}

/// Shows the few numbers that the page is about, in large type.
pub fn figures(figures: &[Figure]) -> Markup {
    html! {
        dl class="figures" {
            @for figure in figures { div { dt { (figure.label) } dd { (figure.value) } dd class="muted" { (figure.note) } } }
        }
    }
}

/// Shows facts as names and values.
pub fn key_value(facts: &[(&str, Markup)]) -> Markup {
    html! { dl class="facts" { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}

/// Shows the pages of one thing beside each other; each tab is a link.
pub fn tabs(label: &str, items: &[NavItem]) -> Markup {
    html! {
        nav class="tabs" aria-label=(label) {
            @for item in items { a href=(item.href) aria-current=[item.active.then_some("page")] { (item.label) } }
        }
    }
}

/// Shows the way to this page from the top. It stands above the heading wherever it is in the body.
pub fn crumbs(way: &[(&str, &str)]) -> Markup {
    html! { nav class="crumbs" aria-label="Way to this page" { @for (href, label) in way { a href=(href) { (label) } } } }
}

/// A part of the page under its own heading.
pub fn section(heading: &str, body: Markup) -> Markup {
    html! { section { h2 { (heading) } (body) } }
}

/// Stands buttons and fields beside each other.
pub fn actions(body: Markup) -> Markup {
    html! { div class="actions" { (body) } }
}

/// A button that posts to `action`. `verb` names its object: "Retry 3 tasks".
pub fn button(action: &str, verb: &str) -> Markup {
    html! { form method="post" action=(action) { button type="submit" { (verb) } } }
}

/// A button for what destroys or repeats: it asks for `name` to be typed, and posts it as the field `confirm`.
///
/// `says` tells beforehand what it will do, in numbers. The server must compare `confirm` with the name: the script that
/// asks is a courtesy, not the check.
pub fn confirm(action: &str, verb: &str, name: &str, says: &str) -> Markup {
    html! {
        form method="post" action=(action) data-confirm=(name) data-says=(says) {
            noscript { p { (says) " Type " code { (name) } ": " input name="confirm" required autocomplete="off"; } }
            button class="danger" type="submit" { (verb) }
        }
    }
}

/// Shows text as it is: a query, a schema, a log.
pub fn code(text: &str) -> Markup {
    html! { pre tabindex="0" { code { (text) } } }
}

/// Something that Ctrl/⌘ K finds although no link on the page leads there.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    pub label: String,
    pub href: String,
    /// What it is: "DAG", "topic".
    pub kind: String,
}

/// Tells the palette what can be found beside the links of the page.
pub fn palette(targets: &[Target]) -> Markup {
    // `</script>` inside a label must not end the element.
    let json = serde_json::to_string(targets).unwrap_or_else(|_| "[]".to_owned()).replace('<', "\\u003c");
    html! { script type="application/json" data-palette { (maud::PreEscaped(json)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_announced_and_named_in_words() {
        let shown = notice(Notice::Error, "Kafka did not answer for 30 s.").into_string();
        assert!(shown.contains("role=\"alert\"") && shown.contains("Error: "), "{shown}");
    }

    #[test]
    fn an_empty_page_without_a_command_shows_only_its_sentence() {
        assert!(!empty("No runs yet.", "").into_string().contains("button"));
        assert!(empty("No runs yet.", "millrace dag trigger users").into_string().contains("data-copy"));
    }

    #[test]
    fn a_label_cannot_end_the_palettes_script() {
        let target = Target { label: "</script><b>".into(), href: "/".into(), kind: "DAG".into() };
        let shown = palette(&[target]).into_string();
        assert_eq!(shown.matches("</script>").count(), 1, "{shown}");
        assert!(!shown.contains("<b>"), "{shown}");
    }

    #[test]
    fn a_confirmation_says_what_it_will_do_even_without_script() {
        let shown =
            confirm("/topics/users/delete", "Delete topic", "users", "Deletes 12 records.").into_string();
        assert!(shown.contains("data-confirm=\"users\"") && shown.contains("<noscript>"), "{shown}");
    }
}
