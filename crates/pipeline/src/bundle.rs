//! The files of a pipeline's folder, as text.

use crate::Problem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, path::Path};

/// A pipeline's files by their path inside its folder, with `/` between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub name: String,
    pub files: BTreeMap<String, String>,
}

/// What a worker's program is called with to say what is wrong with bundles.
pub const CHECK_BUNDLES: &str = "check-bundles";

/// A definition is text that people write: anything larger is a mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const KINDS: [&str; 4] = ["toml", "avsc", "sql", "cql"];

impl Bundle {
    /// Reads the folder of one pipeline.
    pub fn read(folder: &Path) -> Result<Self, Problem> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)
            .map_err(|(file, message)| Problem::new(format!("{name}/{file}"), 1, message))?;
        Ok(Self { name, files })
    }

    /// SHA-256 over names and contents, in hexadecimal.
    pub fn hash(&self) -> String {
        hash(self.files.iter().flat_map(|(name, text)| [name.clone(), text.clone()]))
    }

    pub(crate) fn shown(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }
}

/// SHA-256 over parts, each with its length, in hexadecimal.
pub(crate) fn hash(parts: impl Iterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads every pipeline below `folder`, each with what came of it. A file that cannot be read spoils only its own pipeline.
pub fn read_all(folder: &Path) -> Result<BTreeMap<String, Result<Bundle, Problem>>, Problem> {
    let shown = folder.display().to_string();
    let entries = fs::read_dir(folder)
        .map_err(|cause| Problem::new(&shown, 1, format!("cannot read the folder of pipelines: {cause}")))?;
    let folders =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join("pipeline.toml").is_file());
    Ok(folders
        .map(|path| {
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), Bundle::read(&path))
        })
        .collect())
}

fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), (String, String)> {
    let fail = |file: &str, cause: std::io::Error| (file.to_owned(), format!("cannot read it: {cause}"));
    for entry in fs::read_dir(folder).map_err(|cause| fail(prefix, cause))? {
        let path = entry.map_err(|cause| fail(prefix, cause))?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() && prefix.is_empty() {
            collect(&path, &format!("{name}/"), files)?;
        } else if path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind == *known)) {
            let size = fs::metadata(&path).map_err(|cause| fail(&name, cause))?.len();
            if size > FILE_BYTES_MAX {
                return Err((
                    name,
                    format!("{size} bytes are more than a definition may have ({FILE_BYTES_MAX})"),
                ));
            }
            files.insert(name.clone(), fs::read_to_string(&path).map_err(|cause| fail(&name, cause))?);
        }
    }
    Ok(())
}
