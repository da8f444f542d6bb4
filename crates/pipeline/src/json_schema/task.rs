//! The part of the schema that is about tasks.

use super::{Key, RULES, flag, map, object, span, text, texts, whole, words};
use serde_json::{Value, json};

/// A task of any kind: the shared keys, and those of its kind.
pub(super) fn any() -> Value {
    let one = |(kind, own, required): (&'static str, Vec<Key>, Vec<&'static str>)| {
        let keys = [vec![("kind", json!({ "const": kind }), does(kind))], shared(), own].concat();
        object(keys, &[vec!["kind"], required].concat())
    };
    json!({ "oneOf": kinds().into_iter().map(one).collect::<Vec<_>>() })
}

pub(crate) fn shared() -> Vec<Key> {
    let foreach = json!({ "anyOf": [text(), { "type": "array", "maxItems": crate::ITEMS_MAX }] });
    vec![
        ("after", texts(), "Tasks that it waits for, or \"group:NAME\"."),
        ("trigger_rule", words(&RULES), "When it may run, by how those ended; all_success by default."),
        ("when", text(), "A template that gives true or false; where false, the task is skipped."),
        ("foreach", foreach, "A list, or a template that gives one: the task is done once for each item."),
        ("max_active_items", whole(1), "Of its items, so many are open at once."),
        ("group", text(), "The group that it is in."),
        (
            "depends_on_past",
            flag(),
            "Begins only when the same task of the run before succeeded or was skipped.",
        ),
        ("retries", whole(0), "Tries after the first one."),
        ("retry_delay", span(), "Before the first retry; 5s by default."),
        (
            "retry_backoff",
            words(&["exponential", "constant"]),
            "Whether the delay doubles for each further retry.",
        ),
        ("retry_delay_max", span(), "The cap of a delay that doubles; 10m by default."),
        (
            "retry_jitter",
            json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            "The part of a delay that is left to chance.",
        ),
        ("timeout", span(), "An attempt that takes longer fails; 10m by default."),
        ("deadline", span(), "Counted from the run's start; told once, and the task goes on."),
        ("pool", text(), "Where its slots are counted; \"default\" by default."),
        ("slots", whole(1), "How many slots of its pool it takes."),
        ("priority", json!({ "type": "integer" }), "Higher goes first within a pool."),
        ("setup", flag(), "Makes what a teardown takes away."),
        ("teardown", texts(), "The setups that this task takes down."),
    ]
}

/// Each kind with its own keys, and those of them that must be there.
pub(crate) fn kinds() -> Vec<(&'static str, Vec<Key>, Vec<&'static str>)> {
    let any = || json!({});
    vec![
        ("fetch", vec![("source", text(), "Which source.")], vec!["source"]),
        (
            "job",
            vec![
                ("job", text(), "Which job."),
                ("action", words(&["start", "stop", "wait"]), "What becomes of it."),
            ],
            vec!["job", "action"],
        ),
        (
            "sql",
            vec![
                ("statement", text(), "Statements; a template."),
                ("file", text(), "A file of the pipeline's folder that holds them."),
            ],
            vec![],
        ),
        ("cql", vec![("statement", text(), "A statement; a template.")], vec!["statement"]),
        ("http", http(), vec!["url"]),
        (
            "command",
            vec![
                ("run", texts(), "The program and its arguments; templates."),
                ("env", map(text()), "Its environment, besides ours; templates."),
            ],
            vec!["run"],
        ),
        (
            "check",
            vec![
                ("ids_of", text(), "The fetch whose ids must all be there."),
                ("tables", texts(), "Where they must be."),
                ("sql", text(), "A query in PostgreSQL; a template."),
                ("cql", text(), "A query in Cassandra; a template."),
                ("expect", object(expect(), &[]), "What the first value must be."),
                ("rows", object(checked_rows(), &["table"]), "The table has so many rows."),
                (
                    "fresh",
                    object(checked_fresh(), &["table", "column", "within"]),
                    "The table's newest row is not older than that.",
                ),
                (
                    "unique",
                    object(checked_unique(), &["table", "columns"]),
                    "No two rows of the table, which is in PostgreSQL, have the same values.",
                ),
            ],
            vec![],
        ),
        ("wait", wait(), vec![]),
        ("approve", vec![("question", text(), "What a person is to decide; a template.")], vec!["question"]),
        (
            "run",
            vec![
                ("dag", text(), "Which DAG."),
                ("params", map(any()), "Its parameters; texts are templates."),
            ],
            vec!["dag"],
        ),
        (
            "branch",
            vec![(
                "choose",
                json!({ "anyOf": [text(), texts()] }),
                "Which of the tasks that wait for it go on: a template that gives names, or names.",
            )],
            vec!["choose"],
        ),
        ("report", vec![], vec![]),
        ("noop", vec![], vec![]),
    ]
}

