//! Connections: how many, how long a request may take to arrive, and their orderly end.
//!
//! axum's own loop waits for ever for a request's head. A few hundred clients that send a byte now and then would hold all
//! that this process can open.

use crate::CancellationToken;
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tower::ServiceExt;

/// Open at a time. More wait in the system's queue. One costs about 20 kB, and a file handle of the usual 1,024 or more.
const CONNECTIONS_MAX: usize = 900;
/// From the first byte that may come to the end of a request's head; so long a connection may also be idle.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Of a request's head; above it the answer is 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// After an error of the system, such as too many open files, which some other connection's end may mend.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then lets what was begun come to its end.
pub(crate) async fn serve(listener: TcpListener, app: Router, shutdown: &CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    while let Some(Some((stream, peer, place))) = shutdown.run_until_cancelled(next(&listener, &room)).await {
        while open.try_join_next().is_some() {}
        open.spawn(connection(stream, peer, app.clone(), shutdown.clone(), place));
    }
    while open.join_next().await.is_some() {}
}

async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(cause) => {
                tracing::debug!("a connection was not taken: {cause}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request.map(Body::new))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How a connection ended is its client's matter.
        _ = serving.as_mut() => return,
        () = shutdown.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
