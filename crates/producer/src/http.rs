//! `POST /v1/streams/{stream}/records`

use crate::{
    Config,
    admission::{Admission, Room},
    body::{self, Layout},
    ingest::{self, Fate, OnInvalid},
    streams::{Ready, Streams, Unready},
};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, Request, State as Held},
    http::{self, HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt;
use kafka::{Outgoing, Place, SendError, Sender};
use prometheus::IntCounterVec;
use service::{Break, Guards, Service, http::problem};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tower::{ServiceExt, service_fn};
use tower_http::decompression::RequestDecompression;
use wire::ingest::{Answer, Outcome};

/// What a request needs.
pub struct State {
    streams: Streams,
    sender: Sender,
    admission: Admission,
    body_bytes_max: usize,
    records_max: usize,
    counted: IntCounterVec,
    guards: Guards,
}

/// A broker that confirms nothing for so long is taken for away. What waits already goes on waiting, and its answer ends that.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// A body that takes longer to arrive is cut off: it holds memory that others wait for.
const BODY_MAX: Duration = Duration::from_secs(30);

impl State {
    pub fn new(service: &Service, config: &Config, streams: Streams, sender: Sender) -> anyhow::Result<Self> {
        Ok(Self {
            streams,
            sender,
            admission: Admission::new(config.in_flight_bytes_max),
            body_bytes_max: config.body_bytes_max,
            records_max: config.records_max,
            counted: service.metrics.counters(
                "millrace_producer_records_total",
                "Records by what became of them",
                &["stream", "outcome"],
            )?,
            guards: service.guards,
        })
    }
}

pub fn routes(state: State) -> Router {
    Router::new().route("/v1/streams/{stream}/records", post(records)).with_state(Arc::new(state))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    on_invalid: OnInvalid,
}

/// A layer costs a small body more than its record does: what few requests need is called by those alone.
async fn records(
    Held(state): Held<Arc<State>>,
    Path(stream): Path<String>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    // The size that a request declares is read before its encoding is taken away.
    if let Some(refused) = refusal(&state, request.headers()) {
        return refused;
    }
    if !request.headers().contains_key(header::CONTENT_ENCODING) {
        return take(&state, &stream, &asked, request).await;
    }
    let plain = service_fn(|request: http::Request<_>| async {
        Ok::<_, Infallible>(take(&state, &stream, &asked, request.map(Body::new)).await)
    });
    match RequestDecompression::new(plain).oneshot(request).await {
        Ok(answer) => answer.into_response(),
        Err(cause) => problem(
            StatusCode::BAD_REQUEST,
            format!("the body can't be read: {cause}. Is its content-encoding right?"),
        ),
    }
}

/// The refusal of a request that is not let in: before its body is read, so that overload costs next to nothing.
fn refusal(state: &State, headers: &HeaderMap) -> Option<Response> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    if length.is_some_and(|bytes: usize| bytes > state.body_bytes_max) {
        return Some(problem(StatusCode::PAYLOAD_TOO_LARGE, too_large(state.body_bytes_max)));
    }
    let silent = state.sender.silent_for();
    if silent > SILENT_MAX {
        return Some(busy(&format!(
            "Kafka has confirmed nothing for {} s, is it running? Nothing of this request was written: send it again",
            silent.as_secs()
        )));
    }
    if !state.admission.has_room(length) {
        return Some(busy("the producer has as much on its way as it may hold: send the request again"));
    }
    None
}

async fn take(state: &State, stream: &str, asked: &Asked, request: Request) -> Response {
    let ready = match state.streams.get(stream) {
        None => {
            return problem(
                StatusCode::NOT_FOUND,
                format!(
                    "no pipeline declares a stream \"{stream}\": declare it under [streams.{stream}], or correct the address"
                ),
            );
        }
        Some(Err(Unready::NotYet(reason))) => {
            return busy(&format!("stream \"{stream}\" is not ready: {reason}"));
        }
        Some(Err(Unready::Refused(reason))) => {
            return problem(StatusCode::CONFLICT, format!("stream \"{stream}\" takes no records: {reason}"));
        }
        Some(Ok(ready)) => ready,
    };
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let layout = Layout::of(content_type);
    let mut room = state.admission.enter();
    let body = match read(request.into_body(), &mut room, state.body_bytes_max).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    match body::records(layout, &body, state.records_max) {
        Err(reason) => problem(StatusCode::BAD_REQUEST, reason),
        Ok(records) => respond(state, &ready, write(state, &ready, records, asked.on_invalid).await),
    }
}

