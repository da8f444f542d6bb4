//! Any text as a pipeline's files: a pipeline, or problems with file and line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::{Bundle, Pipeline};
use std::collections::BTreeMap;

const SCHEMA: &str = include_str!("../../../config/pipelines/users/users.avsc");

fuzz_target!(|text: &str| {
    for file in ["pipeline.toml", "dags/a.toml", "users.avsc"] {
        let mut files = BTreeMap::from([
            ("users.avsc".to_owned(), SCHEMA.to_owned()),
            ("pipeline.toml".to_owned(), "[streams.users]\nschema = \"users.avsc\"\nkey = [\"id\"]\n".to_owned()),
        ]);
        files.insert(file.to_owned(), text.to_owned());
        if let Err(problems) = Pipeline::parse(&Bundle { name: "p".into(), files }) {
            assert!(!problems.is_empty());
        }
    }
});
