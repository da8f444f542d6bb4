//! OpenLineage: which task read and wrote what, told to a collector while it happens (spec 2-0-2).
//!
//! A try of a task is a run of OpenLineage, whose parent is our run. It is told at most once: what the collector does not take is
//! dropped and counted, and holds no task up.

use crate::{Config, outside::Outside};
use chrono::{SecondsFormat, Utc};
use kafka::Outgoing;
use pipeline::{Kind, Task};
use queue::{Claim, Ending};
use serde::Deserialize;
use serde_json::{Value, json};
use service::Service;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

/// `[lineage]`: where events go; nowhere, where both are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A collector's address: each event is a POST.
    pub url: String,
    /// A topic: each event is a record.
    pub topic: String,
    /// Whose jobs these are.
    pub namespace: String,
}

/// Events that wait; a collector that is slower than the tasks for longer than these last loses some.
const WAITING_MAX: usize = 1_000;
/// One try takes no longer.
const TRY_MAX: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

const PRODUCER: &str = "urn:millrace:scheduler";
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const PARENT: &str = "https://openlineage.io/spec/facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet";
const ERROR: &str =
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";

/// Where events are handed in. Cheap to clone.
#[derive(Clone, Default)]
pub struct Lineage(Option<(mpsc::Sender<Value>, String)>);

/// Events on their way to whoever sends them.
pub type Events = mpsc::Receiver<Value>;

pub fn lineage(settings: &Settings) -> (Lineage, Events) {
    let (sender, events) = mpsc::channel(WAITING_MAX);
    let wanted = !settings.url.is_empty() || !settings.topic.is_empty();
    (Lineage(wanted.then(|| (sender, settings.namespace.clone()))), events)
}

impl Lineage {
    /// A try begins; looks that come again are the same try.
    pub fn begins(&self, claim: &Claim, task: &Task) {
        if claim.first_look {
            self.say("START", claim, None, || outputs(task));
        }
    }

    pub fn ends(&self, claim: &Claim, ending: &Ending) {
        match ending {
            Ending::Deferred { .. } => {}
            Ending::Success(_) | Ending::Branched { .. } => self.say("COMPLETE", claim, None, || json!([])),
            Ending::Skipped { reason } => self.say("ABORT", claim, Some(reason), || json!([])),
            Ending::Failed { reason, .. } => self.say("FAIL", claim, Some(reason), || json!([])),
        }
    }

    fn say(&self, what: &str, claim: &Claim, reason: Option<&str>, outputs: impl FnOnce() -> Value) {
        let Some((sender, namespace)) = &self.0 else { return };
        if sender.try_send(event(namespace, what, claim, reason, outputs())).is_err() {
            tracing::debug!(run.id = %claim.run_id, task = claim.task, "an event of its lineage was dropped");
        }
    }
}

/// What a task writes, where its definition says so.
fn outputs(task: &Task) -> Value {
    match &task.kind {
        Kind::Fetch { source } => json!([{ "namespace": "millrace", "name": format!("source.{source}") }]),
        _ => json!([]),
    }
}

fn event(namespace: &str, what: &str, claim: &Claim, reason: Option<&str>, outputs: Value) -> Value {
    let mut facets = json!({ "parent": {
        "_producer": PRODUCER, "_schemaURL": PARENT,
        "run": { "runId": claim.run_id },
        "job": { "namespace": namespace, "name": claim.dag },
    }});
    if let Some(reason) = reason {
        facets["errorMessage"] = json!({
            "_producer": PRODUCER, "_schemaURL": ERROR, "message": reason, "programmingLanguage": "TOML",
        });
    }
    json!({
        "eventType": what,
        "eventTime": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "run": { "runId": try_id(claim), "facets": facets },
        "job": { "namespace": namespace, "name": format!("{}.{}", claim.dag, claim.task) },
        "inputs": [],
        "outputs": outputs,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    })
}

/// The same for each look of a try.
fn try_id(claim: &Claim) -> Uuid {
    Uuid::new_v5(&claim.run_id, format!("{} {}", claim.task, claim.attempt).as_bytes())
}

/// Sends events until the process is to end.
pub async fn follow(
    service: &Service,
    config: &Config,
    outside: &Outside,
    mut events: Events,
) -> anyhow::Result<()> {
    let told = service.metrics.counters("lineage_events_total", "Events of lineage", &["outcome"])?;
    // Shown as 0 from the beginning: what is not there can't be seen to grow.
    for outcome in ["sent", "dropped"] {
        told.with_label_values(&[outcome]);
    }
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    let outcome = if sent(&config.lineage, outside, &event).await { "sent" } else { "dropped" };
                    told.with_label_values(&[outcome]).inc();
                }
                // Nobody wants to be told.
                None => service.shutdown.cancelled().await,
            },
            () = service.shutdown.cancelled() => {}
        }
        if service.shutdown.is_cancelled() {
            return Ok(());
        }
    }
}

async fn sent(settings: &Settings, outside: &Outside, event: &Value) -> bool {
    for left in (0..TRIES).rev() {
        match tokio::time::timeout(TRY_MAX, send(settings, outside, event)).await {
            Ok(Ok(())) => return true,
            Ok(Err(cause)) if left == 0 => tracing::warn!("an event of lineage was dropped: {cause}"),
            Err(_) if left == 0 => {
                tracing::warn!("an event of lineage was dropped: no answer within {} s", TRY_MAX.as_secs())
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    false
}

async fn send(settings: &Settings, outside: &Outside, event: &Value) -> Result<(), String> {
    if !settings.url.is_empty() {
        let url = &settings.url;
        let answer = outside.http.post(url).json(event).send().await;
        let answer = answer.map_err(|cause| format!("{url} did not answer: {cause}"))?;
        if !answer.status().is_success() {
            return Err(format!("{url} answered {}", answer.status()));
        }
    }
    if settings.topic.is_empty() {
        return Ok(());
    }
    let record = Outgoing {
        topic: settings.topic.as_str().into(),
        key: Some(event["run"]["runId"].as_str().unwrap_or_default().as_bytes().to_vec()),
        payload: Some(event.to_string().into_bytes()),
        ..Outgoing::default()
    };
    let sender = outside.sender.get().await.map_err(|cause| cause.to_string())?;
    match sender.send_all(vec![record]).await.pop() {
        Some(Ok(_)) => Ok(()),
        Some(Err(cause)) => Err(cause.to_string()),
        None => Err("Kafka did not answer".into()),
    }
}

#[cfg(test)]
mod tests;
