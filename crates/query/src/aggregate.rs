//! Windowed aggregation: the operator, and the state that it keeps per window, group and input partition.
//!
//! State is kept by *input partition*, so that a partition can move to another slot with what belongs to it. A group that two
//! partitions touch has two partial states; they are merged, in the order of the partitions, when its row comes out.
//! Within a partition, values are taken in strictly one after the other: an old state is put into the accumulator first and
//! rows are added to it, so that even sums of doubles do not depend on where commits fell.

mod store;
mod touched;

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, SchemaRef},
};
use arrow_row::{RowConverter, SortField};
use datafusion_common::DataFusionError;
use datafusion_expr_common::groups_accumulator::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::GroupsAccumulatorAdapter;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

use crate::{slot::SlotError, spec::Emit, stage::millis};
use store::Store;
use touched::{Group, Touched};

/// What the compiler says about the aggregation. Its input has the group's columns first, then arguments and filters.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) groups: Vec<DataType>,
    /// Position of `window_end` among the group's columns.
    pub(crate) end: usize,
    pub(crate) calls: Vec<Call>,
    /// The group's columns and one per call.
    pub(crate) output: SchemaRef,
    pub(crate) lateness_ms: i64,
    pub(crate) emit: Emit,
}

/// One aggregate function, and where its arguments and its filter stand in the input.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Arc<AggregateFunctionExpr>,
    pub(crate) arguments: Range<usize>,
    pub(crate) filter: Option<usize>,
    pub(crate) states: Vec<DataType>,
}

/// Ordered by the end of the window, so that those that close are the first; then partials of one group stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StateKey {
    pub(crate) end: i64,
    pub(crate) group: Arc<[u8]>,
    pub(crate) partition: i32,
}

/// A state's new value; `None` where it is gone.
pub(crate) type Change = (StateKey, Option<Box<[u8]>>);

/// What a flush brings out: rows, and changes of state.
#[derive(Debug)]
pub(crate) struct Flushed {
    pub(crate) rows: RecordBatch,
    pub(crate) changes: Vec<Change>,
}

/// The running operator.
pub(crate) struct Operator {
    plan: Arc<Aggregate>,
    group_rows: RowConverter,
    state_rows: RowConverter,
    store: Store,
    touched: Touched,
}

impl Operator {
    pub(crate) fn new(plan: Arc<Aggregate>) -> Result<Self, DataFusionError> {
        let states = plan.calls.iter().flat_map(|c| c.states.iter());
        Ok(Self {
            group_rows: RowConverter::new(plan.groups.iter().map(|t| SortField::new(t.clone())).collect())?,
            state_rows: RowConverter::new(states.map(|t| SortField::new(t.clone())).collect())?,
            store: Store::default(),
            touched: Touched::new(&plan)?,
            plan,
        })
    }

