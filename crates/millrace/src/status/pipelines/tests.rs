#![allow(clippy::unwrap_used)]

use pipeline::Bundle;
use serde_json::json;

use super::*;

const PIPELINE: &str = r#"
[sources.orders]
url = "http://localhost/"
records = ""
into = "orders"
fields = { id = "/id" }
[streams.orders]
schema = "orders.avsc"
key = ["id"]
[tables.orders]
store = "cassandra"
stream = "orders"
[tables.orders_pg]
store = "postgres"
stream = "orders"
"#;

fn pipeline() -> Pipeline {
    let schema = r#"{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}"#;
    let files =
        [("pipeline.toml", PIPELINE), ("orders.avsc", schema)].map(|(name, text)| (name.into(), text.into()));
    Pipeline::parse(&Bundle { name: "orders".into(), files: files.into() }).unwrap()
}

#[test]
fn a_pipeline_is_counted_by_what_belongs_to_it() {
    let table = |table: &str, pipeline: &str| TableRow {
        table_name: table.into(),
        pipeline: pipeline.into(),
        rows: 7,
        dead: 1,
    };
    let source = |source: &str| SourceRow { source: source.into(), fetched: 10, rejected: 2 };
    let found = Found {
        tables: vec![table("orders", "orders"), table("users", "users")],
        jobs: vec![
            JobRow { pipeline: "orders".into(), dead: 4 },
            JobRow { pipeline: "users".into(), dead: 8 },
        ],
        sources: vec![source("orders"), source("users")],
        held: [("orders".to_string(), 9), ("users".to_string(), 90)].into(),
    };
    let counts = found.of(&pipeline());
    let expected = json!({"name": "orders", "fetched": 10, "in_topic": 9, "dead": 7, "rows": {"orders": 7, "orders_pg": 0}});
    assert_eq!(serde_json::to_value(&counts).unwrap(), expected);
    let shown = super::table(&[counts]);
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1..], [vec!["orders", "10", "9", "7", "orders", "7"], vec!["orders_pg", "0"]]);
}
