//! The same as JSON. `as_of` says when a server answered last; `stale` says why there is nothing newer.

use super::{State, browse, status};
use crate::{
    messages::Asked,
    picture::{Group, Picture, Topic},
    schemas::{Subject, fields},
    seen::{Kept, Seen},
    wrong::wrong,
};
use axum::{
    Json, Router,
    extract::{Path, Query, State as Held},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use service::http::problem;
use std::collections::HashMap;

pub fn routes() -> Router<State> {
    Router::new()
        .route("/overview", get(overview))
        .route(
            "/topics",
            get(async |Held(state): Held<State>| kafka(&state.seen(), |picture, _| topics(picture))),
        )
        .route("/topics/{name}", get(topic))
        .route("/topics/{name}/messages", get(messages))
        .route("/groups", get(groups))
        .route("/groups/{name}", get(group))
        .route("/schemas", get(schemas))
        .route("/schemas/{name}", get(schema))
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is no such address under /api/v1"))
}

async fn overview(Held(state): Held<State>) -> Response {
    let seen = state.seen();
    let now = Utc::now();
    let picture = seen.kafka.value();
    // Also while Kafka is away: what is wrong is then the answer.
    let body = json!({
        "as_of": seen.kafka.at(),
        "stale": stale(&seen.kafka),
        "wrong": wrong(&seen, now),
        "brokers": picture.map(|picture| &picture.brokers),
        "topics": picture.map(|picture| picture.own_topics().count()),
        "partitions": picture.map(|picture| picture.own_topics().map(|topic| topic.partitions.len()).sum::<usize>()),
        "records_kept": picture.map(|picture| picture.own_topics().map(Topic::kept).sum::<u64>()),
        "bytes": picture.and_then(|picture| picture.topics.iter().map(Topic::bytes).sum::<Option<u64>>()),
    });
    Json(body).into_response()
}

fn topics(picture: &Picture) -> Value {
    json!({ "topics": picture.topics.iter().map(topic_line).collect::<Vec<_>>() })
}

fn topic_line(topic: &Topic) -> Value {
    json!({
        "name": topic.name,
        "internal": topic.internal,
        "partitions": topic.partitions.len(),
        "records_kept": topic.kept(),
        "bytes": topic.bytes(),
        "written_per_second": topic.rate(),
        "replication": topic.replication(),
        "under_replicated": topic.under_replicated(),
        "leaderless": topic.leaderless(),
    })
}

async fn topic(Held(state): Held<State>, Path(name): Path<String>) -> Response {
    let seen = state.seen();
    let Some(picture) = seen.kafka.value() else { return unseen(&seen) };
    let Some(topic) = picture.topic(&name) else { return missing("topic", &name) };
    let readers = picture.readers(&name).map(|group| {
        let places = group.topics.get(&name).map(Vec::as_slice).unwrap_or_default();
        json!({ "group": group.name, "lag": places.iter().map(|place| place.lag).sum::<Option<u64>>() })
    });
    let schema = seen.subject_of(&name).map(|subject| &subject.name);
    let readers: Vec<Value> = readers.collect();
    kafka(
        &seen,
        |_, _| json!({ "topic": topic, "records_kept": topic.kept(), "groups": readers, "schema": schema }),
    )
}

async fn messages(
    Held(state): Held<State>,
    Path(topic): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match browse(&state, &topic, Asked::parse(&query)).await {
        Ok(found) => Json(found).into_response(),
        Err(cause) => problem(status(&cause), cause.to_string()),
    }
}

async fn groups(Held(state): Held<State>) -> Response {
    let seen = state.seen();
    kafka(&seen, |picture, now| {
        let line = |group: &Group| group_line(group, picture.at, now);
        json!({
            "groups": picture.groups.iter().map(line).collect::<Vec<_>>(),
            "slots": seen.jobs.value(),
            "slots_stale": stale(&seen.jobs),
        })
    })
}

fn group_line(group: &Group, at: DateTime<Utc>, now: DateTime<Utc>) -> Value {
    let oldest = group.oldest();
    json!({
        "name": group.name,
        "kind": group.kind,
        "topics": group.topics.keys().collect::<Vec<_>>(),
        "lag": group.lag(),
        "lag_seconds": oldest.map(|oldest| (now - oldest).as_seconds_f64().max(0.0)),
        "oldest_unread": oldest,
        "missed": group.missed(),
        "trend": group.trend(at),
        "problem": group.problem,
    })
}

async fn group(Held(state): Held<State>, Path(name): Path<String>) -> Response {
    let seen = state.seen();
    let Some(picture) = seen.kafka.value() else { return unseen(&seen) };
    let Some(group) = picture.group(&name) else { return missing("group", &name) };
    kafka(
        &seen,
        |picture, now| json!({ "summary": group_line(group, picture.at, now), "partitions": group.topics }),
    )
}

async fn schemas(Held(state): Held<State>) -> Response {
    let seen = state.seen();
    let Some(subjects) = seen.schemas.value() else { return unasked(&seen) };
    let line = |subject: &Subject| {
        let versions: Vec<Value> = subject
            .versions
            .iter()
            .map(|version| json!({ "version": version.version, "id": version.id }))
            .collect();
        json!({ "subject": subject.name, "versions": versions })
    };
    let subjects: Vec<Value> = subjects.iter().map(line).collect();
    answer(&seen.schemas, json!({ "subjects": subjects }))
}

async fn schema(Held(state): Held<State>, Path(name): Path<String>) -> Response {
    let seen = state.seen();
    let Some(subjects) = seen.schemas.value() else { return unasked(&seen) };
    let Some(subject) = subjects.iter().find(|subject| subject.name == name) else {
        return missing("subject", &name);
    };
    let fields = subject.latest().map(|latest| fields(&latest.schema));
    answer(&seen.schemas, json!({ "subject": subject.name, "versions": subject.versions, "fields": fields }))
}

/// An answer made of Kafka's picture, or 503 where there is none yet.
fn kafka(seen: &Seen, body: impl FnOnce(&Picture, DateTime<Utc>) -> Value) -> Response {
    match seen.kafka.value() {
        Some(picture) => answer(&seen.kafka, body(picture, Utc::now())),
        None => unseen(seen),
    }
}

fn answer<T>(kept: &Kept<T>, body: Value) -> Response {
    let mut whole = json!({ "as_of": kept.at(), "stale": stale(kept) });
    if let (Some(whole), Value::Object(body)) = (whole.as_object_mut(), body) {
        whole.extend(body);
    }
    Json(whole).into_response()
}

fn stale<T>(kept: &Kept<T>) -> Option<&str> {
    kept.failing.as_ref().map(|failing| failing.reason.as_str())
}

fn unseen(seen: &Seen) -> Response {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        stale(&seen.kafka).unwrap_or("Kafka has not answered yet: try again"),
    )
}

fn unasked(seen: &Seen) -> Response {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        stale(&seen.schemas).unwrap_or("the schema registry has not answered yet: try again"),
    )
}

fn missing(what: &str, name: &str) -> Response {
    problem(StatusCode::NOT_FOUND, format!("there is no {what} \"{name}\""))
}
