//! The proxy before toy servers: what reaches the server, and what reaches the client.

#![allow(clippy::unwrap_used)]

use fault_proxy::{Action, Fired, Matches, Protocol, Proxy, Rule, kafka};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(10);
/// How long is waited for what must not come.
const NEVER: Duration = Duration::from_millis(150);

/// A server that tells which requests came and answers each with its correlation id and the server's own address.
async fn toy_broker() -> (String, mpsc::Receiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, seen) = mpsc::channel(100);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut request = [0; 14];
                while stream.read_exact(&mut request).await.is_ok() {
                    told.send(request[11]).await.unwrap();
                    let address = [b"127.0.0.1".as_slice(), &i32::from(port).to_be_bytes()].concat();
                    let answer = [&[0, 0, 0, 17, 0, 0, 0, request[11]], &address[..]].concat();
                    // The client may have gone.
                    let _ = stream.write_all(&answer).await;
                }
            });
        }
    });
    (format!("127.0.0.1:{port}"), seen)
}

fn request(api_key: i32, correlation: u8) -> [u8; 14] {
    [0, 0, 0, 10, 0, api_key as u8, 0, 3, 0, 0, 0, correlation, 0xff, 0xff]
}

/// The next answer's correlation id and the port that it holds.
async fn answer(client: &mut TcpStream) -> Option<(u8, u16)> {
    let mut answer = [0; 21];
    match timeout(SOON, client.read_exact(&mut answer)).await.expect("an answer or an end comes soon") {
        Ok(_) => Some((answer[7], u16::from_be_bytes([answer[19], answer[20]]))),
        Err(_) => None,
    }
}

async fn soon<T>(what: impl Future<Output = Option<T>>) -> T {
    timeout(SOON, what).await.expect("it happens soon").expect("it happens")
}

/// A proxy with one rule for the next EndTxn, and a client that has sent an EndTxn (1) and a fetch (2).
async fn struck(action: Action) -> (TcpStream, mpsc::Receiver<u8>, Fired, Proxy) {
    let (broker, seen) = toy_broker().await;
    let proxy = Proxy::start(&broker, Protocol::Kafka).await.unwrap();
    let fired = proxy.rule(Rule::once(Matches::kind(kafka::END_TXN), action));
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(fired.count(), 0);
    client.write_all(&[request(kafka::END_TXN, 1), request(kafka::FETCH, 2)].concat()).await.unwrap();
    (client, seen, fired, proxy)
}

#[tokio::test]
async fn a_swallowed_answer_was_given_and_is_not_seen() {
    let (mut client, mut seen, fired, _proxy) = struck(Action::SwallowAnswer).await;
    assert_eq!((soon(seen.recv()).await, soon(seen.recv()).await), (1, 2));
    assert_eq!(answer(&mut client).await.unwrap().0, 2);
    assert_eq!(fired.count(), 1);
}

#[tokio::test]
async fn a_dropped_request_is_not_seen_by_the_server() {
    let (mut client, mut seen, fired, _proxy) = struck(Action::Drop).await;
    assert_eq!(answer(&mut client).await.unwrap().0, 2);
    assert_eq!((soon(seen.recv()).await, fired.count()), (2, 1));
}

#[tokio::test]
async fn a_cut_comes_before_the_request() {
    let (mut client, mut seen, fired, _proxy) = struck(Action::Cut).await;
    assert_eq!(answer(&mut client).await, None);
    assert!(timeout(NEVER, seen.recv()).await.is_err());
    assert_eq!(fired.count(), 1);
}

#[tokio::test]
async fn a_deafened_client_hears_one_answer_more() {
    let (mut client, mut seen, fired, _proxy) = struck(Action::Deafen).await;
    assert_eq!((soon(seen.recv()).await, soon(seen.recv()).await), (1, 2));
    assert_eq!(answer(&mut client).await.unwrap().0, 1);
    assert!(timeout(NEVER, client.read_u8()).await.is_err(), "nothing comes, and no end");
    assert_eq!(fired.count(), 1);
}

#[tokio::test]
async fn a_cut_before_the_answer_comes_after_the_deed() {
    let (mut client, mut seen, fired, _proxy) = struck(Action::CutBeforeAnswer).await;
    assert_eq!(answer(&mut client).await, None);
    assert_eq!((soon(seen.recv()).await, fired.count()), (1, 1));
}

#[tokio::test]
async fn a_delayed_request_arrives_though_its_client_has_gone() {
    let (client, mut seen, fired, _proxy) = struck(Action::Delay(2 * NEVER)).await;
    drop(client);
    assert!(timeout(NEVER, seen.recv()).await.is_err(), "it waits");
    assert_eq!((soon(seen.recv()).await, fired.count()), (1, 1));
}

#[tokio::test]
async fn a_rule_acts_as_often_as_it_says_and_not_on_others() {
    let (broker, mut seen) = toy_broker().await;
    let proxy = Proxy::start(&broker, Protocol::Kafka).await.unwrap();
    let twice = Rule { matches: Matches::kind(kafka::FETCH), action: Action::Drop, times: 2 };
    let (twice, always) = (proxy.rule(twice), proxy.rule(Rule::always(Matches::kind(0), Action::Drop)));
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    for (api_key, correlation) in [(1, 1), (1, 2), (1, 3), (0, 4), (0, 5), (0, 6), (8, 7)] {
        client.write_all(&request(api_key, correlation)).await.unwrap();
    }
    assert_eq!((soon(seen.recv()).await, soon(seen.recv()).await), (3, 7));
    assert_eq!((twice.count(), always.count()), (2, 3));
    proxy.heal();
    client.write_all(&request(0, 8)).await.unwrap();
    assert_eq!(soon(seen.recv()).await, 8);
}

#[tokio::test]
async fn a_broker_is_found_at_the_proxy() {
    let (broker, _seen) = toy_broker().await;
    let port = |address: &str| address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let proxy = Proxy::start(&broker, Protocol::Kafka).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(&[request(kafka::METADATA, 1), request(kafka::FETCH, 2)].concat()).await.unwrap();
    assert_eq!(answer(&mut client).await, Some((1, port(&proxy.address()))));
    assert_eq!(answer(&mut client).await, Some((2, port(&broker))), "records stay as they are");
}

/// Answers each HTTP request, whatever its length, with "ok".
async fn toy_web() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn http_is_matched_by_its_first_line() {
    let proxy = Proxy::start(&toy_web().await, Protocol::Http).await.unwrap();
    let fired = proxy.rule(Rule::once(Matches::text("POST /records"), Action::CutBeforeAnswer));
    let mut ends = vec![];
    for request in ["GET /records HTTP/1.1\r\n\r\n", "POST /records HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 15];
        ends.push(timeout(SOON, client.read_exact(&mut first)).await.unwrap().is_ok());
    }
    assert_eq!((ends, fired.count()), (vec![true, false], 1));
}
