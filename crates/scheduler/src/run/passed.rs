//! `wait`: one look at whether something is so. No task is held between looks.

use super::{Job, Outcome, waits};
use kafka::{KafkaError, cluster::End};
use pipeline::{Passed, Waited};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use wire::passed::Offsets;

pub async fn look(job: &Job<'_>, waited: &Waited) -> Outcome {
    let not_yet = |reason: String, kept| Outcome::NotYet { reason, look_again_in: waited.poll, kept };
    if let Some(passed) = &waited.passed {
        let mut known = Known::of(job);
        return match look_passed(job, passed, &mut known).await {
            Ok(None) => Outcome::Done(json!({ "passed": passed.tables })),
            Ok(Some(reason)) => not_yet(reason, serde_json::to_value(known).ok()),
            Err(reason) => not_yet(reason, serde_json::to_value(known).ok()),
        };
    }
    let looked = match (&waited.run, &waited.rows, &waited.lag) {
        (Some(run), ..) => waits::run(job, run).await,
        (_, Some(rows), _) => waits::rows(job, rows).await,
        (.., Some(lag)) => waits::lag(job, lag).await,
        _ => simple(job, waited).await,
    };
    match looked {
        Ok(None) => Outcome::Done(json!({})),
        Ok(Some(reason)) => not_yet(reason, None),
        Err(reason) => Outcome::Failed(reason),
    }
}

/// Why a file, URL, query or time is still waited for.
async fn simple(job: &Job<'_>, waited: &Waited) -> Result<Option<String>, String> {
    if let Some(file) = &waited.file {
        let file = job.fill(file)?;
        return Ok((!tokio::fs::try_exists(&file).await.unwrap_or(false))
            .then(|| format!("the file {file} is not there")));
    }
    if let Some(url) = &waited.http {
        let url = job.fill(url)?;
        return Ok(
            match job
                .outside
                .http
                .get(&url)
                .timeout(waited.poll.max(std::time::Duration::from_secs(5)))
                .send()
                .await
            {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("{url} answers {}", answer.status())),
                Err(cause) => Some(format!("{url} does not answer: {cause}")),
            },
        );
    }
    if let Some(until) = &waited.until {
        let text = job.fill(until)?;
        let until: chrono::DateTime<chrono::Utc> =
            text.parse().map_err(|_| format!("\"{text}\" is not an instant such as 2024-02-29T12:00:00Z"))?;
        return Ok((chrono::Utc::now() < until).then(|| format!("it is not yet {until}")));
    }
    let statement = job.fill(waited.sql.as_deref().unwrap_or_default())?;
    let pool = job.outside.analytics().await.map_err(|cause| cause.to_string())?;
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .fetch_optional(pool)
        .await
        .map_err(|cause| format!("PostgreSQL refused it: {cause}"))?;
    let value = row.as_ref().map_or(Ok(serde_json::Value::Null), super::check::value)?;
    let holds = value.as_bool().unwrap_or_else(|| value.as_f64().is_some_and(|n| n > 0.0));
    Ok((!holds).then(|| format!("the query gives {value}")))
}

/// What earlier looks found out: how far each later stream must be read. Taken once, or a busy stream would be waited for for ever.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    targets: BTreeMap<String, Offsets>,
}

impl Known {
    fn of(job: &Job<'_>) -> Self {
        job.claim.kept.clone().and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_default()
    }
}

/// Why the records up to these offsets are not all in the tables yet, or nothing where they are.
async fn look_passed(job: &Job<'_>, passed: &Passed, known: &mut Known) -> Result<Option<String>, String> {
    let text = job.fill(&passed.offsets)?;
    let offsets: Offsets = serde_json::from_str(&text)
        .map_err(|cause| format!("\"{text}\" are not offsets by partition: {cause}"))?;
    known.targets.insert(passed.stream.clone(), offsets);
    for name in &passed.tables {
        let table =
            job.pipeline.tables.get(name).ok_or_else(|| format!("the pipeline has no table \"{name}\""))?;
        if let Some(reason) = reach(job, &passed.stream, &table.stream, known).await? {
            return Ok(Some(reason));
        }
        let target = known.targets.get(&table.stream).cloned().unwrap_or_default();
        let at = committed(job, &table.group(), &table.stream).await?;
        if !at.has_passed(&target) {
            let problem = sink_problem(job, name)
                .await
                .map_or_else(String::new, |problem| format!("; its sink says: {problem}"));
            return Ok(Some(format!("the table {name} is {} records behind{problem}", at.behind(&target))));
        }
    }
    Ok(None)
}

