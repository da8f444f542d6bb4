//! Spans as OTLP has them in JSON (opentelemetry-proto 1, "JSON Protobuf Encoding"): ids in hexadecimal, times in nanoseconds and
//! as texts.

use chrono::{DateTime, Utc};
use model::RunState;
use queue::{RunRow, TracedAttempt};
use serde_json::{Value, json};
use uuid::Uuid;

/// SPAN_KIND_INTERNAL
const INTERNAL: u8 = 1;
/// STATUS_CODE_UNSET, _OK, _ERROR
const UNSET: u8 = 0;
const OK: u8 = 1;
const ERROR: u8 = 2;

/// One request's body.
pub fn request(instance: &str, spans: &[Value]) -> Value {
    let resource = [
        text("service.name", "millrace"),
        text("service.instance.id", instance),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ];
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "millrace.scheduler" }, "spans": spans }],
    }] })
}

/// The span of a run: from when it was made to its end.
pub fn run(run: &RunRow) -> Value {
    let mut attributes = vec![
        text("millrace.run.id", &run.id.to_string()),
        text("millrace.dag", &run.dag),
        text("millrace.pipeline", &run.pipeline),
        text("millrace.version", &run.hash),
        text("millrace.cause", &run.cause),
        text("millrace.logical_time", &run.logical_at.to_rfc3339()),
        text("millrace.state", run.state.as_str()),
    ];
    attributes.extend(run.reason.as_deref().map(|reason| text("millrace.reason", reason)));
    attributes.extend(run.started_at.map(|at| waited(run.made_at, at)));
    let code = match run.state {
        RunState::Success => OK,
        RunState::Failed => ERROR,
        _ => UNSET,
    };
    json!({
        "traceId": trace_id(run.id),
        "spanId": span_id(run.id),
        "name": run.dag,
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(run.made_at),
        "endTimeUnixNano": nanoseconds(run.ended_at.unwrap_or(run.made_at)),
        "attributes": attributes,
        "status": status(code, run.reason.as_deref()),
    })
}

/// The span of an attempt, below that of its run.
pub fn attempt(attempt: &TracedAttempt) -> Value {
    let mut attributes = vec![
        text("millrace.run.id", &attempt.run_id.to_string()),
        text("millrace.task", &attempt.task),
        number("millrace.attempt", attempt.attempt.into()),
        text("millrace.kind", &attempt.kind),
        text("millrace.pool", &attempt.pool),
        text("millrace.state", &attempt.state),
    ];
    attributes.extend(attempt.holder.as_deref().map(|holder| text("millrace.executor", holder)));
    attributes.extend(attempt.reason.as_deref().map(|reason| text("millrace.reason", reason)));
    attributes.extend(attempt.ready_at.map(|at| waited(at, attempt.started_at)));
    let code = match attempt.state.as_str() {
        "success" => OK,
        "failed" | "lost" => ERROR,
        _ => UNSET,
    };
    json!({
        "traceId": trace_id(attempt.run_id),
        "spanId": span_id(attempt.attempt_id),
        "parentSpanId": span_id(attempt.run_id),
        "name": attempt.task,
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(attempt.started_at),
        "endTimeUnixNano": nanoseconds(attempt.ended_at),
        "attributes": attributes,
        "status": status(code, attempt.reason.as_deref()),
    })
}

/// A run's id is its trace's: whoever knows the one finds the other.
fn trace_id(run_id: Uuid) -> String {
    run_id.simple().to_string()
}

/// The random half of an id.
fn span_id(id: Uuid) -> String {
    format!("{:016x}", id.as_u64_pair().1)
}

fn status(code: u8, reason: Option<&str>) -> Value {
    match reason {
        // The specification wants a description only of an error.
        Some(reason) if code == ERROR => json!({ "code": code, "message": reason }),
        _ => json!({ "code": code }),
    }
}

/// In milliseconds.
fn waited(since: DateTime<Utc>, until: DateTime<Utc>) -> Value {
    number("millrace.waited_ms", (until - since).num_milliseconds().max(0))
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: i64) -> Value {
    // 64 bits are a text: a number of JSON would lose some.
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// Of a year that 64 bits of them do not reach, the beginning of time.
fn nanoseconds(at: DateTime<Utc>) -> String {
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn attempt_that(state: &str, reason: Option<&str>) -> TracedAttempt {
        TracedAttempt {
            run_id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001),
            attempt_id: Uuid::from_u128(0x1111_2222_3333_4444_8555_6666_7777_8888),
            task: "load[3]".into(),
            attempt: 2,
            kind: "command".into(),
            pool: "default".into(),
            holder: Some("one".into()),
            state: state.into(),
            reason: reason.map(str::to_owned),
            ready_at: Some(at("2026-03-01T12:00:00.250Z")),
            started_at: at("2026-03-01T12:00:01Z"),
            ended_at: at("2026-03-01T12:00:02.000001Z"),
        }
    }

    #[test]
    fn an_attempt_is_a_span_below_its_run() {
        let span = attempt(&attempt_that("failed", Some("no")));
        let expected = json!({
            "traceId": "01980000000070008000000000000001",
            "spanId": "8555666677778888",
            "parentSpanId": "8000000000000001",
            "name": "load[3]",
            "kind": 1,
            "startTimeUnixNano": "1772366401000000000",
            "endTimeUnixNano": "1772366402000001000",
            "status": { "code": 2, "message": "no" },
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&span[key], value, "{key}");
        }
        let attributes = span["attributes"].as_array().unwrap();
        for (key, value) in [
            ("millrace.attempt", json!({ "intValue": "2" })),
            ("millrace.executor", json!({ "stringValue": "one" })),
            ("millrace.waited_ms", json!({ "intValue": "750" })),
        ] {
            assert!(attributes.contains(&json!({ "key": key, "value": value })), "{key}: {span:#}");
        }
    }

    #[test]
    fn only_what_failed_is_an_error() {
        let status = |state, reason| attempt(&attempt_that(state, reason))["status"].clone();
        assert_eq!(status("success", None), json!({ "code": 1 }));
        assert_eq!(status("skipped", Some("not today")), json!({ "code": 0 }));
        assert_eq!(status("lost", None), json!({ "code": 2 }));
    }
}
