//! Durations in configuration: `"10s"`, `"5m"`, `"0s"`.

use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// Reads a duration with its unit. For `#[serde(deserialize_with = "model::span::parse")]`.
pub fn parse<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|cause| {
        D::Error::custom(format!(
            "\"{text}\" is not a duration ({cause}): write a number and a unit, such as \"10s\" or \"5m\""
        ))
    })
}

/// The same for a setting that may be absent.
pub fn parse_optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    parse(from).map(Some)
}

/// A duration as whole milliseconds, at most `i64::MAX`.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #[derive(serde::Deserialize, Debug)]
    struct Holder {
        #[serde(deserialize_with = "super::parse")]
        wait: std::time::Duration,
    }

    #[test]
    fn a_duration_needs_its_unit() {
        let good: Holder = serde_json::from_str(r#"{"wait":"1m 30s"}"#).unwrap();
        assert_eq!(super::millis(good.wait), 90_000);
        let bad = serde_json::from_str::<Holder>(r#"{"wait":"30"}"#).unwrap_err().to_string();
        assert!(bad.contains("write a number and a unit"), "{bad}");
    }
}
