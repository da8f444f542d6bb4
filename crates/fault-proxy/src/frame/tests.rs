use super::*;

/// Feeds a stream byte by byte and lists what was found: (bytes, kind, key, begins, ends).
fn parse(protocol: Protocol, side: Side, stream: &[u8]) -> Vec<(usize, i32, i64, bool, bool)> {
    let mut parser = Parser::new(protocol, side);
    let (mut found, mut buffer) = (vec![], vec![]);
    for byte in stream {
        buffer.push(*byte);
        while let Some(frame) = parser.next(&buffer).unwrap() {
            buffer.drain(..frame.bytes);
            found.push((frame.bytes, frame.kind, frame.key, frame.begins, frame.ends));
        }
    }
    assert!(buffer.is_empty(), "bytes are left over");
    found
}

#[test]
fn kafka_has_its_key_and_correlation_in_requests_and_the_correlation_in_answers() {
    let request = [0, 0, 0, 10, 0, 26, 0, 3, 0, 0, 0, 7, 0xff, 0xff];
    assert_eq!(parse(Protocol::Kafka, Side::Client, &request.repeat(2)), [(14, 26, 7, true, true); 2]);
    let answer = [0, 0, 0, 6, 0, 0, 0, 7, 1, 2];
    assert_eq!(parse(Protocol::Kafka, Side::Server, &answer), [(10, 0, 7, true, true)]);
}

#[test]
fn postgres_answers_all_up_to_a_ready_with_one_key() {
    let startup = [&[0, 0, 0, 8, 4, 210, 22, 47], &[0, 0, 0, 9, 0, 3, 0, 0][..], &[0]].concat();
    let asked =
        [&startup[..], b"p\0\0\0\x05x", b"P\0\0\0\x04", b"S\0\0\0\x04", b"Q\0\0\0\x0bCOMMIT\0"].concat();
    let keys = |found: Vec<(usize, i32, i64, bool, bool)>| -> Vec<(i32, i64)> {
        found.into_iter().map(|(_, kind, key, ..)| (kind, key)).collect()
    };
    let q = i32::from(b'Q');
    assert_eq!(
        keys(parse(Protocol::Postgres, Side::Client, &asked)),
        [(0, 0), (0, 1), (i32::from(b'p'), 1), (i32::from(b'P'), 2), (i32::from(b'S'), 2), (q, 3)]
    );
    let answered =
        [&b"N"[..], b"R\0\0\0\x04", b"Z\0\0\0\x05I", b"1\0\0\0\x04", b"Z\0\0\0\x05I", b"C\0\0\0\x04"]
            .concat();
    let found = keys(parse(Protocol::Postgres, Side::Server, &answered));
    assert_eq!(found.iter().map(|(_, key)| *key).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 3]);
}

#[test]
fn cql_has_a_stream_and_an_opcode() {
    let request = [&[4, 0, 0, 9, 7, 0, 0, 0, 2][..], b"ok"].concat();
    assert_eq!(parse(Protocol::Cql, Side::Client, &request), [(11, 7, 9, true, true)]);
}

#[test]
fn http_has_heads_and_bodies_of_each_kind() {
    let asked = b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nokGET /b HTTP/1.1\r\n\r\n";
    let found = parse(Protocol::Http, Side::Client, asked);
    let told = |found: &[(usize, i32, i64, bool, bool)]| -> Vec<(i64, bool, bool)> {
        found.iter().map(|(_, _, key, begins, ends)| (*key, *begins, *ends)).collect()
    };
    assert_eq!(told(&found), [(0, true, false), (0, false, false), (0, false, true), (1, true, true)]);
    let answered = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx";
    assert_eq!(
        told(&parse(Protocol::Http, Side::Server, answered)),
        [
            (0, true, false),
            (0, true, false),
            (0, false, false),
            (0, false, true),
            (1, true, false),
            (1, false, false)
        ]
    );
}
