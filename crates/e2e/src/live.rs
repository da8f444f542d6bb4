//! What an open page of the scheduler is told.

use crate::World;
use std::time::SystemTime;

/// The stream of server-sent events.
pub struct Live {
    answer: reqwest::Response,
    heard: String,
}

impl Live {
    pub async fn open(world: &World) -> Self {
        let url = format!("{}/events", world.stack.address("scheduler"));
        let answer = world.http.get(url).send().await.expect("the scheduler answers");
        Self { answer, heard: String::new() }
    }

    /// Waits for the next event that is `wanted`.
    pub async fn next(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            // An event ends with an empty line.
            while let Some((event, rest)) = self.heard.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.heard = rest;
                if wanted(&event) {
                    return event;
                }
            }
            let chunk =
                self.answer.chunk().await.expect("the stream goes on").expect("the stream stays open");
            self.heard.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

/// How late things were seen.
#[derive(Default)]
pub struct Lateness(Vec<u128>);

impl Lateness {
    /// Both in nanoseconds since 1970, by the clock of this machine.
    pub fn add(&mut self, happened: u128, seen: u128) {
        self.0.push(seen.saturating_sub(happened) / 1_000_000);
    }

    /// Median and 95th percentile, milliseconds.
    pub fn percentiles(mut self) -> (u128, u128) {
        self.0.sort_unstable();
        let at = |percent: usize| self.0.get(self.0.len() * percent / 100).copied().unwrap_or_default();
        (at(50), at(95))
    }
}

/// Nanoseconds since 1970.
pub fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_nanos()
}
