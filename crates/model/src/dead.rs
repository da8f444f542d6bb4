//! Dead letters: records that cannot go on, kept byte for byte with the reason.

use serde::{Deserialize, Serialize};

/// Which part of the path gave a record up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Producer,
    Job,
    Sink,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Producer => "producer",
            Stage::Job => "job",
            Stage::Sink => "sink",
        }
    }
}

/// Why a record is in a dead-letter topic and where it came from. Travels as the headers of the dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    pub stage: Stage,
    pub reason: String,
    /// The topic that the record was on, or was meant for.
    pub topic: String,
    /// Absent where the record never reached the topic.
    pub partition: Option<i32>,
    pub offset: Option<i64>,
    /// The job or table that refused it.
    pub job: Option<String>,
    /// The version of the pipeline that refused it.
    pub version: Option<String>,
}

/// A reason longer than this is cut: headers are read by people, and a broker bounds the size of a record.
pub const REASON_BYTES_MAX: usize = 1_000;

/// The topic that takes the dead letters of `topic`.
pub fn topic_of(topic: &str) -> String {
    format!("{topic}-dead")
}

impl DeadLetter {
    /// The headers, in the order in which people read them.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("stage", self.stage.as_str().to_owned()),
            ("reason", cut(&self.reason).to_owned()),
            ("topic", self.topic.clone()),
        ];
        headers.extend(self.partition.map(|value| ("partition", value.to_string())));
        headers.extend(self.offset.map(|value| ("offset", value.to_string())));
        headers.extend(self.job.clone().map(|value| ("job", value)));
        headers.extend(self.version.clone().map(|value| ("version", value)));
        headers
    }
}

fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let letter = DeadLetter {
            stage: Stage::Job,
            reason: "ж".repeat(900),
            topic: "users".into(),
            partition: Some(3),
            offset: None,
            job: None,
            version: None,
        };
        let headers = letter.headers();
        assert_eq!(headers[1].1.len(), REASON_BYTES_MAX);
        assert_eq!(headers[3], ("partition", "3".to_owned()));
        assert_eq!(topic_of("users"), "users-dead");
    }
}
