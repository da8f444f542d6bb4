//! Results that are too large for PostgreSQL: files, of which the task's row keeps where they are.

use queue::{Claim, RESULT_BYTES_MAX};
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{fs, io::AsyncWriteExt};
use uuid::Uuid;

/// A result is for the tasks after it and for people, not a store of data: a larger one is left out.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the files are; none where no folder is set.
#[derive(Clone, Debug, Default)]
pub struct Results(Option<PathBuf>);

impl Results {
    /// `state_dir` of the configuration; empty for none.
    pub fn new(state_dir: &Path) -> Self {
        Self((!state_dir.as_os_str().is_empty()).then(|| state_dir.join("results")))
    }

    /// What the task's row is to have: the result, or where it is. A result that can't be kept is left out, and says so.
    pub async fn keep(&self, claim: &Claim, result: Value) -> Value {
        let text = result.to_string();
        let Some(folder) = self.0.as_ref().filter(|_| text.len() > RESULT_BYTES_MAX) else { return result };
        let bytes = text.len();
        if bytes > FILE_BYTES_MAX {
            return json!({ "left_out": format!("the result has {bytes} bytes, more than {FILE_BYTES_MAX}") });
        }
        let file = format!("{}/{}.json", claim.run_id, claim.attempt_id);
        match write(&folder.join(&file), text.as_bytes()).await {
            Ok(()) => json!({ "stored": { "file": file, "bytes": bytes } }),
            Err(cause) => {
                let told = format!(
                    "the result of {bytes} bytes could not be written to {}: {cause}",
                    folder.display()
                );
                tracing::error!(run.id = %claim.run_id, task = claim.task, "{told}");
                json!({ "left_out": told })
            }
        }
    }

    /// The result itself, wherever it is.
    pub async fn open(&self, result: Value) -> Result<Value, String> {
        let Some((run_id, attempt_id)) = place(&result) else { return Ok(result) };
        let folder =
            self.0.as_ref().ok_or("the result is in a file, and this scheduler has no state_dir: set it")?;
        let file = folder.join(run_id.to_string()).join(format!("{attempt_id}.json"));
        let wrong = |cause: String| format!("the result can't be read from {}: {cause}", file.display());
        let bytes = fs::read(&file).await.map_err(|cause| wrong(cause.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|cause| wrong(cause.to_string()))
    }

    /// The runs that have files which nobody has touched for so long.
    pub async fn older(&self, age: Duration) -> io::Result<Vec<Uuid>> {
        let mut found = vec![];
        let Some(mut entries) = self.entries().await? else { return Ok(found) };
        while let Some(entry) = entries.next_entry().await? {
            let touched = entry.metadata().await?.modified()?;
            if let Ok(run_id) = entry.file_name().to_string_lossy().parse()
                && touched.elapsed().is_ok_and(|elapsed| elapsed >= age)
            {
                found.push(run_id);
            }
        }
        Ok(found)
    }

    pub async fn forget(&self, run_id: Uuid) -> io::Result<()> {
        match &self.0 {
            Some(folder) => fs::remove_dir_all(folder.join(run_id.to_string())).await,
            None => Ok(()),
        }
    }

    /// None where nothing was ever kept.
    async fn entries(&self) -> io::Result<Option<fs::ReadDir>> {
        let Some(folder) = &self.0 else { return Ok(None) };
        match fs::read_dir(folder).await {
            Ok(entries) => Ok(Some(entries)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }
}

/// Whole or not at all: the row that names it is written afterwards.
async fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder).await?;
    let part = file.with_extension("part");
    let mut written = fs::File::create(&part).await?;
    written.write_all(bytes).await?;
    written.sync_all().await?;
    fs::rename(&part, file).await
}

/// Two ids and nothing else: what a task answers must lead nowhere but into the folder.
fn place(result: &Value) -> Option<(Uuid, Uuid)> {
    let fields = result.as_object().filter(|fields| fields.len() == 1)?;
    let (run_id, file) = fields.get("stored")?["file"].as_str()?.split_once('/')?;
    Some((run_id.parse().ok()?, file.strip_suffix(".json")?.parse().ok()?))
}

#[cfg(test)]
mod tests;
