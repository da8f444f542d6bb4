//! A page over HTTP: bounded in time and size, tried again as the source's settings say.

use crate::{
    page::{Asked, Page},
    trouble::{self, Trouble},
};
use pipeline::Source;
use reqwest::{Client, NoProxy, Proxy, redirect};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Asks one source.
pub struct Getter<'a> {
    client: Client,
    source: &'a Source,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    #[error("cannot make an HTTP client: {0}. Correct the setting `proxy`")]
    Client(String),
    #[error(
        "{url} failed {attempts} times, the last time because {cause}. Ask it by hand; if it is only slow or large, change `timeout`, `body_bytes_max` or `retry` of the source"
    )]
    GaveUp { url: String, attempts: u32, cause: String },
    #[error("{url} can't be fetched: {cause}. Correct `url`, `query` or `headers` of the source")]
    Refused { url: String, cause: String },
}

const USER_AGENT: &str = concat!("millrace-fetcher/", env!("CARGO_PKG_VERSION"));
/// Of one question. Real APIs need one or two.
const REDIRECTS_MAX: usize = 5;

impl<'a> Getter<'a> {
    pub fn new(source: &'a Source, client: Client) -> Self {
        Self { client, source }
    }

    /// Reads a page. An answer that is not one counts as a failed try, whatever its status.
    pub async fn page(&self, asked: &Asked) -> Result<Page, GetError> {
        let mut failed = 0;
        loop {
            let trouble = match self.once(asked).await {
                Ok(page) => return Ok(page),
                Err(trouble) => trouble,
            };
            failed += 1;
            let (url, cause) = (asked.shown.clone(), trouble.cause().to_owned());
            match trouble.wait(&self.source.retry, failed) {
                Some(wait) => {
                    tracing::info!(source = self.source.name, "{url}: {cause}; trying again in {wait:?}");
                    tokio::time::sleep(wait).await;
                }
                None if matches!(trouble, Trouble::Lasting { .. }) => {
                    return Err(GetError::Refused { url, cause });
                }
                None => return Err(GetError::GaveUp { url, attempts: failed, cause }),
            }
        }
    }

    async fn once(&self, asked: &Asked) -> Result<Page, Trouble> {
        let request =
            self.client.get(asked.url.clone()).headers(asked.headers.clone()).timeout(self.source.timeout);
        let response = request.send().await.map_err(Trouble::of)?;
        if !response.status().is_success() {
            return Err(Trouble::of_status(&response));
        }
        let body = trouble::body(response, self.source.body_bytes_max).await?;
        Page::read(self.source, &body).map_err(|cause| Trouble::passing(cause.to_string()))
    }
}

/// A client for each pair of time-outs, which are the client's in this library. Making one reads the system's certificates,
/// which takes long enough to be felt by others on the same thread.
pub struct Clients {
    proxy: String,
    made: Mutex<HashMap<(Duration, Duration), Client>>,
}

/// Clients that are kept. Beyond it all are made anew: somebody edits time-outs all day.
const CLIENTS_MAX: usize = 64;

impl Clients {
    /// `proxy` is empty where there is none.
    pub fn new(proxy: &str) -> Self {
        Self { proxy: proxy.to_owned(), made: Mutex::default() }
    }

    pub fn of(&self, source: &Source) -> Result<Client, GetError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let timeouts = (source.connect_timeout, source.read_timeout);
        if let Some(client) = made.get(&timeouts) {
            return Ok(client.clone());
        }
        let client =
            client(source, &self.proxy).map_err(|error| GetError::Client(trouble::reason(&error)))?;
        if made.len() >= CLIENTS_MAX {
            made.clear();
        }
        made.insert(timeouts, client.clone());
        Ok(client)
    }
}

fn client(source: &Source, proxy: &str) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(source.connect_timeout)
        .read_timeout(source.read_timeout)
        .redirect(redirect::Policy::custom(follow));
    let builder = match proxy {
        "" => builder.no_proxy(),
        proxy => {
            builder.proxy(Proxy::all(proxy)?.no_proxy(NoProxy::from_string("localhost,127.0.0.0/8,::1")))
        }
    };
    builder.build()
}

/// Follows a few redirects on the same host. To another one would be to show it the headers, and what is fetched would not be
/// what the pipeline says.
fn follow(attempt: redirect::Attempt) -> redirect::Action {
    let first = attempt.previous().first().and_then(|url| url.host_str().map(str::to_owned));
    let host = attempt.url().host_str().map(str::to_owned);
    match (attempt.previous().len(), host) {
        (n, _) if n > REDIRECTS_MAX => attempt.error(format!("it redirects more than {REDIRECTS_MAX} times")),
        (_, host) if host != first => {
            attempt.error(format!("it redirects to another host, {}", host.unwrap_or_default()))
        }
        _ => attempt.follow(),
    }
}

#[cfg(test)]
mod tests;
