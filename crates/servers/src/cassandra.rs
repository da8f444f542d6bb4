//! One node of Cassandra 5.0 whose acknowledged writes survive a kill (commit log sync `group`).

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{Error, at};
use crate::install::Installed;
use crate::java::{Java, JavaServer};
use crate::process::{Before, Health, Kind, Port, Process, Stop};
use crate::settings::{Settings, local};
use crate::write_file;

pub const NAME: &str = "cassandra";
/// The answers to our two questions have tens of bytes.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Below this heap the node spends its time collecting garbage.
const HEAP_MB_MIN: u32 = 256;

pub(crate) fn process(settings: &Settings, installed: &Installed, java: &Java) -> Result<Process, Error> {
    let folder = settings.folder(NAME);
    let (port, storage) = (settings.ports.cassandra, settings.ports.cassandra_storage);
    let triggers = folder.join("triggers");
    std::fs::create_dir_all(&triggers).map_err(at("create", &triggers))?;
    let yaml = format!(include_str!("cassandra.yaml"), storage = storage, port = port);
    write_file(&folder.join("cassandra.yaml"), &yaml)?;
    write_file(&folder.join("logback.xml"), include_str!("cassandra-logback.xml"))?;
    let heap = settings.memory.cassandra_heap_mb.max(HEAP_MB_MIN);
    let server = JavaServer {
        name: NAME,
        heap_mb: (heap, heap),
        class_path: &installed.cassandra_jars,
        options: options(settings, installed),
        main: "org.apache.cassandra.service.CassandraDaemon",
        args: vec![],
        folder,
    };
    let (launch, class_archive) = java.launch(server, &installed.class_archives)?;
    Ok(Process {
        name: NAME.into(),
        kind: Kind::Server,
        address: local(port),
        ports: vec![
            Port { number: port, setting: "ports.cassandra".into() },
            Port { number: storage, setting: "ports.cassandra_storage".into() },
        ],
        launch,
        log: settings.log(NAME),
        health: Health::Cassandra(local(port)),
        needs: vec![],
        before: Before::Nothing,
        stop: Stop { rank: 4, signal: Signal::TERM, within: Duration::from_millis(4500) },
        class_archive,
    })
}

fn options(settings: &Settings, installed: &Installed) -> Vec<String> {
    let folder = settings.folder(NAME);
    let property = |name: &str, value: &str| format!("-D{name}={}", folder.join(value).display());
    let jars = &installed.cassandra_jars;
    let is_jamm =
        |jar: &std::path::Path| jar.file_name().is_some_and(|n| n.to_string_lossy().starts_with("jamm-"));
    let agent = jars.iter().find(|jar| is_jamm(jar)).map(|jamm| format!("-javaagent:{}", jamm.display()));
    let module_options = include_str!("cassandra.options").lines().map(str::to_string);
    let own = [
        // A class archive beside an agent must be allowed; the agent only measures objects, it changes no class.
        "-XX:+UnlockDiagnosticVMOptions".into(),
        "-XX:+AllowArchivingWithJavaAgent".into(),
        format!("-XX:HeapDumpPath={}", folder.display()),
        format!("-Dcassandra.config=file://{}", folder.join("cassandra.yaml").display()),
        format!("-Dlogback.configurationFile={}", folder.join("logback.xml").display()),
        property("cassandra.storagedir", "data"),
        property("cassandra.logdir", ""),
        property("cassandra.triggers_dir", "triggers"),
        "-Dcassandra-foreground=yes".into(),
        // There is nobody to announce it to.
        "-Dcassandra.shutdown_announce_in_ms=0".into(),
    ];
    module_options.chain(agent).chain(own).collect()
}

/// It serves when it answers a query about itself.
pub(crate) async fn healthy(address: &str) -> Result<(), String> {
    const STARTUP: u8 = 1;
    const READY: u8 = 2;
    const QUERY: u8 = 7;
    const RESULT: u8 = 8;
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let options = [&[0, 1][..], &string("CQL_VERSION"), &string("3.0.0")].concat();
    let answer = ask(&mut stream, STARTUP, &options).await?;
    if answer != READY {
        return Err(format!("answers STARTUP by opcode {answer}"));
    }
    let text = "SELECT release_version FROM system.local";
    let length = (text.len() as u32).to_be_bytes();
    // Consistency ONE, no flags.
    let query = [&length[..], text.as_bytes(), &[0, 1, 0]].concat();
    let answer = ask(&mut stream, QUERY, &query).await?;
    if answer == RESULT { Ok(()) } else { Err(format!("answers QUERY by opcode {answer}")) }
}

/// Sends one frame of protocol version 4 and gives the opcode of the answer.
async fn ask(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<u8, String> {
    let head = [4, 0, 0, 0, opcode];
    let frame = [&head[..], &(body.len() as u32).to_be_bytes(), body].concat();
    let exchange = async {
        stream.write_all(&frame).await?;
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        let length = stream.read_u32().await?;
        if length > FRAME_BYTES_MAX {
            return Err(std::io::Error::other("an answer that is not Cassandra's"));
        }
        let mut rest = vec![0; length as usize];
        stream.read_exact(&mut rest).await?;
        Ok(head[4])
    };
    exchange.await.map_err(|error| error.to_string())
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}
