use super::*;
use pipeline::{Bundle, Pipeline};
use std::path::Path;

fn target(table: &str) -> Target {
    let bundle =
        Bundle::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/pipelines/users")).unwrap();
    let pipeline = Pipeline::parse(&bundle).unwrap();
    let table = pipeline.tables[table].clone();
    let stream = pipeline.streams[&table.stream].clone();
    let columns = pipeline::columns(&stream).unwrap();
    Target { pipeline: pipeline.name, version: pipeline.version, table, stream, columns }
}

#[test]
fn the_table_is_made_from_the_schema() {
    assert_eq!(
        create(&target("signups_per_country")),
        "CREATE TABLE IF NOT EXISTS \"millrace\".\"signups_per_country\" (\"country\" text, \"window_start\" timestamp, \
         \"window_end\" timestamp, \"signups\" bigint, PRIMARY KEY ((\"country\"), \"window_start\")) WITH CLUSTERING ORDER BY (\"window_start\" DESC)"
    );
    assert!(create(&target("created_users")).ends_with("PRIMARY KEY ((\"id\")))"));
}

#[test]
fn a_write_names_the_version_as_its_timestamp() {
    let mut target = target("signups_per_country");
    target.table.ttl = std::time::Duration::from_secs(60);
    assert_eq!(
        insert(&target),
        "INSERT INTO \"millrace\".\"signups_per_country\" (\"country\", \"window_start\", \"window_end\", \"signups\") VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL 60"
    );
}

#[test]
fn a_table_that_differs_is_told_by_its_differences() {
    let columns = |list: &[(&str, &str)]| {
        list.iter().map(|(name, kind)| (name.to_string(), kind.to_string())).collect::<Vec<_>>()
    };
    let expected = columns(&[("id", "text"), ("age", "int")]);
    let found = columns(&[("id", "uuid"), ("extra", "text")]);
    let difference = target("created_users").drift(&expected, &found).unwrap();
    assert!(
        difference.contains(
            "column id is uuid, declared text; column age int is missing; column extra text is not declared"
        ),
        "{difference}"
    );
    assert_eq!(target("created_users").drift(&expected, &expected), None);
}