/// Follows the jobs from stream to stream. Answers which one is behind; afterwards the target of `to` is known.
async fn reach(job: &Job<'_>, from: &str, to: &str, known: &mut Known) -> Result<Option<String>, String> {
    // Known from an earlier look: there are several a second.
    if known.targets.contains_key(to) {
        return Ok(None);
    }
    let way = way(job, from, to).await?;
    let way = way.ok_or_else(|| format!("no job leads from the stream \"{from}\" to \"{to}\""))?;
    for (streaming, input) in way {
        if known.targets.contains_key(&streaming.into) {
            continue;
        }
        let target = known.targets.get(&input).cloned().unwrap_or_default();
        let at = committed(job, &streaming.group(), &input).await?;
        if !at.has_passed(&target) {
            return Ok(Some(format!("the job {} is {} records behind", streaming.name, at.behind(&target))));
        }
        let end = job
            .outside
            .cluster
            .ends(&streaming.into, End::Stable)
            .await
            .map_err(|cause| cause.to_string())?;
        known.targets.insert(streaming.into.clone(), end);
    }
    Ok(None)
}

/// The jobs, each with its input, that lead from one stream to another. The shortest way.
async fn way(job: &Job<'_>, from: &str, to: &str) -> Result<Option<Vec<(pipeline::Job, String)>>, String> {
    let mut ways = std::collections::VecDeque::from([(from.to_owned(), vec![])]);
    let mut seen = std::collections::BTreeSet::new();
    while let Some((stream, way)) = ways.pop_front() {
        if stream == to {
            return Ok(Some(way));
        }
        if !seen.insert(stream.clone()) {
            continue;
        }
        for streaming in job.pipeline.jobs.values() {
            if reads(job, streaming, &stream).await? {
                let mut longer = way.clone();
                longer.push((streaming.clone(), stream.clone()));
                ways.push_back((streaming.into.clone(), longer));
            }
        }
    }
    Ok(None)
}

/// Whether a job reads a stream: what its group has committed tells, and before its first commit its text.
async fn reads(job: &Job<'_>, streaming: &pipeline::Job, stream: &str) -> Result<bool, String> {
    if !names(&streaming.text, stream) {
        return Ok(false);
    }
    match job.outside.cluster.committed(&streaming.group()).await {
        Ok(topics) => Ok(topics.is_empty() || topics.contains_key(stream)),
        Err(KafkaError::Refused { .. } | KafkaError::NoCoordinator { .. }) => Ok(true),
        Err(cause) => Err(cause.to_string()),
    }
}

/// Whether a word of the SQL is this name.
fn names(sql: &str, stream: &str) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).any(|word| word == stream)
}

pub(super) async fn committed(job: &Job<'_>, group: &str, topic: &str) -> Result<Offsets, String> {
    match job.outside.cluster.committed(group).await {
        Ok(mut topics) => Ok(topics.remove(topic).unwrap_or_default()),
        // The group is made by its first commit.
        Err(KafkaError::Refused { .. } | KafkaError::NoCoordinator { .. }) => Ok(Offsets::default()),
        Err(cause) => Err(cause.to_string()),
    }
}

async fn sink_problem(job: &Job<'_>, table: &str) -> Option<String> {
    let row: Option<(Option<String>,)> =
        sqlx::query_as("SELECT problem FROM sink_status WHERE table_name = $1")
            .bind(table)
            .fetch_optional(job.outside.queue.pool())
            .await
            .ok()?;
    row?.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_stream_is_named_by_a_whole_word_of_the_sql() {
        let sql = "SELECT id FROM tumble(users, at, INTERVAL '1' MINUTE)\nJOIN \"orders\" ON users_id = id";
        for (stream, named) in [("users", true), ("orders", true), ("user", false), ("users_clean", false)] {
            assert_eq!(super::names(sql, stream), named, "{stream}");
        }
    }
}
