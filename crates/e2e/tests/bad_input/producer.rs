//! The producer's door.

use crate::{GROWTH_MIB_MAX, SCHEMA, assert_clear, doors, first_good, good, passes};
use e2e::{Folder, Letters, Memory, World};
use serde_json::Value;
use std::io::Write;
use test_support::eventually;
use test_support::unique;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, timeout},
};

/// Name, headers, body; the status and a part of what is told.
type Case = (&'static str, &'static [(&'static str, &'static str)], Vec<u8>, u16, &'static str);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];
const ZSTD: &[(&str, &str)] = &[("content-encoding", "zstd")];

fn records() -> Vec<Case> {
    let with = |from: &str, to: &str| good("x").replace(from, to).into_bytes();
    let fields: String = (0..1_000_000).map(|n| format!("\"f{n}\":1,")).collect();
    let record = |name, body: Vec<u8>, part| -> Case { (name, &[], body, 422, part) };
    vec![
        record("not JSON", b"nonsense".to_vec(), "the record is not JSON"),
        record("HTML as JSON", b"<html><body>502</body></html>".to_vec(), "the record is not JSON"),
        record("truncated JSON", b"{\"id\": \"x\", ".to_vec(), "the record is not JSON: EOF"),
        record("a number", b"7".to_vec(), "expected a JSON object, found 7"),
        record("an array in lines", b"[{}]".to_vec(), "expected a JSON object, found an array of 1"),
        record(
            "wrong type",
            with("\"n\":1", "\"n\":\"one\""),
            "field \"n\": expected a whole number of 64 bits",
        ),
        record(
            "a fraction",
            with("\"n\":1", "\"n\":1.5"),
            "field \"n\": expected a whole number of 64 bits, found 1.5",
        ),
        record("true for text", with("\"x\"", "true"), "field \"id\": expected text, found true"),
        record(
            "beyond 64 bits",
            with("\"n\":1", "\"n\":9223372036854775808"),
            "field \"n\": expected a whole number",
        ),
        record("1e400", with("\"n\":1", "\"n\":1e400"), "the record is not JSON: number out of range"),
        record("missing field", b"{\"id\": \"x\"}".to_vec(), "field \"n\": the record does not have it"),
        record(
            "extra field",
            with("\"n\":1", "\"n\":1,\"m\":1"),
            "field \"m\": the schema has no such field",
        ),
        record("null key", with("\"x\"", "null"), "field \"id\": expected text, found null"),
        record("duplicate keys", with("\"n\":1", "\"n\":1,\"n\":2"), "the key \"n\" is there twice"),
        record(
            "invalid UTF-8",
            with("å", "X").iter().map(|b| if *b == b'X' { 0xff } else { *b }).collect(),
            "the record is not JSON: invalid unicode",
        ),
        record("half a surrogate", with("å", "\\ud800"), "the record is not JSON"),
        record("a raw control character", with("å", "\u{1}"), "the record is not JSON: control character"),
        record("depth 10,000", with("\"å\"", &"[".repeat(10_000)), "recursion limit"),
        record("year 99999 as text", with("2026-", "99999-"), "field \"at\": expected null or a timestamp"),
        record(
            "a day that is none",
            with("2026-03-01", "2026-02-30"),
            "field \"at\": expected null or a timestamp",
        ),
        record("a million fields", format!("{{{fields}\"id\":\"x\"}}").into_bytes(), "the record has "),
        record("a large field", with("å", &"a".repeat(1_200_000)), "more than 900000: leave a field out"),
        record("a large key", good(&"k".repeat(500_000)).into_bytes(), "more than 900000"),
        record("a very large field", with("å", &"a".repeat(3_000_000)), "more than 2097152"),
    ]
}

fn bodies() -> Vec<Case> {
    let lines = "1\n".repeat(8_000_000).into_bytes();
    let array = format!("[{}1]", "1,".repeat(8_000_000)).into_bytes();
    vec![
        ("no body", &[], vec![], 400, "the body has no record"),
        ("only white space", &[], b" \r\n\t\n".to_vec(), 400, "the body has no record"),
        ("an empty array", JSON, b"[]".to_vec(), 400, "the body has no record"),
        ("half an array", JSON, b"[{\"id\": \"x\"}, ".to_vec(), 400, "the body is not a JSON array"),
        ("something after the array", JSON, b"[{}] x".to_vec(), 400, "the body is not a JSON array"),
        ("eight million lines", &[], lines, 400, "more than 50000 records"),
        ("eight million elements", JSON, array, 400, "more than 50000 records"),
        ("too large by its header", &[], vec![b'a'; 17 * 1024 * 1024], 413, "more than 16777216 bytes"),
        ("truncated gzip", GZIP, half(gzip(good("x").as_bytes())), 400, "the body can't be read"),
        ("not gzip at all", GZIP, b"plain".to_vec(), 400, "the body can't be read"),
        ("truncated zstd", ZSTD, half(zstd_bomb(1)), 400, "the body can't be read"),
        ("not zstd at all", ZSTD, b"plain".to_vec(), 400, "the body can't be read"),
        ("10 MB of gzip that are 10 GB", GZIP, gzip_bomb(), 413, "more than 16777216 bytes"),
        ("320 kB of zstd that are 10 GB", ZSTD, zstd_bomb(80_000), 413, "more than 16777216 bytes"),
        ("an unknown encoding", &[("content-encoding", "br")], b"x".to_vec(), 415, "content-encoding"),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// A piece of 10 MiB of zeros, which ends on a byte, a thousand times.
fn gzip_bomb() -> Vec<u8> {
    let (zeros, mut piece) = (vec![0; 10 << 20], Vec::with_capacity(1 << 20));
    let mut deflate = flate2::Compress::new(flate2::Compression::fast(), false);
    deflate.compress_vec(&zeros, &mut piece, flate2::FlushCompress::Full).unwrap();
    assert_eq!(deflate.total_in(), zeros.len() as u64);
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    [&head[..], &piece.repeat(1_000)].concat()
}

/// Blocks of 128 KiB, each one byte and how often: RFC 8878.
fn zstd_bomb(blocks: usize) -> Vec<u8> {
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    [&head[..], &[0x02, 0x00, 0x10, b'a'].repeat(blocks)].concat()
}

async fn post(world: &World, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
    let url = format!("{}/v1/streams/{path}", world.stack.address("producer"));
    let request =
        headers.iter().fold(world.http.post(url), |request, (name, value)| request.header(*name, *value));
    let request = request.body(body);
    // A body that is refused before all of it was sent may break the connection of a client that is slow to send: it asks again.
    let answer = eventually("the producer answers", || async {
        request.try_clone().expect("the body is bytes").send().await.ok()
    })
    .await;
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("its answer is JSON"))
}

fn told(answer: &Value) -> String {
    answer["error"].as_str().or(answer["results"][0]["reason"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn bad_records_and_bodies_get_a_reason_and_the_next_good_record_passes() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    first_good(&world, &stream).await;
    let memory = Memory::of("producer");
    for (name, headers, body, status, part) in records().into_iter().chain(bodies()) {
        let (found, answer) = post(&world, &format!("{stream}/records"), headers, body).await;
        let told = told(&answer);
        assert!(found == status && told.contains(part) && !told.is_empty(), "{name}: {found} {told}");
        assert_clear(name, &told);
        assert!(told.len() < 10_000, "{name}: a reason of {} bytes", told.len());
        passes(&world, &stream, name).await;
    }
    memory.assert_within(GROWTH_MIB_MAX);
}

#[tokio::test]
async fn what_is_asked_for_deadletter_is_there_with_its_reason() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    first_good(&world, &stream).await;
    let letters = Letters::of(world.stack.address("kafka"), &stream);
    let memory = Memory::of("producer");
    for (name, _, body, _, part) in records() {
        // Marked, so that it is this one that is found; a line, whatever was in it.
        let (status, answer) =
            post(&world, &format!("{stream}/records?on_invalid=deadletter"), &[], body.clone()).await;
        assert_eq!((status, answer["dead"].as_u64()), (200, Some(1)), "{name}: {answer}");
        assert!(told(&answer).contains(part), "{name}: {answer}");
        let (partition, offset) =
            (answer["results"][0]["partition"].clone(), answer["results"][0]["offset"].clone());
        let letter =
            letters.find(name, move |letter| letter.partition == partition && letter.offset == offset).await;
        assert!(letter.header("reason").unwrap().contains(part), "{name}");
        let (kept, body) = (letter.payload.unwrap(), body.trim_ascii());
        assert!(
            body.starts_with(&kept) && kept.len() == body.len().min(900_000),
            "{name}: {} bytes",
            kept.len()
        );
    }
    passes(&world, &stream, "all of them").await;
    memory.assert_within(GROWTH_MIB_MAX);
}

#[tokio::test]
async fn a_schema_that_readers_of_the_old_one_lack_is_refused_with_its_reason_and_taken_back_records_pass() {
    let definition = "[streams.{p}_raw]\nschema = \"n.avsc\"\nkey = [\"id\"]\npartitions = 1\n";
    let (world, folder) =
        (World::running(), Folder::add(&[("n.avsc", SCHEMA), ("pipeline.toml", definition)]));
    let stream = format!("{}_raw", folder.name);
    first_good(&world, &stream).await;
    // Old records do not have it, and nothing says what it is then.
    let more = r#""fields":[{"name":"new","type":"string"},"#;
    folder.write("n.avsc", &SCHEMA.replace(r#""fields":["#, more));
    let refused = eventually("the schema is refused", || async {
        let (status, answer) = world.send(&stream, &good("x"), "").await;
        (status == 409).then(|| told(&answer))
    })
    .await;
    let parts = [&format!("\"{stream}\""), "new", "Add new fields with a default, or use a new stream"];
    assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
    assert_clear("an incompatible schema", &refused);
    folder.write("n.avsc", SCHEMA);
    eventually("a good record passes again", || async {
        (world.send(&stream, &good("x"), "").await.0 == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn wrong_addresses_and_methods_are_told() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    first_good(&world, &stream).await;
    let unknown = unique("nobody");
    let paths = [
        (format!("{unknown}/records"), 404, "declare it under"),
        ("..%2f..%2fetc%2fpasswd/records".into(), 404, "no pipeline declares a stream"),
        ("%2e%2e/records".into(), 404, "there is no /v1/records here"),
        (format!("{stream}%00/records"), 404, "no pipeline declares a stream"),
        ("%ff%fe/records".into(), 400, "UTF-8"),
        (format!("{stream}/nothing"), 404, "there is no"),
        (format!("{stream}/records?on_invalid=maybe"), 400, "maybe"),
        (format!("{stream}/records?nope=1"), 400, "nope"),
        (format!("{}_out/records", doors.name), 409, "written by the job"),
    ];
    for (path, status, part) in paths {
        let (found, answer) = post(&world, &path, &[], good("x").into_bytes()).await;
        let told = told(&answer);
        assert!(found == status && told.contains(part), "{path}: {found} {told}");
        assert_clear(&path, &told);
    }
    let answer = world.get("producer", &format!("/v1/streams/{stream}/records")).await;
    assert!(answer["error"].as_str().unwrap().contains("does not take GET"), "{answer}");
    passes(&world, &stream, "all of them").await;
}

/// Sends bytes as they are, and reads until the connection ends.
async fn raw(world: &World, request: &[u8]) -> String {
    let address = world.stack.address("producer").trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is sent.
    let _ = stream.write_all(request).await;
    let mut answer = vec![];
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("it ends");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_hardly_http_is_refused_and_ends() {
    let (world, doors) = (World::running(), doors());
    let stream = format!("{}_raw", doors.name);
    first_good(&world, &stream).await;
    let memory = Memory::of("producer");
    let head = format!("POST /v1/streams/{stream}/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    let flood: String = (0..1_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases = [
        ("a thousand headers", format!("{head}{flood}\r\n"), "HTTP/1.1 431"),
        ("a header of 1 MB", format!("{head}x: {}\r\n\r\n", "y".repeat(1 << 20)), "HTTP/1.1 431"),
        ("an address of 1 MB", format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(1 << 20)), "HTTP/1.1 4"),
        ("not HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n".into(), "HTTP/1.1 400"),
        ("a negative length", format!("{head}Content-Length: -1\r\n\r\n"), "HTTP/1.1 400"),
        ("two lengths", format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "HTTP/1.1 400"),
        ("a bad chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "HTTP/1.1 400"),
        (
            "a huge chunk",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n"),
            "HTTP/1.1 400",
        ),
    ];
    for (name, request, expected) in cases {
        let answer = raw(&world, request.as_bytes()).await;
        // Before the head is whole the server may have hung up on what it still gets; then there is nothing to read.
        assert!(
            answer.starts_with(expected) || answer.is_empty() && request.len() > 1 << 20,
            "{name}: {answer}"
        );
        passes(&world, &stream, name).await;
    }
    let answer = endless(&world, &head).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "an endless body: {answer}");
    passes(&world, &stream, "an endless body").await;
    memory.assert_within(GROWTH_MIB_MAX);
}

/// Sends chunks until the server has had enough.
async fn endless(world: &World, head: &str) -> String {
    let address = world.stack.address("producer").trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for sent in 0.. {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
        assert!(sent < 10_000, "640 MB were taken");
    }
    let mut answer = vec![];
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("it ends");
    String::from_utf8_lossy(&answer).into_owned()
}
