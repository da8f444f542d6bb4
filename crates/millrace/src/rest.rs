//! Asking our own processes over HTTP.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::failure::Failure;

/// A process of ours, at its address.
pub struct Rest {
    process: &'static str,
    url: String,
    http: reqwest::Client,
}

/// What a process of ours knows, it knows at once.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// A thousand runs or a page of records fit many times.
const BODY_BYTES_MAX: usize = 64 << 20;

impl Rest {
    pub fn new(process: &'static str, url: &str) -> Result<Rest, Failure> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|cause| Failure::Failed(format!("make an HTTP client: {cause}")))?;
        Ok(Rest { process, url: url.trim_end_matches('/').into(), http })
    }

    /// `path` is made of segments: each is escaped.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.ask(self.http.get(self.address(path)?).query(query).timeout(ANSWER_MAX)).await
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.post_within(ANSWER_MAX, path, body).await
    }

    pub async fn post_within(&self, limit: Duration, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(self.http.post(self.address(path)?).json(body).timeout(limit)).await
    }

    pub async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.ask(self.http.put(self.address(path)?).json(body).timeout(ANSWER_MAX)).await
    }

    pub async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.ask(self.http.delete(self.address(path)?).query(query).timeout(ANSWER_MAX)).await
    }

    fn address(&self, path: &[&str]) -> Result<reqwest::Url, Failure> {
        let wrong =
            || Failure::WrongInput(format!("\"{}\" is not the address of the {}", self.url, self.process));
        let mut url = reqwest::Url::parse(&self.url).map_err(|_| wrong())?;
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(path);
        Ok(url)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let answer = request.send().await.map_err(|cause| self.silent(&cause))?;
        let status = answer.status();
        let body = self.body(answer).await?;
        let parsed: Option<Value> = serde_json::from_slice(&body).ok();
        match parsed {
            Some(value) if status.is_success() => Ok(value),
            parsed => Err(self.refused(status, parsed, &body)),
        }
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|cause| self.silent(&cause))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                let process = self.process;
                return Err(Failure::Failed(format!(
                    "the {process} answers with more than {BODY_BYTES_MAX} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn silent(&self, cause: &reqwest::Error) -> Failure {
        let why = if cause.is_timeout() { "it takes too long".into() } else { root(cause) };
        let (process, url) = (self.process, &self.url);
        Failure::Failed(format!(
            "the {process} at {url} did not answer: {why}. `millrace status` shows whether it runs"
        ))
    }

    /// What the process says is wrong with the question is wrong input; all else is a failure.
    fn refused(&self, status: StatusCode, parsed: Option<Value>, body: &[u8]) -> Failure {
        let told = parsed.as_ref().and_then(|value| value["error"].as_str()).map(str::to_string);
        let told = told.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(500).collect());
        let message = format!("the {} answers {status}: {told}", self.process);
        match status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::WrongInput(message)
            }
            _ => Failure::Failed(message),
        }
    }
}

/// The innermost cause says it in the fewest words.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
