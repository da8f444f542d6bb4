//! Ports: is one taken, by whom, and which are free.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::Error;
use crate::identity::holder_of_port;
use crate::process::Process;

/// Free ports are looked for from here up to where the kernel gives ports to outgoing connections: one of those could be
/// taken by any connection while a server restarts.
const FIRST: u16 = 12_000;
const EPHEMERAL_FROM: u16 = 32_768;

/// An error that names the first taken port, who holds it and the setting to change.
pub fn check_free(processes: &[Process]) -> Result<(), Error> {
    for process in processes {
        for port in &process.ports {
            if let Err(cause) = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)) {
                let unknown = || format!("somebody unknown ({cause})");
                return Err(Error::PortTaken {
                    process: process.name.clone(),
                    port: port.number,
                    holder: holder_of_port(port.number).unwrap_or_else(unknown),
                    setting: port.setting.clone(),
                });
            }
        }
    }
    Ok(())
}

/// `n` ports that are free now, outside the ephemeral range. Starts at a random one, so that two tests rarely meet.
pub fn free_ports(n: usize) -> Result<Vec<u16>, Error> {
    let span = EPHEMERAL_FROM - FIRST;
    let start = rand::random_range(0..span);
    let candidates = (0..span).map(|step| FIRST + (start + step) % span);
    // Held until all are found, so that none is found twice.
    let held: Vec<(u16, TcpListener)> = candidates
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?)))
        .take(n)
        .collect();
    match held.len() {
        found if found < n => Err(Error::NoFreePorts { wanted: n, found }),
        _ => Ok(held.into_iter().map(|(port, _)| port).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Before, Health, Kind, Launch, Port, Stop};

    #[test]
    fn a_taken_port_is_an_error_that_names_port_holder_and_setting() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        let process = Process {
            name: "kafka".into(),
            kind: Kind::Server,
            address: String::new(),
            ports: vec![Port { number, setting: "ports.kafka".into() }],
            launch: Launch::default(),
            log: "log".into(),
            health: Health::Kafka(String::new()),
            needs: vec![],
            before: Before::Nothing,
            stop: Stop { rank: 0, signal: crate::Signal::TERM, within: std::time::Duration::ZERO },
            class_archive: None,
        };
        let message = check_free(&[process]).unwrap_err().to_string();
        let start = format!("port {number} of kafka is taken by pid {} (", std::process::id());
        assert!(
            message.starts_with(&start) && message.contains("set ports.kafka to a free port"),
            "{message}"
        );
    }

    #[test]
    fn free_ports_lie_below_the_ephemeral_range_and_differ() {
        let mut ports = free_ports(20).unwrap();
        assert!(ports.iter().all(|port| (FIRST..EPHEMERAL_FROM).contains(port)));
        ports.sort();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }
}
