//! Any bytes and any JSON at a codec: what is decoded is encoded to what is decoded to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::avro::Codec;

static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    Codec::parse(include_str!("../../../config/pipelines/users/users.avsc")).expect("the schema that ships")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = wire::frame::split(bytes);
    let _ = CODEC.decode(bytes);
    let _ = serde_json::from_slice::<wire::ingest::Answer>(bytes);
    if let Ok(record) = serde_json::from_slice(bytes) {
        let mut encoded = vec![];
        if CODEC.encode(&record, &mut encoded).is_ok() {
            CODEC.decode(&encoded).expect("what was encoded can be decoded");
        }
    }
});
