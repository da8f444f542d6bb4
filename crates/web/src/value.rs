//! One value each: a time, a count, a rate, an id, in the element that the script and the style sheet know.

use crate::format;
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};
use std::time::Duration;

/// Shows a moment. Written out in UTC; the script turns it into "3 min ago" with the viewer's zone in the title.
pub fn time(at: DateTime<Utc>) -> Markup {
    let words = format::moment(at);
    html! { time class="num" datetime=(machine(at)) title=(words) data-rel tabindex="0" { (words) } }
}

/// Shows how long something has been going on; the script counts on.
pub fn elapsed(since: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    // A clock that went back gives nothing, not a negative time.
    let span = (now - since).to_std().unwrap_or_default();
    html! { time class="num" datetime=(machine(since)) title={ "since " (format::moment(since)) } data-since { (format::duration(span)) } }
}

fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Shows how long something took: `1.2 s`, `3 m 04 s`.
pub fn duration(span: Duration) -> Markup {
    number(&format::duration(span))
}

/// Shows a count, grouped by thin spaces: `12 408`.
pub fn count(n: u64) -> Markup {
    number(&format::count(n))
}

/// Shows how many a second: `4.2 k/s`.
pub fn rate(per_second: f64) -> Markup {
    number(&format::rate(per_second))
}

/// Shows a size: `3.4 MiB`.
pub fn bytes(n: u64) -> Markup {
    number(&format::bytes(n))
}

/// A number that keeps its width and is tinted for a second when a patch changes it.
fn number(words: &str) -> Markup {
    html! { span class="num" { (words) } }
}

/// Shows an id, shortened in the middle; a click copies it whole.
pub fn id(id: &str) -> Markup {
    html! { button class="id" type="button" data-copy=(id) title={ "Copy " (id) } { (format::short(id)) } }
}

/// Shows a shortened id as a link to its page.
pub fn id_link(href: &str, id: &str) -> Markup {
    html! { a class="mono" href=(href) title=(id) { (format::short(id)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_reads_without_script_and_carries_what_the_script_needs() {
        assert_eq!(
            time(moment("2026-03-01T12:03:07.250Z")).into_string(),
            "<time class=\"num\" datetime=\"2026-03-01T12:03:07.250Z\" title=\"2026-03-01 12:03:07 UTC\" data-rel tabindex=\"0\">2026-03-01 12:03:07 UTC</time>"
        );
    }

    #[test]
    fn a_clock_that_went_back_shows_nothing_negative() {
        let shown = elapsed(moment("2026-03-01T12:00:01Z"), moment("2026-03-01T12:00:00Z")).into_string();
        assert!(shown.contains(">0 ms<"), "{shown}");
    }

    #[test]
    fn an_id_is_copied_whole_and_escaped() {
        let shown = id("<018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2e1>").into_string();
        assert!(shown.contains("data-copy=\"&lt;018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2e1&gt;\""), "{shown}");
    }
}
