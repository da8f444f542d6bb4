//! `millrace check`: everything that can be known to be wrong before it runs.

use std::path::Path;

use pipeline::{Pipeline, Problem};
use serde_json::json;

use crate::cli::{CheckArgs, Place};
use crate::failure::Failure;
use crate::{files, output};

mod processes;

/// What was looked at.
#[derive(Default)]
struct Checked {
    pipelines: Vec<Pipeline>,
    problems: Vec<Problem>,
    /// Problems that have no line: the text as the process told it.
    others: Vec<String>,
    /// Files of configuration that nobody here can judge, with the reason.
    skipped: Vec<String>,
}

pub async fn run(place: &Place, args: &CheckArgs) -> Result<(), Failure> {
    let dir = args.dir.as_deref().unwrap_or(&place.config);
    let mut checked = Checked::default();
    processes::check(dir, &mut checked).await?;
    let owned = dir.to_path_buf();
    // Compiling SQL takes a while and must not hold up anything else.
    let pipelines = tokio::task::spawn_blocking(move || pipelines(&owned)).await;
    let (pipelines, problems) =
        pipelines.map_err(|cause| Failure::Failed(format!("check the pipelines: {cause}")))??;
    checked.pipelines = pipelines;
    checked.problems.extend(problems);
    checked.problems.sort();
    checked.tell(args.json)
}

fn pipelines(dir: &Path) -> Result<(Vec<Pipeline>, Vec<Problem>), Failure> {
    let folders = files::folders(dir)?;
    if folders.is_empty() {
        let shown = dir.display();
        return Err(Failure::WrongInput(format!(
            "{shown}: no folder here has a pipeline.toml; name the folder of the configuration"
        )));
    }
    let (mut right, mut problems) = (vec![], vec![]);
    for folder in &folders {
        match folder.bundle.as_ref().map_err(|problem| vec![problem.clone()]).and_then(query::check_bundle) {
            Ok(pipeline) => right.push(pipeline),
            Err(found) => problems.extend(found.iter().map(|problem| folder.shown(problem))),
        }
    }
    for problem in pipeline::problems_between(&right) {
        let owner = folders.iter().find(|folder| problem.file.starts_with(&format!("{}/", folder.name)));
        problems.push(owner.map_or_else(|| problem.clone(), |folder| folder.shown(&problem)));
    }
    Ok((right, problems))
}

impl Checked {
    fn tell(&self, as_json: bool) -> Result<(), Failure> {
        let wrong = self.problems.len() + self.others.len();
        if as_json {
            output::json(&json!({
                "problems": self.problems, "others": self.others, "not_checked": self.skipped,
                "pipelines": self.pipelines.len(), "jobs": self.count(|it| it.jobs.len()), "dags": self.count(|it| it.dags.len()),
            }));
        } else {
            self.problems.iter().for_each(output::line);
            self.others.iter().for_each(output::line);
            self.skipped.iter().for_each(|file| output::line(format_args!("not checked: {file}")));
        }
        if wrong > 0 {
            return Err(Failure::WrongInput(counted(wrong, "problem")));
        }
        if !as_json {
            output::line(self.summary());
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let pipelines = counted(self.pipelines.len(), "pipeline");
        let (jobs, dags) = (self.count(|it| it.jobs.len()), self.count(|it| it.dags.len()));
        format!("{pipelines}, {}, {}: all right", counted(jobs, "job"), counted(dags, "DAG"))
    }

    fn count(&self, of: impl Fn(&Pipeline) -> usize) -> usize {
        self.pipelines.iter().map(of).sum()
    }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
