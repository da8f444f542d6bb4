//! How long until a process gives its first new result: something is asked of it again and again until it is there.

use crate::Fleet;
use anyhow::bail;
use checker::{Event, Fate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// What does not come back within this has not come back.
const BACK_MAX: Duration = Duration::from_secs(120);
/// A page that takes longer is asked for again.
const PAGE_MAX: Duration = Duration::from_secs(2);
/// Enough keys for each partition, so for each slot.
const PROBES: i64 = 12;

/// Waits for the first new result of a process that was killed at `since`. Answers how long it took.
pub async fn first_result(fleet: &Fleet, name: &str, since: Instant) -> anyhow::Result<Duration> {
    let tag = test_support::unique("probe");
    match name {
        "producer" => send(fleet, &tag).await?,
        "worker-1" | "worker-2" | "postgres-sink" => {
            send(fleet, &tag).await?;
            fleet
                .within(BACK_MAX, &format!("{name}: rows in PostgreSQL"), || in_postgres(fleet, &tag))
                .await?;
        }
        "cassandra-sink" => {
            send(fleet, &tag).await?;
            fleet.within(BACK_MAX, "rows in Cassandra", || in_cassandra(fleet, &tag)).await?;
        }
        "scheduler" => fleet.within(BACK_MAX, "a run ends", || run_ends(fleet, &tag)).await?,
        "fetcher" => fleet.within(BACK_MAX, "a fetch ends", || fetched(fleet, "one")).await?,
        "coordinator" => decided(fleet, &tag).await?,
        "control-center" => fleet.within(BACK_MAX, "a page shows a topic", || shows_a_topic(fleet)).await?,
        other => bail!("nobody knows what a result of {other} is"),
    }
    Ok(since.elapsed())
}

/// Waits for a decision of the coordinator: a slot of no job is taken away.
async fn decided(fleet: &Fleet, job: &str) -> anyhow::Result<()> {
    sqlx::query("INSERT INTO slot (job, slot, version) VALUES ($1, 0, 'probe')")
        .bind(job)
        .execute(&fleet.millrace)
        .await?;
    let is_gone = || async {
        let found = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM slot WHERE job = $1)");
        found.bind(job).fetch_one(&fleet.millrace).await.is_ok_and(|is_there| !is_there)
    };
    fleet.within(BACK_MAX, "the coordinator takes away a slot of no job", is_gone).await
}

async fn shows_a_topic(fleet: &Fleet) -> bool {
    let asked = fleet.http.get(format!("{}/topics", fleet.url("control-center"))).timeout(PAGE_MAX).send();
    let Ok(answer) = asked.await else { return false };
    answer.text().await.is_ok_and(|page| page.contains("events_clean"))
}

fn probes(tag: &str) -> impl Iterator<Item = Event> + '_ {
    (0..PROBES).map(move |n| Event {
        id: format!("{tag}-{n}"),
        key: format!("{tag}-{n}"),
        seq: 1,
        at: 0,
        fate: Fate::Clean,
    })
}

async fn send(fleet: &Fleet, tag: &str) -> anyhow::Result<()> {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as i64;
    let lines: Vec<String> = probes(tag).map(|event| Event { at, ..event }.payload()).collect();
    let url = format!("{}/v1/streams/events/records", fleet.url("producer"));
    let sent = || async {
        let asked =
            fleet.http.post(&url).header("content-type", "application/x-ndjson").body(lines.join("\n"));
        asked.send().await.is_ok_and(|answer| answer.status().is_success())
    };
    fleet.within(BACK_MAX, "the producer takes records", sent).await
}

async fn in_postgres(fleet: &Fleet, tag: &str) -> bool {
    let counted =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM newest_events WHERE starts_with(key, $1)");
    counted.bind(tag).fetch_one(&fleet.analytics).await.is_ok_and(|n| n == PROBES)
}

async fn in_cassandra(fleet: &Fleet, tag: &str) -> bool {
    let ids: Vec<String> = probes(tag).map(|event| format!("'{}'", event.id)).collect();
    let question = format!("SELECT id FROM millrace.events_by_id WHERE id IN ({})", ids.join(", "));
    fleet.cassandra.query(&question).await.is_ok_and(|answer| answer.rows.len() as i64 == PROBES)
}

/// One fetch of a source, with an attempt of its own.
pub async fn fetched(fleet: &Fleet, source: &str) -> bool {
    fetch(fleet, source).await.is_ok()
}

/// Asks the fetcher for one fetch. Answers what it says that it did.
pub async fn fetch(fleet: &Fleet, source: &str) -> anyhow::Result<Value> {
    let body = json!({ "source": source, "attempt_id": uuid::Uuid::new_v4(), "run_id": null, "task": null });
    let answer = fleet
        .http
        .post(format!("{}/v1/fetch", fleet.url("fetcher")))
        .timeout(Duration::from_secs(120))
        .json(&body)
        .send()
        .await?;
    if !answer.status().is_success() {
        bail!("{}: {}", answer.status(), answer.text().await?);
    }
    Ok(answer.json().await?)
}

/// Triggers a run of the DAG `look` and waits until it has ended, which it must do well.
pub async fn run(fleet: &Fleet) -> anyhow::Result<()> {
    let key = test_support::unique("run");
    let ended = OnceCell::new();
    let has_ended = || async {
        match run_of(fleet, &key).await {
            Some(run) if !run["ended_at"].is_null() => ended.set(run).is_ok(),
            _ => false,
        }
    };
    fleet.within(BACK_MAX, "a run ends", has_ended).await?;
    match ended.into_inner() {
        Some(run) if run["state"] == "success" => Ok(()),
        run => bail!("a run did not end well: {}", run.unwrap_or_default()),
    }
}

/// Triggers the DAG `look` once with this key, as somebody does who may not hear the answer.
pub async fn trigger(fleet: &Fleet, key: &str) -> bool {
    let url = format!("{}/api/v1/dags/look/runs", fleet.url("scheduler"));
    let asked = fleet.http.post(url).json(&json!({ "idempotency_key": key })).send();
    asked.await.is_ok_and(|answer| answer.status().is_success())
}

async fn run_ends(fleet: &Fleet, key: &str) -> bool {
    run_of(fleet, key).await.is_some_and(|run| run["state"] == "success")
}

/// The run of the DAG `look` with this key; it is triggered where there is none.
async fn run_of(fleet: &Fleet, key: &str) -> Option<Value> {
    let base = format!("{}/api/v1", fleet.url("scheduler"));
    let asked = fleet.http.post(format!("{base}/dags/look/runs")).json(&json!({ "idempotency_key": key }));
    let run: Value = asked.send().await.ok()?.json().await.ok()?;
    let asked = fleet.http.get(format!("{base}/runs/{}", run["run_id"].as_str()?));
    let mut found: Value = asked.send().await.ok()?.json().await.ok()?;
    Some(found["run"].take())
}
