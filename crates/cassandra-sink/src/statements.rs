//! A table's statements, from its declaration. Pure.

use crate::value::cql_type;
use cassandra::quoted;
use pipeline::Direction;
use sink::Target;

/// Makes the table where it does not exist.
pub fn create(target: &Target) -> String {
    let columns: Vec<String> = target
        .columns
        .iter()
        .map(|column| format!("{} {}", quoted(&column.name), cql_type(column)))
        .collect();
    let names = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let all = target.primary_key();
    let (partition, clustering) = all.split_at(all.len() - target.table.clustering.len());
    let key = if clustering.is_empty() {
        format!("({})", names(partition))
    } else {
        format!("({}), {}", names(partition), names(clustering))
    };
    let direction = |by: &pipeline::Clustering| {
        let word = match by.order {
            Direction::Asc => "ASC",
            Direction::Desc => "DESC",
        };
        format!("{} {word}", quoted(&by.column))
    };
    let order: Vec<String> = target.table.clustering.iter().map(direction).collect();
    let order = if order.is_empty() {
        String::new()
    } else {
        format!(" WITH CLUSTERING ORDER BY ({})", order.join(", "))
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{} ({}, PRIMARY KEY ({key})){order}",
        quoted(target.table.place()),
        quoted(&target.table.name),
        columns.join(", ")
    )
}

/// The record's place decides which row is newer, not the clock of a server.
pub const VERSION: &str = " USING TIMESTAMP ?";

/// Writes a row; its last value is the version.
pub fn insert(target: &Target) -> String {
    let names: Vec<String> = target.columns.iter().map(|column| quoted(&column.name)).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let ttl = target.table.ttl.as_secs();
    let ttl = if ttl == 0 { String::new() } else { format!(" AND TTL {ttl}") };
    format!(
        "INSERT INTO {}.{} ({}) VALUES ({marks}){VERSION}{ttl}",
        quoted(target.table.place()),
        quoted(&target.table.name),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests;
