//! Refuses what cannot run yet, on the parsed text, where line and column are known, and says what to write instead.

mod mentions;

use std::{collections::HashSet, ops::ControlFlow};

use datafusion_sql::sqlparser::{ast::*, tokenizer::Span};

use crate::{provider::Provider, spec::CompileError, window};
pub(crate) use mentions::Mentions;
use mentions::named_columns;

/// Where a record stands in Kafka, as columns of every stream. `SELECT *` does not show them.
/// `_key` is the key as text, and null where it is none or not UTF-8.
pub(crate) const PSEUDO_COLUMNS: [&str; 5] = ["_topic", "_partition", "_offset", "_timestamp", "_key"];

/// The aggregates whose state survives any split into commits and partitions with the same result.
const AGGREGATES: [&str; 5] = ["count", "sum", "min", "max", "avg"];

/// Walks over one query.
pub(crate) fn check(query: &Query, streams: &[&str], provider: &Provider) -> Result<Mentions, CompileError> {
    let found = Mentions {
        columns: named_columns(&query.body),
        start: Some(query.body.span().start),
        ..Mentions::default()
    };
    let mut checker = Checker { streams, provider, ctes: HashSet::new(), subqueries: Vec::new(), found };
    if let Some(with) = &query.with {
        checker.ctes.extend(with.cte_tables.iter().map(|t| folded(&t.alias.name)));
    }
    match query.visit(&mut checker) {
        ControlFlow::Continue(()) => Ok(checker.found),
        ControlFlow::Break(error) => Err(error),
    }
}

/// An unquoted name is lower case, as the planner has it.
pub(crate) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn refuse(span: Span, message: impl Into<String>) -> ControlFlow<CompileError> {
    ControlFlow::Break(CompileError::new(message).at(span.start.line, span.start.column))
}

struct Checker<'a> {
    streams: &'a [&'a str],
    provider: &'a Provider,
    ctes: HashSet<String>,
    /// Sub-queries that stand as the first argument of a window function: those are relations, not values.
    subqueries: Vec<Span>,
    found: Mentions,
}

