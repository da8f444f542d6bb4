//! What a file says about due times, as it says it.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// When a DAG is due; the union of all that is named. Without anything, a DAG is never due.
///
/// In a file, one of
///
/// ```toml
/// schedule = "0 2 * * *"                                 # cron: five fields, or six with seconds first, or @hourly, @daily,
/// schedule = ["0 2 * * *", "30 12 * * 6"]                #   @weekly, @monthly, @yearly; @once fires once, at `start`
/// schedule = { every = "90m" }                           # s, m, h: so much time, counted from `start`
/// schedule = { every = "1 month" }                       # days, weeks, months, years: by the calendar, from `start`
/// schedule = { dates = ["2026-12-24", "2026-12-31T18:00"] }   # in the DAG's time zone, or with an offset of their own
/// schedule = { cron = "0 2 * * 1", dates = ["2026-12-24T02:00"] }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    pub cron: Vec<String>,
    pub every: Option<String>,
    pub dates: Vec<String>,
}

/// Fires once, at the start.
pub(crate) const ONCE: &str = "@once";

impl Schedule {
    pub fn of_cron(expressions: &[&str]) -> Self {
        Self { cron: expressions.iter().map(|text| (*text).to_owned()).collect(), ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it fires at its start.
    pub fn is_once(&self) -> bool {
        self.cron.iter().any(|text| text.trim() == ONCE)
    }
}

/// As a person would say it: `0 2 * * *, every 90m, on 2026-12-24`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let every = self.every.iter().map(|every| format!("every {every}"));
        let dates = (!self.dates.is_empty()).then(|| format!("on {}", self.dates.join(", ")));
        let all: Vec<String> = self.cron.iter().cloned().chain(every).chain(dates).collect();
        f.write_str(&all.join(", "))
    }
}

/// Why a schedule is not one.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ScheduleError {
    #[error(
        "\"{expression}\" is not a cron expression: {cause}. Write five fields: minute hour day month weekday, such as \"0 2 * * *\""
    )]
    Cron { expression: String, cause: String },
    #[error("\"{expression}\" names a date that never comes")]
    Never { expression: String },
    #[error("\"{zone}\" is not a time zone of the IANA database, such as \"Europe/Zurich\"")]
    Zone { zone: String },
    #[error(
        "every = \"{every}\" is not an interval: {cause}. Write a number and a unit, such as \"90m\", \"1h 30m\", \"2 weeks\" or \"1 month\""
    )]
    Every { every: String, cause: &'static str },
    #[error(
        "\"{date}\" is not a date: write \"2026-12-24\" or \"2026-12-24T18:00\", with an offset where it is not in the DAG's time zone"
    )]
    Date { date: String },
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Spelled)
    }
}

/// Not an untagged enum: that would answer one sentence for every mistake in a table.
struct Spelled;

impl<'de> Visitor<'de> for Spelled {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a cron expression, a list of them, or a table with `cron`, `every` or `dates`")
    }

    fn visit_str<E>(self, text: &str) -> Result<Schedule, E> {
        Ok(Schedule::of_cron(&[text]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Schedule, A::Error> {
        let mut cron = vec![];
        while let Some(text) = items.next_element()? {
            cron.push(text);
        }
        Ok(Schedule { cron, ..Schedule::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
        let Table { cron, every, dates } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Schedule { cron: cron.map(OneOrMany::into).unwrap_or_default(), every, dates })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    cron: Option<OneOrMany>,
    every: Option<String>,
    #[serde(default)]
    dates: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a cron expression, or a list of them")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(spelled: OneOrMany) -> Self {
        match spelled {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}
