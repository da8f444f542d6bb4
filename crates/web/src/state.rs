//! States: each has a shape and a word, so that none is told by colour alone.

use maud::{Markup, PreEscaped, html};

/// How something is, as every page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Success,
    Running,
    Failed,
    Retrying,
    Late,
    Stale,
    Queued,
    Waiting,
    Deferred,
    Skipped,
    UpstreamFailed,
    Removed,
    Paused,
}

impl State {
    pub const ALL: [State; 13] = [
        State::Success,
        State::Running,
        State::Failed,
        State::Retrying,
        State::Late,
        State::Stale,
        State::Queued,
        State::Waiting,
        State::Deferred,
        State::Skipped,
        State::UpstreamFailed,
        State::Removed,
        State::Paused,
    ];

    /// The word that stands beside the shape.
    pub const fn word(self) -> &'static str {
        match self {
            State::Success => "success",
            State::Running => "running",
            State::Failed => "failed",
            State::Retrying => "retrying",
            State::Late => "late",
            State::Stale => "stale",
            State::Queued => "queued",
            State::Waiting => "waiting",
            State::Deferred => "deferred",
            State::Skipped => "skipped",
            State::UpstreamFailed => "upstream failed",
            State::Removed => "removed",
            State::Paused => "paused",
        }
    }

    /// Finds the shape for a word of a process, a job, a run or a task (`upstream_failed`, `healthy`, `cancelled` …).
    pub fn of(word: &str) -> Option<State> {
        Some(match word {
            "success" | "succeeded" | "healthy" | "done" | "ok" => State::Success,
            "running" | "starting" | "stopping" | "restoring" => State::Running,
            "failed" | "unhealthy" | "down" | "error" => State::Failed,
            "retrying" => State::Retrying,
            "late" | "degraded" => State::Late,
            "stale" | "unknown" => State::Stale,
            "queued" | "ready" => State::Queued,
            "waiting" => State::Waiting,
            "deferred" => State::Deferred,
            "skipped" => State::Skipped,
            "upstream_failed" | "upstream failed" => State::UpstreamFailed,
            "removed" | "cancelled" => State::Removed,
            "paused" | "stopped" => State::Paused,
            _ => return None,
        })
    }

    /// The colour token of the style sheet, `--<hue>`.
    pub const fn hue(self) -> &'static str {
        match self {
            State::Success => "green",
            State::Running => "blue",
            State::Failed => "red",
            State::Retrying | State::Late | State::Stale => "amber",
            State::Waiting | State::Deferred => "violet",
            State::UpstreamFailed => "orange",
            State::Queued | State::Skipped | State::Removed | State::Paused => "grey",
        }
    }

    /// What is drawn in a square of 12 × 12. `currentColor` is the state's hue.
    const fn drawing(self) -> &'static str {
        match self {
            State::Success => r#"<circle cx="6" cy="6" r="4.5" fill="currentColor" stroke="none"/>"#,
            State::Running => {
                r#"<circle cx="6" cy="6" r="4.25" opacity=".3"/><path class="turn" d="M6 1.75A4.25 4.25 0 0 1 10.25 6"/>"#
            }
            State::Failed => r#"<path d="M2.25 2.25l7.5 7.5M9.75 2.25l-7.5 7.5"/>"#,
            State::Retrying => r#"<path d="M9.9 7.6A4.2 4.2 0 1 1 9.4 3.5"/><path d="M10.4 .9v3.2H7.2"/>"#,
            State::Late | State::Stale => {
                r#"<circle cx="6" cy="6" r="4.75" stroke-width="1.5"/><path d="M6 3.25V6l1.9 1.5" stroke-width="1.5"/>"#
            }
            State::Queued => r#"<circle cx="6" cy="6" r="4.1"/>"#,
            State::Waiting | State::Deferred => r#"<path d="M4 2v8M8 2v8" stroke-width="2.25"/>"#,
            State::Skipped => r#"<path d="M2 6h8"/>"#,
            State::UpstreamFailed => {
                r#"<path stroke-width="1.1" d="M3.1 1L6 3.9 8.9 1 11 3.1 8.1 6 11 8.9 8.9 11 6 8.1 3.1 11 1 8.9 3.9 6 1 3.1z"/>"#
            }
            State::Removed | State::Paused => r#"<path d="M2.25 2.25h7.5v7.5h-7.5z"/>"#,
        }
    }
}

/// Shows a state: its shape and its word.
pub fn state(state: State) -> Markup {
    state_as(state, state.word())
}

/// Shows a state under another word, for what has words of its own (`healthy` for [`State::Success`]).
pub fn state_as(state: State, word: &str) -> Markup {
    html! { span class={ "state " (state.hue()) } { (shape(state)) span { (word) } } }
}

/// Shows only the shape, where a grid leaves no room for the word; `name` is read out and shown on hover.
pub fn mark(state: State, name: &str) -> Markup {
    html! { span class={ "state " (state.hue()) } role="img" aria-label=(name) title=(name) { (shape(state)) } }
}

/// Shows how many are in each state, leaving out those with none: `● 20  ✕ 2`.
pub fn tally(counts: &[(State, u64)]) -> Markup {
    html! {
        span class="tally" {
            @for &(state, n) in counts.iter().filter(|(_, n)| *n > 0) {
                @let name = format!("{} {}", crate::format::count(n), state.word());
                span class={ "state " (state.hue()) } title=(name) {
                    (shape(state)) (crate::value::count(n)) span class="unseen" { " " (state.word()) }
                }
            }
        }
    }
}

/// Draws the shape alone; the words beside it carry its meaning for a screen reader.
pub(crate) fn shape(state: State) -> Markup {
    html! {
        svg class="shape" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" { (PreEscaped(state.drawing())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_state_is_found_by_its_own_word() {
        for state in State::ALL {
            assert_eq!(State::of(state.word()), Some(state));
        }
        assert_eq!(State::of("no such word"), None);
    }

    #[test]
    fn states_of_one_hue_and_one_shape_are_the_pairs_that_mean_nearly_the_same() {
        let mut looks: HashMap<&str, Vec<State>> = HashMap::new();
        for state in State::ALL {
            looks.entry(state.drawing()).or_default().push(state);
        }
        let mut shared: Vec<_> = looks.into_values().filter(|states| states.len() > 1).collect();
        shared.sort_by_key(|states| states[0] as u8);
        assert_eq!(
            shared,
            [[State::Late, State::Stale], [State::Waiting, State::Deferred], [State::Removed, State::Paused]]
        );
    }

    #[test]
    fn a_badge_has_a_shape_and_a_word() {
        let badge = state(State::UpstreamFailed).into_string();
        assert!(badge.contains("<svg") && badge.contains("upstream failed"), "{badge}");
    }

    #[test]
    fn a_tally_leaves_out_what_is_none() {
        let shown = tally(&[(State::Success, 1204), (State::Failed, 0)]).into_string();
        assert!(shown.contains("1\u{2009}204") && !shown.contains("failed"), "{shown}");
    }
}