pub(super) fn does(kind: &str) -> &'static str {
    match kind {
        "fetch" => "Fetches a source once.",
        "job" => "Starts, stops or waits for a streaming job.",
        "sql" => "Statements in PostgreSQL, in one transaction.",
        "cql" => "A statement in Cassandra.",
        "http" => "Calls a URL.",
        "command" => "A child process in a process group of its own.",
        "check" => "Asks a question whose answer must be as expected.",
        "wait" => "Waits until something is so.",
        "approve" => "Waits for a person: yes is its success, no its failure.",
        "run" => "Starts another DAG, and waits until that run has succeeded.",
        "branch" => "Says which of the tasks that wait for it go on; the others are skipped.",
        "report" => "Gathers the results of all tasks of the run.",
        _ => "Nothing.",
    }
}

pub(crate) fn http() -> Vec<Key> {
    vec![
        ("url", text(), "A template."),
        ("method", text(), "GET by default."),
        ("headers", map(text()), "Templates, by name."),
        ("body", text(), "A template."),
        ("expect_status", json!({ "type": "integer", "minimum": 100, "maximum": 599 }), "200 by default."),
    ]
}

pub(crate) fn expect() -> Vec<Key> {
    let number = || json!({ "type": "number" });
    vec![
        ("equals", json!({}), "Exactly this."),
        ("at_least", number(), "This or more."),
        ("at_most", number(), "This or less."),
    ]
}

pub(crate) fn checked_rows() -> Vec<Key> {
    vec![
        ("table", text(), "Which table."),
        ("equals", whole(0), "Exactly so many rows."),
        ("at_least", whole(0), "So many or more."),
        ("at_most", whole(0), "So many or fewer."),
    ]
}

pub(crate) fn checked_fresh() -> Vec<Key> {
    vec![
        ("table", text(), "Which table."),
        ("column", text(), "An instant in each row."),
        ("within", span(), "The newest of them is not older."),
    ]
}

pub(crate) fn checked_unique() -> Vec<Key> {
    vec![("table", text(), "Which table."), ("columns", texts(), "Whose values tell rows apart.")]
}

pub(crate) fn wait() -> Vec<Key> {
    vec![
        (
            "passed",
            object(passed(), &["stream", "offsets", "tables"]),
            "All records up to these offsets are in these tables.",
        ),
        ("sql", text(), "The first value in PostgreSQL is true or above zero."),
        ("file", text(), "The file exists."),
        ("http", text(), "The URL answers with 2xx."),
        ("until", text(), "That instant has come; RFC 3339."),
        ("run", object(run(), &["dag"]), "That DAG's run for that logical time has succeeded."),
        ("rows", object(rows(), &["table", "at_least"]), "The table has so many rows."),
        (
            "lag",
            object(lag(), &["table", "at_most"]),
            "Its sink is at most so many records behind the stream.",
        ),
        ("poll", span(), "Between two looks; 250ms by default."),
    ]
}

pub(crate) fn passed() -> Vec<Key> {
    vec![
        ("stream", text(), "Whose offsets they are."),
        ("offsets", text(), "A template that gives offsets by partition."),
        ("tables", texts(), "Where the records must be."),
    ]
}

pub(crate) fn run() -> Vec<Key> {
    vec![("dag", text(), "Which DAG."), ("at", text(), "The logical time; this run's by default.")]
}

pub(crate) fn rows() -> Vec<Key> {
    vec![("table", text(), "Which table."), ("at_least", whole(0), "So many rows.")]
}

pub(crate) fn lag() -> Vec<Key> {
    vec![("table", text(), "Which table."), ("at_most", whole(0), "So many records.")]
}
