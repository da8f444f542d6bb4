use super::*;

#[test]
fn a_state_reads_back_from_its_own_word() {
    for state in TaskState::ALL {
        assert_eq!(state.as_str().parse::<TaskState>(), Ok(*state));
    }
    for state in RunState::ALL {
        assert_eq!(state.as_str().parse::<RunState>(), Ok(*state));
    }
}

#[test]
fn no_state_becomes_itself_and_a_finished_task_never_runs_without_being_cleared() {
    for state in TaskState::ALL {
        assert!(!state.may_become(*state), "{state}");
        assert!(!(state.is_final() && state.may_become(TaskState::Running)), "{state}");
    }
}

/// Steps as Mermaid draws them.
fn diagram<S: Copy + fmt::Display>(states: &[S], is_final: fn(S) -> bool, step: fn(S, S) -> bool) -> String {
    let mut lines =
        vec!["```mermaid".to_owned(), "stateDiagram-v2".into(), format!("    [*] --> {}", states[0])];
    for from in states {
        let to = states.iter().filter(|to| step(*from, **to));
        lines.extend(to.map(|to| format!("    {from} --> {to}")));
        lines.extend(is_final(*from).then(|| format!("    {from} --> [*]")));
    }
    lines.push("```".into());
    lines.join("\n")
}

/// What a person does, as a list: drawn, it would hide the rest.
fn by_people<S: Copy + fmt::Display>(states: &[S], step: fn(S, S) -> bool) -> String {
    let line = |to: &S| {
        let from: Vec<String> =
            states.iter().filter(|from| step(**from, *to)).map(|from| format!("`{from}`")).collect();
        (!from.is_empty()).then(|| format!("- to `{to}` from {}", from.join(", ")))
    };
    states.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_diagrams_in_the_documentation_are_what_is_legal() {
    let text = include_str!("../../../../docs/ARCHITECTURE.md");
    for (what, expected) in [
        ("steps of a run", diagram(RunState::ALL, RunState::is_final, RunState::goes_on_to)),
        ("steps of a run by people", by_people(RunState::ALL, RunState::is_made)),
        ("steps of a task", diagram(TaskState::ALL, TaskState::is_final, TaskState::goes_on_to)),
        ("steps of a task by people", by_people(TaskState::ALL, TaskState::is_made)),
    ] {
        let block = format!("<!-- {what} -->\n{expected}\n<!-- end -->");
        assert!(text.contains(&block), "docs/ARCHITECTURE.md needs this block:\n{block}");
    }
}
