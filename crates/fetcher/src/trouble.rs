//! What went wrong with one try, and whether another is worth it.

use chrono::{DateTime, Utc};
use model::Retry;
use reqwest::{Response, StatusCode, header};
use std::time::Duration;

/// Why one HTTP exchange did not succeed.
#[derive(Debug, PartialEq)]
pub enum Trouble {
    /// It may go well the next time.
    Passing { cause: String, retry_after: Option<Duration> },
    /// The same question will have the same answer.
    Lasting { cause: String },
}

impl Trouble {
    pub fn passing(cause: impl Into<String>) -> Self {
        Trouble::Passing { cause: cause.into(), retry_after: None }
    }

    /// An error of the HTTP client, without the address: that may hold a secret, and whoever shows this knows a harmless one.
    pub fn of(error: reqwest::Error) -> Self {
        let lasting = error.is_redirect() || error.is_builder();
        let cause = reason(&error.without_url());
        if lasting { Trouble::Lasting { cause } } else { Trouble::passing(cause) }
    }

    /// An answer that is no success.
    pub fn of_status(response: &Response) -> Self {
        let status = response.status();
        let cause = format!("it answered {status}");
        let again = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            || status.is_server_error();
        let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        match again {
            true => {
                Trouble::Passing { cause, retry_after: asked.and_then(|text| retry_after(text, Utc::now())) }
            }
            false => Trouble::Lasting { cause },
        }
    }

    pub fn cause(&self) -> &str {
        match self {
            Trouble::Passing { cause, .. } | Trouble::Lasting { cause } => cause,
        }
    }

    /// How long to wait before another try, after so many that failed. `None`: there is no other.
    pub fn wait(&self, retry: &Retry, failed: u32) -> Option<Duration> {
        let random = rand::random();
        match self {
            Trouble::Lasting { .. } => None,
            Trouble::Passing { retry_after: None, .. } => retry.delay(failed, random),
            Trouble::Passing { retry_after: Some(asked), .. } => retry.asked(failed, random, *asked),
        }
    }
}

/// `Retry-After`: seconds, or a date of HTTP. A date that is past is no wait; the caller's retry has a floor and a cap.
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// An error and all that caused it: the HTTP client's own text is only "error sending request".
pub fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Reads a body, and stops where it grows larger than `bytes_max`. What is counted is what it unpacks to: a small answer may
/// hold a very large one.
pub async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(Trouble::of)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Trouble::passing(format!("its answer is larger than {bytes_max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_was_asked_for_is_understood() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let seconds = |n| Some(Duration::from_secs(n));
        let cases = [
            ("0", seconds(0)),
            ("120", seconds(120)),
            ("18446744073709551615", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(37)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", seconds(0)),
            ("-5", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(retry_after(text, now), expected, "{text}");
        }
    }

    #[test]
    fn no_answer_makes_a_loop_or_a_wait_without_end() {
        let retry = Retry::new(3, Duration::from_millis(200), Duration::from_secs(5));
        for asked in [0, 3, u64::MAX] {
            let trouble =
                Trouble::Passing { cause: String::new(), retry_after: Some(Duration::from_secs(asked)) };
            let wait = trouble.wait(&retry, 1).unwrap();
            assert!(wait >= model::retry::FLOOR && wait <= retry.cap, "{asked}: {wait:?}");
            assert!(wait >= Duration::from_secs(asked).min(retry.cap), "{asked}: {wait:?}");
            assert_eq!(trouble.wait(&retry, 3), None);
        }
        assert_eq!(Trouble::Lasting { cause: String::new() }.wait(&retry, 1), None);
    }
}
