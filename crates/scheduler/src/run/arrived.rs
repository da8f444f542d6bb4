//! `check` with `ids_of`: each id of a fetch is in each table, or in the dead letters with its reason.

use super::{Job, dead};
use cassandra::quoted;
use futures::{StreamExt, stream};
use pipeline::{Store, Table};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Look-ups in Cassandra at once.
const LOOKUPS_MAX: usize = 64;
/// Missing ids that are named.
const NAMED_MAX: usize = 5;

pub async fn run(job: &Job<'_>, task: &str, tables: &[String]) -> Result<Value, String> {
    let ids = ids(job, task).await?;
    let mut counts = Map::new();
    let mut missing = BTreeSet::new();
    for name in tables {
        let table =
            job.pipeline.tables.get(name).ok_or_else(|| format!("the pipeline has no table \"{name}\""))?;
        let absent = absent(job, table, &ids).await?;
        job.log(&format!("{}: {} of {} ids", table.name, ids.len() - absent.len(), ids.len())).await;
        counts.insert(name.clone(), json!(ids.len() - absent.len()));
        missing.extend(absent);
    }
    let dead = if missing.is_empty() { vec![] } else { dead::find(job, &missing).await? };
    for (id, reason) in &dead {
        missing.remove(id);
        job.log(&format!("{id} is in the dead letters: {reason}")).await;
    }
    if !missing.is_empty() {
        let named: Vec<&str> = missing.iter().take(NAMED_MAX).map(String::as_str).collect();
        return Err(format!(
            "{} of {} ids are in neither the tables nor the dead letters: {}…",
            missing.len(),
            ids.len(),
            named.join(", ")
        ));
    }
    Ok(json!({ "ids": ids.len(), "rows": counts, "dead": dead.len() }))
}

async fn ids(job: &Job<'_>, task: &str) -> Result<Vec<String>, String> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT id FROM fetched_id WHERE run_id = $1 AND task = $2")
        .bind(job.claim.run_id)
        .bind(task)
        .fetch_all(job.outside.queue.pool())
        .await
        .map_err(|cause| format!("the fetch's ids can't be read: {cause}"))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those ids that a table does not have.
async fn absent(job: &Job<'_>, table: &Table, ids: &[String]) -> Result<Vec<String>, String> {
    let stream_key =
        job.pipeline.streams.get(&table.stream).map(|stream| stream.key.clone()).unwrap_or_default();
    let [key] = &table.primary_key(&stream_key)[..] else {
        return Err(format!(
            "rows of the table \"{}\" are not found by id alone: name a table whose key is the id",
            table.name
        ));
    };
    let (place, key) = (format!("{}.{}", quoted(table.place()), quoted(&table.name)), quoted(key));
    match table.store {
        Store::Postgres => {
            in_postgres(job, &format!("SELECT {key}::text FROM {place} WHERE {key}::text = ANY($1)"), ids)
                .await
        }
        Store::Cassandra => {
            in_cassandra(job, &format!("SELECT {key} FROM {place} WHERE {key} = ?"), ids).await
        }
    }
}

async fn in_postgres(job: &Job<'_>, statement: &str, ids: &[String]) -> Result<Vec<String>, String> {
    let pool = job.outside.analytics().await.map_err(|cause| cause.to_string())?;
    let rows: Vec<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(statement.to_owned()))
        .bind(ids)
        .fetch_all(pool)
        .await
        .map_err(|cause| format!("PostgreSQL refused the look-up: {cause}"))?;
    let found: BTreeSet<String> = rows.into_iter().map(|(id,)| id).collect();
    Ok(ids.iter().filter(|id| !found.contains(*id)).cloned().collect())
}

async fn in_cassandra(job: &Job<'_>, statement: &str, ids: &[String]) -> Result<Vec<String>, String> {
    let cassandra = job.outside.cassandra().await.map_err(|cause| cause.to_string())?;
    let refused = |cause: &dyn std::fmt::Display| format!("Cassandra refused the look-up: {cause}");
    let prepared = cassandra.session().prepare(statement).await.map_err(|cause| refused(&cause))?;
    let mut looks = stream::iter(ids.to_vec())
        .map(|id| {
            let (cassandra, prepared) = (cassandra.clone(), prepared.clone());
            async move {
                let answer = cassandra
                    .session()
                    .execute_unpaged(&prepared, (id.as_str(),))
                    .await
                    .map_err(|cause| cause.to_string())?;
                let rows = answer.into_rows_result().map_err(|cause| cause.to_string())?.rows_num();
                Ok::<_, String>((id, rows > 0))
            }
        })
        .buffer_unordered(LOOKUPS_MAX);
    let mut absent = vec![];
    while let Some(look) = looks.next().await {
        let (id, there) = look.map_err(|cause| refused(&cause))?;
        if !there {
            absent.push(id);
        }
    }
    Ok(absent)
}
