//! ZooKeeper 3.8, which keeps Kafka's metadata.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::install::Installed;
use crate::java::{Java, JavaServer};
use crate::process::{Before, Health, Kind, Port, Process, Stop};
use crate::settings::{Settings, local};
use crate::write_file;

pub const NAME: &str = "zookeeper";
/// `dump` of a ZooKeeper with thousands of sessions; ours has a few.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn process(settings: &Settings, installed: &Installed, java: &Java) -> Result<Process, Error> {
    let folder = settings.folder(NAME);
    let port = settings.ports.zookeeper;
    write_file(&folder.join("zoo.cfg"), &configuration(&folder, port))?;
    write_file(&folder.join("log4j.properties"), LOG4J)?;
    let server = JavaServer {
        name: NAME,
        heap_mb: (32, settings.memory.zookeeper_heap_mb.max(32)),
        class_path: &installed.kafka_jars,
        options: vec![
            "-XX:TieredStopAtLevel=1".into(),
            "-Dzookeeper.jmx.log4j.disable=true".into(),
            format!("-Dlog4j.configuration=file:{}", folder.join("log4j.properties").display()),
        ],
        main: "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        args: vec![folder.join("zoo.cfg").display().to_string()],
        folder,
    };
    let (launch, class_archive) = java.launch(server, &installed.class_archives)?;
    Ok(Process {
        name: NAME.into(),
        kind: Kind::Server,
        address: local(port),
        ports: vec![Port { number: port, setting: "ports.zookeeper".into() }],
        launch,
        log: settings.log(NAME),
        health: Health::ZooKeeper(local(port)),
        needs: vec![],
        before: Before::Nothing,
        stop: Stop { rank: 3, signal: Signal::TERM, within: Duration::from_millis(500) },
        class_archive,
    })
}

/// Ticks of 500 ms allow sessions from 1 s on: a dead broker is forgotten within its own 6 s, not 18.
fn configuration(folder: &Path, port: u16) -> String {
    format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=500\nminSessionTimeout=1000\n\
         maxSessionTimeout=60000\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=srvr,dump\n\
         autopurge.snapRetainCount=3\nautopurge.purgeInterval=24\n",
        folder.join("data").display()
    )
}

/// To standard output, which is the log file.
pub(crate) const LOG4J: &str = "log4j.rootLogger=INFO, out\n\
     log4j.appender.out=org.apache.log4j.ConsoleAppender\n\
     log4j.appender.out.layout=org.apache.log4j.PatternLayout\n\
     log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n";

/// It serves when `srvr` names its mode: a port that accepts may belong to a server that still reads its log.
pub(crate) async fn healthy(address: &str) -> Result<(), String> {
    let answer = ask(address, "srvr").await.map_err(|error| error.to_string())?;
    if answer.contains("Mode: ") { Ok(()) } else { Err("still reads its data".into()) }
}

/// One of ZooKeeper's four-letter words.
pub(crate) async fn ask(address: &str, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(word.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}
