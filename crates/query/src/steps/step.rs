//! One line of a script.

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;

use super::StepError;
use crate::spec::JobSpec;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Row { input: String, partition: i32, row: Value },
    Idle { input: String, partition: i32 },
    Flush,
    Restart,
    End,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "in")]
    input: Option<String>,
    row: Option<Value>,
    #[serde(default)]
    partition: i32,
    idle: Option<String>,
    #[serde(default)]
    flush: bool,
    #[serde(default)]
    restart: bool,
    #[serde(default)]
    end: bool,
}

/// All steps with their lines. They are read first, because the partitions that they name hold the watermark from the start.
pub(super) fn read(steps: impl BufRead, spec: &JobSpec) -> Result<Vec<(usize, Step)>, StepError> {
    let mut all = Vec::new();
    for (i, text) in steps.lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let step = parse(&text, spec).map_err(|message| StepError::Input { line: i + 1, message })?;
        all.push((i + 1, step));
    }
    Ok(all)
}

fn parse(text: &str, spec: &JobSpec) -> Result<Step, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| {
        format!("{e}; a step is like {{\"in\": \"stream\", \"row\": {{}}}} or {{\"flush\": true}}")
    })?;
    let declared = |name: String| match spec.inputs.iter().any(|s| s.name == name) {
        true => Ok(name),
        false => Err(format!("there is no stream {name}; name one that the pipeline declares")),
    };
    if line.partition < 0 {
        return Err(format!("{} is not a partition; they count from 0", line.partition));
    }
    match (line.input, line.row, line.idle, line.flush, line.restart, line.end) {
        (Some(input), Some(row), None, false, false, false) => {
            Ok(Step::Row { input: declared(input)?, partition: line.partition, row })
        }
        (None, None, Some(input), false, false, false) => {
            Ok(Step::Idle { input: declared(input)?, partition: line.partition })
        }
        (None, None, None, true, false, false) => Ok(Step::Flush),
        (None, None, None, false, true, false) => Ok(Step::Restart),
        (None, None, None, false, false, true) => Ok(Step::End),
        _ => Err("a step is one of in and row, idle, flush, restart, end".into()),
    }
}
