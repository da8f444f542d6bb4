//! Patches to open pages, over one server-sent event stream per tab.

use axum::response::{
    IntoResponse,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use maud::Markup;
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, time::Duration};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

/// A page that misses more than this reads itself again, which is cheaper than so many patches.
pub const PATCHES_KEPT: usize = 256;

/// The script takes the stream for lost after three of these without a word (`SILENCE_MS` in `live.js`).
const BEAT: Duration = Duration::from_secs(5);

/// New content for the element with this id: the whole element, with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    pub id: String,
    pub html: String,
}

impl Patch {
    pub fn new(id: impl Into<String>, html: Markup) -> Self {
        Self { id: id.into(), html: html.into_string() }
    }
}

/// The channel between what finds out and the open pages. Sending never waits: a slow page loses patches, not the process.
pub fn channel() -> broadcast::Sender<Patch> {
    broadcast::channel(PATCHES_KEPT).0
}

/// Answers a page's `EventSource`: a `patch` for each patch, and `refresh` when some were missed.
///
/// The stream ends when the last sender is dropped, so a process that shuts down drops its sender first.
pub fn stream(
    patches: broadcast::Receiver<Patch>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + 'static> {
    // The first word at once: the script counts the stream as open only when it has heard something.
    let events = stream::iter([beat()]).chain(BroadcastStream::new(patches).map(event));
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::new().interval(BEAT).event(beat()))
}

/// A comment would keep the connection, but a script cannot hear comments.
fn beat() -> Event {
    Event::default().event("beat").data("1")
}

fn event(patch: Result<Patch, BroadcastStreamRecvError>) -> Event {
    let missed = || Event::default().event("refresh").data("1");
    match patch {
        Ok(patch) => Event::default().event("patch").json_data(patch).unwrap_or_else(|_| missed()),
        Err(BroadcastStreamRecvError::Lagged(_)) => missed(),
    }
}

/// The same as [`stream()`], as a plain response for handlers that answer with different types.
pub fn response(patches: broadcast::Receiver<Patch>) -> axum::response::Response {
    stream(patches).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    async fn said(sender: broadcast::Sender<Patch>, patches: broadcast::Receiver<Patch>) -> String {
        drop(sender);
        let body = axum::body::to_bytes(response(patches).into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_patch_travels_as_one_event_even_with_line_breaks_in_it() {
        let (sender, patches) = broadcast::channel(4);
        sender.send(Patch::new("n", html! { b id="n" { "a\nb" } })).unwrap();
        assert_eq!(
            said(sender, patches).await,
            "event: beat\ndata: 1\n\nevent: patch\ndata: {\"id\":\"n\",\"html\":\"<b id=\\\"n\\\">a\\nb</b>\"}\n\n"
        );
    }

    #[tokio::test]
    async fn a_page_that_missed_patches_is_told_to_read_itself_again() {
        let (sender, patches) = broadcast::channel(1);
        for n in 0..3 {
            sender.send(Patch::new("n", html! { b id="n" { (n) } })).unwrap();
        }
        let said = said(sender, patches).await;
        assert!(said.contains("event: refresh\ndata: 1\n\n"), "{said}");
        assert!(said.ends_with("<b id=\\\"n\\\">2</b>\"}\n\n"), "{said}");
    }

    #[test]
    fn sending_to_nobody_does_not_wait() {
        assert!(channel().send(Patch::new("n", html! {})).is_err());
    }
}
