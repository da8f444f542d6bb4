//! Any bytes as a record of a job's input: a row or a reason, and the good record beside it is always a row.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use query::{Decoder, InRecord};

const SCHEMA: &str = include_str!("../../../config/pipelines/users/users.avsc");
const KNOWN: u32 = 7;

fn record(payload: Vec<u8>) -> InRecord {
    InRecord { partition: 0, offset: 0, timestamp_ms: 0, key: None, payload: Some(Bytes::from(payload)) }
}

fuzz_target!(|body: &[u8]| {
    let mut decoder = Decoder::new(SCHEMA).expect("the schema that ships");
    decoder.add_writer_schema(KNOWN, SCHEMA).expect("the schema that ships");
    let framed = [&wire::frame::header(KNOWN), body].concat();
    let decoded = decoder.decode(&[record(framed), record(body.to_vec())]);
    let good = decoded.good.map_or(0, |rows| rows.num_rows());
    assert!(!decoded.unknown_ids.is_empty() || good + decoded.bad.len() == 2);
});
