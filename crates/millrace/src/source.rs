//! `millrace source`: HTTP APIs that are polled.

use std::time::Duration;

use pipeline::{Field, FieldFrom, FieldType, Paging};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::address::Addresses;
use crate::cli::{FetchArgs, NamedArgs, Source};
use crate::failure::Failure;
use crate::{files, output, table};

/// A fetch is many pages, each with its retries.
const FETCH_MAX: Duration = Duration::from_secs(15 * 60);

pub async fn run(addresses: &Addresses, asked: &Source) -> Result<(), Failure> {
    match asked {
        Source::List(args) => list(addresses, args.json),
        Source::Show(args) => show(addresses, args),
        Source::Fetch(args) => fetch(addresses, args).await,
    }
}

fn list(addresses: &Addresses, as_json: bool) -> Result<(), Failure> {
    let (pipelines, problems) = files::all(addresses.config_dir())?;
    let of = |pipeline: &pipeline::Pipeline| {
        pipeline.sources.values().map(|source| described(&pipeline.name, source)).collect::<Vec<_>>()
    };
    let sources: Vec<Value> = pipelines.iter().flat_map(of).collect();
    problems.iter().for_each(|problem| eprintln!("millrace: left out: {problem}"));
    if as_json {
        output::json(&json!(sources));
    } else {
        output::line(table::of_objects(
            &["name", "pipeline", "into", "page", "pages_per_run", "url"],
            &sources,
        ));
    }
    Ok(())
}

fn show(addresses: &Addresses, args: &NamedArgs) -> Result<(), Failure> {
    let get =
        |pipeline: &pipeline::Pipeline| Some(described(&pipeline.name, pipeline.sources.get(&args.name)?));
    let mut source = files::find(addresses.config_dir(), "source", &args.name, get)?;
    if args.json {
        output::json(&source);
        return Ok(());
    }
    let fields = source.as_object_mut().and_then(|source| source.shift_remove("fields")).unwrap_or_default();
    output::line(table::of_fields(&source));
    output::line("");
    let rows = fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, from)| vec![name.clone(), table::cell(from, "")]);
    output::line(table::plain(["field", "from"], rows.collect()));
    Ok(())
}

/// As the file has it: `${VARIABLE}`s are not filled, so no secret can be shown.
fn described(pipeline: &str, source: &pipeline::Source) -> Value {
    let fields: Map<String, Value> =
        source.fields.iter().map(|(name, field)| (name.clone(), origin(field).into())).collect();
    json!({
        "name": source.name, "pipeline": pipeline, "into": source.into, "url": source.url, "query": source.query,
        "headers": source.headers, "records": source.records, "page": paging(&source.page),
        "pages_per_run": source.pages_per_run, "timeout": humantime::format_duration(source.timeout).to_string(), "fields": fields,
    })
}

fn paging(page: &Paging) -> String {
    match page {
        Paging::None => "one page".into(),
        Paging::Number { from, .. } => format!("by number from {from}"),
        Paging::Cursor { next, .. } => format!("by the cursor at {next}"),
    }
}

fn origin(field: &Field) -> String {
    let from = match &field.from {
        FieldFrom::Pointer(pointer) => pointer.clone(),
        FieldFrom::Template(template) => format!("\"{template}\""),
        FieldFrom::Uuid5(pointers) => format!("UUIDv5 of {}", pointers.join(", ")),
    };
    let kind = match field.as_type {
        FieldType::Same => return from,
        FieldType::String => "string",
        FieldType::Timestamp => "timestamp",
        FieldType::Integer => "integer",
        FieldType::Number => "number",
    };
    format!("{from} as {kind}")
}

async fn fetch(addresses: &Addresses, args: &FetchArgs) -> Result<(), Failure> {
    let fetcher = addresses.fetcher()?;
    let (path, body) = match args.dry_run {
        true => ("dry-run", json!({ "source": args.name })),
        false => ("fetch", json!({ "source": args.name, "attempt_id": Uuid::new_v4() })),
    };
    let mut answer = fetcher.post_within(FETCH_MAX, &["v1", path], &body).await?;
    if args.json {
        output::json(&answer);
        return Ok(());
    }
    let records = answer.as_object_mut().and_then(|answer| answer.shift_remove("records"));
    records.as_ref().and_then(Value::as_array).into_iter().flatten().for_each(output::line);
    output::line(table::of_fields(&answer));
    Ok(())
}
