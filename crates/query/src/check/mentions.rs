//! What the text of a job mentions, and where: errors that are found later take their place from here.

use datafusion_sql::sqlparser::{ast::*, tokenizer::Location};

use super::folded;
use crate::spec::CompileError;

/// What the text mentions, found on the way.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) streams: Vec<String>,
    /// Every function by name and place, for errors of the planner that know no place.
    pub(crate) functions: Vec<(String, Location)>,
    /// The first GROUP BY, or else the first aggregate function.
    pub(crate) grouping: Option<Location>,
    /// The first window function in FROM.
    pub(crate) window: Option<Location>,
    /// The columns of the outermost SELECT by their names, and where each is written; a wildcard ends the list.
    pub(super) columns: Vec<(String, Location)>,
    pub(super) start: Option<Location>,
}

impl Mentions {
    /// Gives an error about a column of the result its place: that of the column, else that of the SELECT.
    pub(crate) fn at_column(&self, error: CompileError, column: &str) -> CompileError {
        let place = self.columns.iter().find(|(name, _)| name == column).map(|(_, at)| *at);
        place.or(self.start).map_or(error.clone(), |at| error.at(at.line, at.column))
    }

    /// The same for a column whose name was made by the planner: it is found by its position.
    pub(crate) fn at_position(&self, error: CompileError, position: usize) -> CompileError {
        let place = self.columns.get(position).map(|(_, at)| *at);
        place.or(self.start).map_or(error.clone(), |at| error.at(at.line, at.column))
    }
}

pub(super) fn named_columns(body: &SetExpr) -> Vec<(String, Location)> {
    let items = match body {
        SetExpr::Select(select) => &select.projection[..],
        SetExpr::Query(query) => return named_columns(&query.body),
        _ => &[],
    };
    let named = items.iter().map_while(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some((folded(alias), item.span().start)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some((folded(name), name.span.start)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => {
            path.last().map(|name| (folded(name), item.span().start))
        }
        SelectItem::UnnamedExpr(expr) => Some((expr.to_string().to_lowercase(), item.span().start)),
        _ => None,
    });
    named.collect()
}
