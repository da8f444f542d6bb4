//! How much is let in at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds the bytes of all requests that are being worked on, so that memory stays flat while the broker is away.
#[derive(Clone)]
pub struct Admission {
    kib: Arc<Semaphore>,
    body_kib_max: u32,
}

impl Admission {
    pub fn new(in_flight_bytes_max: usize, body_bytes_max: usize) -> Self {
        let kib = |bytes: usize| bytes.div_ceil(1024).max(1);
        Self {
            kib: Arc::new(Semaphore::new(kib(in_flight_bytes_max))),
            body_kib_max: kib(body_bytes_max) as u32,
        }
    }

    /// Lets a request in, or not, before its body is read. A request that does not say its true size (none given, or
    /// compressed) counts as the largest.
    pub fn admit(&self, declared_bytes: Option<usize>) -> Option<OwnedSemaphorePermit> {
        let kib = declared_bytes
            .map_or(self.body_kib_max, |bytes| (bytes.div_ceil(1024).max(1) as u32).min(self.body_kib_max));
        self.kib.clone().try_acquire_many_owned(kib).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_something_ends() {
        let admission = Admission::new(10 * 1024, 8 * 1024);
        let large = admission.admit(None).unwrap();
        assert!(admission.admit(Some(3 * 1024)).is_none());
        let small = admission.admit(Some(100)).unwrap();
        drop(large);
        assert!(admission.admit(Some(8 * 1024)).is_some());
        drop(small);
    }
}
