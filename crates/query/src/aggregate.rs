//! Windowed aggregation: the operator, and the state that it keeps per window, group and input partition.
//!
//! State is kept by *input partition*, so that a partition can move to another slot with what belongs to it. A group that two
//! partitions touch has two partial states; they are merged, in the order of the partitions, when its row comes out.
//! Within a partition, values are taken in strictly one after the other: an old state is put into the accumulator first and
//! rows are added to it, so that even sums of doubles do not depend on where commits fell.

mod touched;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

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
use touched::Touched;

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateKey {
    pub(crate) end: i64,
    pub(crate) group: Box<[u8]>,
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
    store: BTreeMap<StateKey, Box<[u8]>>,
    touched: Touched,
}

impl Operator {
    pub(crate) fn new(plan: Arc<Aggregate>) -> Result<Self, DataFusionError> {
        let states = plan.calls.iter().flat_map(|c| c.states.iter());
        Ok(Self {
            group_rows: RowConverter::new(plan.groups.iter().map(|t| SortField::new(t.clone())).collect())?,
            state_rows: RowConverter::new(states.map(|t| SortField::new(t.clone())).collect())?,
            store: BTreeMap::new(),
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
            None => self.store.remove(&key),
        };
    }

    /// Adds rows; `partitions` says for each where it comes from.
    pub(crate) fn add(&mut self, rows: &RecordBatch, partitions: &[i32]) -> Result<(), SlotError> {
        let groups = self.group_rows.convert_columns(&rows.columns()[..self.plan.groups.len()])?;
        let ends = millis(rows.column(self.plan.end))?;
        let known = self.touched.keys.len();
        let mut positions = Vec::with_capacity(rows.num_rows());
        for (row, group) in groups.iter().enumerate() {
            positions.push(self.touched.position(partitions[row], group.data(), ends.value(row)));
        }
        self.take_up(known, &mut positions)?;
        let total = self.touched.keys.len();
        for (call, accumulator) in self.plan.calls.iter().zip(&mut self.touched.accumulators) {
            let arguments = &rows.columns()[call.arguments.clone()];
            let filter = call.filter.map(|f| rows.column(f).as_boolean());
            accumulator.update_batch(arguments, &positions, filter, total)?;
        }
        Ok(())
    }

    /// Puts the old state of the groups from `first` on into their accumulators, before any row of theirs.
    ///
    /// An accumulator takes it that each call brings values for every group that is new in it: it remembers "no nulls so far" as
    /// one flag. So the groups with an old state are numbered first and merged alone; the others are new in the update.
    fn take_up(&mut self, first: usize, positions: &mut [usize]) -> Result<(), SlotError> {
        let with_state = |i: &usize| self.store.contains_key(&self.touched.keys[*i]);
        let (mut order, new): (Vec<usize>, Vec<usize>) =
            (first..self.touched.keys.len()).partition(with_state);
        if order.is_empty() || self.plan.calls.is_empty() {
            return Ok(());
        }
        let total = first + order.len();
        order.extend(new);
        self.touched.reorder(first, &order, positions);
        let states: Vec<&[u8]> =
            self.touched.keys[first..total].iter().filter_map(|k| Some(&**self.store.get(k)?)).collect();
        let columns = self.state_columns(&states)?;
        merge(
            &self.plan,
            &mut self.touched.accumulators,
            &columns,
            &(first..total).collect::<Vec<_>>(),
            total,
        )
    }

    fn state_columns(&self, states: &[&[u8]]) -> Result<Vec<ArrayRef>, SlotError> {
        let parser = self.state_rows.parser();
        Ok(self.state_rows.convert_rows(states.iter().map(|s| parser.parse(s)))?)
    }

    /// Takes the rows since the last flush into the state, and brings out what the watermark or the job's mode asks for.
    pub(crate) fn flush(&mut self, watermark: Option<i64>) -> Result<Flushed, SlotError> {
        let existed: Vec<bool> = self.touched.keys.iter().map(|k| self.store.contains_key(k)).collect();
        let touched = self.settle()?;
        // Everything that ends at or before this is closed.
        let closed_until = watermark.map_or(i64::MIN, |w| w.saturating_sub(self.plan.lateness_ms));
        let out: BTreeMap<&StateKey, &[u8]> = match self.plan.emit {
            Emit::Final => self.store.range(..first_after(closed_until)).map(|(k, v)| (k, &**v)).collect(),
            Emit::Updates => touched.iter().flat_map(|k| self.partials(k)).collect(),
        };
        let rows = self.evaluate(&out)?;
        let open = self.store.split_off(&first_after(closed_until));
        let mut closed = std::mem::replace(&mut self.store, open);
        let mut changes: Vec<Change> = Vec::new();
        for (key, existed) in touched.into_iter().zip(existed) {
            match self.store.get(&key) {
                Some(state) => changes.push((key, Some(state.clone()))),
                // Opened and closed between two flushes: the changelog never heard of it.
                None if !existed => drop(closed.remove(&key)),
                None => {}
            }
        }
        changes.extend(closed.into_keys().map(|key| (key, None)));
        Ok(Flushed { rows, changes })
    }

    /// Moves the accumulators' states into the store, and answers which keys those were.
    fn settle(&mut self) -> Result<Vec<StateKey>, SlotError> {
        let mut touched = std::mem::replace(&mut self.touched, Touched::new(&self.plan)?);
        if touched.keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut columns = Vec::new();
        for accumulator in &mut touched.accumulators {
            columns.extend(accumulator.state(EmitTo::All)?);
        }
        if columns.is_empty() {
            // GROUP BY without an aggregate: the group itself is all there is to remember.
            self.store.extend(touched.keys.iter().map(|k| (k.clone(), Box::from([]))));
            return Ok(touched.keys);
        }
        let rows = self.state_rows.convert_columns(&columns)?;
        for (key, row) in touched.keys.iter().zip(rows.iter()) {
            self.store.insert(key.clone(), row.data().into());
        }
        Ok(touched.keys)
    }

    /// The states of one group of a window, of all partitions.
    fn partials(&self, key: &StateKey) -> impl Iterator<Item = (&StateKey, &[u8])> {
        let with = |partition| StateKey { partition, ..key.clone() };
        self.store.range(with(i32::MIN)..=with(i32::MAX)).map(|(k, v)| (k, &**v))
    }

    /// One row per group, from its partial states in the order of their partitions.
    fn evaluate(&self, states: &BTreeMap<&StateKey, &[u8]>) -> Result<RecordBatch, SlotError> {
        let mut groups: Vec<&[u8]> = Vec::new();
        let mut positions = Vec::with_capacity(states.len());
        let mut last = None;
        for key in states.keys() {
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
        states: &BTreeMap<&StateKey, &[u8]>,
        positions: &[usize],
        total: usize,
    ) -> Result<Vec<ArrayRef>, SlotError> {
        if self.plan.calls.is_empty() {
            return Ok(Vec::new());
        }
        let columns = self.state_columns(&states.values().copied().collect::<Vec<_>>())?;
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

/// Below every key of a later window.
fn first_after(end: i64) -> StateKey {
    StateKey { end: end.saturating_add(1), group: Box::from([]), partition: i32::MIN }
}
