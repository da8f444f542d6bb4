//! Any body of an API: it is a page or an error, and each of its records has a shape or is refused.

#![no_main]

use chrono::DateTime;
use fetcher::{Page, shape};
use libfuzzer_sys::fuzz_target;
use pipeline::Source;
use serde_json::json;
use std::sync::LazyLock;

static SOURCES: LazyLock<[Source; 3]> = LazyLock::new(|| {
    let fields = json!({
        "id": "/login/uuid",
        "name": { "template": "{/name/first} {/name/last}" },
        "at": { "pointer": "/dob/date", "as": "timestamp" },
        "other": { "uuid5": ["/email", "/nat"] },
        "post_code": { "pointer": "/location/postcode", "as": "string" },
    });
    let pages = [
        json!({ "kind": "none" }),
        json!({ "kind": "number", "from": 1, "stop": "never" }),
        json!({ "kind": "cursor", "next": "/info/next" }),
    ];
    pages.map(|page| {
        let source = json!({ "url": "http://a/", "records": "/results", "into": "s", "page": page, "fields": fields });
        serde_json::from_value(source).expect("a source")
    })
});

fuzz_target!(|body: &[u8]| {
    for source in &*SOURCES {
        if let Ok(page) = Page::read(source, body) {
            page.records.iter().for_each(|record| drop(shape(record, &source.fields, DateTime::UNIX_EPOCH)));
        }
    }
});
