//! Fetches pinned files over HTTPS: resumed where they were cut, checked before they get their name.
//!
//! A file under its final name has been checked, so that a later start looks at names and sizes only and needs no network.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use reqwest::{Client, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::error::{Error, at};
use crate::lock::Artifact;

/// A repository on the other side of the world answers within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// No byte for so long means that the connection is dead. There is no limit on the whole: the largest file has 109 MB.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// More at once makes nothing faster on one line, and repositories throttle it.
const PARALLEL: usize = 6;
/// A cut connection is taken up again so often; each attempt that brought bytes starts the count anew.
const FRUITLESS_ATTEMPTS_MAX: u32 = 5;
const HASH_BUFFER_BYTES: usize = 1 << 17;
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Where files come from and what shows how far they are.
pub struct Download<'a> {
    pub client: &'a Client,
    /// Without a slash at its end.
    pub base: &'a str,
    pub bar: &'a ProgressBar,
}

/// A client that trusts the system's certificates and never waits on a dead connection.
pub fn client() -> Result<Client, Error> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .build()
        .map_err(|error| Error::Download { url: "(any)".into(), cause: chain(error) })
}

/// The place of an artifact in `folder`.
pub fn place(folder: &Path, artifact: &Artifact) -> PathBuf {
    folder.join(artifact.file_name())
}

/// Is the file there under its final name? Its content was checked before it got that name.
pub fn is_there(folder: &Path, artifact: &Artifact) -> bool {
    std::fs::metadata(place(folder, artifact)).is_ok_and(|file| file.len() == artifact.bytes)
}

impl Download<'_> {
    /// Brings all artifacts into `folder`, skipping those that are there.
    pub async fn all(&self, artifacts: &[Artifact], folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(at("create", folder))?;
        let missing = artifacts.iter().filter(|artifact| !is_there(folder, artifact));
        futures::stream::iter(missing)
            .map(|artifact| self.one(artifact, folder))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn one(&self, artifact: &Artifact, folder: &Path) -> Result<(), Error> {
        let file = place(folder, artifact);
        let part = file.with_added_extension("part");
        let resumed = size(&part) > 0;
        self.complete(artifact, &part).await?;
        if let Err(cause) = check(&part, artifact).await? {
            remove(&part)?;
            if !resumed {
                return Err(Error::Checksum { url: self.url(artifact), cause });
            }
            // The start of it was of an earlier day and may have been the bad half: once more from the first byte.
            self.complete(artifact, &part).await?;
            if let Err(cause) = check(&part, artifact).await? {
                remove(&part)?;
                return Err(Error::Checksum { url: self.url(artifact), cause });
            }
        }
        std::fs::rename(&part, &file).map_err(at("rename to", file))
    }

    /// Asks until the part has its full length.
    async fn complete(&self, artifact: &Artifact, part: &Path) -> Result<(), Error> {
        let mut fruitless = 0;
        let mut pause = FIRST_PAUSE;
        while size(part) != artifact.bytes {
            let before = size(part);
            match self.attempt(artifact, part).await {
                Ok(()) => {}
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again(cause)) => {
                    let grew = size(part) > before;
                    fruitless = if grew { 0 } else { fruitless + 1 };
                    if fruitless >= FRUITLESS_ATTEMPTS_MAX {
                        return Err(Error::Download { url: self.url(artifact), cause });
                    }
                    pause = if grew { FIRST_PAUSE } else { pause * 2 };
                    tokio::time::sleep(pause).await;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, artifact: &Artifact, part: &Path) -> Result<(), Attempt> {
        let have = match size(part) {
            have if have < artifact.bytes => have,
            _ => 0,
        };
        let mut request = self.client.get(format!("{}/{}", self.base, artifact.path));
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.send().await.map_err(|error| Attempt::Again(chain(error)))?;
        let from = self.start_of(&response, have, artifact)?;
        self.append(response, part, from, artifact.bytes).await
    }

    /// From which byte on does the answer go? A server may ignore the range and send all.
    fn start_of(&self, response: &reqwest::Response, have: u64, artifact: &Artifact) -> Result<u64, Attempt> {
        let range = response.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        match response.status() {
            StatusCode::OK => Ok(0),
            StatusCode::PARTIAL_CONTENT
                if range.is_some_and(|r| r.starts_with(&format!("bytes {have}-"))) =>
            {
                Ok(have)
            }
            status
                if status.is_server_error()
                    || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
            {
                Err(Attempt::Again(format!("the repository answers {status}")))
            }
            status => Err(Attempt::Final(Error::Download {
                url: self.url(artifact),
                cause: format!("the repository answers {status}"),
            })),
        }
    }

    async fn append(
        &self,
        response: reqwest::Response,
        part: &Path,
        from: u64,
        bytes: u64,
    ) -> Result<(), Attempt> {
        let mut file = open_at(part, from).await.map_err(|cause| Attempt::Final(at("write", part)(cause)))?;
        let mut written = from;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let result = chunk.map_err(chain);
            let chunk = match result {
                Ok(chunk) => chunk,
                Err(cause) => {
                    // What has come so far counts: the next attempt goes on behind it.
                    file.flush().await.map_err(|cause| Attempt::Final(at("write", part)(cause)))?;
                    return Err(Attempt::Again(cause));
                }
            };
            written += chunk.len() as u64;
            if written > bytes {
                let cause = format!("it is longer than {bytes} bytes");
                return Err(Attempt::Final(Error::Checksum { url: without_password(self.base), cause }));
            }
            file.write_all(&chunk).await.map_err(|cause| Attempt::Final(at("write", part)(cause)))?;
            self.bar.inc(chunk.len() as u64);
        }
        file.flush().await.map_err(|cause| Attempt::Final(at("write", part)(cause)))?;
        if written < bytes {
            Err(Attempt::Again(format!("cut after {written} of {bytes} bytes")))
        } else {
            Ok(())
        }
    }

    /// For messages.
    fn url(&self, artifact: &Artifact) -> String {
        format!("{}/{}", without_password(self.base), artifact.path)
    }
}

/// An address as it may be shown: `https://user:word@host/path` loses what stands before the host.
pub fn without_password(base: &str) -> String {
    match (base.split_once("://"), base.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => base.to_string(),
    }
}

/// What an attempt that failed asks for.
enum Attempt {
    Again(String),
    Final(Error),
}

async fn open_at(part: &Path, from: u64) -> std::io::Result<tokio::fs::File> {
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true);
    if from > 0 {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    options.open(part).await
}

async fn check(part: &Path, artifact: &Artifact) -> Result<Result<(), String>, Error> {
    let path = part.to_path_buf();
    let hashed = tokio::task::spawn_blocking(move || sha256(&path)).await;
    let found = hashed.map_err(std::io::Error::other).and_then(|sum| sum).map_err(at("read", part))?;
    Ok(if found == artifact.sha256 {
        Ok(())
    } else {
        Err(format!("SHA-256 {found}, expected {}", artifact.sha256))
    })
}

fn sha256(file: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

fn remove(file: &Path) -> Result<(), Error> {
    std::fs::remove_file(file).map_err(at("remove", file))
}

/// reqwest's own message hides the reason (a certificate, a refused connection) in its sources.
fn chain(error: reqwest::Error) -> String {
    // The caller names the URL, without a password in it.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
