//! Where a source's next page is, and the steps of a fetch. Pure.

use pipeline::Paging;
use serde_json::{Value, json};

/// The page that is to be asked next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// There is one page.
    Only,
    Page(u64),
    Cursor(String),
}

impl Position {
    /// Where a source begins.
    pub fn first(paging: &Paging) -> Self {
        match paging {
            Paging::None => Position::Only,
            Paging::Number { from, .. } => Position::Page(*from),
            Paging::Cursor { first, .. } => Position::Cursor(first.clone()),
        }
    }

    /// Where the last fetch stopped. A stored cursor of another kind (the pipeline was edited) is a beginning.
    pub fn read(paging: &Paging, stored: &Value) -> Self {
        let known = match paging {
            Paging::None => Some(Position::Only),
            Paging::Number { .. } => stored["page"].as_u64().map(Position::Page),
            Paging::Cursor { .. } => stored["cursor"].as_str().map(|text| Position::Cursor(text.to_owned())),
        };
        known.unwrap_or_else(|| Self::first(paging))
    }

    pub fn to_json(&self) -> Value {
        match self {
            Position::Only => json!({}),
            Position::Page(page) => json!({ "page": page }),
            Position::Cursor(cursor) => json!({ "cursor": cursor }),
        }
    }

    /// The position after a page of so many records that names this cursor: itself where there is no more for now.
    pub fn after(&self, records: usize, said: Option<&str>) -> Self {
        match self.next(said) {
            Some(Position::Page(_)) if records == 0 => self.clone(),
            next => next.unwrap_or_else(|| self.clone()),
        }
    }

    /// The page after this one, which had records. `None`: there is none for now, and this one is to be asked again some day.
    fn next(&self, said: Option<&str>) -> Option<Self> {
        match (self, said) {
            (Position::Page(page), _) => Some(Position::Page(page.saturating_add(1))),
            // The same cursor again is how some APIs say "no more".
            (Position::Cursor(now), Some(next)) if now != next && !next.is_empty() => {
                Some(Position::Cursor(next.to_owned()))
            }
            (Position::Cursor(_) | Position::Only, _) => None,
        }
    }
}

/// One fetch, told what happened and answering what comes next. It knows no network and no database, so that a test can
/// break it off between any two steps.
#[derive(Debug)]
pub struct Walk {
    position: Position,
    pages_left: u32,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// `confirming`: the page was empty once already.
    Asking {
        confirming: bool,
    },
    Delivering {
        next: Option<Position>,
    },
    Storing {
        next: Option<Position>,
    },
    Ended,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask for the page at this position.
    Ask(Position),
    /// The page was empty: ask once more after a pause, for an API that answers 200 while it is in trouble.
    Confirm(Position),
    /// Hand the page's records to the producer.
    Deliver,
    /// Store this cursor, and what was written: the producer has said that it is durable.
    Store(Position),
    /// The fetch is at its end.
    End,
}

impl Walk {
    pub fn new(position: Position, pages_max: u32) -> Self {
        let state = if pages_max == 0 { State::Ended } else { State::Asking { confirming: false } };
        Self { position, pages_left: pages_max, state }
    }

    pub fn step(&self) -> Step {
        match &self.state {
            State::Asking { confirming: false } => Step::Ask(self.position.clone()),
            State::Asking { confirming: true } => Step::Confirm(self.position.clone()),
            State::Delivering { .. } => Step::Deliver,
            State::Storing { next } => Step::Store(next.clone().unwrap_or_else(|| self.position.clone())),
            State::Ended => Step::End,
        }
    }

    /// A page was read: so many records, and the cursor that it names.
    pub fn read(&mut self, records: usize, next: Option<&str>) {
        let State::Asking { confirming } = self.state else { unexpected("read", &self.state) };
        let next = self.position.next(next);
        self.state = match (records, &next) {
            (1.., _) => State::Delivering { next },
            // An empty page that names another one is a gap, not the end; there is nothing to deliver.
            (0, Some(Position::Cursor(_))) => State::Storing { next },
            (0, _) if confirming => State::Ended,
            (0, _) => State::Asking { confirming: true },
        };
    }

    /// The producer has said that each record is durable, in the stream's topic or in the dead letters.
    pub fn delivered(&mut self) {
        let State::Delivering { next } = &self.state else { unexpected("delivered", &self.state) };
        self.state = State::Storing { next: next.clone() };
    }

    /// The cursor is stored.
    pub fn stored(&mut self) {
        let State::Storing { next } = &self.state else { unexpected("stored", &self.state) };
        self.pages_left -= 1;
        self.state = match next.clone() {
            Some(next) if self.pages_left > 0 => {
                self.position = next;
                State::Asking { confirming: false }
            }
            Some(next) => {
                self.position = next;
                State::Ended
            }
            None => State::Ended,
        };
    }

    pub fn position(&self) -> &Position {
        &self.position
    }
}

/// A step out of order could move a cursor too early. That is a bug, and going on would lose records.
fn unexpected(event: &str, state: &State) -> ! {
    panic!("a fetch was told \"{event}\" while it was {state:?}")
}

#[cfg(test)]
mod tests;
