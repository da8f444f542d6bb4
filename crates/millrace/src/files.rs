//! Pipelines as their files declare them.

use std::path::{Path, PathBuf};

use pipeline::{Bundle, Pipeline, Problem};

use crate::failure::Failure;

/// One pipeline's folder: its files, or why they can't be read.
pub struct Folder {
    pub path: PathBuf,
    pub name: String,
    pub bundle: Result<Bundle, Problem>,
}

/// The pipelines of a folder: of the configuration, of pipelines, or of one pipeline.
pub fn folders(dir: &Path) -> Result<Vec<Folder>, Failure> {
    if dir.join("pipeline.toml").is_file() {
        return Ok(vec![one(dir)]);
    }
    let below = dir.join("pipelines");
    let dir = if below.is_dir() { below } else { dir.to_path_buf() };
    let found = pipeline::read_all(&dir).map_err(|problem| Failure::WrongInput(problem.to_string()))?;
    let folder = |(name, bundle): (String, _)| Folder { path: dir.join(&name), name, bundle };
    Ok(found.into_iter().map(folder).collect())
}

fn one(dir: &Path) -> Folder {
    // `.` and `..` have no name of their own.
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Folder { path: dir.into(), name, bundle: Bundle::read(&whole) }
}

impl Folder {
    /// The problem with the path as the caller named the folder.
    pub fn shown(&self, problem: &Problem) -> Problem {
        let inside = problem.file.strip_prefix(&format!("{}/", self.name));
        let file =
            inside.map_or_else(|| problem.file.clone(), |file| self.path.join(file).display().to_string());
        Problem::new(file, problem.line, &problem.message)
    }
}

/// Looks for one thing in all pipelines of the configuration. A pipeline that is wrong may be the one that has it: then the
/// answer is what is wrong with it.
pub fn find<T>(
    config: &Path,
    what: &str,
    name: &str,
    get: impl Fn(&Pipeline) -> Option<T>,
) -> Result<T, Failure> {
    let (pipelines, problems) = all(config)?;
    pipelines.iter().find_map(get).ok_or_else(|| match problems.first() {
        Some(problem) => Failure::WrongInput(problem.to_string()),
        None => Failure::WrongInput(format!(
            "{}: no pipeline has the {what} \"{name}\": check its spelling, or name another folder with --config",
            config.join("pipelines").display()
        )),
    })
}

/// All pipelines that are right, and what is wrong with the others.
pub fn all(config: &Path) -> Result<(Vec<Pipeline>, Vec<Problem>), Failure> {
    let (mut pipelines, mut problems) = (vec![], vec![]);
    for folder in folders(config)? {
        match folder.bundle.as_ref().map_err(|problem| vec![problem.clone()]).and_then(Pipeline::parse) {
            Ok(pipeline) => pipelines.push(pipeline),
            Err(found) => problems.extend(found.iter().map(|problem| folder.shown(problem))),
        }
    }
    Ok((pipelines, problems))
}
