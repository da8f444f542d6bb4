//! A topic into a PostgreSQL table, beside a bare loop of `INSERT … SELECT unnest`.

use crate::{
    load::{event, fill},
    report::Report,
    sinks::{TABLE_OF, drain},
    stand::{Stand, With},
};
use postgres::PgPool;
use std::{path::Path, time::Instant};

const SINK: &str = "postgres-sink";
/// As `batch_records_max` in config/postgres-sink.toml.
const BATCH: usize = 1_000;

pub async fn run(folder: &Path, records: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("postgres-sink");
    let stand = Stand::start(folder, With::Nothing).await?;
    fill(&stand, records, 20).await?;
    let pool = stand.analytics().await?;
    let before = bare(&pool, "bare_before", records).await?;
    let cpu = stand.cpu_seconds(&[SINK])?;
    let drained = drain(&stand, SINK, TABLE_OF[1], records).await?;
    let sink = drained.rows_per_second;
    let cpu = stand.cpu_seconds(&[SINK])? - cpu;
    let after = bare(&pool, "bare_after", records).await?;
    report.add("bare loop, before", before, "rows/s", None);
    report.add("postgres-sink", sink, "rows/s", Some(60_000.0));
    report.add("postgres-sink, its start included", drained.with_start, "rows/s", None);
    report.add("bare loop, after", after, "rows/s", None);
    report.add("postgres-sink : bare loop", sink / ((before + after) / 2.0), "", Some(0.7));
    report.add("postgres-sink", records as f64 / cpu, "rows/CPU-s", None);
    report.note(format!("{records} rows of about 230 bytes, {BATCH} in a transaction; the bare loop's rows are made before its clock starts; the sink's time begins with its first rows, its start with the declaration of its table"));
    stand.stop()?;
    Ok(report.done())
}

/// Columns of one batch, typed as the driver likes them best.
#[derive(Default)]
struct Columns {
    texts: [Vec<String>; 7],
    amounts: Vec<f64>,
    quantities: Vec<i32>,
    at: Vec<chrono::DateTime<chrono::Utc>>,
    versions: Vec<i64>,
}

impl Columns {
    fn of(first: usize, end: usize) -> Self {
        let mut columns = Columns::default();
        for n in first..end {
            let event = event(n, 20);
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            for (column, name) in
                columns.texts.iter_mut().zip(["id", "k", "name", "email", "city", "country", "note"])
            {
                column.push(word(name));
            }
            columns.amounts.push(event["amount"].as_f64().unwrap_or_default());
            columns.quantities.push(event["quantity"].as_i64().unwrap_or_default() as i32);
            columns.at.push(event["at"].as_str().and_then(|at| at.parse().ok()).unwrap_or_default());
            columns.versions.push(n as i64);
        }
        columns
    }
}

/// Upserts the same rows without Kafka, Avro or places. Answers rows per second.
async fn bare(pool: &PgPool, table: &str, records: usize) -> anyhow::Result<f64> {
    let create = format!(
        "CREATE TABLE {table} (id text PRIMARY KEY, k text, name text, email text, city text, country text, note text, amount float8, quantity int, at timestamptz, _version bigint NOT NULL)"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(pool).await?;
    let insert = format!(
        "INSERT INTO {table} SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::int[], $10::timestamptz[], $11::bigint[])
         ON CONFLICT (id) DO UPDATE SET k = excluded.k, name = excluded.name, email = excluded.email, city = excluded.city, country = excluded.country, note = excluded.note, amount = excluded.amount, quantity = excluded.quantity, at = excluded.at, _version = excluded._version WHERE {table}._version < excluded._version"
    );
    let mut seconds = 0.0;
    for first in (0..records).step_by(BATCH) {
        let columns = Columns::of(first, (first + BATCH).min(records));
        let started = Instant::now();
        let mut query = sqlx::query(sqlx::AssertSqlSafe(insert.clone()));
        for texts in columns.texts {
            query = query.bind(texts);
        }
        query
            .bind(columns.amounts)
            .bind(columns.quantities)
            .bind(columns.at)
            .bind(columns.versions)
            .execute(pool)
            .await?;
        seconds += started.elapsed().as_secs_f64();
    }
    Ok(records as f64 / seconds)
}
