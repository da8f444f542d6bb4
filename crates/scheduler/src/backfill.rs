//! Runs for due times that have passed.

use crate::{
    due,
    outside::Outside,
    page::{Trouble, act::published_dag},
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::RunState;
use queue::{Backfilled, By, NewBackfill, NewRun, Reprocess};
use schedule::Calendar;
use serde::Serialize;
use uuid::Uuid;

/// Runs of one request. More would fill the queue for hours by a slip of the keyboard.
pub const RUNS_MAX: usize = 1_000;
/// More open runs at once than tasks that the machines can run are of no use.
pub const ACTIVE_MAX: u32 = 100;

/// A due time of a range.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub logical_time: DateTime<Utc>,
    pub interval_start: Option<DateTime<Utc>>,
    pub interval_end: Option<DateTime<Utc>>,
    /// The run that is there, and how it stands; a run that was forgotten has no state.
    pub run_id: Option<Uuid>,
    pub state: Option<RunState>,
    /// make, again, or leave.
    pub what: &'static str,
}

/// The runs of a range: one for each due time from `from` to `to`, both included.
pub async fn runs(
    outside: &Outside,
    name: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<NewRun>, Trouble> {
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
    let now = Utc::now();
    // An interval that never ends has no run.
    let planned = times.into_iter().filter_map(|at| timetable.planned(at, now));
    Ok(planned.map(|planned| due::run(&row, &dag, &planned, queue::Cause::Backfill)).collect())
}

/// What a backfill of these runs would do, run by run.
pub async fn list(
    outside: &Outside,
    runs: &[NewRun],
    reprocess: Reprocess,
) -> Result<Vec<Listed>, sqlx::Error> {
    let keys: Vec<String> = runs.iter().map(|run| run.key.clone()).collect();
    let there = outside.queue.there(&keys).await?;
    let listed = |run: &NewRun| {
        let found = there.get(&run.key).copied();
        let (interval_start, interval_end) = run.interval.unzip();
        let what = match found {
            None => "make",
            Some((_, None)) if reprocess.takes(None) => "make",
            Some((_, state)) if reprocess.takes(state) => "again",
            Some(_) => "leave",
        };
        Listed {
            logical_time: run.logical_at,
            interval_start,
            interval_end,
            run_id: found.map(|(id, _)| id),
            state: found.and_then(|(_, state)| state),
            what,
        }
    };
    Ok(runs.iter().map(listed).collect())
}

/// Does it. Answers what was done, and the logical times of the runs that are new.
pub async fn backfill(
    outside: &Outside,
    asked: &NewBackfill,
    runs: &[NewRun],
    by: &By,
) -> Result<(Backfilled, Vec<DateTime<Utc>>), Trouble> {
    if asked.max_active == 0 || asked.max_active > ACTIVE_MAX {
        return Err(Trouble(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("max_active is {}: give 1 to {ACTIVE_MAX}", asked.max_active),
        ));
    }
    let done = outside.queue.backfill(asked, runs, by).await?;
    let made = runs.iter().filter(|run| done.made.contains(&run.key)).map(|run| run.logical_at).collect();
    Ok((done, made))
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
