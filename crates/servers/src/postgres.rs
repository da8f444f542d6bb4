//! PostgreSQL 17 from an archive that holds `initdb`, `pg_ctl` and `postgres` only.
//!
//! It refuses to run as root. Then it runs as another user, and where that user can't reach the home folder, its data and
//! binaries lie in a place of their own, which the home folder records.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{Error, at};
use crate::identity::is_reachable_by_others;
use crate::install::Installed;
use crate::process::{Before, Health, Kind, Launch, Port, Process, Stop};
use crate::settings::{Settings, local};
use crate::{child, unpack, write_file, write_secret};

pub const NAME: &str = "postgres";
/// The superuser, and the owner of everything.
pub const USER: &str = "millrace";
/// Made with the cluster: operations, analytics, and the registry's schemas.
pub const DATABASES: [&str; 3] = ["millrace", "analytics", "registry"];

/// `initdb` takes 0.6 s on a quiet machine.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
const PLACES: &str = "/var/lib/millrace";
const PASSWORD_BYTES: usize = 24;
/// Every process of ours has a small pool; the default of 100 is reached by ten of them with ten each.
const CONNECTIONS_MAX: u32 = 200;

/// Where it lies and as whom it runs.
struct Place {
    folder: PathBuf,
    binaries: PathBuf,
    /// (uid, gid) where we are root.
    user: Option<(u32, u32)>,
}

/// Prepares the cluster if there is none and answers how to run it, and the password.
pub(crate) async fn process(settings: &Settings, installed: &Installed) -> Result<(Process, String), Error> {
    let place = place(settings, installed)?;
    let file = settings.postgres_password_file();
    if place.data().exists() && !file.exists() {
        let cause =
            format!("{} is gone: put it back, or begin anew by `millrace down --wipe`", file.display());
        return Err(Error::Postgres { step: "password", cause });
    }
    let password = password(&file)?;
    if !place.data().exists() {
        make_cluster(&place, &password).await?;
    }
    let port = settings.ports.postgres;
    let process = Process {
        name: NAME.into(),
        kind: Kind::Server,
        address: local(port),
        ports: vec![Port { number: port, setting: "ports.postgres".into() }],
        launch: place.launch("postgres", arguments(&place, port, settings.memory.postgres_buffers_mb)),
        log: settings.log(NAME),
        health: Health::Postgres(local(port)),
        needs: vec![],
        before: Before::Nothing,
        // INT is its fast shutdown: TERM would wait for clients.
        stop: Stop { rank: 5, signal: Signal::INT, within: Duration::from_millis(1500) },
        class_archive: None,
    };
    Ok((process, password))
}

/// The folder outside of `home` that belongs to it, if there is one: to be removed with it.
pub fn place_outside(home: &Path) -> Option<PathBuf> {
    let recorded = std::fs::read_to_string(record_of_place(home)).ok()?;
    let place = PathBuf::from(recorded.trim());
    // Never anything else, whatever the file says.
    (place.parent() == Some(Path::new(PLACES))).then_some(place)
}

fn arguments(place: &Place, port: u16, buffers_mb: u32) -> Vec<String> {
    let settings = [
        "listen_addresses=127.0.0.1".to_string(),
        format!("port={port}"),
        // Nobody uses the socket, and its default folder is not everybody's to write to.
        "unix_socket_directories=".into(),
        format!("shared_buffers={}MB", buffers_mb.max(16)),
        format!("max_connections={CONNECTIONS_MAX}"),
        "jit=off".into(),
        "timezone=UTC".into(),
        "log_timezone=UTC".into(),
    ];
    let settings = settings.into_iter().flat_map(|setting| ["-c".to_string(), setting]);
    ["-D".to_string(), place.data().display().to_string()].into_iter().chain(settings).collect()
}

impl Place {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn launch(&self, program: &str, args: Vec<String>) -> Launch {
        let program = self.binaries.join("bin").join(program);
        Launch {
            program,
            args,
            env: crate::environment(),
            folder: Some(self.folder.clone()),
            user: self.user,
        }
    }
}

/// Made once; 0600, ours.
fn password(file: &Path) -> Result<String, Error> {
    if let Ok(password) = std::fs::read_to_string(file) {
        return Ok(password.trim().to_string());
    }
    let random: [u8; PASSWORD_BYTES] = rand::random();
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    write_secret(file, &password)?;
    Ok(password)
}

fn place(settings: &Settings, installed: &Installed) -> Result<Place, Error> {
    let inside = settings.folder(NAME);
    let create = |folder: &Path| std::fs::create_dir_all(folder).map_err(at("create", folder));
    create(&inside)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(Place { folder: inside, binaries: installed.postgres.clone(), user: None });
    }
    let user = other_user()?;
    let folder = match place_outside(&settings.home) {
        Some(place) => place,
        None if is_reachable_by_others(&inside) => inside,
        None => new_place_outside(&settings.home)?,
    };
    create(&folder)?;
    std::os::unix::fs::chown(&folder, Some(user.0), Some(user.1)).map_err(at("change owner of", &folder))?;
    let shared = is_reachable_by_others(&installed.postgres);
    let binaries = if shared { installed.postgres.clone() } else { own_binaries(&folder, installed)? };
    Ok(Place { folder, binaries, user: Some(user) })
}

