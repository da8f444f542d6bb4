//! Who may ask before there are logins: this machine, and pages that this process itself served.
//!
//! Any web site can make the reader's browser send requests to `localhost`. `Host` shows a site that bent its own name to
//! 127.0.0.1 (DNS rebinding); `Origin` shows a foreign page that posts a form. Listening on loopback is the caller's part.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::{Either, Ready, ready};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Lets requests in that name this machine, or one of `allowed_hosts`, as their host, with any port.
///
/// What changes something must also come from a page of the same host and port, or from no page at all (a command line).
/// Others are answered 403 with a sentence that says what to do. A name in `allowed_hosts` has no port.
pub fn loopback_only(allowed_hosts: Vec<String>) -> Guard {
    let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
    let named = allowed_hosts.into_iter().map(|host| host.to_ascii_lowercase());
    Guard { hosts: own.into_iter().chain(named).collect() }
}

/// The layer that [`loopback_only`] makes.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Arc<[String]>,
}

impl Guard {
    /// Decides about one request; the error is what its sender is told.
    fn admit(&self, request: &Request) -> Result<(), String> {
        let headers = request.headers();
        let host = text(headers, header::HOST)
            .or_else(|| request.uri().authority().map(|authority| authority.as_str()))
            .ok_or("This request names no host. Send a Host header, for example \"localhost\".")?
            .to_ascii_lowercase();
        if !self.hosts.iter().any(|known| known == name_of(&host)) {
            return Err(format!(
                "\"{host}\" is not a name of this server. Ask for localhost, or add the name to `allowed_hosts` in its configuration."
            ));
        }
        if changes_something(request.method()) { from_same_host(headers, &host) } else { Ok(()) }
    }
}

/// The host without its port; an IPv6 address keeps its brackets.
fn name_of(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if colon > host.rfind(']').unwrap_or(0) => &host[..colon],
        _ => host,
    }
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn from_same_host(headers: &HeaderMap, host: &str) -> Result<(), String> {
    let refused = |whence: &str| {
        Err(format!(
            "A page of {whence} may not change anything here. Open this server's own page at {host} and do it there."
        ))
    };
    match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("an unreadable origin")) {
        Some(origin) => match origin.split_once("://") {
            Some((_, from)) if from.eq_ignore_ascii_case(host) => Ok(()),
            _ => refused(origin),
        },
        // Browsers send this even where they leave out the origin; command lines send neither.
        None => match text(headers, "sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) => refused("another site"),
        },
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind the [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S: Service<Request, Response = Response>> Service<Request> for Guarded<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.guard.admit(&request) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(sentence) => {
                Either::Left(ready(Ok((StatusCode::FORBIDDEN, sentence + "\n").into_response())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
