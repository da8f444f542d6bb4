//! What goes wrong, and how often.

use crate::frame::Frame;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What happens to the next `times` requests that match.
#[derive(Clone, Debug)]
pub struct Rule {
    pub matches: Matches,
    pub action: Action,
    pub times: usize,
}

impl Rule {
    pub fn once(matches: Matches, action: Action) -> Self {
        Self { matches, action, times: 1 }
    }

    /// Until [`crate::Proxy::heal`].
    pub fn always(matches: Matches, action: Action) -> Self {
        Self { matches, action, times: usize::MAX }
    }
}

/// Which requests are meant.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    kind: Option<i32>,
    text: Option<String>,
}

impl Matches {
    pub fn any() -> Self {
        Self::default()
    }

    /// Kafka's API key, PostgreSQL's tag, CQL's opcode. HTTP has none: there it is 0.
    pub fn kind(kind: i32) -> Self {
        Self { kind: Some(kind), text: None }
    }

    /// The request holds this text: a statement, a transactional id, the line and the headers of an HTTP request.
    pub fn text(text: &str) -> Self {
        Self { kind: None, text: Some(text.to_owned()) }
    }

    pub fn and_text(self, text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..self }
    }

    fn is(&self, frame: &Frame, bytes: &[u8]) -> bool {
        let holds = |text: &String| bytes.windows(text.len().max(1)).any(|window| window == text.as_bytes());
        self.kind.is_none_or(|kind| kind == frame.kind) && self.text.as_ref().is_none_or(holds)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The request, and what follows it on its connection, waits. It reaches the server even if the client gave up meanwhile.
    Delay(Duration),
    /// The request never reaches the server, and nobody says so: a network that lost it.
    Drop,
    /// The connection is closed, and the request has not reached the server.
    Cut,
    /// The server does what was asked; the client hears nothing, and the connection stays.
    SwallowAnswer,
    /// The server does what was asked, and answers; what it says after that the client never hears. A connection that is dead, and
    /// nobody says so.
    Deafen,
    /// The server does what was asked; instead of its answer the connection ends. "Did my COMMIT happen?"
    CutBeforeAnswer,
}

/// How often a rule has acted.
#[derive(Clone, Debug, Default)]
pub struct Fired(Arc<AtomicUsize>);

impl Fired {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Rules(Arc<Mutex<Vec<Active>>>);

struct Active {
    rule: Rule,
    fired: Fired,
}

impl Rules {
    pub(crate) fn add(&self, rule: Rule) -> Fired {
        let fired = Fired::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Active { rule, fired: fired.clone() });
        fired
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is to happen to a request, counted.
    pub(crate) fn strike(&self, frame: &Frame, bytes: &[u8]) -> Option<Action> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let acting = rules.iter().find(|active| {
            active.fired.count() < active.rule.times && active.rule.matches.is(frame, bytes)
        })?;
        acting.fired.0.fetch_add(1, Ordering::SeqCst);
        Some(acting.rule.action)
    }
}
