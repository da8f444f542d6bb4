//! The configuration files of processes. Only a process knows its own: each program is asked, and does nothing else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pipeline::{Problem, named};

use super::Checked;
use crate::failure::Failure;
use crate::settings::{self, Settings};

/// Reading a file takes milliseconds; the rest is for a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Checks every `.toml` of the folder.
pub async fn check(dir: &Path, checked: &mut Checked) -> Result<(), Failure> {
    if dir.join("pipeline.toml").is_file() {
        return Ok(());
    }
    let own = std::env::current_exe().map_err(Failure::io("find", Path::new("millrace's own program")))?;
    let programs = own.parent().unwrap_or(Path::new("."));
    for file in files(dir)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.ends_with(settings::FILE) {
            if let Err(problem) = Settings::load(dir, &[]) {
                tell(checked, &problem.to_string());
            }
        } else if file.ends_with(named::FILE) {
            let text = std::fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
            checked
                .problems
                .extend(named::parse(&file.display().to_string(), &text).err().unwrap_or_default());
        } else if programs.join(&name).is_file() {
            ask(&programs.join(&name), &name, &file, checked).await?;
        } else {
            let programs = programs.display();
            checked.skipped.push(format!("{}: the program {name} is not in {programs}", file.display()));
        }
    }
    Ok(())
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |cause: std::io::Error| {
        Failure::WrongInput(format!("{}: {cause}; name the folder of the configuration", dir.display()))
    };
    let entries = std::fs::read_dir(dir).map_err(wrong)?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    files.sort();
    Ok(files)
}

/// Without any `MILLRACE_*`: it is the file that is judged, not this terminal.
async fn ask(program: &Path, name: &str, file: &Path, checked: &mut Checked) -> Result<(), Failure> {
    let mut command = tokio::process::Command::new(program);
    command.arg("--config").arg(file).arg("check-config").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let failed = |cause: String| {
        Failure::Failed(format!("ask {} about {}: {cause}", program.display(), file.display()))
    };
    let answer = tokio::time::timeout(ANSWER_MAX, command.output()).await;
    let answer = answer.map_err(|_| failed(format!("no answer within {ANSWER_MAX:?}")))?;
    let answer = answer.map_err(|cause| failed(cause.to_string()))?;
    let told = String::from_utf8_lossy(&answer.stderr);
    let told = told.trim();
    match answer.status.code() {
        Some(0) => {}
        Some(2) => tell(checked, told.strip_prefix(&format!("{name}: ")).unwrap_or(told)),
        _ => return Err(failed(told.to_string())),
    }
    Ok(())
}

fn tell(checked: &mut Checked, text: &str) {
    match problem(text) {
        Some(problem) => checked.problems.push(problem),
        None => checked.others.push(text.to_string()),
    }
}

/// `file:line: message` taken apart.
pub(super) fn problem(text: &str) -> Option<Problem> {
    let (place, message) = text.split_once(": ")?;
    let (file, line) = place.rsplit_once(':')?;
    Some(Problem::new(file, line.parse().ok()?, message))
}
