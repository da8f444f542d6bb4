//! `millrace connection` and `millrace variable`: values that DAGs name. They go in, and never come out.

use std::io::Read;
use std::path::Path;

use pipeline::named::{Named, VALUE_BYTES_MAX};
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::cli::{HandArgs, NamedValue, SetNamedArgs};
use crate::failure::Failure;
use crate::{output, table};

pub async fn run(addresses: &Addresses, kind: Named, asked: &NamedValue) -> Result<(), Failure> {
    let scheduler = addresses.scheduler()?;
    let path = match kind {
        Named::Connection => "connections",
        Named::Variable => "variables",
    };
    match asked {
        NamedValue::Set(args) => {
            let body = json!({ "value": value(kind, args)?, "who": args.hand.who, "why": args.hand.why });
            let answer = scheduler.put(&["api", "v1", path, &args.name], &body).await?;
            tell(args.json, &answer, format!("{} {} is set", kind.word(), args.name));
        }
        NamedValue::List(args) => {
            let answer = scheduler.get(&["api", "v1", path], &[]).await?;
            let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
            match args.json {
                true => output::json(&answer),
                false => rows.iter().for_each(|row| output::line(line(row))),
            }
        }
        NamedValue::Delete(args) => {
            let answer = scheduler.delete(&["api", "v1", path, &args.name], &hand(&args.hand)).await?;
            tell(args.json, &answer, format!("{} {} is deleted", kind.word(), args.name));
        }
    }
    Ok(())
}

/// Who acts, and why, as a query.
fn hand(hand: &HandArgs) -> Vec<(&'static str, &str)> {
    let said = [("who", hand.who.as_deref()), ("why", hand.why.as_deref())];
    said.into_iter().filter_map(|(key, text)| Some((key, text?))).collect()
}

fn tell(as_json: bool, answer: &Value, sentence: String) {
    if as_json { output::json(answer) } else { output::line(sentence) }
}

fn line(row: &Value) -> String {
    let text = |key: &str| table::cell(&row[key], "");
    let changed = row["changed_at"].as_str().map(|at| format!(", set {at} by {}", text("changed_by")));
    format!("{}  {}{}", text("name"), text("from"), changed.unwrap_or_default())
}

/// The end of a line that an editor or `echo` adds is no part of a variable.
fn value(kind: Named, args: &SetNamedArgs) -> Result<Value, Failure> {
    let text = match &args.file {
        Some(file) => read(file, std::fs::File::open(file).map_err(Failure::io("read", file))?)?,
        None => read(Path::new("the input"), std::io::stdin().lock())?,
    };
    match kind {
        Named::Variable => Ok(text.trim_end_matches(['\n', '\r']).into()),
        Named::Connection => serde_json::from_str(&text).map_err(|cause| {
            let (line, column) = (cause.line(), cause.column());
            Failure::WrongInput(format!("the connection is no JSON at line {line}, column {column}: give {{\"host\": \"...\", \"password\": \"...\"}}"))
        }),
    }
}

fn read(name: &Path, from: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    // One byte more than may be: then the scheduler says that it is too much.
    from.take(VALUE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(Failure::io("read", name))?;
    Ok(text)
}
