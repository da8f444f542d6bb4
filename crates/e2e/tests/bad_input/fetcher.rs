//! The fetcher's door: what an API may answer.

use crate::{GROWTH_MIB_MAX, SCHEMA, assert_clear, letter_of};
use e2e::{Folder, Letters, Memory, World};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};
use test_support::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the API answers just now: bytes as they are, and what follows them.
#[derive(Clone)]
struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    /// The same again, for ever.
    Repeat(&'static [u8], Duration),
    /// Nothing, and the connection stays.
    Silence,
}

struct Api {
    address: String,
    answer: Arc<Mutex<Answer>>,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = Arc::new(Mutex::new(Answer { bytes: vec![], then: Then::Close }));
        let current = answer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = current.lock().unwrap().clone();
                tokio::spawn(speak(stream, answer));
            }
        });
        Self { address, answer }
    }

    fn says(&self, bytes: Vec<u8>, then: Then) {
        *self.answer.lock().unwrap() = Answer { bytes, then };
    }
}

async fn speak(mut stream: TcpStream, answer: Answer) {
    let _ = stream.read(&mut [0; 4096]).await;
    let _ = stream.write_all(&answer.bytes).await;
    match answer.then {
        Then::Close => {}
        Then::Silence => {
            let _ = stream.read(&mut [0; 4096]).await;
        }
        Then::Repeat(more, pause) => {
            while stream.write_all(more).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn page(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    page("200 OK", "", body.as_ref())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// A chunk of 4,096 spaces.
const CHUNK: [u8; 4_104] = {
    let mut chunk = [b' '; 4_104];
    let (head, mut at) = (*b"1000\r\n", 0);
    while at < head.len() {
        chunk[at] = head[at];
        at += 1;
    }
    chunk[4_102] = b'\r';
    chunk[4_103] = b'\n';
    chunk
};

const GOOD: &str = r#"{"results": [{"id": "a", "n": 1}]}"#;

/// Name, the answer, what follows, and a part of the reason.
fn cases() -> Vec<(&'static str, Vec<u8>, Then, &'static str)> {
    let close = Then::Close;
    let zipped = |bytes: &[u8]| page("200 OK", "Content-Encoding: gzip\r\n", bytes);
    let bomb = gzip(&vec![b' '; 100 << 20]);
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let million = (0..1_000_000).map(|n| format!("\"f{n}\":1,")).collect::<String>();
    vec![
        ("HTML with 200", ok("<html>maintenance</html>"), close, "the body is not JSON"),
        ("nothing", ok(""), close, "the body is not JSON"),
        ("truncated JSON", ok(&GOOD[..20]), close, "the body is not JSON"),
        ("invalid UTF-8", ok(b"{\"results\": [\"\xff\"]}"), close, "the body is not JSON"),
        ("1e400", ok("{\"results\": [1e400]}"), close, "the body is not JSON"),
        ("depth 10,000", ok("[".repeat(10_000)), close, "the body is not JSON"),
        ("no results", ok("{\"result\": []}"), close, "there is no array at \"/results\""),
        ("results that are an object", ok("{\"results\": {}}"), close, "there is no array at \"/results\""),
        ("200 with an error", ok("{\"error\": \"quota\"}"), close, "it answered 200 with an error: quota"),
        ("500", page("500 Oops", "", b"x"), close, "it answered 500"),
        ("404", page("404 Not Found", "", b"x"), close, "it answered 404"),
        ("401", page("401 Unauthorized", "", b"x"), close, "it answered 401"),
        (
            "429 that asks for a day",
            page("429 Slow", "Retry-After: 86400\r\n", b""),
            close,
            "it answered 429",
        ),
        (
            "a redirect elsewhere",
            page("302 Found", "Location: http://evil.example/\r\n", b""),
            close,
            "another host",
        ),
        ("a redirect to itself", page("302 Found", "Location: /\r\n", b""), close, "redirects more than"),
        (
            "a redirect to a file",
            page("302 Found", "Location: file:///etc/passwd\r\n", b""),
            close,
            "302 Found",
        ),
        ("truncated gzip", zipped(&gzip(GOOD.as_bytes())[..15]), close, "unexpected end of file"),
        ("not gzip at all", zipped(b"plain"), close, "Invalid gzip header"),
        ("100 MB in 100 kB of gzip", zipped(&bomb), close, "larger than 1000000 bytes"),
        (
            "a body that is cut",
            [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", GOOD.as_bytes()].concat(),
            close,
            "end of file before message length reached",
        ),
        ("a body larger than allowed", ok(vec![b' '; 2_000_000]), close, "larger than 1000000 bytes"),
        ("a million fields", ok(format!("{{{million}\"results\": []}}")), close, "larger than 1000000 bytes"),
        ("a bad chunk", [&endless[..], b"zz\r\n"].concat(), close, "Invalid chunk size"),
        (
            "an endless body",
            endless.clone(),
            Then::Repeat(&CHUNK, Duration::ZERO),
            "larger than 1000000 bytes",
        ),
        (
            "a byte now and then",
            endless,
            Then::Repeat(b"1\r\n \r\n", Duration::from_millis(300)),
            "timed out",
        ),
        (
            "endless headers",
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            Then::Repeat(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", Duration::ZERO),
            "timed out",
        ),
        ("silence", vec![], Then::Silence, "timed out"),
        ("not HTTP", b"\x16\x03\x01hello".to_vec(), close, "invalid HTTP version"),
        ("nobody there", vec![], close, "connection closed"),
    ]
}

fn definition(address: &str) -> String {
    format!(
        r#"
[sources.{{p}}]
url = "http://{address}/"
records = "/results"
into = "{{p}}_people"
timeout = "3s"
read_timeout = "2s"
body_bytes_max = 1000000
retry = {{ attempts_max = 1, first = "50ms", cap = "50ms" }}

[sources.{{p}}.fields]
id = "/id"
n = "/n"

[streams.{{p}}_people]
schema = "n.avsc"
key = ["id"]
partitions = 1
"#
    )
}

async fn fetch(world: &World, source: &str) -> (u16, Value) {
    let url = format!("{}/v1/fetch", world.stack.address("fetcher"));
    let body = json!({"source": source, "attempt_id": uuid()});
    let answer = world.http.post(url).json(&body).send().await.expect("the fetcher answers");
    (answer.status().as_u16(), answer.json().await.expect("its answer is JSON"))
}

/// A version 4 UUID of a unique name's digits.
fn uuid() -> String {
    let digits = test_support::unique("x").replace("x_", "");
    format!("{digits}-0000-4000-8000-0000{digits}")
}

#[tokio::test]
async fn whatever_an_api_answers_is_told_and_the_next_good_page_passes() {
    let (world, api) = (World::running(), Api::start().await);
    let folder = Folder::add(&[("n.avsc", SCHEMA), ("pipeline.toml", &definition(&api.address))]);
    api.says(ok(GOOD), Then::Close);
    eventually("the source is published", || async {
        (fetch(&world, &folder.name).await.0 == 200).then_some(())
    })
    .await;
    let memory = Memory::of("fetcher");
    let mut wrong = vec![];
    for (name, bytes, then, part) in cases() {
        api.says(bytes, then);
        let (status, answer) = fetch(&world, &folder.name).await;
        let told = answer["error"].as_str().unwrap_or_default();
        if status != 502 || !told.contains(part) || !told.contains(&api.address) {
            wrong.push(format!("{name}: {status} {answer}"));
        }
        assert_clear(name, told);
        api.says(ok(GOOD), Then::Close);
        let (status, answer) = fetch(&world, &folder.name).await;
        assert_eq!((status, &answer["delivered"]), (200, &json!(1)), "after {name}: {answer}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    memory.assert_within(GROWTH_MIB_MAX);
}

#[tokio::test]
async fn bad_records_of_a_good_page_are_in_the_dead_letters_and_stop_none() {
    let (world, api) = (World::running(), Api::start().await);
    let folder = Folder::add(&[("n.avsc", SCHEMA), ("pipeline.toml", &definition(&api.address))]);
    let bad = [
        json!(7),
        json!({}),
        json!({"id": null, "n": 1}),
        json!({"id": "b", "n": "x"}),
        json!({"id": ["b"], "n": 1}),
    ];
    let large = json!({"id": "k".repeat(950_000), "n": 1});
    let mut records: Vec<Value> =
        bad.iter().chain([&large]).flat_map(|bad| [bad.clone(), json!({"id": "a", "n": 1})]).collect();
    records.truncate(records.len() - 1);
    // One page holds no more than a million bytes.
    api.says(ok(json!({ "results": records }).to_string()), Then::Close);
    let answer = eventually("the source is published", || async {
        let (status, answer) = fetch(&world, &folder.name).await;
        (status == 200).then_some(answer)
    })
    .await;
    assert_eq!((&answer["delivered"], &answer["rejected"]), (&json!(5), &json!(6)), "{answer}");
    let letters = Letters::of(world.stack.address("kafka"), &format!("{}_people", folder.name));
    let mut known = BTreeSet::new();
    // What is no object has no fields, as the empty one.
    for reason in [
        "field \"id\": the record does not have it",
        "field \"id\": the record does not have it",
        "field \"id\": expected text, found null",
        "field \"n\": expected a whole number of 64 bits, found \"x\"",
        "field \"id\": expected text, found an array",
        "the record has ",
    ] {
        letter_of(&letters, reason, &mut known).await;
    }
}
