//! Bodies that misbehave.

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{convert::Infallible, io, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// An endless body ends after all: nobody should be able to keep a connection busy for ever.
const ENDLESS_MAX: Duration = Duration::from_secs(60);
const CHUNK_BYTES: usize = 16 * 1024;
/// About 3 MB a second, so that a careless client fills its memory and this process does not fill a core.
const CHUNK_EVERY: Duration = Duration::from_millis(5);
/// The first half must have left before the connection breaks, or the client would not even see the head.
const HALF_LEAVES: Duration = Duration::from_millis(100);

/// The whole body, after a wait.
pub fn slow(body: Vec<u8>, wait: Duration) -> Body {
    Body::from_stream(stream::once(async move {
        sleep(wait).await;
        Ok::<_, Infallible>(Bytes::from(body))
    }))
}

/// Half of the body, and no sign that there is more.
pub fn half(body: &[u8]) -> Body {
    Body::from(body[..body.len() / 2].to_vec())
}

/// Half of the body, then the connection breaks.
pub fn reset(body: &[u8]) -> Body {
    let half = Bytes::from(body[..body.len() / 2].to_vec());
    let broken = async {
        sleep(HALF_LEAVES).await;
        Err(io::Error::new(io::ErrorKind::ConnectionReset, "the fault \"reset\""))
    };
    Body::from_stream(stream::once(async { Ok(half) }).chain(stream::once(broken)))
}

/// The beginning of an answer, and then white space.
pub fn endless() -> Body {
    let end = Instant::now() + ENDLESS_MAX;
    let spaces = Bytes::from(vec![b' '; CHUNK_BYTES]);
    let rest = stream::unfold(Instant::now(), move |at| {
        let spaces = spaces.clone();
        async move {
            sleep_until(at).await;
            (at < end).then(|| (Ok::<_, Infallible>(spaces), at + CHUNK_EVERY))
        }
    });
    Body::from_stream(stream::once(async { Ok(Bytes::from_static(b"{\"results\":[")) }).chain(rest))
}
