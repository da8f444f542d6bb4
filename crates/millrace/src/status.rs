//! `millrace status`: what the supervisor wrote down a moment ago, or what is left without one.

mod pipelines;

use servers::{Identity, ProcessState, Recorded, Stack, State};

use crate::address::Addresses;
use crate::cli::{Place, StatusArgs};
use crate::failure::Failure;
use crate::{output, table};
use pipelines::Counts;

pub async fn run(place: &Place, addresses: &Addresses, args: &StatusArgs) -> Result<(), Failure> {
    let states = states(place);
    let pipelines = pipelines::counted(addresses, &states).await;
    if args.json {
        output::line(as_json(&states, &pipelines));
        return Ok(());
    }
    if states.is_empty() {
        output::line(format_args!("Nothing runs under {}. `millrace up` starts it.", place.home.display()));
    } else {
        output::line(table::of(&states));
    }
    match &pipelines {
        Ok(pipelines) if pipelines.is_empty() => {}
        Ok(pipelines) => output::line(format_args!("\n{}", pipelines::table(pipelines))),
        Err(_) if states.is_empty() => {}
        Err(note) => output::line(format_args!("\nThe pipelines' counts are not known: {note}")),
    }
    Ok(())
}

/// Without the counts of pipelines there is a note that says why.
fn as_json(states: &[ProcessState], pipelines: &Result<Vec<Counts>, String>) -> serde_json::Value {
    match pipelines {
        Ok(pipelines) => serde_json::json!({ "processes": states, "pipelines": pipelines }),
        Err(note) => serde_json::json!({ "processes": states, "pipelines": [], "note": note }),
    }
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
