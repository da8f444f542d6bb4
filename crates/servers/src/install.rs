//! Brings the servers' files into the cache folder; a second call finds them there and needs no network.
//!
//! The folder: `jars/kafka/*.jar`, `jars/cassandra/*.jar`, `archives/…`, `registry-<sum>/`, `postgres-<sum>/`, `cds/*.jsa`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::download::{self, Download};
use crate::error::{Error, at};
use crate::lock::{Artifact, Lock};
use crate::{repository, unpack};

/// A first download of 216 MB over a slow line ends within this.
const CACHE_WAIT: Duration = Duration::from_secs(30 * 60);
const CACHE_POLL: Duration = Duration::from_millis(200);

/// Where the files of the servers lie.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Sorted: a class archive is tied to the order of its class path.
    pub kafka_jars: Vec<PathBuf>,
    pub cassandra_jars: Vec<PathBuf>,
    /// Holds the runner jar and `lib/`.
    pub registry: PathBuf,
    /// Holds `bin/ lib/ share/`.
    pub postgres: PathBuf,
    /// The jar that `postgres` was unpacked from, for a user who may not look into the cache.
    pub postgres_jar: PathBuf,
    /// Class archives of the Java virtual machine.
    pub class_archives: PathBuf,
}

/// `$MILLRACE_CACHE`, else `$XDG_CACHE_HOME/millrace`, else `~/.cache/millrace`.
pub fn default_cache() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("MILLRACE_CACHE").unwrap_or_else(|| {
        let home = || std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache");
        folder("XDG_CACHE_HOME").unwrap_or_else(home).join("millrace")
    })
}

/// Downloads and unpacks what is missing in `cache`.
pub async fn install(
    cache: &Path,
    maven_repository: Option<&str>,
    progress: &MultiProgress,
) -> Result<Installed, Error> {
    std::fs::create_dir_all(cache).map_err(at("create", cache))?;
    let cache = &std::fs::canonicalize(cache).map_err(at("find", cache))?;
    let _sole = lock_cache(cache).await?;
    download_missing(cache, maven_repository, progress).await?;
    let (registry, registry_archive) = unpacked(cache, Lock::Registry)?;
    let (postgres, postgres_jar) = unpacked(cache, Lock::Postgres)?;
    unpack_missing(&registry_archive, &registry, unpack::tar_gz).await?;
    unpack_missing(&postgres_jar, &postgres, unpack::txz_in_jar).await?;
    let class_archives = cache.join("cds");
    std::fs::create_dir_all(&class_archives).map_err(at("create", &class_archives))?;
    Ok(Installed {
        kafka_jars: jars(cache, Lock::Kafka)?,
        cassandra_jars: jars(cache, Lock::Cassandra)?,
        registry,
        postgres,
        postgres_jar,
        class_archives,
    })
}

/// Two starts on one machine must not write the same part file. The lock ends with the process.
async fn lock_cache(cache: &Path) -> Result<std::fs::File, Error> {
    let path = cache.join("lock");
    let file = std::fs::File::create(&path).map_err(at("create", &path))?;
    let waits = CACHE_WAIT.as_millis() / CACHE_POLL.as_millis();
    for _ in 0..waits {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(CACHE_POLL).await,
            Err(std::fs::TryLockError::Error(cause)) => return Err(at("lock", path)(cause)),
        }
    }
    Err(Error::CacheBusy { cache: cache.into(), minutes: CACHE_WAIT.as_secs() / 60 })
}

async fn download_missing(
    cache: &Path,
    maven_repository: Option<&str>,
    progress: &MultiProgress,
) -> Result<(), Error> {
    let mut missing = Vec::new();
    for lock in Lock::ALL {
        let folder = folder(cache, lock);
        let artifacts = lock.artifacts()?;
        let lacking: Vec<Artifact> =
            artifacts.into_iter().filter(|artifact| !download::is_there(&folder, artifact)).collect();
        if !lacking.is_empty() {
            missing.push((lock, folder, lacking));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let base = repository::base_address(maven_repository).await?;
    let client = download::client()?;
    for (lock, folder, artifacts) in missing {
        let bar = progress.add(bar(lock, &folder, &artifacts));
        if progress.is_hidden() {
            // No terminal to draw on: one line, so that a first start does not look stuck.
            eprintln!(
                "download {} ({} files) from {}",
                lock.name(),
                artifacts.len(),
                download::without_password(&base)
            );
        }
        Download { client: &client, base: &base, bar: &bar }.all(&artifacts, &folder).await?;
        bar.finish();
    }
    Ok(())
}

fn bar(lock: Lock, folder: &Path, artifacts: &[Artifact]) -> ProgressBar {
    let template = "{prefix:10} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let bytes = artifacts.iter().map(|artifact| artifact.bytes).sum();
    let bar = ProgressBar::new(bytes).with_prefix(lock.name());
    let have = artifacts.iter().map(|artifact| {
        std::fs::metadata(download::place(folder, artifact).with_added_extension("part"))
            .map_or(0, |f| f.len())
    });
    bar.set_position(have.sum());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn folder(cache: &Path, lock: Lock) -> PathBuf {
    match lock {
        Lock::Kafka | Lock::Cassandra => cache.join("jars").join(lock.name()),
        Lock::Registry | Lock::Postgres => cache.join("archives"),
    }
}

fn jars(cache: &Path, lock: Lock) -> Result<Vec<PathBuf>, Error> {
    let folder = folder(cache, lock);
    let mut jars: Vec<PathBuf> =
        lock.artifacts()?.iter().map(|artifact| download::place(&folder, artifact)).collect();
    jars.sort();
    Ok(jars)
}

/// The folder and the archive of a lock with one file. The folder's name holds the sum: another version is another folder.
fn unpacked(cache: &Path, lock: Lock) -> Result<(PathBuf, PathBuf), Error> {
    let artifacts = lock.artifacts()?;
    let [artifact] = &artifacts[..] else {
        return Err(Error::Lock { lock: lock.name().into(), line: 1, cause: "not exactly one file".into() });
    };
    let name = format!("{}-{}", lock.name(), &artifact.sha256[..12]);
    Ok((cache.join(name), download::place(&folder(cache, lock), artifact)))
}

async fn unpack_missing(
    archive: &Path,
    folder: &Path,
    unpack: fn(&Path, &Path) -> Result<(), Error>,
) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let (from, to) = (archive.to_path_buf(), folder.to_path_buf());
    let done = tokio::task::spawn_blocking(move || unpack(&from, &to)).await;
    done.map_err(|cause| Error::Unpack { archive: archive.into(), cause: cause.to_string() })?
}
