//! Streaming SQL jobs over record batches: compiled once, run in slots, with windows, watermarks and state.
//!
//! The only crate that knows DataFusion, and it knows no Kafka: records come in as bytes with their place, and a [`Commit`]
//! says what one transaction has to hold. What a job means is fixed in the project's documents on streaming SQL; the cases in
//! `testdata` are its examples.
//!
//! The way of a record: [`Decoder`] (Avro to columns) → [`Slot::push`] (dead-letter rule, watermark, steps, aggregation) →
//! [`Slot::flush`] (rows that come out, changes of state). DataFusion plans and evaluates expressions; windows, time and state
//! are ours.

// What a caller says, and gets.
mod commit;
mod declared;
mod job;
mod spec;

// From SQL to a plan.
mod check;
mod check_bundle;
mod compile;
mod derive;
mod plan;
mod provider;
mod window;

// The way of a row, from Kafka's bytes to them.
mod decode;
mod guard;
mod slot;
mod watermark;

mod aggregate;
mod changelog;
mod encode;
mod stage;

// Avro as a tree, as bytes and as JSON.
mod json;
mod shape;

pub mod steps;

pub use check_bundle::check_bundle;
pub use commit::{Commit, DeadRow, OutRow};
pub use compile::compile;
pub use decode::{Decoded, Decoder, DecoderError, InBatch, InRecord};
pub use job::{Job, Worked};
pub use slot::{Slot, SlotError};
pub use spec::{CompileError, Emit, JobSpec, StreamDef};
