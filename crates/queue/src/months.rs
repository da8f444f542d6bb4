//! What has run lies in months, by the moment at which its run was made: an id of a run begins with it. So a month is forgotten
//! whole, at once, however much is in it.

use crate::Queue;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use model::Retry;
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;
use uuid::Uuid;

/// What lies in months. The runs come last: who finds a run finds what belongs to it.
const TABLES: [(&str, &str); 5] = [
    ("task_edge", "run_id"),
    ("attempt", "run_id"),
    ("task_log", "run_id"),
    ("task", "run_id"),
    ("run", "id"),
];
/// Months that are made before they are needed: what is made too late lies where it can only be deleted row by row.
const AHEAD: u32 = 1;

/// A month: its first day, and the ids of the runs that were made in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Month {
    first: NaiveDate,
    from: Uuid,
    to: Uuid,
}

impl Month {
    fn of(at: DateTime<Utc>) -> Option<Self> {
        Self::beginning(at.date_naive().with_day(1)?)
    }

    fn beginning(first: NaiveDate) -> Option<Self> {
        let next = first.checked_add_months(Months::new(1))?;
        Some(Self { first, from: first_id(first)?, to: first_id(next)? })
    }

    fn after(self, months: u32) -> Option<Self> {
        Self::beginning(self.first.checked_add_months(Months::new(months))?)
    }

    /// `task_2026_03`
    fn table(self, of: &str) -> String {
        format!("{of}_{}", self.first.format("%Y_%m"))
    }

    fn of_table(name: &str) -> Option<Self> {
        let (year, month) = name.strip_prefix("run_")?.split_once('_')?;
        Self::beginning(NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?)
    }
}

/// The least id of a run that is made on this day or later: 48 bits of milliseconds come first.
fn first_id(day: NaiveDate) -> Option<Uuid> {
    let milliseconds = u128::try_from(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis()).ok()?;
    Some(Uuid::from_u128(milliseconds << 80))
}

impl Queue {
    /// Makes the month of `now`, and those that come next, where they are not there. Answers how many are new.
    pub async fn make_months(&self, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
        let mut made = 0;
        for ahead in 0..=AHEAD {
            let Some(month) = Month::of(now).and_then(|month| month.after(ahead)) else { continue };
            made += usize::from(until_free(|| self.make_month(month)).await?);
        }
        Ok(made)
    }

    async fn make_month(&self, month: Month) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction).await?;
        let wanted = !is_there(&mut transaction, month).await? && is_free(&mut transaction, month).await?;
        if wanted {
            make(&mut transaction, month).await?;
            transaction.commit().await?;
        }
        Ok(wanted)
    }

    /// Drops months whose runs have all ended more than `days` days ago. Answers their names.
    pub async fn forget_months(&self, days: f64) -> Result<Vec<String>, sqlx::Error> {
        let statement = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'run'::regclass ORDER BY 1";
        let tables: Vec<(String,)> = sqlx::query_as(statement).fetch_all(&self.pool).await?;
        let mut gone = vec![];
        for month in tables.iter().filter_map(|(name,)| Month::of_table(name)) {
            if until_free(|| self.forget_month(month, days)).await? {
                gone.push(month.first.format("%Y-%m").to_string());
            }
        }
        Ok(gone)
    }

    async fn forget_month(&self, month: Month, days: f64) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        lock(&mut transaction).await?;
        let over = is_over(&mut transaction, month, days).await?;
        if over {
            drop_month(&mut transaction, month).await?;
            transaction.commit().await?;
        }
        Ok(over)
    }
}

/// One at a time. Who waits for a table waits for less than PostgreSQL takes to look for a deadlock (1 s): all others wait behind, and
/// one of them would be its victim.
async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtext('millrace months')), set_config('lock_timeout', '500ms', true)",
    )
    .execute(connection)
    .await
    .map(drop)
}

const TRIES: Retry = Retry::new(10, Duration::from_millis(100), Duration::from_secs(1));

/// Tables are nearly never free of everybody for long, and nearly always for a moment.
async fn until_free<S>(step: impl Fn() -> S) -> Result<bool, sqlx::Error>
where
    S: Future<Output = Result<bool, sqlx::Error>>,
{
    let mut failed = 0;
    loop {
        match step().await {
            Err(cause) if is_held(&cause) => {
                failed += 1;
                let Some(pause) = TRIES.delay(failed, 0.9) else { return Err(cause) };
                tokio::time::sleep(pause).await;
            }
            said => return said,
        }
    }
}

/// `lock_not_available`, `deadlock_detected`
fn is_held(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "55P03" || code == "40P01")
}

async fn is_there(connection: &mut PgConnection, month: Month) -> Result<bool, sqlx::Error> {
    let statement = "SELECT to_regclass($1) IS NOT NULL";
    let (there,): (bool,) = sqlx::query_as(statement).bind(month.table("run")).fetch_one(connection).await?;
    Ok(there)
}

/// Whether nothing of it lies elsewhere: what was there before there were months stays where it is.
async fn is_free(connection: &mut PgConnection, month: Month) -> Result<bool, sqlx::Error> {
    for (table, id) in TABLES {
        let statement = format!("SELECT EXISTS (SELECT FROM {table}_other WHERE {id} >= $1 AND {id} < $2)");
        let (taken,): (bool,) = sqlx::query_as(AssertSqlSafe(statement))
            .bind(month.from)
            .bind(month.to)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn make(connection: &mut PgConnection, month: Month) -> Result<(), sqlx::Error> {
    for (table, _) in TABLES {
        let (part, Month { from, to, .. }) = (month.table(table), month);
        let statement =
            format!("CREATE TABLE {part} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn is_over(connection: &mut PgConnection, month: Month, days: f64) -> Result<bool, sqlx::Error> {
    let statement = format!(
        "SELECT $1 < now() - $2 * interval '1 day' AND NOT EXISTS (SELECT FROM {} WHERE ended_at IS NULL OR ended_at >= now() - $2 * interval '1 day')",
        month.table("run")
    );
    let end = month.after(1).and_then(|next| next.first.and_hms_opt(0, 0, 0)).map(|end| end.and_utc());
    let (over,): (bool,) =
        sqlx::query_as(AssertSqlSafe(statement)).bind(end).bind(days).fetch_one(connection).await?;
    Ok(over)
}

async fn drop_month(connection: &mut PgConnection, month: Month) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM notice WHERE run_id >= $1 AND run_id < $2")
        .bind(month.from)
        .bind(month.to)
        .execute(&mut *connection)
        .await?;
    for (table, _) in TABLES {
        let statement = format!("DROP TABLE {}", month.table(table));
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_lies_in_the_month_in_which_it_was_made() {
        let at: DateTime<Utc> = "2026-12-31T23:59:59.999Z".parse().unwrap();
        let id =
            Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, at.timestamp() as u64, 999_000_000));
        let month = Month::of(at).unwrap();
        assert_eq!(
            (month.table("task"), Month::of_table("run_2026_12")),
            ("task_2026_12".into(), Some(month))
        );
        assert!(month.from <= id && id < month.to, "{month:?} {id}");
        assert_eq!(month.after(1).unwrap().table("run"), "run_2027_01");
        assert_eq!((month.to, Month::of_table("run_other")), (month.after(1).unwrap().from, None));
    }
}
