//! `millrace cql`: a question to Cassandra.

use cassandra::{Answer, Cassandra, CassandraError};
use serde_json::{Map, Value};

use crate::address::Addresses;
use crate::cli::CqlArgs;
use crate::failure::Failure;
use crate::{output, table};

pub async fn run(addresses: &Addresses, args: &CqlArgs) -> Result<(), Failure> {
    let cassandra = Cassandra::connect_now(&addresses.cassandra()?).await.map_err(failure)?;
    let answer = cassandra.query(&args.statement).await.map_err(failure)?;
    if args.json {
        output::json(&objects(&answer));
    } else if !answer.columns.is_empty() {
        let rows: Vec<Vec<String>> = answer
            .rows
            .iter()
            .map(|row| row.iter().map(|value| table::cell(value, "null")).collect())
            .collect();
        output::line(table::plain(answer.columns, rows));
    }
    Ok(())
}

fn objects(answer: &Answer) -> Value {
    let object = |row: &Vec<Value>| -> Map<String, Value> {
        answer.columns.iter().cloned().zip(row.iter().cloned()).collect()
    };
    answer.rows.iter().map(object).collect()
}

fn failure(error: CassandraError) -> Failure {
    match &error {
        // The driver tells the kind of a refusal by its text only.
        CassandraError::Refused { cause, .. }
            if cause.contains("syntax") || cause.contains("but invalid") =>
        {
            Failure::WrongInput(error.to_string())
        }
        _ => Failure::Failed(error.to_string()),
    }
}
