//! Finds Java 17 and makes command lines for it, with a class archive where there is one.
//!
//! A class archive (AppCDS) holds the parsed classes of a server: made once, by the running server itself, it saves CPU at
//! every later start. The virtual machine ignores one that does not fit, so it can't break a start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, at};
use crate::process::Launch;

/// Cassandra 5.0 runs on 11 and 17 only, the registry needs 17.
const VERSION: &str = "17";
/// Writing an archive of 50 MB stops the server for a second or two; on a busy machine longer.
const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// A Java 17.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    pub program: PathBuf,
    /// The whole version, `17.0.15`: class archives are tied to it.
    pub version: String,
}

/// One Java server.
pub(crate) struct JavaServer<'a> {
    pub name: &'a str,
    pub heap_mb: (u32, u32),
    pub class_path: &'a [PathBuf],
    /// Further options of the virtual machine and `-D` properties.
    pub options: Vec<String>,
    pub main: &'a str,
    pub args: Vec<String>,
    pub folder: PathBuf,
}

/// The setting, else `JAVA_HOME`, the path, or an installed 17 that is not the default one.
pub fn find(setting: Option<&Path>) -> Result<Java, Error> {
    let candidates = match setting {
        Some(program) => vec![program.to_path_buf()],
        None => candidates(),
    };
    let mut seen = Vec::new();
    for program in candidates {
        match version(&program) {
            Some(version) if version.split('.').next() == Some(VERSION) => {
                return Ok(Java { program, version });
            }
            Some(version) => seen.push(format!("{} is {version}", program.display())),
            None => {}
        }
    }
    let cause = if seen.is_empty() { "no Java at all".into() } else { seen.join(", ") };
    Err(Error::Java { cause })
}

fn candidates() -> Vec<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).map(|folder| folder.join("java")).collect();
    let installed = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin/java")).collect();
    installed.sort();
    home.into_iter().chain(on_path).chain(installed).filter(|program| program.exists()).collect()
}

/// From the file `release` of the JDK: quicker than a start, and every build since 9 has it.
fn version(program: &Path) -> Option<String> {
    let program = std::fs::canonicalize(program).ok()?;
    let release = std::fs::read_to_string(program.parent()?.parent()?.join("release")).ok()?;
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(version.trim_matches('"').to_string())
}

impl Java {
    /// The command, and the class archive that is to be made when there is none.
    pub(crate) fn launch(
        &self,
        server: JavaServer,
        archives: &Path,
    ) -> Result<(Launch, Option<PathBuf>), Error> {
        let temporary = server.folder.join("tmp");
        std::fs::create_dir_all(&temporary).map_err(at("create", &temporary))?;
        let class_path =
            server.class_path.iter().map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":");
        let archive =
            archives.join(format!("{}-{}.jsa", server.name, self.archive_key(&server, &class_path)));
        let missing = !archive.exists();
        let mut args = vec![
            format!("-Xms{}m", server.heap_mb.0),
            format!("-Xmx{}m", server.heap_mb.1),
            "-XX:+UseSerialGC".into(),
            "-XX:+ExitOnOutOfMemoryError".into(),
            "-Djava.awt.headless=true".into(),
            format!("-Djava.io.tmpdir={}", temporary.display()),
            // On standard output it would name every class that it leaves out.
            "-Xlog:cds=off,cds+dynamic=off".into(),
        ];
        args.push(match missing {
            true => "-XX:+RecordDynamicDumpInfo".into(),
            false => format!("-XX:SharedArchiveFile={}", archive.display()),
        });
        args.extend(server.options);
        args.extend(["-cp".into(), class_path, server.main.into()]);
        args.extend(server.args);
        let env = crate::environment().into_iter().chain([("MALLOC_ARENA_MAX".into(), "2".into())]).collect();
        let launch =
            Launch { program: self.program.clone(), args, env, folder: Some(server.folder), user: None };
        Ok((launch, missing.then_some(archive)))
    }

    /// Another Java, another class path or other options are another archive. Where a dump would go is none of these: it names the
    /// stack's folder, and each stack would make an archive of its own, at a start that takes 170 MB more.
    fn archive_key(&self, server: &JavaServer, class_path: &str) -> String {
        let matters = |option: &&String| {
            (option.starts_with("-XX:") && !option.starts_with("-XX:HeapDumpPath"))
                || option.starts_with("-java")
        };
        let options: Vec<&String> = server.options.iter().filter(matters).collect();
        let all = format!("{} {class_path} {options:?}", self.version);
        Sha256::digest(all).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Lets a running server write its class archive. Only JDKs have `jcmd`: without it there is no archive and no error.
pub async fn make_class_archive(java: &Java, pid: u32, archive: &Path) {
    let part = archive.with_added_extension("part");
    let Some(jcmd) = std::fs::canonicalize(&java.program).ok().map(|java| java.with_file_name("jcmd")) else {
        return;
    };
    let mut command = tokio::process::Command::new(jcmd);
    command.args([&pid.to_string(), "VM.cds", "dynamic_dump"]).arg(&part).kill_on_drop(true);
    let done = tokio::time::timeout(ARCHIVE_TIMEOUT, command.output()).await;
    let written = matches!(&done, Ok(Ok(output)) if output.status.success()) && part.exists();
    if !written || std::fs::rename(&part, archive).is_err() {
        tracing::debug!(archive = %archive.display(), ?done, "no class archive");
        let _ = std::fs::remove_file(&part);
    }
}
