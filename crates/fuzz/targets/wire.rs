//! Any bytes and any JSON at a codec: what was encoded is decoded to what is encoded to the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::avro::{Codec, to_json};

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
            let decoded = CODEC.decode(&encoded).expect("what was encoded can be decoded");
            let mut again = vec![];
            CODEC.encode(&to_json(&decoded), &mut again).expect("what was decoded can be encoded");
            assert_eq!(encoded, again, "{record} came back as another record");
        }
    }
});
