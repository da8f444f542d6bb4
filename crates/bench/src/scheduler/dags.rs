//! The DAGs that are measured, as text.

use std::fmt::Write;

/// What a task does.
#[derive(Clone, Copy)]
pub enum Does {
    Nothing,
    /// A child process, `true`.
    Child,
}

const RUNS: &str = "max_active_runs = 64\n";

fn task(text: &mut String, does: Does, name: &str, after: &[String]) {
    let after: Vec<String> = after.iter().map(|name| format!("\"{name}\"")).collect();
    let what = match does {
        Does::Nothing => "kind = \"noop\"",
        Does::Child => "kind = \"command\"\nrun = [\"true\"]",
    };
    // Writing to a text does not fail.
    let _ = write!(text, "[tasks.{name}]\n{what}\nafter = [{}]\n", after.join(", "));
}

/// Each task waits for the one before.
pub fn chain(does: Does, length: usize) -> String {
    let mut text = RUNS.to_owned();
    for n in 0..length {
        let after = n.checked_sub(1).map(|before| format!("t{before}"));
        task(&mut text, does, &format!("t{n}"), after.as_slice());
    }
    text
}

/// No task waits for another.
pub fn flat(does: Does, width: usize) -> String {
    let mut text = RUNS.to_owned();
    (0..width).for_each(|n| task(&mut text, does, &format!("t{n}"), &[]));
    text
}

/// One, many, one.
pub fn fan(width: usize) -> String {
    let (mut text, middle) = (String::new(), (0..width).map(|n| format!("t{n}")).collect::<Vec<_>>());
    task(&mut text, Does::Nothing, "first", &[]);
    middle.iter().for_each(|name| task(&mut text, Does::Nothing, name, &["first".into()]));
    task(&mut text, Does::Nothing, "last", &middle);
    text
}

/// A task, on a schedule.
pub fn scheduled(schedule: &str) -> String {
    let mut text = format!("schedule = {schedule}\n");
    task(&mut text, Does::Nothing, "only", &[]);
    text
}
