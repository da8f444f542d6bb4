//! SQL text to an optimised logical plan, whose shape the compiler can recognise.

use std::ops::ControlFlow;

use datafusion_common::DataFusionError;
use datafusion_expr::{LogicalPlan, planner::ContextProvider};
use datafusion_optimizer::{Analyzer, Optimizer, OptimizerContext};
use datafusion_sql::{
    planner::{ParserOptions, SqlToRel},
    sqlparser::{
        ast::*,
        dialect::GenericDialect,
        parser::{Parser, ParserError},
    },
};

use crate::{
    check::{Mentions, PSEUDO_COLUMNS, folded},
    provider::Provider,
    spec::CompileError,
};

/// Rules that rewrite a plan into something that a batch engine runs faster and a stream cannot recognise.
const RULES_DROPPED: [&str; 8] = [
    "single_distinct_aggregation_to_group_by",
    "replace_distinct_aggregate",
    "common_sub_expression_eliminate",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
    "eliminate_outer_join",
    "filter_null_join_keys",
    "eliminate_group_by_constant",
];

/// The optimiser repeats its rules until nothing changes, at most so often: it settles after one or two.
const PASSES_MAX: usize = 3;

/// Parses the one query that a job is.
pub(crate) fn parse(sql: &str) -> Result<Query, CompileError> {
    let parsed = Parser::new(&GenericDialect).try_with_sql(sql).and_then(|mut p| p.parse_statements());
    let mut statements = parsed.map_err(|e| syntax_error(e, sql))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        (None, _) => Err(CompileError::new("the file is empty: a job is one SELECT")),
        (Some(other), _) => {
            let at = other.span().start;
            Err(CompileError::new("a job is exactly one SELECT, and nothing else").at(at.line, at.column))
        }
    }
}

/// The parser writes the place into its message: ` at Line: 1, Column: 8`. It writes none where the text ends too early.
fn syntax_error(error: ParserError, sql: &str) -> CompileError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => "it is nested too deeply".into(),
    };
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        let last = sql.lines().last().unwrap_or_default();
        return CompileError::new(text).at(sql.lines().count() as u64, last.chars().count() as u64 + 1);
    };
    let mut numbers = place.split(", Column: ").map(|n| n.trim().parse());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => CompileError::new(message).at(line, column),
        _ => CompileError::new(text),
    }
}

/// Takes Kafka's pseudo-columns out of `SELECT *` where it stands directly on a stream: from there on nobody sees them.
pub(crate) fn hide_pseudo_columns(query: &mut Query, found: &Mentions) {
    let _: ControlFlow<()> = VisitMut::visit(query, &mut Hide(found));
}

struct Hide<'a>(&'a Mentions);

impl VisitorMut for Hide<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let direct =
            select.from.first().is_some_and(|from| stands_on_stream(&from.relation, &self.0.streams));
        for item in &mut select.projection {
            match item {
                SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) if direct => {
                    hide(options)
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

/// Adds the pseudo-columns to what the wildcard leaves out already.
fn hide(options: &mut WildcardAdditionalOptions) {
    let mut names: Vec<ObjectName> =
        PSEUDO_COLUMNS.iter().map(|p| ObjectName::from(vec![Ident::new(*p)])).collect();
    if let Some(except) = &mut options.opt_except {
        except.additional_elements.extend(PSEUDO_COLUMNS.map(Ident::new));
        return;
    }
    match options.opt_exclude.take() {
        Some(ExcludeSelectItem::Single(name)) => names.push(name),
        Some(ExcludeSelectItem::Multiple(more)) => names.extend(more),
        None => {}
    }
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(names));
}

fn stands_on_stream(factor: &TableFactor, streams: &[String]) -> bool {
    let TableFactor::Table { name, args, .. } = factor else { return false };
    let name = match args.as_ref().map(|a| a.args.first()) {
        Some(Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))))) => name,
        Some(_) => return false,
        None => match name.0.last() {
            Some(ObjectNamePart::Identifier(name)) => name,
            _ => return false,
        },
    };
    streams.contains(&folded(name))
}

/// Plans and optimises.
pub(crate) fn plan(query: Query, found: &Mentions, provider: &Provider) -> Result<LogicalPlan, CompileError> {
    logical(query, provider).map_err(|error| explain_error(&error, found))
}

fn logical(query: Query, provider: &Provider) -> Result<LogicalPlan, DataFusionError> {
    let options = ParserOptions {
        // Text stays Utf8 all the way: views would have to be cast before the encoder.
        map_string_types_to_utf8view: false,
        collect_spans: true,
        ..Default::default()
    };
    let planner = SqlToRel::new_with_options(provider, options);
    let plan = planner.sql_statement_to_plan(Statement::Query(Box::new(query)))?;
    let plan = Analyzer::new().execute_and_check(plan, provider.options(), |_, _| {})?;
    let rules = Optimizer::new().rules.into_iter().filter(|r| !RULES_DROPPED.contains(&r.name())).collect();
    let context =
        OptimizerContext::new().without_query_execution_start_time().with_max_passes(PASSES_MAX as u8);
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {})
}

/// The planner's own words without its prefix, with the place that it knows, or that of the function it speaks of.
fn explain_error(error: &DataFusionError, found: &Mentions) -> CompileError {
    let root = error.find_root();
    let message = root.message().into_owned();
    let message = message.split("\n\nbacktrace").next().unwrap_or_default().replace('\n', " ");
    let explained = match root {
        DataFusionError::NotImplemented(_) => {
            CompileError::new(format!("not supported: {message}; write it in a simpler way"))
        }
        _ => CompileError::new(&message),
    };
    let known = error.diagnostic().and_then(|d| d.span).map(|s| (s.start.line, s.start.column));
    let named = found
        .functions
        .iter()
        .find(|(name, _)| message.to_lowercase().contains(&format!("'{name}'")))
        .map(|(_, at)| at);
    let of_window = found
        .window
        .as_ref()
        .filter(|_| ["window", "tumble", "interval"].iter().any(|word| message.contains(word)));
    match (known, named.or(of_window)) {
        (Some((line, column)), _) => explained.at(line, column),
        (None, Some(at)) => explained.at(at.line, at.column),
        (None, None) => found.at_column(explained, ""),
    }
}

/// Parses one expression that stands outside of the SQL file, such as `deadletter_when`.
pub(crate) fn parse_expression(text: &str, setting: &str) -> Result<Expr, CompileError> {
    let refuse = |e: String| CompileError::new(format!("{setting} = \"{text}\": {e}"));
    let mut parser =
        Parser::new(&GenericDialect).try_with_sql(text).map_err(|e: ParserError| refuse(e.to_string()))?;
    let expression = parser.parse_expr().map_err(|e| refuse(e.to_string()))?;
    match parser.peek_token().token {
        datafusion_sql::sqlparser::tokenizer::Token::EOF => Ok(expression),
        other => Err(refuse(format!("it should end before {other}"))),
    }
}