impl Visitor for Checker<'_> {
    type Break = CompileError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<CompileError> {
        if let Some(order) = &query.order_by {
            return refuse(
                order.span(),
                "ORDER BY: a stream has no end to sort by; leave it out, and sort where the rows are read",
            );
        }
        if !query.locks.is_empty() || !query.pipe_operators.is_empty() || query.for_clause.is_some() {
            return refuse(query.span(), "a job is one plain SELECT: leave out what follows after it");
        }
        if query.limit_clause.is_some() || query.fetch.is_some() {
            return refuse(
                query.span(),
                "LIMIT: a stream has no first rows; leave it out, or filter with WHERE",
            );
        }
        match query.body.as_ref() {
            SetExpr::Select(_) | SetExpr::Query(_) => ControlFlow::Continue(()),
            SetExpr::SetOperation { op, .. } => refuse(
                query.body.span(),
                format!("{op} is not supported yet: write one job per SELECT, into the same target"),
            ),
            other => refuse(other.span(), "a job is one SELECT over a stream"),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<CompileError> {
        if let Some(distinct) = &select.distinct {
            return refuse(
                select.span(),
                format!(
                    "{distinct} is not supported yet: GROUP BY window_start, window_end and the columns, over tumble(…)"
                ),
            );
        }
        if let [_, second, ..] = &select.from[..] {
            return refuse(
                second.span(),
                "several streams in FROM: joins are not supported yet; a job reads one stream",
            );
        }
        let Some(from) = select.from.first() else {
            return refuse(select.span(), "FROM is missing: a job reads a stream");
        };
        if let Some(join) = from.joins.first() {
            return refuse(
                join.relation.span(),
                "joins are not supported yet: a job reads one stream; join where the rows are stored",
            );
        }
        if let Some(qualify) = &select.qualify {
            return refuse(
                qualify.span(),
                "QUALIFY is not supported yet: the first or the top rows of a key cannot be kept",
            );
        }
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => {
                return refuse(
                    select.group_by.span(),
                    "GROUP BY ALL: name the columns, window_start and window_end among them",
                );
            }
            GroupByExpr::Expressions(e, _) => e.first().map(Spanned::span),
        };
        if let Some(span) = grouped {
            self.found.grouping.get_or_insert(span.start);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<CompileError> {
        match factor {
            TableFactor::Table { version: Some(_), name, .. } => {
                refuse(name.span(), "FOR SYSTEM_TIME AS OF is not supported yet: a job reads one stream")
            }
            TableFactor::Table { name, args: Some(args), .. } => self.window_function(name, args),
            TableFactor::Table { name, sample: Some(_), .. } => refuse(
                name.span(),
                "TABLESAMPLE: a sample is not the same at a replay; filter by a column, as in WHERE _offset % 10 = 0",
            ),
            TableFactor::Table { name, .. } => match &name.0[..] {
                [ObjectNamePart::Identifier(name)] => self.stream(name),
                _ => refuse(name.span(), format!("{name}: a stream has a plain name")),
            },
            TableFactor::Derived { lateral: false, .. } => ControlFlow::Continue(()),
            other => {
                refuse(other.span(), format!("{other}: a job reads FROM a stream, tumble(…) or a sub-query"))
            }
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<CompileError> {
        match expr {
            Expr::Function(function) => return self.function(function),
            Expr::Subquery(query) if self.subqueries.contains(&query.span()) => {}
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                return refuse(
                    expr.span(),
                    "a sub-query as a value is a join, and joins are not supported yet",
                );
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Checker<'_> {
    fn stream(&mut self, name: &Ident) -> ControlFlow<CompileError> {
        let stream = folded(name);
        if self.ctes.contains(&stream) {
            return ControlFlow::Continue(());
        }
        if !self.streams.contains(&stream.as_str()) {
            return refuse(
                name.span,
                format!("there is no stream {stream}; declared are {}", self.streams.join(", ")),
            );
        }
        if !self.found.streams.contains(&stream) {
            self.found.streams.push(stream);
        }
        ControlFlow::Continue(())
    }

    fn window_function(&mut self, name: &ObjectName, args: &TableFunctionArgs) -> ControlFlow<CompileError> {
        let function = name.to_string().to_lowercase();
        if !window::FUNCTIONS.contains(&function.as_str()) {
            return refuse(
                name.span(),
                format!(
                    "{name}: there is no such function in FROM; there is tumble(stream, time, INTERVAL '1' MINUTE)"
                ),
            );
        }
        if function != "tumble" {
            return refuse(
                name.span(),
                format!("{name} is not supported yet: use tumble(stream, time, INTERVAL '1' MINUTE)"),
            );
        }
        self.found.window.get_or_insert(name.span().start);
        match args.args.first() {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(stream)))) => {
                self.stream(stream)
            }
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))) => {
                self.subqueries.push(query.span());
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn function(&mut self, function: &Function) -> ControlFlow<CompileError> {
        let name = function.name.to_string().to_lowercase();
        let place = function.name.span();
        self.found.functions.push((name.clone(), place.start));
        if function.over.is_some() {
            return refuse(
                place,
                format!("{name}(…) OVER is not supported yet: aggregate with GROUP BY over tumble(…)"),
            );
        }
        if self.provider.varies(&name) == Some(true) {
            return refuse(
                place,
                format!(
                    "{name}() would give another answer at a replay: use the event time, or _timestamp for the time in Kafka"
                ),
            );
        }
        if !self.provider.is_aggregate(&name) {
            return ControlFlow::Continue(());
        }
        self.found.grouping.get_or_insert(place.start);
        if !AGGREGATES.contains(&name.as_str()) {
            return refuse(
                place,
                format!("{name} is not supported yet: the aggregates are {}", AGGREGATES.join(", ")),
            );
        }
        match &function.args {
            FunctionArguments::List(list)
                if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) =>
            {
                refuse(
                    place,
                    format!(
                        "{name}(DISTINCT …) is not supported yet: add the column to GROUP BY, and count its rows where they are read"
                    ),
                )
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
