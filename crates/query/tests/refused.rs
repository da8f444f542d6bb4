//! What cannot run is refused when the job is compiled: with its place, and with what to write instead.

#![allow(clippy::unwrap_used)]

use query::{Emit, JobSpec, StreamDef, compile};

const USERS: &str = r#"{"type": "record", "name": "users", "fields": [
    {"name": "id", "type": "string"}, {"name": "country", "type": "string"}, {"name": "nat", "type": ["null", "string"]},
    {"name": "age", "type": "int"}, {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "registered_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
const RATES: &str =
    r#"{"type": "record", "name": "rates", "fields": [{"name": "currency", "type": "string"}]}"#;

fn spec(sql: &str) -> JobSpec {
    let users = StreamDef {
        name: "users".into(),
        schema: USERS.into(),
        event_time: Some("registered_at".into()),
        key: vec!["id".into()],
        ..StreamDef::default()
    };
    let rates = StreamDef { name: "rates".into(), schema: RATES.into(), ..StreamDef::default() };
    JobSpec {
        name: "job".into(),
        sql: sql.into(),
        inputs: vec![users, rates],
        into: "out".into(),
        ..JobSpec::default()
    }
}

fn check(spec: &JobSpec, expected: &str) {
    let found = compile(spec).map(|job| job.explain()).expect_err(&spec.sql).to_string();
    assert!(found.starts_with(expected), "{}\n  found    {found}\n  expected {expected}", spec.sql);
}

const MINUTE: &str = "FROM tumble(users, registered_at, INTERVAL '1' MINUTE)";
const BY_WINDOW: &str = "GROUP BY window_start, window_end";

#[test]
fn what_the_engine_lacks_is_refused_at_its_place() {
    for (sql, expected) in [
        ("SELECT DISTINCT country FROM users", "line 1, column 1: DISTINCT is not supported yet: GROUP BY"),
        ("SELECT DISTINCT ON (country) country FROM users", "line 1, column 1: DISTINCT ON"),
        ("SELECT id FROM users\nORDER BY id", "line 2, column 10: ORDER BY: a stream has no end"),
        ("SELECT id FROM users LIMIT 3", "line 1, column 1: LIMIT: a stream has no first rows"),
        (
            "SELECT a.id FROM users a\nJOIN rates b ON a.id = b.currency",
            "line 2, column 6: joins are not supported yet",
        ),
        ("SELECT a.id FROM users a, rates b", "line 1, column 27: several streams in FROM"),
        (
            "SELECT id FROM users UNION ALL SELECT currency FROM rates",
            "line 1, column 1: UNION is not supported yet: write one job",
        ),
        (
            "SELECT row_number() OVER (ORDER BY id) AS r FROM users",
            "line 1, column 8: row_number(…) OVER is not supported yet",
        ),
        (
            "SELECT id FROM users WHERE id IN (SELECT currency FROM rates)",
            "line 1, column 28: a sub-query as a value is a join",
        ),
        (
            "SELECT (SELECT max(currency) FROM rates) AS x FROM users",
            "line 1, column 9: a sub-query as a value is a join",
        ),
        ("SELECT id FROM users TABLESAMPLE (10)", "line 1, column 16: TABLESAMPLE"),
        ("SELECT unnest(tags) AS tag FROM users", "line 1, column 1: unnest is not supported yet"),
        ("SELECT id INTO other FROM users", "line 1, column 1: "),
        ("SELECT id FROM users WHERE false", "line 1, column 1: the condition is never true"),
    ] {
        check(&spec(sql), expected);
    }
}

#[test]
fn an_aggregate_needs_a_window_and_the_window_in_its_group() {
    let over = |select: &str, from: &str, group: &str| format!("SELECT {select} AS x\n{from}\n{group}");
    for (sql, expected) in [
        (
            "SELECT country, count(*) AS n\nFROM users\nGROUP BY country".into(),
            "line 3, column 10: an aggregate over an endless stream never finishes: write FROM tumble(users,",
        ),
        ("SELECT count(*) AS n FROM users".into(), "line 1, column 8: an aggregate over an endless stream"),
        (over("count(*)", MINUTE, "GROUP BY country"), "line 3, column 10: GROUP BY lacks the window"),
        (over("count(*)", MINUTE, "GROUP BY window_start"), "line 3, column 10: GROUP BY lacks the window"),
        (
            over("count(*)", MINUTE, "GROUP BY ROLLUP(window_start, window_end)"),
            "line 3, column 17: GROUPING SETS",
        ),
        (over("id", MINUTE, ""), "line 2, column 6: a window without an aggregate"),
        (
            over("count(DISTINCT id)", MINUTE, BY_WINDOW),
            "line 1, column 8: count(DISTINCT …) is not supported yet",
        ),
        (
            over("stddev(age)", MINUTE, BY_WINDOW),
            "line 1, column 8: stddev is not supported yet: the aggregates are count, sum",
        ),
        (
            over(
                "count(*)",
                "FROM hop(users, registered_at, INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)",
                BY_WINDOW,
            ),
            "line 2, column 6: hop is not supported yet: use tumble",
        ),
        (
            over("count(*)", "FROM session(users, registered_at, INTERVAL '1' MINUTE)", BY_WINDOW),
            "line 2, column 6: session is not supported yet",
        ),
        (
            over("count(*)", "FROM tumble(users, registered_at, INTERVAL '1' MONTH)", BY_WINDOW),
            "line 2, column 6: INTERVAL '1' MONTH: a fixed interval",
        ),
        (
            over("count(*)", "FROM tumble(users, registered_at, 5)", BY_WINDOW),
            "line 2, column 6: 5: a fixed interval",
        ),
        (
            over("count(*)", "FROM tumble(users, registered_at, INTERVAL '0' SECOND)", BY_WINDOW),
            "line 2, column 6: a window is between",
        ),
        (
            over("count(*)", "FROM tumble(users, INTERVAL '1' MINUTE)", BY_WINDOW),
            "line 2, column 6: tumble has three or four arguments",
        ),
        (
            over("count(*)", "FROM tumble(users, age, INTERVAL '1' MINUTE)", BY_WINDOW),
            "line 2, column 6: users.age is not the event time",
        ),
        (
            over("count(*)", "FROM tumble(rates, currency, INTERVAL '1' MINUTE)", BY_WINDOW),
            "line 2, column 6: the stream rates has no event_time",
        ),
        (
            over("count(*)", "FROM tumble(users, nope, INTERVAL '1' MINUTE)", BY_WINDOW),
            "line 2, column 20: No field named nope",
        ),
        (
            format!(
                "SELECT count(*) AS n FROM (SELECT window_start, window_end, count(*) AS n {MINUTE} {BY_WINDOW})"
            ),
            "line 1, column 8: an aggregate over an endless",
        ),
    ] {
        if sql.contains("(SELECT window_start") {
            // An aggregate over an aggregate.
            let found = compile(&spec(&sql)).expect_err(&sql).to_string();
            assert!(found.contains("an aggregate over an aggregate"), "{found}");
        } else {
            check(&spec(&sql), expected);
        }
    }
}

#[test]
fn what_differs_at_a_replay_is_refused() {
    for (sql, expected) in [
        (
            "SELECT id FROM users\nWHERE now() > registered_at",
            "line 2, column 7: now() would give another answer at a replay",
        ),
        ("SELECT CURRENT_TIMESTAMP AS t FROM users", "line 1, column 8: current_timestamp()"),
        ("SELECT current_date AS d FROM users", "line 1, column 8: current_date()"),
        ("SELECT random() AS r FROM users", "line 1, column 8: random()"),
        ("SELECT uuid() AS u FROM users", "line 1, column 8: uuid()"),
    ] {
        check(&spec(sql), expected);
    }
}

#[test]
fn slips_of_the_pen_are_shown_at_their_place() {
    for (sql, expected) in [
        ("SELECT id FROM nope", "line 1, column 16: there is no stream nope; declared are users, rates"),
        ("SELECT id,\n  agee FROM users", "line 2, column 3: No field named agee. Did you mean 'users.age'?"),
        (
            "SELECT id,\n  uper(country) AS c FROM users",
            "line 2, column 3: Invalid function 'uper'. Did you mean 'upper'?",
        ),
        ("SELEC id FROM users", "line 1, column 1: Expected: an SQL statement, found: SELEC"),
        ("SELECT id FROM users\nWHERE", "line 2, column 6: Expected: an expression, found: EOF"),
        ("", "the file is empty"),
        ("SELECT id FROM users; SELECT id FROM users", "line 1, column 23: a job is exactly one SELECT"),
        ("INSERT INTO users VALUES (1)", "line 1, column 1: a job is exactly one SELECT"),
        ("SELECT 1 AS one", "line 1, column 1: FROM is missing"),
        ("SELECT age + tags AS x FROM users", "line 1, column 8: "),
    ] {
        check(&spec(sql), expected);
    }
}

#[test]
fn columns_that_avro_cannot_hold_are_refused() {
    for (sql, expected) in [
        (
            "SELECT id, upper(id) FROM users",
            "line 1, column 12: the column upper(users.id) has no name that Avro takes: write",
        ),
        ("SELECT id, id FROM users", "line 1, column 1: "),
        ("SELECT NULL AS x FROM users", "line 1, column 8: the column x is always null"),
        (
            "SELECT registered_at - registered_at AS x FROM users",
            "line 1, column 8: the column x is a length of time, which Avro lacks",
        ),
        (
            "SELECT arrow_cast(age, 'UInt64') AS x FROM users",
            "line 1, column 8: the column x is an unsigned 64-bit number",
        ),
    ] {
        check(&spec(sql), expected);
    }
}

#[test]
fn a_declared_target_must_fit() {
    let into = |sql: &str, fields: &str| {
        let schema = format!(r#"{{"type": "record", "name": "out", "fields": [{fields}]}}"#);
        let target = StreamDef { name: "out".into(), schema, key: vec!["id".into()], ..StreamDef::default() };
        JobSpec { target: Some(target), ..spec(sql) }
    };
    let id = r#"{"name": "id", "type": "string"}"#;
    let age = r#"{"name": "id", "type": "string"}, {"name": "age", "type": "int"}"#;
    for (sql, fields, expected) in [
        (
            "SELECT id, country FROM users",
            id,
            "line 1, column 12: the SELECT does not fit the target out: the target has no field country",
        ),
        (
            "SELECT id FROM users",
            age,
            "line 1, column 1: the SELECT does not fit the target out: the field age has no default",
        ),
        (
            "SELECT id, country AS age FROM users",
            age,
            "line 1, column 12: the SELECT does not fit the target out: the column age is Utf8, its field is Int32; CAST",
        ),
        (
            "SELECT id, CAST(age AS BIGINT) AS age FROM users",
            age,
            "line 1, column 17: the SELECT does not fit the target out: the column age is Int64, its field is Int32",
        ),
        (
            "SELECT age FROM users",
            r#"{"name": "age", "type": "int"}"#,
            "the schema of the target out: its key names the field id, which it lacks",
        ),
    ] {
        check(&into(sql, fields), expected);
    }
}

#[test]
fn updates_need_a_key_and_no_condition_on_aggregates() {
    let updates = |sql: String| JobSpec { emit: Emit::Updates, ..spec(&sql) };
    check(
        &updates(format!("SELECT count(*) AS n {MINUTE} {BY_WINDOW}")),
        "line 1, column 1: emit = \"updates\" needs a key",
    );
    check(
        &updates(format!("SELECT window_start, count(*) AS n {MINUTE} {BY_WINDOW} HAVING count(*) > 3")),
        "line 1, column 100: a condition on aggregates cannot take back a row",
    );
}

#[test]
fn the_dead_letter_rule_is_checked_like_the_select() {
    let rule = |when: &str, reason: Option<&str>| JobSpec {
        deadletter_when: Some(when.into()),
        deadletter_reason: reason.map(Into::into),
        ..spec("SELECT id FROM users")
    };
    check(
        &rule("agee > 3", None),
        "deadletter_when = \"agee > 3\", deadletter_reason = \"CAST(NULL AS VARCHAR)\": No field named agee",
    );
    check(&rule("age > ", None), "deadletter_when = \"age > \": ");
    check(&rule("true) OR (true", None), "deadletter_when = \"true) OR (true\": ");
    check(&rule("now() > registered_at", None), "deadletter_when = \"now() > registered_at\"");
    check(&rule("count(*) > 3", None), "deadletter_when = \"count(*) > 3\"");
    check(&rule("true", Some("nope")), "deadletter_when = \"true\", deadletter_reason = \"nope\"");
    check(
        &JobSpec { deadletter_reason: Some("'x'".into()), ..spec("SELECT id FROM users") },
        "deadletter_reason without deadletter_when",
    );
}

#[test]
fn a_stream_that_cannot_be_read_as_columns_is_refused_by_name() {
    let with = |field: &str| {
        let mut spec = spec("SELECT id FROM users");
        spec.inputs[0].schema = USERS.replace(r#"{"name": "age", "type": "int"}"#, field);
        spec
    };
    check(
        &with(r#"{"name": "age", "type": ["int", "string"]}"#),
        "the schema of stream users: field age: a union of several types",
    );
    check(
        &with(r#"{"name": "_offset", "type": "int"}"#),
        "the schema of stream users: the field _offset has the name of one of Kafka's columns",
    );
    check(
        &with(r#"{"name": "age", "type": ["null", "users"]}"#),
        "the schema of stream users: the record users contains itself",
    );
    let mut timeless = spec("SELECT id FROM users");
    timeless.inputs[0].event_time = Some("age".into());
    check(
        &timeless,
        "stream users: event_time = \"age\": the field must be timestamp-millis or timestamp-micros",
    );
}
