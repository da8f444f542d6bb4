//! The table of processes, as `up` and `status` show it.

use comfy_table::{CellAlignment, Table, presets};
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
