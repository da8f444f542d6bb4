//! The lock files: every file of the real servers, with the size and the SHA-256 that it must have.

use crate::Error;

/// One file of a Maven repository, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// `group:artifact:version[:classifier]`, for people.
    pub coordinate: String,
    /// Where it lies below the base address of a Maven repository.
    pub path: String,
    /// Lower-case hex.
    pub sha256: String,
    pub bytes: u64,
}

impl Artifact {
    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A lock file by name, as it is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// ZooKeeper 3.8 and Kafka 3.9: one class path serves both.
    Kafka,
    Cassandra,
    Registry,
    Postgres,
}

impl Lock {
    pub const ALL: [Lock; 4] = [Lock::Postgres, Lock::Kafka, Lock::Cassandra, Lock::Registry];

    pub fn name(self) -> &'static str {
        match self {
            Lock::Kafka => "kafka",
            Lock::Cassandra => "cassandra",
            Lock::Registry => "registry",
            Lock::Postgres => "postgres",
        }
    }

    /// The artifacts of this lock, in the order of the file.
    pub fn artifacts(self) -> Result<Vec<Artifact>, Error> {
        let text = match self {
            Lock::Kafka => include_str!("../locks/kafka.lock"),
            Lock::Cassandra => include_str!("../locks/cassandra.lock"),
            Lock::Registry => include_str!("../locks/registry.lock"),
            Lock::Postgres => include_str!("../locks/postgres.lock"),
        };
        parse(self.name(), text)
    }
}

/// Reads lines of `coordinate path sha256 bytes`; `#` opens a comment line.
pub fn parse(lock: &str, text: &str) -> Result<Vec<Artifact>, Error> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            parse_line(line).map_err(|cause| Error::Lock { lock: lock.into(), line: index + 1, cause })
        })
        .collect()
}

fn parse_line(line: &str) -> Result<Artifact, String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [coordinate, path, sha256, bytes] = fields[..] else {
        return Err(format!("{} fields instead of 4 (coordinate path sha256 bytes)", fields.len()));
    };
    if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(format!("{sha256:?} is not a SHA-256 in lower-case hex"));
    }
    if path.starts_with('/') || path.split('/').any(|part| part.is_empty() || part == "..") {
        return Err(format!("{path:?} is not a relative path without '..'"));
    }
    let bytes = bytes.parse().map_err(|_| format!("{bytes:?} is not a number of bytes"))?;
    Ok(Artifact { coordinate: coordinate.into(), path: path.into(), sha256: sha256.into(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_locks_hold_every_file_of_the_servers() {
        let expected = [
            (Lock::Kafka, 58, 48_382_810),
            (Lock::Cassandra, 48, 43_915_960),
            (Lock::Registry, 1, 108_860_403),
            (Lock::Postgres, 1, 14_987_378),
        ];
        for (lock, files, bytes) in expected {
            let artifacts = lock.artifacts().unwrap();
            assert_eq!(artifacts.len(), files, "{}", lock.name());
            assert_eq!(artifacts.iter().map(|a| a.bytes).sum::<u64>(), bytes, "{}", lock.name());
        }
    }

    #[test]
    fn a_bad_line_is_named_with_its_number_and_cause() {
        let sum = "a".repeat(64);
        let cases = [
            ("# c\ng:a:1 g/a/1/a-1.jar".to_string(), 2, "2 fields instead of 4"),
            (format!("g:a:1 g/a.jar {} 12", "A".repeat(64)), 1, "not a SHA-256"),
            (format!("g:a:1 g/../a.jar {sum} 12"), 1, "not a relative path"),
            (format!("g:a:1 /etc/a.jar {sum} 12"), 1, "not a relative path"),
            (format!("g:a:1 g/a.jar {sum} twelve"), 1, "not a number of bytes"),
        ];
        for (text, line, cause) in cases {
            let message = parse("test", &text).unwrap_err().to_string();
            assert!(message.contains(&format!("test.lock:{line}:")) && message.contains(cause), "{message}");
        }
    }
}
