//! What a caller says about a job, and what it hears when that is not a job.

use std::fmt;

/// A stream as it is declared in a pipeline: its fields, its time and its key.
#[derive(Debug, Clone, Default)]
pub struct StreamDef {
    /// Also the name of its topic.
    pub name: String,
    /// The text of its `.avsc` file.
    pub schema: String,
    /// A field of type `timestamp-millis` or `timestamp-micros`. Without it the stream has no watermark and no windows.
    pub event_time: Option<String>,
    pub watermark_delay_ms: i64,
    /// The fields that make the Kafka key; empty where the stream has none.
    pub key: Vec<String>,
}

/// When the row of a window comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emit {
    /// Once, when the window closes.
    #[default]
    Final,
    /// Once per key and flush, whenever it changed.
    Updates,
}

/// One job: a `SELECT`, the streams that it may name, and its target.
#[derive(Debug, Clone, Default)]
pub struct JobSpec {
    pub name: String,
    pub sql: String,
    /// All declared streams that the SELECT may name.
    pub inputs: Vec<StreamDef>,
    /// The name of the target stream.
    pub into: String,
    /// The target where it is declared; without it, schema and key are derived from the SELECT.
    pub target: Option<StreamDef>,
    pub emit: Emit,
    pub allowed_lateness_ms: i64,
    /// How many slots are wanted; compare with [`Job::needs_one_slot`](crate::Job::needs_one_slot).
    pub slots: u32,
    /// A condition over the input row: where it is true, the row goes to the dead letters.
    pub deadletter_when: Option<String>,
    /// An expression over the input row that gives the reason as text.
    pub deadletter_reason: Option<String>,
}

/// Why a job is refused, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    pub message: String,
    /// Counted from 1, in the SQL text.
    pub line: Option<u64>,
    /// Counted from 1, in characters.
    pub column: Option<u64>,
}

impl CompileError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None, column: None }
    }

    /// Adds the place, unless one is known already. Line 0 is the parser's way of saying "nowhere".
    pub(crate) fn at(mut self, line: u64, column: u64) -> Self {
        if self.line.is_none() && line > 0 {
            self.line = Some(line);
            self.column = Some(column);
        }
        self
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}
