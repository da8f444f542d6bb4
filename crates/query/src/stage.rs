//! Steps over a batch: filter, project, add windows. What a plan is made of on both sides of its stateful operator.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, RecordBatchOptions, UInt32Array},
    compute::{concat_batches, filter, filter_record_batch},
    datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType},
    error::ArrowError,
};
use datafusion_common::DataFusionError;
use datafusion_physical_expr::PhysicalExpr;

use crate::window::Windows;

/// One step over a batch. Every step works on each row for itself.
#[derive(Debug)]
pub(crate) enum Step {
    /// Keeps these columns, in this order.
    Take(Vec<usize>),
    Filter(Arc<dyn PhysicalExpr>),
    Project {
        expressions: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
    },
    /// Appends `window_start` and `window_end` of the column `time`.
    Window {
        time: usize,
        windows: Windows,
        schema: SchemaRef,
    },
}

/// Rows on their way through steps, and for each the row of the first batch that it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    pub(crate) origin: UInt32Array,
}

/// A row that a step failed on, and why.
pub(crate) type Failure = (u32, String);

impl Rows {
    pub(crate) fn new(batch: RecordBatch) -> Self {
        let origin = UInt32Array::from_iter_values(0..batch.num_rows() as u32);
        Self { batch, origin }
    }

    fn slice(&self, from: usize, count: usize) -> Self {
        Self { batch: self.batch.slice(from, count), origin: self.origin.slice(from, count) }
    }
}

/// Runs all steps. Where they fail on the batch, it is halved until each row that fails stands alone: it is reported, the
/// others come through.
pub(crate) fn run(steps: &[Step], rows: Rows, failed: &mut Vec<Failure>) -> Result<Rows, ArrowError> {
    let mut parts = Vec::new();
    run_parts(steps, rows, &mut parts, failed);
    if parts.len() == 1 {
        return parts.pop().ok_or_else(|| ArrowError::ComputeError("no part".into()));
    }
    let Some(first) = parts.first() else {
        return Ok(Rows { batch: empty(steps), origin: UInt32Array::from(Vec::<u32>::new()) });
    };
    let schema = first.batch.schema();
    let batch = concat_batches(&schema, parts.iter().map(|p| &p.batch))?;
    let origin = parts.iter().flat_map(|p| p.origin.values().iter().copied()).collect::<Vec<_>>();
    Ok(Rows { batch, origin: origin.into() })
}

fn run_parts(steps: &[Step], rows: Rows, parts: &mut Vec<Rows>, failed: &mut Vec<Failure>) {
    let count = rows.batch.num_rows();
    let attempt = match rows.clone() {
        _ if count == 0 => return,
        rows => catch_unwind(AssertUnwindSafe(|| run_all(steps, rows))),
    };
    let reason = match attempt {
        Ok(Ok(done)) => return parts.push(done),
        Ok(Err(error)) => error.strip_backtrace(),
        Err(_) => "an expression of the job panicked on this row".into(),
    };
    if count == 1 {
        return failed.push((rows.origin.value(0), reason));
    }
    run_parts(steps, rows.slice(0, count / 2), parts, failed);
    run_parts(steps, rows.slice(count / 2, count - count / 2), parts, failed);
}

fn run_all(steps: &[Step], rows: Rows) -> Result<Rows, DataFusionError> {
    steps.iter().try_fold(rows, |rows, step| step.run(rows))
}

/// The batch without rows that the last projecting step would answer.
fn empty(steps: &[Step]) -> RecordBatch {
    let schema = steps.iter().rev().find_map(|s| match s {
        Step::Project { schema, .. } | Step::Window { schema, .. } => Some(Arc::clone(schema)),
        _ => None,
    });
    RecordBatch::new_empty(schema.unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty())))
}

impl Step {
    fn run(&self, rows: Rows) -> Result<Rows, DataFusionError> {
        let Rows { batch, origin } = rows;
        Ok(match self {
            Self::Take(columns) => Rows { batch: batch.project(columns)?, origin },
            Self::Filter(condition) => {
                let keep = evaluate(condition, &batch)?;
                let keep = keep
                    .as_boolean_opt()
                    .ok_or_else(|| DataFusionError::Internal("a condition that is not boolean".into()))?;
                let kept = filter(&origin, keep)?;
                Rows { batch: filter_record_batch(&batch, keep)?, origin: kept.as_primitive().clone() }
            }
            Self::Project { expressions, schema } => {
                let columns = expressions.iter().map(|e| evaluate(e, &batch)).collect::<Result<_, _>>()?;
                Rows { batch: with_rows(schema, columns, batch.num_rows())?, origin }
            }
            Self::Window { time, windows, schema } => {
                let mut columns = batch.columns().to_vec();
                let (start, end) = bounds(&columns[*time], windows)?;
                columns.extend([start, end]);
                Rows { batch: with_rows(schema, columns, batch.num_rows())?, origin }
            }
        })
    }
}

pub(crate) fn evaluate(
    expression: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
) -> Result<ArrayRef, DataFusionError> {
    expression.evaluate(batch)?.into_array(batch.num_rows())
}

/// A batch that may have no columns: `count(*)` needs none.
fn with_rows(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
}

fn bounds(time: &ArrayRef, windows: &Windows) -> Result<(ArrayRef, ArrayRef), ArrowError> {
    let instants = millis(time)?;
    let starts = instants.iter().map(|t| t.map(|t| windows.of(t).0));
    let ends = instants.iter().map(|t| t.map(|t| windows.of(t).1));
    Ok((of_millis(starts, time.data_type())?, of_millis(ends, time.data_type())?))
}

/// A timestamp column in whole milliseconds, rounded down.
pub(crate) fn millis(time: &ArrayRef) -> Result<PrimitiveArray<TimestampMillisecondType>, ArrowError> {
    match time.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Ok(time.as_primitive::<TimestampMillisecondType>().clone())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(time.as_primitive::<TimestampMicrosecondType>().unary(|t| t.div_euclid(1000)))
        }
        other => Err(ArrowError::ComputeError(format!("{other} is not an event time"))),
    }
}

fn of_millis(values: impl Iterator<Item = Option<i64>>, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let DataType::Timestamp(unit, zone) = kind else {
        return Err(ArrowError::ComputeError(format!("{kind} is not an event time")));
    };
    Ok(match unit {
        TimeUnit::Microsecond => {
            let micros: PrimitiveArray<TimestampMicrosecondType> =
                values.map(|v| v.map(|v| v * 1000)).collect();
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        _ => Arc::new(
            values.collect::<PrimitiveArray<TimestampMillisecondType>>().with_timezone_opt(zone.clone()),
        ),
    })
}
