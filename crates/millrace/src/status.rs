//! `millrace status`: what the supervisor wrote down a moment ago, or what is left without one.

use servers::{Identity, ProcessState, Recorded, Stack, State};

use crate::cli::{Place, StatusArgs};
use crate::failure::Failure;
use crate::{output, table};

pub fn run(place: &Place, args: &StatusArgs) -> Result<(), Failure> {
    let states = states(place);
    if args.json {
        output::line(serde_json::json!({ "processes": states, "pipelines": [] }));
    } else if states.is_empty() {
        output::line(format_args!("Nothing runs under {}. `millrace up` starts it.", place.home.display()));
    } else {
        output::line(table::of(&states));
    }
    Ok(())
}

fn states(place: &Place) -> Vec<ProcessState> {
    let Some(stack) = Stack::read(&place.home) else { return Vec::new() };
    let states = servers::read_states(&place.home).unwrap_or_default();
    if stack.supervisor.is_alive() {
        return states;
    }
    states.into_iter().map(|state| without_supervisor(state, &stack.processes)).collect()
}

/// What was written down last is old: only the process itself can say whether it is still there.
fn without_supervisor(mut state: ProcessState, recorded: &[Recorded]) -> ProcessState {
    let alive: Option<Identity> = recorded
        .iter()
        .find(|child| child.name == state.name && child.identity.is_alive())
        .map(|c| c.identity);
    state.pid = alive.map(|identity| identity.pid);
    state.state = if alive.is_some() { State::Unhealthy } else { State::Stopped };
    state.note = alive.map(|_| "its supervisor has died: `millrace down` or `up` cleans up".into());
    state.rss_bytes = if alive.is_some() { state.rss_bytes } else { 0 };
    state
}