fn new_place_outside(home: &Path) -> Result<PathBuf, Error> {
    let hash = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let place = Path::new(PLACES).join(name);
    write_file(&record_of_place(home), &place.display().to_string())?;
    Ok(place)
}

/// For a user who may not look into the cache.
fn own_binaries(folder: &Path, installed: &Installed) -> Result<PathBuf, Error> {
    let binaries = folder.join(installed.postgres.file_name().unwrap_or_default());
    if !binaries.is_dir() {
        unpack::txz_in_jar(&installed.postgres_jar, &binaries)?;
    }
    Ok(binaries)
}

fn record_of_place(home: &Path) -> PathBuf {
    home.join("servers").join(NAME).join("place")
}

/// `postgres` where it exists, else `nobody`.
fn other_user() -> Result<(u32, u32), Error> {
    let users = std::fs::read_to_string("/etc/passwd").map_err(at("read", "/etc/passwd"))?;
    let ids = |name: &str| {
        users.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
            [user, _, uid, gid, ..] if user == name => Some((uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        })
    };
    let cause = || "root may not run it, and there is no user postgres or nobody; make one".to_string();
    ids("postgres")
        .or(ids("nobody"))
        .ok_or_else(|| Error::Postgres { step: "choice of a user", cause: cause() })
}

/// `initdb`, then the databases in single-user mode. The folder gets its name when all is done.
async fn make_cluster(place: &Place, password: &str) -> Result<(), Error> {
    let new = place.folder.join("data.new");
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(at("clear", &new))?;
    }
    let password_file = place.folder.join("initdb-password");
    write_secret(&password_file, password)?;
    if let Some((uid, gid)) = place.user {
        std::os::unix::fs::chown(&password_file, Some(uid), Some(gid))
            .map_err(at("give away", &password_file))?;
    }
    let data = format!("--pgdata={}", new.display());
    let user = format!("--username={USER}");
    let secret = format!("--pwfile={}", password_file.display());
    let locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    let args = [&data, &user, &secret, "--auth=scram-sha-256"].into_iter().chain(locale);
    let made = run(place.launch("initdb", args.map(str::to_string).collect()), "initdb", "").await;
    std::fs::remove_file(&password_file).map_err(at("remove", &password_file))?;
    made?;
    let sql: String = DATABASES.iter().map(|name| format!("CREATE DATABASE {name};\n")).collect();
    let args = ["--single", "-D", &new.display().to_string(), "postgres"].map(str::to_string);
    run(place.launch("postgres", args.into()), "creation of the databases", &sql).await?;
    std::fs::rename(&new, place.data()).map_err(at("rename", &new))
}

async fn run(launch: Launch, step: &'static str, input: &str) -> Result<(), Error> {
    let failed = |cause: String| Error::Postgres { step, cause };
    let mut command = child::command(&launch);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|cause| failed(format!("{}: {cause}", launch.program.display())))?;
    let stdin = child.stdin.take();
    let whole = async {
        if let Some(mut stdin) = stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(STEP_TIMEOUT, whole).await;
    let output = output.map_err(|_| failed(format!("took over {STEP_TIMEOUT:?}")))?;
    let output = output.map_err(|cause| failed(cause.to_string()))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // Single-user mode ends well after a statement that failed.
    let broken = !output.status.success() || text.contains("ERROR:") || text.contains("FATAL:");
    if broken { Err(failed(format!("{}\n{}", output.status, text.trim()))) } else { Ok(()) }
}

/// It serves when it asks for a password; while it starts or recovers it answers an error.
pub(crate) async fn healthy(address: &str) -> Result<(), String> {
    let parameters = format!("user\0{USER}\0database\0postgres\0\0");
    let version: u32 = 3 << 16;
    let length = (8 + parameters.len()) as u32;
    let startup = [&length.to_be_bytes()[..], &version.to_be_bytes(), parameters.as_bytes()].concat();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&startup).await?;
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        // Read to its end: a connection closed with unread bytes is reset, and the server logs that each time.
        let mut rest = (&mut stream).take(u64::from(length.saturating_sub(4)));
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        Ok::<u8, std::io::Error>(kind)
    };
    match exchange.await {
        Ok(b'R') => Ok(()),
        Ok(b'E') => Err("still starts or recovers".into()),
        Ok(other) => Err(format!("answers {:?}, which is not PostgreSQL's", char::from(other))),
        Err(error) => Err(error.to_string()),
    }
}
