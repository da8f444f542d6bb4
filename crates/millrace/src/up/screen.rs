//! What `millrace up` shows: a table that is drawn over on a terminal, else a line per change.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};

use servers::{ProcessState, State};
use tokio::time::Instant;

use crate::table;

pub struct Screen {
    started: Instant,
    kind: Kind,
}

enum Kind {
    /// How many lines were drawn last.
    Terminal { lines: usize },
    /// What was printed last for each process, and the hints.
    Lines { states: HashMap<String, State>, hints: String },
}

impl Screen {
    pub fn new() -> Screen {
        let kind = match std::io::stdout().is_terminal() {
            true => Kind::Terminal { lines: 0 },
            false => Kind::Lines { states: HashMap::new(), hints: String::new() },
        };
        Screen { started: Instant::now(), kind }
    }

    /// Shows the states, and `hints` below them.
    pub fn show(&mut self, states: &[ProcessState], hints: &str) {
        let seconds = self.started.elapsed().as_secs_f32();
        let text = match &mut self.kind {
            Kind::Terminal { lines } => redrawn(states, hints, lines),
            Kind::Lines { states: last, hints: last_hints } => {
                let mut text = changes(states, last, seconds);
                if hints != last_hints {
                    text.push_str(&format!("{hints}\n"));
                    *last_hints = hints.into();
                }
                text
            }
        };
        // Nobody may be there to read it any more, and the processes run on.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Up to the first line of the last drawing, and over it; the rest of each line and of the screen is cleared.
fn redrawn(states: &[ProcessState], hints: &str, lines: &mut usize) -> String {
    let up = if *lines > 0 { format!("\x1b[{lines}A\r") } else { String::new() };
    let mut text = table::of(states);
    text.push('\n');
    if !hints.is_empty() {
        text.push_str(&format!("\n{hints}\n      Ctrl-C stops all\n"));
    }
    *lines = text.lines().count();
    // A line that wraps would take two rows, and the next drawing would start a row too low.
    let width = comfy_table::Table::new().width().map_or(usize::MAX, usize::from);
    let cut = |line: &str| line.chars().take(width).collect::<String>();
    let cleared: String = text.lines().map(|line| format!("{}\x1b[K\n", cut(line))).collect();
    format!("{up}{cleared}\x1b[J")
}

fn changes(states: &[ProcessState], last: &mut HashMap<String, State>, seconds: f32) -> String {
    let changed =
        states.iter().filter(|state| last.insert(state.name.clone(), state.state) != Some(state.state));
    changed
        .map(|state| {
            let note = state.note.as_deref().map(|note| format!("  {note}")).unwrap_or_default();
            let memory = table::memory(state.rss_bytes);
            format!(
                "{seconds:6.1} s  {:15} {:9} {}  {memory}{note}\n",
                state.name,
                state.state.word(),
                state.address
            )
        })
        .collect()
}
