//! `http`: calls a URL.

use super::Job;
use pipeline::HttpCall;
use serde_json::{Value, json};

/// What is kept of an answer.
const KEPT_BYTES_MAX: usize = 16 * 1024;

pub async fn run(job: &Job<'_>, call: &HttpCall) -> Result<Value, String> {
    let url = job.fill(&call.url)?;
    let method = call.method.parse().map_err(|_| format!("\"{}\" is not an HTTP method", call.method))?;
    let mut request = job.outside.http.request(method, &url);
    for (name, value) in &call.headers {
        request = request.header(name, job.fill(value)?);
    }
    if let Some(body) = &call.body {
        request = request.body(job.fill(body)?);
    }
    let mut answer = request.send().await.map_err(|cause| format!("{url} did not answer: {cause}"))?;
    let status = answer.status().as_u16();
    // What is cut off is masked before: half a secret would be left.
    let (mut body, mut parts) = (vec![], job.mask.parts());
    while let Some(chunk) =
        answer.chunk().await.map_err(|cause| format!("the answer of {url} broke off: {cause}"))?
    {
        body.extend(parts.push(&chunk));
        if body.len() > KEPT_BYTES_MAX {
            break;
        }
    }
    body.extend(parts.end());
    body.truncate(KEPT_BYTES_MAX);
    job.log(&format!("{} {url}: {status}", call.method)).await;
    if status != call.expect_status {
        return Err(format!(
            "{url} answered {status}, expected {}: {}",
            call.expect_status,
            String::from_utf8_lossy(&body)
        ));
    }
    let body =
        serde_json::from_slice::<Value>(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    Ok(json!({ "status": status, "body": body }))
}

/// The reason in an error body of one of our processes.
pub fn error_of(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<wire::ingest::Problem>(body).ok().map(|problem| problem.error)
}
