//! Signals that end a supervisor.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Behind `--detach` there is no terminal whose end means anything.
    ignore_hangup: bool,
}

impl Signals {
    pub fn listen() -> Result<Signals, Failure> {
        let listen =
            |kind| signal(kind).map_err(|cause| Failure::Failed(format!("listen for signals: {cause}")));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            ignore_hangup: rustix::process::getsid(None).ok() == Some(rustix::process::getpid()),
        })
    }

    /// Returns at Ctrl-C, SIGTERM, or when the terminal goes away.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => if !self.ignore_hangup { return },
            }
        }
    }
}

/// A session of its own: no Ctrl-C and no hangup of the terminal reaches it.
pub fn leave_terminal() {
    // Fails only for a leader of a process group, which has left already.
    let _ = rustix::process::setsid();
}
