//! Recognises a logical plan as stages: steps, at most one window and one aggregation, steps.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::{
    Aggregate as LogicalAggregate, Expr, Extension, Filter, LogicalPlan, Projection, TableScan,
    execution_props::ExecutionProps, physical_planning_context::PhysicalPlanningContext,
};
use datafusion_physical_expr::{PhysicalExpr, aggregate::LoweredAggregateBuilder, create_physical_expr};

use crate::{
    aggregate::{Aggregate, Call},
    check::Mentions,
    job::Input,
    spec::{CompileError, Emit, JobSpec},
    stage::Step,
    window::{WindowNode, Windows},
};

/// What a column is a plain copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of the input.
    Input(usize),
    WindowStart,
    WindowEnd,
    /// A column of the group.
    Group(usize),
    Computed,
}

/// The stages of a plan, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Since the aggregation, or since the input where there is none.
    pub(super) steps: Vec<Step>,
    pub(super) origins: Vec<Origin>,
    /// The columns that come out, with their real nullability.
    pub(super) columns: Vec<Field>,
    pub(super) windows: Option<Windows>,
    /// The steps before the aggregation, and it.
    pub(super) operator: Option<(Vec<Step>, Aggregate)>,
    /// The group's columns.
    pub(super) groups: Vec<Origin>,
    /// The text of the group and the aggregates: two jobs with other text have other state.
    pub(super) meaning: String,
}

impl Flow {
    pub(super) fn of(
        plan: &LogicalPlan,
        input: &Input,
        spec: &JobSpec,
        found: &Mentions,
    ) -> Result<Self, CompileError> {
        let reader = Reader { input, spec, found };
        let mut flow = reader.read(plan).map_err(|e| found.at_column(e, ""))?;
        flow.columns = plan.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        if flow.windows.is_some() && flow.operator.is_none() {
            return Err(reader.at_window(
                "a window without an aggregate: GROUP BY window_start, window_end, or leave tumble(…) out",
            ));
        }
        Ok(flow)
    }
}

struct Reader<'a> {
    input: &'a Input,
    spec: &'a JobSpec,
    found: &'a Mentions,
}

