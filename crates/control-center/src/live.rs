//! Open pages: each view that somebody looks at is made anew when something new was seen.

use crate::{
    pages::{self, View},
    seen::Seen,
};
use chrono::Utc;
use service::CancellationToken;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{broadcast, watch};
use web::Patch;

/// The views that are looked at.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    views: HashMap<View, broadcast::Sender<Patch>>,
    closed: bool,
}

/// Each view costs a rendering per survey.
const VIEWS_MAX: usize = 64;
/// A patch is a whole view, so an older one is of no use beside a newer one.
const PATCHES_KEPT: usize = 2;

impl Live {
    /// The patches of a view; none when the process ends or too many different views are open.
    pub fn watch(&self, view: View) -> Option<broadcast::Receiver<Patch>> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.views.retain(|_, patches| patches.receiver_count() > 0);
        if watched.closed || watched.views.len() >= VIEWS_MAX && !watched.views.contains_key(&view) {
            return None;
        }
        Some(watched.views.entry(view).or_insert_with(|| broadcast::channel(PATCHES_KEPT).0).subscribe())
    }

    /// Sends patches until the process is to end; then ends the streams, or the server would wait for them.
    pub async fn publish(&self, mut seen: watch::Receiver<Seen>, shutdown: &CancellationToken) {
        while let Some(Ok(())) = shutdown.run_until_cancelled(seen.changed()).await {
            let now = seen.borrow_and_update().clone();
            self.send(&now);
        }
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = Watched { closed: true, ..Watched::default() };
    }

    fn send(&self, seen: &Seen) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (view, patches) in watched.views.iter().filter(|(_, patches)| patches.receiver_count() > 0) {
            // The last reader may have gone in between.
            let _ = patches.send(Patch::new(pages::VIEW_ID, pages::view(view, seen, Utc::now())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_view_is_sent_to_who_looks_at_it_and_streams_end_with_the_process() {
        let (sender, seen) = watch::channel(Seen::default());
        let (live, shutdown) = (Live::default(), CancellationToken::new());
        let mut patches = live.watch(View::Topics).unwrap();
        let looking = async {
            sender.send_modify(|_| {});
            assert_eq!(patches.recv().await.unwrap().id, pages::VIEW_ID);
            shutdown.cancel();
            patches.recv().await
        };
        let (ended, ()) = tokio::join!(looking, live.publish(seen, &shutdown));
        assert_eq!(ended, Err(broadcast::error::RecvError::Closed));
        assert!(live.watch(View::Topics).is_none());
    }

    #[test]
    fn views_are_bounded_and_those_that_nobody_looks_at_make_room() {
        let live = Live::default();
        let view = |n: usize| View::Topic(format!("topic-{n}"));
        let mut open: Vec<_> = (0..VIEWS_MAX).map(|n| live.watch(view(n)).unwrap()).collect();
        assert!(live.watch(view(0)).is_some());
        assert!(live.watch(view(VIEWS_MAX)).is_none());
        open.pop();
        assert!(live.watch(view(VIEWS_MAX)).is_some());
    }
}
