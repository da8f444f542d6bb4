//! `fetch`: asks the fetcher to fetch a source once.

use super::Job;
use serde_json::Value;
use wire::fetch::{Answer, Request};

pub async fn run(job: &Job<'_>, source: &str) -> Result<Value, String> {
    let request = Request {
        source: source.to_owned(),
        // The fetcher answers a repeated question with what it did the first time.
        attempt_id: job.claim.attempt_id,
        run_id: Some(job.claim.run_id),
        task: Some(job.claim.task.clone()),
    };
    let url = format!("{}/v1/fetch", job.outside.fetcher_url);
    let answer = job
        .outside
        .http
        .post(&url)
        .json(&request)
        .send()
        .await
        .map_err(|cause| format!("the fetcher at {url} did not answer: {cause}"))?;
    let (status, body) = (
        answer.status(),
        answer.bytes().await.map_err(|cause| format!("the fetcher's answer broke off: {cause}"))?,
    );
    if !status.is_success() {
        return Err(super::http::error_of(&body).unwrap_or_else(|| format!("the fetcher answered {status}")));
    }
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|cause| format!("the fetcher's answer can't be read: {cause}"))?;
    job.log(&format!(
        "{} fetched, {} delivered, {} rejected",
        answer.fetched, answer.delivered, answer.rejected
    ))
    .await;
    serde_json::to_value(answer).map_err(|cause| cause.to_string())
}
