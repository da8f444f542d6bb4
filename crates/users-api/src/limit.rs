//! How many users one address may have within a window.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A fixed window per address, which begins with its first request, as the real API's does.
pub struct Limit {
    users_max: u64,
    window: Duration,
    clients: Mutex<HashMap<IpAddr, Spent>>,
}

struct Spent {
    since: Instant,
    users: u64,
}

/// Addresses that are remembered. Beyond it the ended windows are forgotten, and if none has ended, all: the limit is a
/// courtesy, memory is not.
const CLIENTS_MAX: usize = 10_000;

impl Limit {
    /// `users_max` 0 is no limit.
    pub fn new(users_max: u64, window: Duration) -> Self {
        Self { users_max, window, clients: Mutex::default() }
    }

    /// Lets `users` go to `client`, or tells how long to wait. What is refused does not count.
    pub fn take(&self, client: IpAddr, users: u64, now: Instant) -> Result<(), Duration> {
        if self.users_max == 0 {
            return Ok(());
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&client) {
            clients.retain(|_, spent| now.duration_since(spent.since) < self.window);
            if clients.len() >= CLIENTS_MAX {
                clients.clear();
            }
        }
        let spent = clients.entry(client).or_insert(Spent { since: now, users: 0 });
        if now.duration_since(spent.since) >= self.window {
            *spent = Spent { since: now, users: 0 };
        }
        if spent.users + users > self.users_max {
            return Err(self.window - now.duration_since(spent.since));
        }
        spent.users += users;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_for_each_address_by_itself() {
        let (limit, start) = (Limit::new(10, Duration::from_secs(60)), Instant::now());
        let [one, other] = [1, 2].map(|n| IpAddr::from([127, 0, 0, n]));
        let at = |seconds| start + Duration::from_secs(seconds);
        let wait = |seconds| Err(Duration::from_secs(seconds));
        let cases = [
            (one, 7, 0, Ok(())),
            (one, 4, 20, wait(40)),
            (one, 3, 21, Ok(())),
            (other, 10, 30, Ok(())),
            (one, 1, 59, wait(1)),
            (one, 10, 60, Ok(())),
            (other, 1, 60, wait(30)),
        ];
        for (client, users, seconds, expected) in cases {
            assert_eq!(limit.take(client, users, at(seconds)), expected, "{users} at {seconds} s");
        }
        assert_eq!(Limit::new(0, Duration::ZERO).take(one, u64::MAX, start), Ok(()));
    }

    #[test]
    fn no_more_addresses_are_remembered_than_the_bound() {
        let (limit, now) = (Limit::new(1, Duration::from_secs(60)), Instant::now());
        for n in 0..=CLIENTS_MAX as u32 {
            limit.take(IpAddr::from(n.to_be_bytes()), 1, now).unwrap();
        }
        assert!(limit.clients.lock().unwrap().len() <= CLIENTS_MAX);
    }
}
