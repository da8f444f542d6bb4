//! OpenTelemetry: a collector is told of each run that has ended, by one of the schedulers.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, collector};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use test_support::eventually;
use tokio::time::timeout;
use uuid::Uuid;

const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Those of a request.
fn spans(request: Value) -> Vec<Value> {
    request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

/// Two schedulers that tell.
async fn crew(url: &str) -> Crew {
    let settings: &[_] = &[("MILLRACE_TRACING_OTLP_ENDPOINT", url)];
    let crew = Crew::start(&[("one", settings), ("two", settings)]).await;
    eventually("a scheduler wants traces", || async {
        // Before the schema is there, nobody does.
        let asked = sqlx::query_scalar("SELECT until > now() FROM trace_wanted").fetch_one(&crew.pool).await;
        asked.is_ok_and(|wanted: bool| wanted).then_some(())
    })
    .await;
    crew
}

/// `good 1 ok`
fn in_short(span: &Value) -> String {
    let status = ["unset", "ok", "error"][span["status"]["code"].as_u64().unwrap() as usize];
    let attempt = attribute(span, "millrace.attempt").unwrap_or_default();
    format!("{} {attempt} {status}", span["name"].as_str().unwrap())
}

fn attribute(span: &Value, key: &str) -> Option<String> {
    let found = span["attributes"].as_array().unwrap().iter().find(|of| of["key"] == key)?;
    Some(found["value"].as_object().unwrap().values().next()?.as_str()?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_once_of_a_run_and_its_attempts() {
    let (url, mut spans) = collector("/v1/traces", 200, spans).await;
    let crew = crew(&url).await;
    let folder = crew.dag(
        "[tasks.good]\nkind = \"command\"\nrun = [\"true\"]\n\
         [tasks.bad]\nkind = \"command\"\nrun = [\"false\"]\nretries = 1\nretry_delay = \"10ms\"\n",
    );
    let (first, second) = (crew.trigger(&folder.name).await, crew.trigger(&folder.name).await);
    let mut of = BTreeMap::<String, Vec<Value>>::new();
    for id in [first, second] {
        assert_eq!(crew.ends(id).await, "failed");
        for _ in 0..4 {
            let span = timeout(TOLD_WITHIN, spans.recv()).await.expect("the collector is told").unwrap();
            of.entry(span["traceId"].as_str().unwrap().to_owned()).or_default().push(span);
        }
    }
    assert_eq!(of.len(), 2);
    for id in [first, second] {
        check(&of[&id.simple().to_string()], id, &folder.name);
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM trace").fetch_one(&crew.pool).await.unwrap();
    assert_eq!((left, spans.try_recv().is_err()), (0, true), "each was told once");
}

fn check(spans: &[Value], id: Uuid, dag: &str) {
    let expected = [format!("{dag}  error"), "good 1 ok".into(), "bad 1 error".into(), "bad 2 error".into()];
    assert_eq!(spans.iter().map(in_short).collect::<BTreeSet<_>>(), BTreeSet::from(expected), "{spans:#?}");
    let root = spans.iter().find(|span| span.get("parentSpanId").is_none()).unwrap();
    assert_eq!(attribute(root, "millrace.run.id").unwrap(), id.to_string());
    let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    for span in spans.iter().filter(|span| *span != root) {
        assert_eq!(span["parentSpanId"], root["spanId"]);
        assert!(["one", "two"].contains(&attribute(span, "millrace.executor").unwrap().as_str()));
        assert!(
            time(root, "startTimeUnixNano") <= time(span, "startTimeUnixNano")
                && time(span, "endTimeUnixNano") <= time(root, "endTimeUnixNano")
        );
    }
}
