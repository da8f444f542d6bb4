//! Kafka 3.9 brokers with ZooKeeper, small enough for a laptop.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::install::Installed;
use crate::java::{Java, JavaServer};
use crate::process::{Before, Health, Kind, PROBE_TIMEOUT, Port, Process, Stop};
use crate::settings::{Settings, local};
use crate::{write_file, zookeeper};

/// An answer about no topics names brokers only.
const ANSWER_BYTES_MAX: u32 = 1 << 20;

/// One process per port of `ports.kafka`; the ids of brokers count from 1.
pub(crate) fn processes(
    settings: &Settings,
    installed: &Installed,
    java: &Java,
) -> Result<Vec<Process>, Error> {
    let ids = 1..=settings.ports.kafka.len();
    ids.zip(&settings.ports.kafka).map(|(id, port)| broker(settings, installed, java, id, *port)).collect()
}

/// `kafka`, `kafka-2`, `kafka-3`.
fn name(id: usize) -> String {
    if id == 1 { "kafka".into() } else { format!("kafka-{id}") }
}

fn broker(
    settings: &Settings,
    installed: &Installed,
    java: &Java,
    id: usize,
    port: u16,
) -> Result<Process, Error> {
    let name = name(id);
    let folder = settings.folder(&name);
    let zookeeper = local(settings.ports.zookeeper);
    let properties = configuration(&folder, id, port, &zookeeper, settings.ports.kafka.len());
    write_file(&folder.join("server.properties"), &properties)?;
    write_file(&folder.join("log4j.properties"), zookeeper::LOG4J)?;
    let heap = settings.memory.kafka_heap_mb.max(64);
    let server = JavaServer {
        name: "kafka",
        heap_mb: (64, heap),
        class_path: &installed.kafka_jars,
        options: vec![
            "-XX:TieredStopAtLevel=1".into(),
            format!("-Dlog4j.configuration=file:{}", folder.join("log4j.properties").display()),
        ],
        main: "kafka.Kafka",
        args: vec![folder.join("server.properties").display().to_string()],
        folder,
    };
    let (launch, class_archive) = java.launch(server, &installed.class_archives)?;
    Ok(Process {
        address: local(port),
        kind: Kind::Server,
        ports: vec![Port { number: port, setting: "ports.kafka".into() }],
        launch,
        log: settings.log(&name),
        health: Health::Kafka(local(port)),
        needs: vec![zookeeper::NAME.into()],
        before: Before::BrokerForgotten { zookeeper, id: id as u32 },
        stop: Stop { rank: 2, signal: Signal::TERM, within: Duration::from_millis(3000) },
        class_archive,
        name,
    })
}

/// Replication as far as there are brokers; buffers that would come out of a small heap are cut down.
fn configuration(folder: &Path, id: usize, port: u16, zookeeper: &str, brokers: usize) -> String {
    let replicas = brokers.min(3);
    let in_sync = if replicas > 1 { replicas - 1 } else { 1 };
    format!(
        include_str!("kafka.properties"),
        id = id,
        port = port,
        zookeeper = zookeeper,
        data = folder.join("data").display(),
        replicas = replicas,
        in_sync = in_sync
    )
}

/// Is the registration of a broker that was killed gone? A new one with its id would end at once.
pub(crate) async fn is_forgotten(zookeeper: &str, id: u32) -> bool {
    let node = format!("/brokers/ids/{id}");
    let dump = tokio::time::timeout(PROBE_TIMEOUT, zookeeper::ask(zookeeper, "dump")).await;
    matches!(dump, Ok(Ok(dump)) if !dump.lines().any(|line| line.trim() == node))
}

/// It serves when its metadata name a broker and a controller.
pub(crate) async fn healthy(address: &str) -> Result<(), String> {
    let answer = metadata(address).await.map_err(|error| error.to_string())?;
    let mut answer = Reader(&answer);
    let mut read = || -> Option<(i32, i32)> {
        answer.i32()?; // correlation id
        answer.i32()?; // throttle time
        let brokers = answer.i32()?;
        for _ in 0..brokers {
            answer.i32()?;
            answer.string()?;
            answer.i32()?;
            answer.string()?;
        }
        answer.string()?; // cluster id
        Some((brokers, answer.i32()?))
    };
    match read() {
        Some((brokers, controller)) if brokers > 0 && controller >= 0 => Ok(()),
        Some(_) => Err("no controller yet".into()),
        None => Err("an answer that is not Kafka's".into()),
    }
}

/// A metadata request, version 4, about no topics.
async fn metadata(address: &str) -> std::io::Result<Vec<u8>> {
    const REQUEST: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0];
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&REQUEST).await?;
    let length = stream.read_u32().await?;
    if length > ANSWER_BYTES_MAX {
        return Err(std::io::Error::other("an answer that is not Kafka's"));
    }
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn i32(&mut self) -> Option<i32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*head))
    }

    /// Skips a string; a length of -1 is null.
    fn string(&mut self) -> Option<()> {
        let (head, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(i16::from_be_bytes(*head)).unwrap_or(0);
        self.0 = rest.get(length..)?;
        Some(())
    }
}
