//! A compiled job: everything that a slot needs to run, and what others ask about it.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use crate::{
    aggregate::Aggregate,
    decode::InBatch,
    encode::{Encoded, Encoder},
    shape::Shape,
    slot::SlotError,
    stage::{self, Rows, Step},
    window::Windows,
};

/// A job that can run. Cheap to clone; slots share it.
#[derive(Debug, Clone)]
pub struct Job {
    pub(crate) plan: Arc<Plan>,
}

/// decode → rule → watermark → `before` → aggregate → `after` → encode.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) input: Input,
    pub(crate) rule: Option<Rule>,
    pub(crate) windows: Option<Windows>,
    pub(crate) before: Vec<Step>,
    pub(crate) operator: Option<Arc<Aggregate>>,
    pub(crate) after: Vec<Step>,
    pub(crate) encoder: Encoder,
    pub(crate) lateness_ms: i64,
    pub(crate) inputs: Vec<String>,
    pub(crate) output_schema: String,
    pub(crate) output_shape: Shape,
    pub(crate) output_key: Vec<String>,
    pub(crate) one_slot: bool,
    pub(crate) layout: u64,
    pub(crate) explained: String,
}

/// The stream that the job reads.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: Arc<str>,
    /// The stream's columns, then Kafka's pseudo-columns.
    pub(crate) schema: SchemaRef,
    pub(crate) event_time: Option<usize>,
    pub(crate) delay_ms: i64,
}

/// `deadletter_when`: steps that answer two columns, whether and why.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) steps: Vec<Step>,
    /// The reason where the expression for it is null.
    pub(crate) text: String,
}

impl Job {
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The streams that the SELECT reads.
    pub fn inputs(&self) -> &[String] {
        &self.plan.inputs
    }

    /// The Avro schema of the target, in its one spelling.
    pub fn output_schema(&self) -> &str {
        &self.plan.output_schema
    }

    /// The fields of the target that make its Kafka key; none where it has no key.
    pub fn output_key(&self) -> &[String] {
        &self.plan.output_key
    }

    pub fn is_stateful(&self) -> bool {
        self.plan.operator.is_some()
    }

    /// Whether rows of one group may stand in several partitions, because the group lacks the stream's key: then one slot must
    /// read them all.
    pub fn needs_one_slot(&self) -> bool {
        self.plan.one_slot
    }

    /// A hash of what decides how state is laid out: state of another layout cannot be taken over.
    pub fn state_layout(&self) -> u64 {
        self.plan.layout
    }

    /// The job in words: its input, its time, its plan, its target.
    pub fn explain(&self) -> String {
        self.plan.explained.clone()
    }

    /// What the job's SQL makes of rows, up to its aggregation. A slot does this and [`Job::encode`] in one go; here each can be
    /// measured for itself.
    pub fn work(&self, batch: &InBatch) -> Result<Worked, SlotError> {
        let rows = Rows::new(self.plan.with_pseudo_columns(batch)?);
        Ok(Worked(stage::run(&self.plan.before, rows, &mut Vec::new())?.batch))
    }

    /// Rows of a job without an aggregation as records of its target: key and Avro body, or why a row can't be one.
    pub fn encode(&self, rows: &Worked) -> Vec<Result<Encoded, String>> {
        self.plan.encoder.encode(&rows.0)
    }
}

/// Rows that are worked on and not encoded.
#[derive(Debug)]
pub struct Worked(RecordBatch);
