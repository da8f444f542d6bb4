//! What a check may ask of tables.

use super::Expect;
use serde::Deserialize;
use std::time::Duration;

/// What a check asks; exactly one of `ids_of`, `sql`, `cql`, `rows`, `fresh`, `unique`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// The fetch task of the same run whose ids must all be there.
    pub ids_of: Option<String>,
    #[serde(default)]
    pub tables: Vec<String>,
    /// A query whose first value must be as `expect` says.
    pub sql: Option<String>,
    pub cql: Option<String>,
    pub expect: Option<Expect>,
    /// A table has so many rows.
    pub rows: Option<CheckedRows>,
    /// A table's newest row is not too old.
    pub fresh: Option<CheckedFresh>,
    /// No two rows of a table have the same values.
    pub unique: Option<CheckedUnique>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedRows {
    pub table: String,
    pub equals: Option<u64>,
    pub at_least: Option<u64>,
    pub at_most: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedFresh {
    pub table: String,
    /// An instant in each row; the newest one counts.
    pub column: String,
    /// It must not be older.
    #[serde(deserialize_with = "model::span::parse")]
    pub within: Duration,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedUnique {
    pub table: String,
    pub columns: Vec<String>,
}

impl Checked {
    /// The tables that it names.
    pub fn tables(&self) -> Vec<String> {
        let rows = self.rows.iter().map(|rows| &rows.table);
        let fresh = self.fresh.iter().map(|fresh| &fresh.table);
        let unique = self.unique.iter().map(|unique| &unique.table);
        self.tables.iter().chain(rows).chain(fresh).chain(unique).cloned().collect()
    }

    /// What it asks, by the word for it.
    pub fn asked(&self) -> Vec<&'static str> {
        let asked = [
            (self.ids_of.is_some(), "ids_of"),
            (self.sql.is_some(), "sql"),
            (self.cql.is_some(), "cql"),
            (self.rows.is_some(), "rows"),
            (self.fresh.is_some(), "fresh"),
            (self.unique.is_some(), "unique"),
        ];
        asked.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect()
    }
}
