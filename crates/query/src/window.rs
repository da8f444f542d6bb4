//! Windows: which one an instant falls into, and `tumble(stream, time, size)` as a node of the logical plan.

use std::{cmp::Ordering, collections::HashSet, fmt, sync::Arc};

use arrow::datatypes::{Field, FieldRef};
use datafusion_common::{DFSchema, DFSchemaRef, Result, ScalarValue, TableReference, plan_err};
use datafusion_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore,
    planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning},
};
use datafusion_sql::sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, ObjectName, TableFactor, TableFunctionArgs,
};

pub(crate) const WINDOW_START: &str = "window_start";
pub(crate) const WINDOW_END: &str = "window_end";

/// The window functions of streaming SQL; those that cannot run yet are refused by `check`.
pub(crate) const FUNCTIONS: [&str; 4] = ["tumble", "hop", "cumulate", "session"];

/// How instants are cut into windows, in milliseconds. `hop` and `cumulate` will be further variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Windows {
    Tumble { size_ms: i64, offset_ms: i64 },
}

impl Windows {
    /// The window `[start, end)` of an instant. Neither overflows: instants are of the years 1 to 9999, sizes below that.
    pub(crate) fn of(&self, instant_ms: i64) -> (i64, i64) {
        let Self::Tumble { size_ms, offset_ms } = *self;
        let start = instant_ms - (instant_ms - offset_ms).rem_euclid(size_ms);
        (start, start + size_ms)
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Tumble { size_ms, offset_ms } = self;
        write!(f, "tumble of {size_ms} ms, offset {offset_ms} ms")
    }
}

/// The columns of its input and after them `window_start` and `window_end`, of the time column's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WindowNode {
    pub(crate) input: LogicalPlan,
    /// Always a column.
    pub(crate) time: Expr,
    pub(crate) windows: Windows,
    pub(crate) schema: DFSchemaRef,
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
        None
    }
}

impl WindowNode {
    fn new(input: LogicalPlan, time: Expr, windows: Windows) -> Result<Self> {
        let Expr::Column(column) = &time else {
            return plan_err!(
                "the second argument of a window function is a column of the stream, found {time}"
            );
        };
        let mut fields: Vec<(Option<TableReference>, FieldRef)> =
            input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        let qualifier = fields.first().and_then(|f| f.0.clone());
        let kind = input.schema().qualified_field_from_column(column)?.1.data_type().clone();
        for name in [WINDOW_START, WINDOW_END] {
            fields.push((qualifier.clone(), Arc::new(Field::new(name, kind.clone(), false))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { input, time, windows, schema })
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.time.clone()]
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        [WINDOW_START, WINDOW_END].map(String::from).into()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window: {} on {}", self.windows, self.time)
    }

    fn with_exprs_and_inputs(
        &self,
        mut expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        match (expressions.pop(), inputs.pop()) {
            (Some(time), Some(input)) => Self::new(input, time, self.windows),
            _ => plan_err!("a window has one input and one time column"),
        }
    }

    /// The time column is always needed; the rest of the input where the output is.
    fn necessary_children_exprs(&self, outputs: &[usize]) -> Option<Vec<Vec<usize>>> {
        let Expr::Column(time) = &self.time else { return None };
        let inputs = self.input.schema().fields().len();
        let time = self.input.schema().index_of_column(time).ok()?;
        let mut needed: Vec<usize> = outputs.iter().copied().filter(|i| *i < inputs).chain([time]).collect();
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

/// Plans a window function in FROM; its first argument may be a stream, a CTE or a sub-query.
#[derive(Debug)]
pub(crate) struct WindowFunctions;

impl RelationPlanner for WindowFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::Table { name, alias, args: Some(args), .. }
                if name.to_string().eq_ignore_ascii_case("tumble") =>
            {
                let node = plan_tumble(args, context)?;
                let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

fn plan_tumble(args: TableFunctionArgs, context: &mut dyn RelationPlannerContext) -> Result<WindowNode> {
    let args: Vec<ast::Expr> = args.args.into_iter().map(plain).collect::<Result<_>>()?;
    let (stream, time, size, offset) = match &args[..] {
        [stream, time, size] => (stream, time, size, None),
        [stream, time, size, offset] => (stream, time, size, Some(offset)),
        _ => {
            return plan_err!(
                "tumble has three or four arguments: tumble(stream, time, INTERVAL '1' MINUTE [, INTERVAL 'offset' SECOND])"
            );
        }
    };
    let input = context.plan(relation_of(stream)?)?;
    let time = context.sql_to_expr(time.clone(), input.schema())?;
    let size_ms = millis(size, context)?;
    let offset_ms = offset.map_or(Ok(0), |o| millis(o, context))?;
    if !(1..=SIZE_MAX_MS).contains(&size_ms) || offset_ms.abs() >= size_ms {
        return plan_err!(
            "a window is between 1 ms and 36500 days long, and its offset is less than that; found {size_ms} ms, offset {offset_ms} ms"
        );
    }
    WindowNode::new(input, time, Windows::Tumble { size_ms, offset_ms })
}

/// A hundred years: beyond it, the ends of windows could leave the range of timestamps.
const SIZE_MAX_MS: i64 = 36_500 * 86_400_000;

fn plain(argument: FunctionArg) -> Result<ast::Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Ok(expression),
        other => plan_err!("{other}: a window function takes plain arguments"),
    }
}

fn relation_of(argument: &ast::Expr) -> Result<TableFactor> {
    match argument {
        ast::Expr::Identifier(name) => Ok(table(ObjectName::from(vec![name.clone()]))),
        ast::Expr::Subquery(query) => {
            Ok(TableFactor::Derived { lateral: false, subquery: query.clone(), alias: None, sample: None })
        }
        other => plan_err!(
            "{other}: the first argument of a window function is a stream or a sub-query in parentheses"
        ),
    }
}

fn table(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

fn millis(argument: &ast::Expr, context: &mut dyn RelationPlannerContext) -> Result<i64> {
    let expression = context.sql_to_expr(argument.clone(), &DFSchema::empty())?;
    match &expression {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(i)), _)
            if i.months == 0 && i.nanoseconds % 1_000_000 == 0 =>
        {
            Ok(i64::from(i.days) * 86_400_000 + i.nanoseconds / 1_000_000)
        }
        _ => plan_err!(
            "{argument}: a fixed interval of whole milliseconds is expected, such as INTERVAL '1' MINUTE (a month has no fixed length)"
        ),
    }
}

#[cfg(test)]
mod tests;
