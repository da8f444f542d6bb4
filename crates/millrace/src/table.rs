//! Tables: that of processes, as `up` and `status` show it, and plain ones.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;
use servers::ProcessState;

/// A note wider than this would wrap the line of a narrow terminal, and a wrapped line can't be drawn over.
const NOTE_CHARS_MAX: usize = 60;

pub fn of(states: &[ProcessState]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["process", "state", "address", "memory", "pid", "restarts", ""]);
    for state in states {
        table.add_row([
            state.name.clone(),
            state.state.word().into(),
            state.address.clone(),
            memory(state.rss_bytes),
            state.pid.map_or("-".into(), |pid| pid.to_string()),
            state.restarts.to_string(),
            note(state),
        ]);
    }
    for column in [3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    text(&table)
}

/// Rows below headers, each value in one line.
pub fn plain<H: Into<String>>(headers: impl IntoIterator<Item = H>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.set_header(headers.into_iter().map(Into::into).collect::<Vec<String>>());
    text(&filled(table, rows))
}

fn filled(mut table: Table, rows: Vec<Vec<String>>) -> Table {
    table.load_style(presets::NOTHING);
    for row in rows {
        table.add_row(row.iter().map(|cell| cell.replace(['\n', '\r', '\t'], " ")).collect::<Vec<_>>());
    }
    table
}

/// Objects as rows; a column is headed by its key, with spaces for `_`.
pub fn of_objects(keys: &[&str], objects: &[Value]) -> String {
    let row = |object: &Value| keys.iter().map(|key| cell(&object[*key], "-")).collect();
    plain(keys.iter().map(|key| key.replace('_', " ")), objects.iter().map(row).collect())
}

/// The fields of one object, each in a line.
pub fn of_fields(object: &Value) -> String {
    let fields = object.as_object().into_iter().flatten();
    let rows = fields.map(|(key, value)| vec![key.replace('_', " "), cell(value, "-")]).collect();
    text(&filled(Table::new(), rows))
}

/// A value as text, `null` as the caller says.
pub fn cell(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(table: &Table) -> String {
    let lines = table.to_string();
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

pub fn memory(bytes: u64) -> String {
    if bytes == 0 { "-".into() } else { format!("{} MB", bytes / 1_000_000) }
}

fn note(state: &ProcessState) -> String {
    let note = state.note.as_deref().unwrap_or_default();
    note.lines().next().unwrap_or_default().chars().take(NOTE_CHARS_MAX).collect()
}
