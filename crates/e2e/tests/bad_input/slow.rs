//! Clients that send a byte now and then must not be felt by others.

use crate::{GROWTH_MIB_MAX, doors, first_good, good};
use e2e::{Memory, World};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use test_support::{eventually, unique};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};

const SLOW_CLIENTS: usize = 500;
/// Of one measurement: few enough that the slow clients outlast it on a busy machine too.
const REQUESTS: usize = 100;
const MEASUREMENTS: usize = 9;

/// Slow clients that are connected now.
#[derive(Clone, Default)]
struct Connected(Arc<AtomicUsize>);

impl Connected {
    /// Counts a client until the answer is dropped.
    fn one_more(&self) -> impl Drop + use<> {
        struct One(Arc<AtomicUsize>);
        impl Drop for One {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        One(self.0.clone())
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sends half of a request at a byte a second, until it is cut off. Answers what it was told.
async fn crawl(address: String, request: String, connected: Connected) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _connected = connected.one_more();
    let mut answer = vec![];
    let mut clock = interval(Duration::from_secs(1));
    for byte in request.bytes().chain(std::iter::repeat(b'a')) {
        tokio::select! {
            _ = clock.tick() => if stream.write_all(&[byte]).await.is_err() { break },
            _ = stream.read_buf(&mut answer) => break,
        }
    }
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The quietest of some measurements: what else the machine does only adds.
async fn quietest_p99(world: &World, stream: &str) -> Duration {
    let mut quietest = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        quietest = quietest.min(p99(world, stream).await);
    }
    quietest
}

/// How long 99 of a hundred requests took at most.
async fn p99(world: &World, stream: &str) -> Duration {
    let mut times = vec![];
    for _ in 0..REQUESTS {
        let started = Instant::now();
        let (status, answer) = world.send(stream, &good(&unique("healthy")), "").await;
        assert_eq!(status, 200, "{answer}");
        times.push(started.elapsed());
    }
    times.sort();
    times[REQUESTS * 99 / 100 - 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_clients_are_not_felt_and_are_cut_off() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    first_good(&world, &stream).await;
    let memory = Memory::of("producer");
    let address = world.stack.address("producer").trim_start_matches("http://").to_owned();
    let alone = quietest_p99(&world, &stream).await;
    let (mut clients, connected) = (JoinSet::new(), Connected::default());
    let path = format!("/v1/streams/{stream}/records");
    for n in 0..SLOW_CLIENTS {
        // Half of them have a whole head, and declare a body as large as is allowed.
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n");
        let (address, connected) = (address.clone(), connected.clone());
        clients.spawn(async move {
            match n % 2 {
                0 => crawl(address, head, connected).await,
                _ => crawl_body(address, head, connected).await,
            }
        });
    }
    eventually("all slow clients are connected", || async {
        (connected.now() == SLOW_CLIENTS).then_some(())
    })
    .await;
    let mut among_them = Duration::MAX;
    // Those whose head is never whole are cut off first: what was measured after that says nothing.
    for _ in 0..MEASUREMENTS {
        let measured = p99(&world, &stream).await;
        if connected.now() < SLOW_CLIENTS {
            break;
        }
        among_them = among_them.min(measured);
    }
    assert!(among_them < Duration::MAX, "clients ended before anything was measured");
    let told = timeout(Duration::from_secs(120), clients.join_all()).await.expect("all are cut off");
    // A machine that has got slower meanwhile is not their doing.
    let alone = alone.max(quietest_p99(&world, &stream).await);
    eprintln!("p99 alone {alone:?}, among {SLOW_CLIENTS} slow clients {among_them:?}");
    assert!(among_them < 2 * alone, "p99 went from {alone:?} to {among_them:?}");
    let mut answers = std::collections::BTreeMap::<&str, usize>::new();
    for answer in &told {
        *answers.entry(answer.lines().next().unwrap_or_default()).or_default() += 1;
    }
    let expected = [("", SLOW_CLIENTS / 2), ("HTTP/1.1 408 Request Timeout", SLOW_CLIENTS / 2)];
    assert_eq!(answers, expected.into(), "who has sent a head is told");
    memory.assert_within(GROWTH_MIB_MAX);
}

async fn crawl_body(address: String, head: String, connected: Connected) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _connected = connected.one_more();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![];
    let mut clock = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            // What is there to be read comes first: a write may find the connection closed behind the answer.
            biased;
            _ = stream.read_buf(&mut answer) => break,
            _ = clock.tick() => if stream.write_all(b"a").await.is_err() {
                let _ = timeout(Duration::from_secs(1), stream.read_buf(&mut answer)).await;
                break;
            },
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
