//! One cron expression.

use chrono::{NaiveDateTime, TimeZone, Utc};
use croner::parser::{CronParser, Seconds};

/// A cron expression of five or six fields, or a nickname such as `@daily`. Knows wall-clock time only.
#[derive(Clone, Debug)]
pub struct Cron {
    pattern: croner::Cron,
    /// Whether the hours are named (`2`, `7-8`, `1,3`) and not "every" or "every n-th".
    pub(crate) fixed_hours: bool,
}

/// Why an expression is not one.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CronError {
    #[error(
        "\"{expression}\" is not a cron expression: {cause}. Write five fields: minute hour day month weekday, such as \"0 2 * * *\""
    )]
    Malformed { expression: String, cause: String },
    #[error("\"{expression}\" names a date that never comes")]
    Never { expression: String },
    #[error("\"{zone}\" is not a time zone of the IANA database, such as \"Europe/Zurich\"")]
    Zone { zone: String },
}

impl Cron {
    pub fn parse(expression: &str) -> Result<Self, CronError> {
        let spelled = nickname(expression.trim());
        let pattern =
            CronParser::builder().seconds(Seconds::Optional).build().parse(spelled).map_err(|cause| {
                CronError::Malformed { expression: expression.to_owned(), cause: cause.to_string() }
            })?;
        let cron = Self { pattern, fixed_hours: has_fixed_hours(spelled) };
        let epoch = chrono::DateTime::UNIX_EPOCH.naive_utc();
        cron.next_wall(epoch)
            .map(|_| cron)
            .ok_or_else(|| CronError::Never { expression: expression.to_owned() })
    }

    /// The first matching wall-clock time after `after`.
    pub(crate) fn next_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // Wall-clock time is handed over as if it were UTC, which has no transitions: those are the calendar's business.
        self.pattern
            .find_next_occurrence(&Utc.from_utc_datetime(&after), false)
            .ok()
            .map(|next| next.naive_utc())
    }
}

fn nickname(expression: &str) -> &str {
    match expression {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    }
}

fn has_fixed_hours(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let hours = if fields.len() == 6 { fields[2] } else { fields.get(1).copied().unwrap_or("*") };
    !hours.contains(['*', '/', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_an_expression_whose_times_go_on_or_is_told(
            noise in "\\PC{0,30}",
            fields in prop::collection::vec("[0-9*/,LW#?-]{1,5}", 4..7),
        ) {
            for text in [noise, fields.join(" ")] {
                match Cron::parse(&text) {
                    Ok(cron) => {
                        let start = chrono::DateTime::UNIX_EPOCH.naive_utc();
                        let first = cron.next_wall(start);
                        prop_assert!(first.is_some_and(|first| first > start), "{}", text);
                    }
                    Err(cause) => prop_assert!(cause.to_string().contains(&text), "{}", cause),
                }
            }
        }
    }
}
