//! A network that fails on demand: a proxy between a client and a real server that reads the headers of what passes and delays,
//! drops, cuts or swallows by rules. For tests only.
//!
//! ```no_run
//! # use fault_proxy::{Action, Matches, Protocol, Proxy, Rule, kafka};
//! # async fn example() -> std::io::Result<()> {
//! let proxy = Proxy::start("127.0.0.1:9092", Protocol::Kafka).await?;
//! let late = proxy.rule(Rule::once(Matches::kind(kafka::END_TXN), Action::Delay(std::time::Duration::from_secs(3))));
//! // ... clients use proxy.address() ...
//! assert_eq!(late.count(), 1, "a fault that never fired proves nothing");
//! # Ok(()) }
//! ```
//!
//! A Kafka broker tells its clients where it is, and they would go there. So the proxy replaces the broker's address by its own
//! in the answers that hold addresses. Host and port stand side by side there in every version of the protocol, and the proxy
//! has a host of the same length, so that nothing else in the answer moves. The broker needs no other configuration, and a test
//! may put a proxy before a broker that others use.

mod frame;
mod relay;
mod rule;

pub use frame::Protocol;
pub use rule::{Action, Fired, Matches, Rule};

use rule::Rules;
use std::{io, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Kafka's API keys, for [`Matches::kind`].
pub mod kafka {
    pub const PRODUCE: i32 = 0;
    pub const FETCH: i32 = 1;
    pub const METADATA: i32 = 3;
    pub const OFFSET_COMMIT: i32 = 8;
    pub const FIND_COORDINATOR: i32 = 10;
    pub const INIT_PRODUCER_ID: i32 = 22;
    pub const ADD_PARTITIONS_TO_TXN: i32 = 24;
    pub const ADD_OFFSETS_TO_TXN: i32 = 25;
    pub const END_TXN: i32 = 26;
    pub const TXN_OFFSET_COMMIT: i32 = 28;
    pub const DESCRIBE_CLUSTER: i32 = 60;
}

/// PostgreSQL's message tags, for [`Matches::kind`].
pub mod postgres {
    pub const QUERY: i32 = b'Q' as i32;
    pub const PARSE: i32 = b'P' as i32;
    pub const BIND: i32 = b'B' as i32;
    pub const EXECUTE: i32 = b'E' as i32;
    pub const SYNC: i32 = b'S' as i32;
}

/// CQL's opcodes, for [`Matches::kind`].
pub mod cql {
    pub const QUERY: i32 = 7;
    pub const PREPARE: i32 = 9;
    pub const EXECUTE: i32 = 10;
    pub const BATCH: i32 = 13;
}

/// A running proxy, or one before each server of a cluster. Dropping it closes all connections.
pub struct Proxy {
    addresses: Vec<String>,
    rules: Rules,
    accepting: Vec<JoinHandle<()>>,
}

/// Connections at a time. More is a test that has gone wrong.
const CONNECTIONS_MAX: usize = 2_000;

impl Proxy {
    /// Listens on a free port of 127.0.0.1 for `upstream`, `host:port`.
    pub async fn start(upstream: &str, protocol: Protocol) -> io::Result<Self> {
        Self::cluster(&[upstream], protocol).await
    }

    /// Listens once for each server; the rules hold for all of them.
    pub async fn cluster(upstreams: &[&str], protocol: Protocol) -> io::Result<Self> {
        let mut listeners = vec![];
        for _ in upstreams {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port()));
        let ports: Vec<u16> = ports.collect::<io::Result<_>>()?;
        let moved: Arc<Vec<Moved>> =
            Arc::new(upstreams.iter().zip(&ports).filter_map(|(from, to)| Moved::new(from, *to)).collect());
        let rules = Rules::default();
        let accepting = listeners.into_iter().zip(upstreams).map(|(listener, upstream)| {
            let route = Route { upstream: (*upstream).to_owned(), protocol, moved: moved.clone() };
            tokio::spawn(accept(listener, Arc::new(route), rules.clone()))
        });
        Ok(Self {
            accepting: accepting.collect(),
            addresses: ports.iter().map(|port| format!("127.0.0.1:{port}")).collect(),
            rules,
        })
    }

    /// Where clients connect to; with commas between, where there are several.
    pub fn address(&self) -> String {
        self.addresses.join(",")
    }

    /// Adds a rule, behind those that are there; the first that matches acts. The answer tells how often it did.
    pub fn rule(&self, rule: Rule) -> Fired {
        self.rules.add(rule)
    }

    /// Takes all rules away: the network is well again.
    pub fn heal(&self) {
        self.rules.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

struct Route {
    upstream: String,
    protocol: Protocol,
    moved: Arc<Vec<Moved>>,
}

/// A server's address as it stands in Kafka's answers, and what is put there.
struct Moved {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Moved {
    /// `None` for a host of another length than ours: its answers would have to be taken apart.
    fn new(from: &str, to: u16) -> Option<Self> {
        const HOST: &[u8] = b"127.0.0.1";
        let (host, port) = from.rsplit_once(':')?;
        let bytes = |host: &[u8], port: u16| [host, &i32::from(port).to_be_bytes()].concat();
        (host.len() == HOST.len())
            .then_some(Self { from: bytes(host.as_bytes(), port.parse().ok()?), to: bytes(HOST, to) })
    }

    fn apply(&self, answer: &mut [u8]) {
        let mut at = 0;
        while let Some(found) = answer[at..].windows(self.from.len()).position(|window| window == self.from) {
            at += found;
            answer[at..at + self.to.len()].copy_from_slice(&self.to);
            at += self.to.len();
        }
    }
}

async fn accept(listener: TcpListener, route: Arc<Route>, rules: Rules) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let (route, rules) = (route.clone(), rules.clone());
        connections.spawn(async move {
            // A server that is away is a closed connection, as it would be without a proxy.
            if let Ok(server) = TcpStream::connect(&route.upstream).await {
                relay::run(client, server, &route, &rules).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_an_answer_is_replaced_wherever_it_stands() {
        let moved = Moved::new("127.0.0.1:9092", 12345).unwrap();
        let mut answer =
            [b"..127.0.0.1".as_slice(), &[0, 0, 0x23, 0x84], b"127.0.0.1", &[0, 0, 0x23, 0x84]].concat();
        moved.apply(&mut answer);
        assert_eq!(
            answer,
            [b"..127.0.0.1".as_slice(), &[0, 0, 0x30, 0x39], b"127.0.0.1", &[0, 0, 0x30, 0x39]].concat()
        );
        assert!(Moved::new("kafka:9092", 1).is_none());
    }
}
