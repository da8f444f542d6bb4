//! Whether a process can do its work, and if not, why.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Named conditions. A process is ready when there is at least one and all hold.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Option<String>>>>);

impl Health {
    /// Says that `what` holds.
    pub fn good(&self, what: &str) {
        self.set(what, None);
    }

    /// Says that `what` does not hold, and why.
    pub fn bad(&self, what: &str, reason: impl Into<String>) {
        self.set(what, Some(reason.into()));
    }

    /// Forgets `what`.
    pub fn drop(&self, what: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }

    fn set(&self, what: &str, reason: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(what.to_owned(), reason);
    }

    /// All conditions: the name, and the reason where it does not hold.
    pub fn conditions(&self) -> BTreeMap<String, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_ready(&self) -> bool {
        let conditions = self.conditions();
        !conditions.is_empty() && conditions.values().all(Option::is_none)
    }
}

const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Asks the process at `listen` whether it is ready. For container health checks, which have no curl.
pub(crate) fn ask(listen: &str) -> ExitCode {
    match get_readyz(&listen.replace("0.0.0.0", "127.0.0.1")) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(answer) => {
            eprintln!("not ready: {answer}");
            ExitCode::FAILURE
        }
        Err(cause) => {
            eprintln!("{listen} does not answer: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn get_readyz(listen: &str) -> std::io::Result<String> {
    let address = listen.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4_096).read_to_string(&mut answer)?;
    Ok(answer)
}