impl Reader<'_> {
    /// Reads a node after its input, so steps come in the order in which rows meet them.
    fn read(&self, plan: &LogicalPlan) -> Result<Flow, CompileError> {
        match plan {
            LogicalPlan::TableScan(scan) => Ok(self.scan(scan)),
            LogicalPlan::SubqueryAlias(alias) => self.read(&alias.input),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Extension(Extension { node }) => match node.as_any().downcast_ref::<WindowNode>() {
                Some(window) => self.window(window),
                None => Err(CompileError::new(format!("{} is not supported", node.name()))),
            },
            LogicalPlan::EmptyRelation(_) => {
                Err(CompileError::new("the condition is never true, so the job would never write a row"))
            }
            LogicalPlan::Unnest(_) => {
                Err(CompileError::new("unnest is not supported yet: take single elements, as in column[1]"))
            }
            other => Err(CompileError::new(format!(
                "{} is not supported: a job filters, projects, and aggregates over tumble(…)",
                other.display()
            ))),
        }
    }

    fn scan(&self, scan: &TableScan) -> Flow {
        let columns =
            scan.projection.clone().unwrap_or_else(|| (0..self.input.schema.fields().len()).collect());
        let origins = columns.iter().map(|c| Origin::Input(*c)).collect();
        Flow { steps: vec![Step::Take(columns)], origins, ..Flow::default() }
    }

    fn projection(&self, projection: &Projection) -> Result<Flow, CompileError> {
        let mut flow = self.read(&projection.input)?;
        let schema = projection.input.schema();
        let expressions = projection.expr.iter().map(|e| physical(e, schema)).collect::<Result<_, _>>()?;
        flow.origins = projection.expr.iter().map(|e| origin(e, schema, &flow.origins)).collect();
        flow.steps.push(Step::Project { expressions, schema: nullable(projection.schema.as_arrow()) });
        Ok(flow)
    }

    fn filter(&self, filter: &Filter) -> Result<Flow, CompileError> {
        let mut flow = self.read(&filter.input)?;
        if flow.operator.is_some() && self.spec.emit == Emit::Updates {
            return Err(self.at_grouping(
                "a condition on aggregates cannot take back a row that it let through before: use emit = \"final\", or filter where the rows are read",
            ));
        }
        flow.steps.push(Step::Filter(physical(&filter.predicate, filter.input.schema())?));
        Ok(flow)
    }

    fn window(&self, window: &WindowNode) -> Result<Flow, CompileError> {
        let mut flow = self.read(&window.input)?;
        if flow.windows.is_some() || flow.operator.is_some() {
            return Err(self.at_window("a window over a window is not supported yet: write a second job over the target of the first"));
        }
        let Some(event_time) = self.input.event_time else {
            return Err(self.at_window(&format!(
                "the stream {} has no event_time: declare it in [streams.{}]",
                self.input.name, self.input.name
            )));
        };
        let Expr::Column(column) = &window.time else {
            return Err(self.at_window("the time of a window is a column"));
        };
        let time = window.input.schema().index_of_column(column).map_err(engine)?;
        if flow.origins[time] != Origin::Input(event_time) {
            let name = self.input.schema.field(event_time).name();
            return Err(self.at_window(&format!(
                "{column} is not the event time of the stream {}: use {name}, unchanged",
                self.input.name
            )));
        }
        flow.windows = Some(window.windows);
        flow.origins.extend([Origin::WindowStart, Origin::WindowEnd]);
        flow.steps.push(Step::Window {
            time,
            windows: window.windows,
            schema: nullable(window.schema.as_arrow()),
        });
        Ok(flow)
    }

    fn aggregate(&self, aggregate: &LogicalAggregate) -> Result<Flow, CompileError> {
        let mut flow = self.read(&aggregate.input)?;
        if flow.operator.is_some() {
            return Err(self.at_grouping("an aggregate over an aggregate is not supported yet: write a second job over the target of the first"));
        }
        if flow.windows.is_none() {
            let from = &self.input.name;
            return Err(self.at_grouping(&format!(
                "an aggregate over an endless stream never finishes: write FROM tumble({from}, time, INTERVAL '1' MINUTE) and GROUP BY window_start, window_end"
            )));
        }
        if aggregate.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return Err(self
                .at_grouping("GROUPING SETS, ROLLUP and CUBE are not supported: write a job per grouping"));
        }
        let schema = aggregate.input.schema();
        flow.groups = aggregate.group_expr.iter().map(|e| origin(e, schema, &flow.origins)).collect();
        let end = self.window_end(&flow.groups)?;
        let (step, operator) = self.operator(aggregate, end)?;
        flow.steps.push(step);
        flow.meaning = meaning(aggregate);
        let calls = aggregate.aggr_expr.len();
        flow.origins =
            (0..flow.groups.len()).map(Origin::Group).chain((0..calls).map(|_| Origin::Computed)).collect();
        flow.operator = Some((std::mem::take(&mut flow.steps), operator));
        Ok(flow)
    }

    fn window_end(&self, groups: &[Origin]) -> Result<usize, CompileError> {
        let end = groups.iter().position(|g| *g == Origin::WindowEnd);
        match (groups.contains(&Origin::WindowStart), end) {
            (true, Some(end)) => Ok(end),
            _ => Err(self.at_grouping("GROUP BY lacks the window: write GROUP BY window_start, window_end, and the columns of the key")),
        }
    }

    /// One projection that computes the group and all arguments, and the operator that finds them there.
    fn operator(&self, aggregate: &LogicalAggregate, end: usize) -> Result<(Step, Aggregate), CompileError> {
        let schema = aggregate.input.schema();
        let mut expressions: Vec<Arc<dyn PhysicalExpr>> =
            aggregate.group_expr.iter().map(|e| physical(e, schema)).collect::<Result<_, _>>()?;
        let groups = kinds(&expressions, schema)?;
        let mut calls = Vec::new();
        for expression in &aggregate.aggr_expr {
            calls.push(call(expression, schema, &mut expressions).map_err(engine)?);
        }
        let fields = kinds(&expressions, schema)?.into_iter().enumerate();
        let input =
            Schema::new(fields.map(|(i, kind)| Field::new(format!("c{i}"), kind, true)).collect::<Vec<_>>());
        let operator = Aggregate {
            groups,
            end,
            calls,
            output: nullable(aggregate.schema.as_arrow()),
            lateness_ms: self.spec.allowed_lateness_ms,
            emit: self.spec.emit,
        };
        Ok((Step::Project { expressions, schema: Arc::new(input) }, operator))
    }

    fn at_grouping(&self, message: &str) -> CompileError {
        let error = CompileError::new(message);
        self.found.grouping.map_or(error.clone(), |at| error.at(at.line, at.column))
    }

    fn at_window(&self, message: &str) -> CompileError {
        let error = CompileError::new(message);
        self.found.window.map_or(error.clone(), |at| error.at(at.line, at.column))
    }
}

fn call(
    expression: &Expr,
    schema: &DFSchema,
    expressions: &mut Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Call, DataFusionError> {
    let properties = ExecutionProps::new();
    let context = PhysicalPlanningContext::default();
    let lowered =
        LoweredAggregateBuilder::new(expression, schema, schema.as_arrow(), &properties, &context).build()?;
    let first = expressions.len();
    expressions.extend(lowered.aggregate.expressions());
    let arguments = first..expressions.len();
    let filter = lowered.filter.map(|filter| {
        expressions.push(filter);
        expressions.len() - 1
    });
    let states = lowered.aggregate.state_fields()?.iter().map(|f| f.data_type().clone()).collect();
    Ok(Call { function: lowered.aggregate, arguments, filter, states })
}

fn meaning(aggregate: &LogicalAggregate) -> String {
    let plain = |e: &Expr| e.clone().unalias().to_string();
    aggregate.group_expr.iter().chain(&aggregate.aggr_expr).map(plain).collect::<Vec<_>>().join("|")
}

fn kinds(
    expressions: &[Arc<dyn PhysicalExpr>],
    schema: &DFSchema,
) -> Result<Vec<arrow::datatypes::DataType>, CompileError> {
    expressions.iter().map(|e| e.data_type(schema.as_arrow()).map_err(engine)).collect()
}

fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, CompileError> {
    create_physical_expr(expression, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
        .map_err(engine)
}

fn origin(expression: &Expr, schema: &DFSchema, origins: &[Origin]) -> Origin {
    match expression {
        Expr::Alias(alias) => origin(&alias.expr, schema, origins),
        Expr::Column(column) => schema.index_of_column(column).map_or(Origin::Computed, |i| origins[i]),
        _ => Origin::Computed,
    }
}

/// The planner's nullability is a promise of the types, not of the data: batches between steps allow nulls everywhere.
fn nullable(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(
        schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ))
}

fn engine(error: DataFusionError) -> CompileError {
    CompileError::new(error.find_root().strip_backtrace())
}
