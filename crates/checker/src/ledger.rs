//! What the load client did and was told: one JSON line before and one after each operation.

use crate::Event;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Writes a ledger. Shared by the lanes of a load.
pub struct Writer(Mutex<File>);

/// How an operation ended, as the client was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    Fail,
    /// No answer, or one that says so. Also what has no second line: the client itself may end anywhere.
    #[default]
    Unknown,
}

/// All operations by id.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub operations: BTreeMap<String, (Event, Outcome)>,
    /// Ids whose event is not the one that its hash was taken of: the ledger itself is damaged.
    pub damaged: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// Milliseconds since 1970, by the client's clock.
    time: i64,
    #[serde(flatten)]
    step: Step,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
enum Step {
    Invoke { hash: String, event: Event },
    Ok { id: String },
    Fail { id: String, reason: String },
    Unknown { id: String, reason: String },
}

impl Writer {
    /// Begins a new ledger.
    pub fn create(file: &Path) -> std::io::Result<Self> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self(Mutex::new(File::create(file)?)))
    }

    /// To be called before anything is sent.
    pub fn invoke(&self, events: &[Event]) -> std::io::Result<()> {
        self.append(events.iter().map(|event| Step::Invoke { hash: event.hash(), event: event.clone() }))
    }

    /// To be called with what the client was told.
    pub fn told<'a>(
        &self,
        outcomes: impl IntoIterator<Item = (&'a str, Outcome, String)>,
    ) -> std::io::Result<()> {
        self.append(outcomes.into_iter().map(|(id, outcome, reason)| match outcome {
            Outcome::Ok => Step::Ok { id: id.into() },
            Outcome::Fail => Step::Fail { id: id.into(), reason },
            Outcome::Unknown => Step::Unknown { id: id.into(), reason },
        }))
    }

    /// One write for all: a line is whole or not there.
    fn append(&self, steps: impl Iterator<Item = Step>) -> std::io::Result<()> {
        let time = chrono::Utc::now().timestamp_millis();
        let mut text = String::new();
        for step in steps {
            text.push_str(&serde_json::to_string(&Line { time, step })?);
            text.push('\n');
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())
    }
}

impl Ledger {
    pub fn read(file: &Path) -> std::io::Result<Self> {
        let mut ledger = Self::default();
        for line in BufReader::new(File::open(file)?).lines() {
            ledger.take(serde_json::from_str::<Line>(&line?)?.step);
        }
        Ok(ledger)
    }

    fn take(&mut self, step: Step) {
        let (id, outcome) = match step {
            Step::Invoke { hash, event } => {
                if event.hash() != hash {
                    self.damaged.push(event.id.clone());
                }
                self.operations.insert(event.id.clone(), (event, Outcome::Unknown));
                return;
            }
            Step::Ok { id } => (id, Outcome::Ok),
            Step::Fail { id, .. } => (id, Outcome::Fail),
            Step::Unknown { id, .. } => (id, Outcome::Unknown),
        };
        match self.operations.get_mut(&id) {
            Some((_, known)) => *known = outcome,
            None => self.damaged.push(id),
        }
    }

    /// How many operations ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.operations.values().filter(|(_, found)| *found == outcome).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fate;

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        let folder = std::env::temp_dir().join(format!("ledger-{}", std::process::id()));
        let file = folder.join("ledger.jsonl");
        let event =
            |n: i64| Event { id: format!("id-{n}"), key: "k".into(), seq: n, at: n, fate: Fate::Clean };
        let writer = Writer::create(&file).unwrap();
        writer.invoke(&[event(1), event(2), event(3), event(4)]).unwrap();
        let told = [
            ("id-1", Outcome::Ok, String::new()),
            ("id-2", Outcome::Fail, "no".into()),
            ("id-3", Outcome::Unknown, "silence".into()),
        ];
        writer.told(told).unwrap();
        let ledger = Ledger::read(&file).unwrap();
        let outcomes: Vec<Outcome> = ledger.operations.values().map(|(_, outcome)| *outcome).collect();
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Fail, Outcome::Unknown, Outcome::Unknown]);
        assert_eq!(ledger.operations["id-2"].0, event(2));
        assert!(ledger.damaged.is_empty());
        let text = std::fs::read_to_string(&file).unwrap().replace("\"seq\":3", "\"seq\":5");
        std::fs::write(&file, text).unwrap();
        assert_eq!(Ledger::read(&file).unwrap().damaged, ["id-3"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
