//! Runs for due times that have passed.

use crate::{
    due,
    outside::Outside,
    page::{Trouble, act::published_dag},
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use schedule::Calendar;
use serde::Serialize;

/// What a backfill made.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    /// Logical times that got a run.
    pub made: Vec<DateTime<Utc>>,
    /// How many had one already: a due time has one run, whoever asked for it.
    pub there: usize,
}

/// Runs of one request. More would fill the queue for hours by a slip of the keyboard.
pub const RUNS_MAX: usize = 1_000;

/// Makes a run for each due time from `from` to `to`, both included. `max_active_runs` decides how many run at once.
pub async fn backfill(
    outside: &Outside,
    name: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Made, Trouble> {
    let (row, dag) = published_dag(outside, name).await?;
    let timetable = dag
        .settings
        .timetable(None)
        .map_err(|cause| Trouble(StatusCode::CONFLICT, format!("the schedule of \"{name}\": {cause}")))?;
    let times = times(&timetable.calendar, from, to).ok_or_else(|| {
        Trouble(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "more than {RUNS_MAX} runs of \"{name}\" lie between {from} and {to}: ask for a part of them"
            ),
        )
    })?;
    let mut answer = Made::default();
    for at in times {
        // An interval that never ends has no run.
        let Some(planned) = timetable.planned(at, Utc::now()) else { continue };
        let (_, new) = outside.queue.create(&due::run(&row, &dag, &planned, queue::Cause::Backfill)).await?;
        if new { answer.made.push(at) } else { answer.there += 1 }
    }
    Ok(answer)
}

/// The due times of a range; `None` where there are too many.
fn times(calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<DateTime<Utc>>> {
    let just_before = from - chrono::TimeDelta::nanoseconds(1);
    let times: Vec<_> = calendar.between(just_before, to).take(RUNS_MAX + 1).collect();
    (times.len() <= RUNS_MAX).then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hourly(from: &str, to: &str) -> Option<Vec<String>> {
        let schedule = schedule::Schedule::of_cron(&["0 * * * *"]);
        let calendar = Calendar::new(&schedule, "UTC", Default::default(), None).unwrap();
        let times = times(&calendar, from.parse().unwrap(), to.parse().unwrap())?;
        Some(times.iter().map(|at| at.format("%dT%H:%M").to_string()).collect())
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let times = hourly("2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z");
        assert_eq!(times.unwrap(), ["01T00:00", "01T01:00", "01T02:00"]);
    }

    #[test]
    fn a_range_that_is_empty_or_turned_round_has_no_times() {
        for (from, to) in [
            ("2026-03-01T00:10:00Z", "2026-03-01T00:50:00Z"),
            ("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"),
        ] {
            assert_eq!(hourly(from, to), Some(vec![]));
        }
    }

    #[test]
    fn a_range_with_too_many_times_is_refused_whole() {
        assert_eq!(hourly("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), None);
    }
}
