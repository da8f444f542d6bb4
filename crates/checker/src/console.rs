//! A topic as Kafka's own console consumer sees it: another client library than ours.

use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::process::Command;

/// A record as the console consumer prints it. Keys and values are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub partition: i32,
    pub offset: i64,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// Why a topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("{java} cannot be run: {cause}. Is Java there?")]
    Java { java: String, cause: std::io::Error },
    #[error("the console consumer did not end within {0:?}: does Kafka answer?")]
    Slow(Duration),
    #[error("the console consumer failed on {topic}: {told}")]
    Failed { topic: String, told: String },
    #[error("the console consumer printed what is no record: {0}")]
    Unreadable(String),
}

/// Which Java, which jars, which cluster.
#[derive(Clone, Debug)]
pub struct Console {
    pub java: PathBuf,
    pub jars: Vec<PathBuf>,
    pub bootstrap: String,
}

/// Separators that no event holds: the printer writes raw bytes between them.
const FIELD: &str = "|~field~|";
const END: &str = "|~end~|";
const READ_MAX: Duration = Duration::from_secs(180);

impl Console {
    /// Reads a topic from its beginning, committed records only. The consumer ends when nothing came for `silence`: its only way to
    /// tell the end of a topic. On a busy machine its first record takes more than four seconds.
    pub async fn read(&self, topic: &str, silence: Duration) -> Result<Vec<Printed>, ConsoleError> {
        let jars: Vec<String> = self.jars.iter().map(|jar| jar.display().to_string()).collect();
        let mut command = Command::new(&self.java);
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", &jars.join(":")])
            .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--bootstrap-server", &self.bootstrap, "--topic", topic, "--from-beginning"])
            .args(["--isolation-level", "read_committed", "--timeout-ms", &silence.as_millis().to_string()]);
        for (property, value) in [
            ("print.partition", "true"),
            ("print.offset", "true"),
            ("print.key", "true"),
            ("key.separator", FIELD),
            ("line.separator", END),
        ] {
            command.args(["--property", &format!("{property}={value}")]);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = match tokio::time::timeout(READ_MAX, command.output()).await {
            Err(_) => return Err(ConsoleError::Slow(READ_MAX)),
            Ok(Err(cause)) => {
                return Err(ConsoleError::Java { java: self.java.display().to_string(), cause });
            }
            Ok(Ok(output)) => output,
        };
        let told = String::from_utf8_lossy(&output.stderr);
        // It ends by its own time-out; whatever else it says is an error.
        if !told.contains("Processed a total of") {
            return Err(ConsoleError::Failed { topic: topic.to_owned(), told: told.into_owned() });
        }
        parse(&output.stdout)
    }
}

/// `Partition:0 FIELD Offset:12 FIELD key FIELD value END`, again and again.
fn parse(mut printed: &[u8]) -> Result<Vec<Printed>, ConsoleError> {
    let mut records = vec![];
    while let Some((line, rest)) = split(printed, END.as_bytes()) {
        records.push(record(line).ok_or_else(|| {
            ConsoleError::Unreadable(String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned())
        })?);
        printed = rest;
    }
    Ok(records)
}

fn record(line: &[u8]) -> Option<Printed> {
    let (partition, rest) = split(line, FIELD.as_bytes())?;
    let (offset, rest) = split(rest, FIELD.as_bytes())?;
    let (key, value) = split(rest, FIELD.as_bytes())?;
    let number =
        |field: &[u8], name: &str| std::str::from_utf8(field).ok()?.strip_prefix(name)?.parse::<i64>().ok();
    Some(Printed {
        partition: number(partition, "Partition:")?.try_into().ok()?,
        offset: number(offset, "Offset:")?,
        key: key.to_vec(),
        value: value.to_vec(),
    })
}

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    Some((&bytes[..at], &bytes[at + by.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_consumer_prints_is_taken_apart_byte_for_byte() {
        let printed =
            [b"Partition:2|~field~|Offset:41|~field~|k|~field~|\0\x01\n|x".as_slice(), b"|~end~|"].concat();
        let record = Printed { partition: 2, offset: 41, key: b"k".into(), value: b"\0\x01\n|x".into() };
        assert_eq!(parse(&printed.repeat(2)).unwrap(), [record.clone(), record]);
        assert!(parse(b"Exception|~end~|").is_err());
    }
}
