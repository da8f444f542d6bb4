//! What is asked of a pipeline's tables: how many rows, how new, whether each is one of its kind.

use super::{
    Job,
    check::{Found, first_in_cassandra, first_in_postgres},
};
use cassandra::quoted;
use chrono::{DateTime, SecondsFormat, Utc};
use pipeline::{CheckedFresh, CheckedRows, CheckedUnique, Store, Table};
use serde_json::{Value, json};

pub fn named<'a>(job: &Job<'a>, name: &str) -> Result<&'a Table, String> {
    job.pipeline.tables.get(name).ok_or_else(|| format!("the pipeline has no table \"{name}\""))
}

pub async fn count(job: &Job<'_>, table: &Table) -> Result<u64, String> {
    let found = first(job, table, &format!("SELECT count(*) FROM {}", of(table))).await?;
    Ok(found.as_u64().unwrap_or_default())
}

pub async fn rows(job: &Job<'_>, asked: &CheckedRows) -> Result<Found, String> {
    let rows = count(job, named(job, &asked.table)?).await?;
    let bounds = [
        asked.equals.filter(|equal| rows != *equal).map(|equal| format!("exactly {equal}")),
        asked.at_least.filter(|least| rows < *least).map(|least| format!("at least {least}")),
        asked.at_most.filter(|most| rows > *most).map(|most| format!("at most {most}")),
    ];
    let bound = bounds.into_iter().flatten().next();
    let expected = bound.map(|bound| format!("{bound} rows in {}", asked.table));
    Ok(Found { value: json!(rows), told: format!("{rows} rows"), expected })
}

pub async fn fresh(job: &Job<'_>, asked: &CheckedFresh) -> Result<Found, String> {
    let table = named(job, &asked.table)?;
    let found =
        first(job, table, &format!("SELECT max({}) FROM {}", quoted(&asked.column), of(table))).await?;
    let newest = instant(&found).map_err(|told| format!("the column {} {told}", asked.column))?;
    let age = newest.map(|newest| (Utc::now() - newest).to_std().unwrap_or_default());
    let told = match newest.zip(age) {
        Some((at, age)) => {
            format!("{}, {} s ago", at.to_rfc3339_opts(SecondsFormat::Millis, true), age.as_secs())
        }
        None => "no row with one".into(),
    };
    let late = age.is_none_or(|age| age > asked.within);
    let within = asked.within.as_secs_f64();
    let expected = late.then(|| format!("the newest {} of {} within {within} s", asked.column, asked.table));
    Ok(Found { value: json!(newest), told, expected })
}

pub async fn unique(job: &Job<'_>, asked: &CheckedUnique) -> Result<Found, String> {
    let table = named(job, &asked.table)?;
    let columns: Vec<String> = asked.columns.iter().map(|column| quoted(column)).collect();
    let columns = columns.join(", ");
    let again = format!(
        "SELECT concat_ws(', ', {columns}) AS one FROM {} GROUP BY {columns} HAVING count(*) > 1",
        of(table)
    );
    let many = first(job, table, &format!("SELECT count(*) FROM ({again}) AS again")).await?;
    let many = many.as_u64().unwrap_or_default();
    let (told, expected) = match many {
        0 => ("each once".into(), None),
        _ => {
            let one = first(job, table, &format!("SELECT min(one) FROM ({again}) AS again")).await?;
            let one = one.as_str().unwrap_or_default().to_owned();
            let expected = format!("each {} of {} once", asked.columns.join(", "), asked.table);
            (format!("{many} more often, \"{one}\" among them"), Some(expected))
        }
    };
    Ok(Found { value: json!({ "more_than_once": many }), told, expected })
}

async fn first(job: &Job<'_>, table: &Table, statement: &str) -> Result<Value, String> {
    match table.store {
        Store::Postgres => first_in_postgres(job, statement).await,
        Store::Cassandra => first_in_cassandra(job, statement).await,
    }
}

fn of(table: &Table) -> String {
    format!("{}.{}", quoted(table.place()), quoted(&table.name))
}

/// The instant of a value, none of a null.
fn instant(found: &Value) -> Result<Option<DateTime<Utc>>, String> {
    match found {
        Value::Null => Ok(None),
        Value::String(text) => {
            text.parse().map(Some).map_err(|_| format!("holds no instants but \"{text}\""))
        }
        other => Err(format!("holds no instants but {other}")),
    }
}
