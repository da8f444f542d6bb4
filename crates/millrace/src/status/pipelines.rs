//! What went through each pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka::Cluster;
use kafka::cluster::End;
use pipeline::{Pipeline, Published};
use postgres::PgPool;
use serde::Serialize;
use servers::{ProcessState, State};

use crate::address::Addresses;
use crate::failure::Failure;
use crate::table;

/// Of one pipeline.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub name: String,
    /// Read from its sources, as far as fetches are remembered: a day.
    pub fetched: i64,
    /// What the topics of its sources hold now.
    pub in_topic: i64,
    /// Given up by jobs and sinks, and refused by the producer of those fetches; not what others posted to it.
    pub dead: i64,
    /// Written, per table.
    pub rows: BTreeMap<String, i64>,
}

/// `status` is asked most when something does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// What has to answer.
const NEEDED: [&str; 2] = ["postgres", "kafka"];

/// The counts of all published pipelines, or why they can't be told.
pub async fn counted(addresses: &Addresses, states: &[ProcessState]) -> Result<Vec<Counts>, String> {
    if !addresses.are_known() {
        return Err("nothing runs".into());
    }
    let down = |state: &&ProcessState| NEEDED.contains(&state.name.as_str()) && state.state != State::Healthy;
    if let Some(down) = states.iter().find(down) {
        return Err(format!("{} is {}", down.name, down.state.word()));
    }
    match tokio::time::timeout(ANSWER_MAX, ask(addresses)).await {
        Ok(counted) => counted.map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("PostgreSQL and Kafka did not answer within {ANSWER_MAX:?}")),
    }
}

async fn ask(addresses: &Addresses) -> Result<Vec<Counts>, Failure> {
    let (url, password) = addresses.metadata()?;
    let pool = postgres::connect_now(&url, &password).await?;
    let (published, _) = pipeline::published::current(&pool).await?;
    let found = Found {
        tables: rows(&pool, include_str!("tables.sql"), |(table_name, pipeline, rows, dead)| TableRow {
            table_name,
            pipeline,
            rows,
            dead,
        })
        .await?,
        jobs: rows(&pool, include_str!("jobs.sql"), |(pipeline, dead)| JobRow { pipeline, dead }).await?,
        sources: rows(&pool, include_str!("sources.sql"), |(source, fetched, rejected)| SourceRow {
            source,
            fetched,
            rejected,
        })
        .await?,
        held: held(addresses, &published).await?,
    };
    Ok(published.pipelines.values().map(|pipeline| found.of(pipeline)).collect())
}

async fn rows<T, R>(
    pool: &PgPool,
    statement: &'static str,
    make: impl FnMut(T) -> R,
) -> Result<Vec<R>, Failure>
where
    T: Send + Unpin + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    Ok(sqlx::query_as::<_, T>(statement).fetch_all(pool).await?.into_iter().map(make).collect())
}

/// How many records each source's stream holds.
async fn held(addresses: &Addresses, published: &Published) -> Result<BTreeMap<String, i64>, Failure> {
    let cluster = Cluster::new(addresses.kafka()?);
    let wanted: BTreeSet<&str> = published.pipelines.values().flat_map(streams).collect();
    let mut topics = cluster.topics().await?;
    topics.retain(|topic| wanted.contains(topic.name.as_str()));
    let (first, end) =
        (cluster.ends_of(&topics, End::First).await?, cluster.ends_of(&topics, End::Stable).await?);
    Ok(end
        .into_iter()
        .filter_map(|(topic, end)| Some((topic.clone(), first.get(&topic)?.behind(&end))))
        .collect())
}

/// The streams that sources write.
fn streams(pipeline: &Pipeline) -> BTreeSet<&str> {
    pipeline.sources.values().map(|source| source.into.as_str()).collect()
}

struct Found {
    tables: Vec<TableRow>,
    jobs: Vec<JobRow>,
    sources: Vec<SourceRow>,
    held: BTreeMap<String, i64>,
}

struct TableRow {
    table_name: String,
    pipeline: String,
    rows: i64,
    dead: i64,
}

struct JobRow {
    pipeline: String,
    dead: i64,
}

struct SourceRow {
    source: String,
    fetched: i64,
    rejected: i64,
}

impl Found {
    fn of(&self, pipeline: &Pipeline) -> Counts {
        let tables: Vec<&TableRow> = self.tables.iter().filter(|row| row.pipeline == pipeline.name).collect();
        let sources: Vec<&SourceRow> =
            self.sources.iter().filter(|row| pipeline.sources.contains_key(&row.source)).collect();
        let jobs = self.jobs.iter().filter(|row| row.pipeline == pipeline.name);
        let rows =
            |name: &String| tables.iter().find(|row| row.table_name == *name).map_or(0, |row| row.rows);
        Counts {
            name: pipeline.name.clone(),
            fetched: sources.iter().map(|row| row.fetched).sum(),
            in_topic: streams(pipeline).iter().filter_map(|stream| self.held.get(*stream)).sum(),
            dead: tables
                .iter()
                .map(|row| row.dead)
                .chain(jobs.map(|row| row.dead))
                .chain(sources.iter().map(|row| row.rejected))
                .sum(),
            rows: pipeline.tables.keys().map(|name| (name.clone(), rows(name))).collect(),
        }
    }
}

/// A line for each table; what is said of the whole pipeline stands in its first line.
pub fn table(pipelines: &[Counts]) -> String {
    let mut lines = vec![];
    for counts in pipelines {
        let whole = [
            counts.name.clone(),
            counts.fetched.to_string(),
            counts.in_topic.to_string(),
            counts.dead.to_string(),
        ];
        let mut whole = Some(whole);
        let none = (String::new(), String::new());
        let rows = counts.rows.iter().map(|(table, rows)| (table.clone(), rows.to_string()));
        let rows: Vec<_> = if counts.rows.is_empty() { vec![none] } else { rows.collect() };
        for (table, rows) in rows {
            lines.push(whole.take().unwrap_or_default().into_iter().chain([table, rows]).collect());
        }
    }
    table::plain(["pipeline", "fetched", "in topic", "dead", "table", "rows"], lines)
}

#[cfg(test)]
mod tests;