/// Reads the body as far as it may grow. The error is the answer.
async fn read(body: Body, room: &mut Room, bytes_max: usize) -> Result<Vec<u8>, Response> {
    let until = Instant::now() + BODY_MAX;
    let (mut body, mut read) = (body.into_data_stream(), vec![]);
    loop {
        let part = timeout_at(until, body.next()).await.map_err(|_| {
            problem(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {BODY_MAX:?}: send less at once"),
            )
        })?;
        match part {
            None => return Ok(read),
            Some(Err(cause)) => return Err(unreadable(&cause)),
            Some(Ok(part)) if read.len() + part.len() > bytes_max => {
                return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, too_large(bytes_max)));
            }
            Some(Ok(part)) if !room.grow(part.len()) => {
                return Err(busy(
                    "the producer has as much on its way as it may hold: send the request again",
                ));
            }
            Some(Ok(part)) => read.extend_from_slice(&part),
        }
    }
}

async fn write(state: &State, ready: &Arc<Ready>, records: Vec<&[u8]>, on_invalid: OnInvalid) -> Answer {
    let mut outgoing = Vec::with_capacity(records.len());
    let mut fates = Vec::with_capacity(records.len());
    for record in records {
        fates.push(match ingest::judge(ready, record, on_invalid) {
            Fate::Write(record) => {
                outgoing.push(record);
                None
            }
            Fate::Bury(letter, reason) => {
                outgoing.push(letter);
                Some(Ok(reason))
            }
            Fate::Reject(reason) => Some(Err(reason)),
        });
    }
    let written = if state.guards.lack(Break::AckEarly) {
        ack_early(state.sender.clone(), outgoing)
    } else {
        state.sender.send_all(outgoing).await
    };
    ingest::answer(fates, written)
}

/// What a test shows to lose records: all count as written as soon as they are on their way.
fn ack_early(sender: Sender, outgoing: Vec<Outgoing>) -> Vec<Result<Place, SendError>> {
    let written = vec![Ok(Place { partition: 0, offset: 0 }); outgoing.len()];
    tokio::spawn(async move { sender.send_all(outgoing).await });
    written
}

fn respond(state: &State, ready: &Ready, answer: Answer) -> Response {
    let unknown =
        answer.results.iter().filter(|outcome| matches!(outcome, Outcome::Unknown { .. })).count() as u64;
    for (outcome, n) in [
        ("written", answer.accepted),
        ("dead", answer.dead),
        ("rejected", answer.rejected),
        ("unknown", unknown),
    ] {
        state.counted.with_label_values(&[&*ready.topic, outcome]).inc_by(n);
    }
    let status = match (unknown, answer.accepted + answer.dead, answer.rejected) {
        (1.., _, _) => StatusCode::SERVICE_UNAVAILABLE,
        (0, 0, 1..) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let answer = (status, Json(answer)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE { later(answer) } else { answer }
}

fn busy(reason: &str) -> Response {
    later(problem(StatusCode::SERVICE_UNAVAILABLE, reason))
}

fn later(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    answer
}

fn unreadable(cause: &axum::Error) -> Response {
    problem(
        StatusCode::BAD_REQUEST,
        format!("the body can't be read: {cause}. Is it whole, and is its content-encoding right?"),
    )
}

fn too_large(body_bytes_max: usize) -> String {
    format!(
        "the body has more than {body_bytes_max} bytes: send the records in several requests, or raise `body_bytes_max` in config/producer.toml"
    )
}