    /// The number of states kept, as of the last flush.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    pub(crate) fn restore(&mut self, key: StateKey, value: Option<&[u8]>) {
        match value {
            Some(value) => self.store.insert(key, value.into()),
            None => drop(self.store.take(key.end, key.partition, &key.group)),
        }
    }

    /// Adds rows; `partitions` says for each where it comes from.
    pub(crate) fn add(&mut self, rows: &RecordBatch, partitions: &[i32]) -> Result<(), SlotError> {
        let groups = self.group_rows.convert_columns(&rows.columns()[..self.plan.groups.len()])?;
        let ends = millis(rows.column(self.plan.end))?;
        let known = self.touched.groups.len();
        let mut places = Vec::with_capacity(rows.num_rows());
        for (row, group) in groups.iter().enumerate() {
            let (partition, end) = (partitions[row], ends.value(row));
            places.push(self.touched.place(partition, group.data(), end, &mut self.store));
        }
        self.take_up(known)?;
        let total = self.touched.groups.len();
        let numbers: Vec<usize> = places.into_iter().map(|place| self.touched.groups[place].number).collect();
        for (call, accumulator) in self.plan.calls.iter().zip(&mut self.touched.accumulators) {
            let arguments = &rows.columns()[call.arguments.clone()];
            let filter = call.filter.map(|f| rows.column(f).as_boolean());
            accumulator.update_batch(arguments, &numbers, filter, total)?;
        }
        Ok(())
    }

    /// Puts the old state of the groups from `first` on into their accumulators, before any row of theirs.
    ///
    /// An accumulator takes it that each call brings values for every group that is new in it: it remembers "no nulls so far" as
    /// one flag. So the groups with an old state are numbered first and merged alone; the others are new in the update.
    fn take_up(&mut self, first: usize) -> Result<(), SlotError> {
        let states = self.touched.number(first);
        if states.is_empty() || self.plan.calls.is_empty() {
            return Ok(());
        }
        let total = first + states.len();
        let columns = state_columns(&self.state_rows, &states)?;
        let numbers = (first..total).collect::<Vec<_>>();
        merge(&self.plan, &mut self.touched.accumulators, &columns, &numbers, total)
    }

    /// Takes the rows since the last flush into the state, and brings out what the watermark or the job's mode asks for.
    pub(crate) fn flush(&mut self, watermark: Option<i64>) -> Result<Flushed, SlotError> {
        let touched = self.settle()?;
        // Everything that ends at or before this is closed.
        let closed_until = watermark.map_or(i64::MIN, |w| w.saturating_sub(self.plan.lateness_ms));
        let (rows, closed) = match self.plan.emit {
            Emit::Updates => {
                let rows = self.evaluate(&self.partials(&touched))?;
                (rows, self.store.close(closed_until))
            }
            Emit::Final => {
                let closed = self.store.close(closed_until);
                let states: Vec<_> = closed.iter().map(|(key, state)| (key.clone(), &**state)).collect();
                (self.evaluate(&states)?, closed)
            }
        };
        Ok(Flushed { rows, changes: changes(touched, closed, closed_until) })
    }

    /// Moves the accumulators' states into the store, and answers whose they were, each with its new state.
    fn settle(&mut self) -> Result<Vec<Settled>, SlotError> {
        let mut touched = std::mem::replace(&mut self.touched, Touched::new(&self.plan)?);
        if touched.groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut columns = Vec::new();
        for accumulator in &mut touched.accumulators {
            columns.extend(accumulator.state(EmitTo::All)?);
        }
        // GROUP BY without an aggregate: the group itself is all there is to remember.
        let rows = match columns.is_empty() {
            true => None,
            false => Some(self.state_rows.convert_columns(&columns)?),
        };
        let mut settle = |Group { key, old, number }: Group| {
            let state: Box<[u8]> =
                rows.as_ref().map_or_else(Box::default, |rows| rows.row(number).data().into());
            self.store.insert(key.clone(), state.clone());
            Settled { key, state, existed: old.is_some() }
        };
        Ok(touched.groups.into_iter().map(&mut settle).collect())
    }

    /// The states of the groups that were touched, of all partitions, in the order of their keys.
    fn partials(&self, touched: &[Settled]) -> Vec<(StateKey, &[u8])> {
        let mut partials: Vec<_> =
            touched.iter().flat_map(|settled| self.store.partials(&settled.key)).collect();
        partials.sort_unstable();
        partials.dedup();
        partials
    }

    /// One row per group, from its partial states in the order of their partitions.
    fn evaluate(&self, states: &[(StateKey, &[u8])]) -> Result<RecordBatch, SlotError> {
        let mut groups: Vec<&[u8]> = Vec::new();
        let mut positions = Vec::with_capacity(states.len());
        let mut last = None;
        for (key, _) in states {
            let group = (key.end, &*key.group);
            if last != Some(group) {
                groups.push(&key.group);
                last = Some(group);
            }
            positions.push(groups.len() - 1);
        }
        if groups.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.plan.output)));
        }
        let parser = self.group_rows.parser();
        let mut columns = self.group_rows.convert_rows(groups.iter().map(|g| parser.parse(g)))?;
        columns.extend(self.results(states, &positions, groups.len())?);
        Ok(RecordBatch::try_new(Arc::clone(&self.plan.output), columns)?)
    }

    fn results(
        &self,
        states: &[(StateKey, &[u8])],
        positions: &[usize],
        total: usize,
    ) -> Result<Vec<ArrayRef>, SlotError> {
        if self.plan.calls.is_empty() {
            return Ok(Vec::new());
        }
        let states: Vec<&[u8]> = states.iter().map(|(_, state)| *state).collect();
        let columns = state_columns(&self.state_rows, &states)?;
        let mut accumulators = accumulators(&self.plan)?;
        merge(&self.plan, &mut accumulators, &columns, positions, total)?;
        Ok(accumulators.iter_mut().map(|a| a.evaluate(EmitTo::All)).collect::<Result<_, _>>()?)
    }
}

fn accumulators(plan: &Aggregate) -> Result<Vec<Box<dyn GroupsAccumulator>>, DataFusionError> {
    plan.calls.iter().map(Call::accumulator).collect()
}

impl Call {
    fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        if self.function.groups_accumulator_supported() {
            return self.function.create_groups_accumulator();
        }
        let function = Arc::clone(&self.function);
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
    }
}

fn merge(
    plan: &Aggregate,
    accumulators: &mut [Box<dyn GroupsAccumulator>],
    columns: &[ArrayRef],
    positions: &[usize],
    total: usize,
) -> Result<(), SlotError> {
    let mut rest = columns;
    for (call, accumulator) in plan.calls.iter().zip(accumulators) {
        let (own, others) = rest.split_at(call.states.len());
        accumulator.merge_batch(own, positions, total)?;
        rest = others;
    }
    Ok(())
}

fn state_columns(rows: &RowConverter, states: &[&[u8]]) -> Result<Vec<ArrayRef>, SlotError> {
    let parser = rows.parser();
    Ok(rows.convert_rows(states.iter().map(|s| parser.parse(s)))?)
}

/// A group after a flush.
struct Settled {
    key: StateKey,
    state: Box<[u8]>,
    /// Whether the changelog has heard of it.
    existed: bool,
}

/// New states of what is open, and the end of what is closed. What was opened and closed between two flushes is in neither: the
/// changelog never heard of it.
fn changes(touched: Vec<Settled>, closed: Vec<(StateKey, Box<[u8]>)>, closed_until: i64) -> Vec<Change> {
    let mut changes = Vec::with_capacity(touched.len() + closed.len());
    let mut unheard = HashSet::new();
    for Settled { key, state, existed } in touched {
        if key.end > closed_until {
            changes.push((key, Some(state)));
        } else if !existed {
            unheard.insert(key);
        }
    }
    changes.extend(closed.into_iter().filter(|(key, _)| !unheard.contains(key)).map(|(key, _)| (key, None)));
    changes
}
