//! From a topic to a table: batch, write, quarantine, commit.
//!
//! [`process`] keeps one drive per declared table. A drive reads committed records in order, decodes them by the schema that they
//! were written with, hands rows to a [`Table`] of a [`Store`], sends what cannot be a row to the dead letters, and only then commits
//! the offset. Tables are idempotent by the row's version, so that a batch may be written again.

mod batch;
mod decode;
mod drive;
mod feed;
mod progress;
mod row;
mod status;
mod store;
mod tables;
mod writer;

pub use row::{Row, decimal, text, too_long};
pub use store::{Places, Store, Table, Turn, Turns, WriteError, Written};
pub use tables::{Begun, Context, process};

use pipeline::{Column, Stream};

/// A declared table with what is needed to write it.
#[derive(Clone, Debug)]
pub struct Target {
    pub pipeline: String,
    pub version: String,
    pub table: pipeline::Table,
    pub stream: Stream,
    /// The table's columns, in the order of a row's values.
    pub columns: Vec<Column>,
}

impl Target {
    /// The columns that tell rows apart.
    pub fn primary_key(&self) -> Vec<String> {
        self.table.primary_key(&self.stream.key)
    }

    /// Where a column stands in a row.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// Says how a table that exists differs from the declared one, or nothing where it does not. Columns by name and type.
    pub fn drift(&self, expected: &[(String, String)], found: &[(String, String)]) -> Option<String> {
        let differs = |(name, kind): &(String, String)| match found.iter().find(|(other, _)| other == name) {
            None => Some(format!("column {name} {kind} is missing")),
            Some((_, other)) if other != kind => Some(format!("column {name} is {other}, declared {kind}")),
            Some(_) => None,
        };
        let extra = found.iter().filter(|(name, _)| !expected.iter().any(|(known, _)| known == name));
        let differences: Vec<String> = expected
            .iter()
            .filter_map(differs)
            .chain(extra.map(|(name, kind)| format!("column {name} {kind} is not declared")))
            .collect();
        (!differences.is_empty()).then(|| {
            format!("the table {}.{} differs from its stream's schema: {}. Change one of them, or declare another table", self.table.place(), self.table.name, differences.join("; "))
        })
    }
}

#[cfg(test)]
mod tests;
