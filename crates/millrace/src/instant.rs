//! Instants as people type them and as we print them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// Reads RFC 3339, also without its seconds, or a day: its midnight in UTC.
pub fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let whole = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let short = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok().map(|at| at.and_utc());
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    whole().or_else(short).or_else(day).ok_or_else(|| "write an instant such as 2026-03-01T02:30:00Z".into())
}

/// Reads `FROM/TO`, or an instant, which begins and ends with itself.
pub fn interval(text: &str) -> Result<(DateTime<Utc>, DateTime<Utc>), String> {
    let (from, to) = text.split_once('/').unwrap_or((text, text));
    Ok((parse(from)?, parse(to)?))
}

/// RFC 3339 in UTC, with as many digits as it needs.
pub fn show(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_may_lack_its_seconds_or_be_a_day() {
        let cases = [
            ("2023-03-24T02:00:00Z", Some("2023-03-24T02:00:00Z")),
            ("2023-03-24T02:00:00.5+01:00", Some("2023-03-24T01:00:00.500Z")),
            ("2023-03-24T02:00Z", Some("2023-03-24T02:00:00Z")),
            ("2023-03-24", Some("2023-03-24T00:00:00Z")),
            ("tomorrow", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).ok().map(show).as_deref(), expected, "{text}");
        }
    }
}
