use std::path::PathBuf;

/// What can keep the servers from running. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{lock}.lock:{line}: {cause}; correct the line")]
    Lock { lock: String, line: usize, cause: String },
    #[error(
        "no Maven repository to download from: {cause}; install Maven, or set servers.maven_repository \
         (MILLRACE_MAVEN_REPOSITORY) to the base address of one"
    )]
    Repository { cause: String },
    #[error(
        "download {url}: {cause}; check the network and servers.maven_repository, then start again: what has arrived is kept"
    )]
    Download { url: String, cause: String },
    #[error(
        "{url} is not what the lock file pins: {cause}; is servers.maven_repository a real Maven repository?"
    )]
    Checksum { url: String, cause: String },
    #[error(
        "another millrace fills {cache} for over {minutes} minutes; stop it, or name another folder in MILLRACE_CACHE"
    )]
    CacheBusy { cache: PathBuf, minutes: u64 },
    #[error("unpack {archive}: {cause}; delete that file and start again")]
    Unpack { archive: PathBuf, cause: String },
    #[error(
        "no Java 17 found ({cause}); install a JDK 17, or name its bin/java in servers.java (MILLRACE_SERVERS_JAVA)"
    )]
    Java { cause: String },
    #[error("{step} of PostgreSQL: {cause}")]
    Postgres { step: &'static str, cause: String },
    #[error("port {port} of {process} is taken by {holder}; stop that, or set {setting} to a free port")]
    PortTaken { process: String, port: u16, holder: String, setting: String },
    #[error("{action} {path}: {cause}; check the folder's owner and the free space")]
    File { action: &'static str, path: PathBuf, cause: std::io::Error },
    #[error("start {name} ({program}): {cause}")]
    Spawn { name: String, program: PathBuf, cause: std::io::Error },
    #[error("{name} did not become healthy: {cause}\nThe end of {log}:\n{tail}", log = log.display())]
    Unhealthy { name: String, cause: String, log: PathBuf, tail: String },
    #[error(
        "only {found} of {wanted} free ports found below the ephemeral range; stop other servers on this machine"
    )]
    NoFreePorts { wanted: usize, found: usize },
}

/// `fs::create_dir_all(&x).map_err(at("create", &x))`
pub(crate) fn at(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |cause| Error::File { action, path, cause }
}
