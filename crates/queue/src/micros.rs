//! Moments in JSON: RFC 3339 with six digits, always, so that texts of them have one length and one order.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;

pub fn at<S: Serializer>(moment: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&told(moment))
}

pub fn maybe<S: Serializer>(moment: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.serialize_some(&told(moment)),
        None => serializer.serialize_none(),
    }
}

fn told(moment: &DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_six_digits_whatever_they_are() {
        for (text, expected) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000Z"),
            ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000Z"),
            ("2026-03-01T12:00:00.123456+01:00", "2026-03-01T11:00:00.123456Z"),
        ] {
            assert_eq!(told(&text.parse().unwrap()), expected);
        }
    }
}
