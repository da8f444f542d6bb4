//! How much is let in at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds the bytes of all requests that are being worked on, so that memory stays flat while the broker is away.
///
/// A request takes room as its body arrives. If it took what it declares, a few clients that declare much and send a byte a
/// second would keep everybody else out.
#[derive(Clone)]
pub struct Admission {
    kib: Arc<Semaphore>,
}

/// What one request holds until it is dropped.
pub struct Room {
    kib: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Admission {
    pub fn new(in_flight_bytes_max: usize) -> Self {
        Self { kib: Arc::new(Semaphore::new(kib(in_flight_bytes_max))) }
    }

    /// Whether there is room at this moment: so that a request can be refused before its body is read.
    pub fn has_room(&self, declared_bytes: Option<usize>) -> bool {
        self.kib.available_permits() >= kib(declared_bytes.unwrap_or(1))
    }

    pub fn enter(&self) -> Room {
        Room { kib: self.kib.clone(), held: None, bytes: 0 }
    }
}

impl Room {
    /// Takes room for more bytes. False where there is none left.
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = kib(self.bytes).saturating_sub(held);
        match self.kib.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX)) {
            Err(_) => return false,
            Ok(more) => match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            },
        }
        true
    }
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_what_has_arrived_until_it_ends() {
        let admission = Admission::new(10 * 1024);
        let (mut large, mut small) = (admission.enter(), admission.enter());
        assert!(admission.has_room(Some(10 * 1024)), "who has sent nothing holds nothing");
        assert!(large.grow(4 * 1024) && large.grow(4 * 1024) && small.grow(100) && small.grow(100));
        assert!(!admission.has_room(Some(2 * 1024)) && admission.has_room(None));
        assert!(!small.grow(8 * 1024));
        drop(large);
        assert!(admission.enter().grow(8 * 1024));
    }
}
