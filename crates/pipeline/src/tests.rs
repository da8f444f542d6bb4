use super::*;
use proptest::prelude::*;
use std::{fs, path::Path};

mod moved;

fn shipped() -> Bundle {
    Bundle::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/pipelines/users")).unwrap()
}

#[test]
fn the_pipeline_that_ships_is_right() {
    let pipeline = Pipeline::parse(&shipped()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(pipeline.dags["users"].order().unwrap(), ["fetch", "arrived", "verified", "report"]);
    assert_eq!(
        pipeline.tables["users_by_country"].primary_key(&pipeline.streams["users_clean"].key),
        ["country", "day", "fetched_at", "id"]
    );
    assert_eq!(columns(&pipeline.streams["users_clean"]).unwrap().len(), 18);
}

/// Each edit spoils one thing; the answer is one problem with its file and line.
#[test]
fn each_mistake_is_told_once_with_file_and_line() {
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "pipeline.toml",
            "into = \"users\"\n",
            "into = \"user\"\n",
            "users/pipeline.toml:3: [sources.users] names the stream \"user\", which is not declared; there are:",
        ),
        (
            "pipeline.toml",
            "pages_per_run = 1 ",
            "pages_pro_run = 1 ",
            "users/pipeline.toml:10: unknown field `pages_pro_run`",
        ),
        (
            "pipeline.toml",
            "partitions = 1",
            "partitions = \"one\"",
            "users/pipeline.toml:49: invalid type: string \"one\", expected u32",
        ),
        (
            "pipeline.toml",
            "watermark_delay = \"10s\"",
            "watermark_delay = \"10\"",
            "users/pipeline.toml:34: \"10\" is not a duration",
        ),
        (
            "pipeline.toml",
            "users_clean.avsc",
            "users_cleen.avsc",
            "users/pipeline.toml:39: [streams.users_clean] names the file \"users_cleen.avsc\"",
        ),
        (
            "pipeline.toml",
            "event_time = \"fetched_at\"\nwatermark",
            "event_time = \"email\"\nwatermark",
            "users/pipeline.toml:30: [streams.users] event_time \"email\" must be a field of type timestamp",
        ),
        (
            "pipeline.toml",
            "partition_key = [\"country\", \"day\"]",
            "partition_key = [\"country\", \"city\"]",
            "users/pipeline.toml:70: [tables.users_by_country] the key column \"city\" may be null",
        ),
        (
            "pipeline.toml",
            "id = \"/login/uuid\"",
            "ident = \"/login/uuid\"",
            "users/pipeline.toml:3: [sources.users] does not make \"id\"",
        ),
        (
            "pipeline.toml",
            "phone = \"/phone\"",
            "phone = { as = \"string\" }",
            "users/pipeline.toml:23: a field is a JSON Pointer",
        ),
        ("users.avsc", "\"string\"", "\"strink\"", "users/users.avsc:1: not an Avro schema"),
        (
            "dags/users.toml",
            "\"* * * * *\"",
            "\"* * * *\"",
            "users/dags/users.toml:2: \"* * * *\" is not a cron expression",
        ),
        (
            "dags/users.toml",
            "\"UTC\"",
            "\"Europe/Zürich\"",
            "users/dags/users.toml:3: \"Europe/Zürich\" is not a time zone",
        ),
        ("dags/users.toml", "after = [\"fetch\"]", "after = [\"verified\"]", "users/dags/users.toml:"),
        (
            "dags/users.toml",
            "after = [\"arrived\"]",
            "after = [\"arived\"]",
            "users/dags/users.toml:22: [tasks.verified] names the task \"arived\"",
        ),
        (
            "dags/users.toml",
            "retries = 12",
            "retrys = 12",
            "users/dags/users.toml:13: task \"fetch\": unknown field `retrys`",
        ),
        (
            "dags/users.toml",
            "kind = \"fetch\"",
            "kind = \"fetsch\"",
            "users/dags/users.toml:11: task \"fetch\": unknown variant `fetsch`",
        ),
        (
            "dags/users.toml",
            "catchup = \"latest\"",
            "catchup = \"newest\"",
            "users/dags/users.toml:4: unknown variant `newest`",
        ),
        (
            "dags/users.toml",
            "catchup = \"latest\"",
            "catchup = { max = 0 }",
            "users/dags/users.toml:4: invalid value: integer `0`",
        ),
        (
            "dags/users.toml",
            "\"* * * * *\"",
            "{ every = \"5 fortnights\" }",
            "users/dags/users.toml:2: every = \"5 fortnights\" is not an interval: the unit is not known",
        ),
        (
            "dags/users.toml",
            "\"* * * * *\"",
            "{ evry = \"5m\" }",
            "users/dags/users.toml:2: unknown field `evry`",
        ),
        (
            "dags/users.toml",
            "\"* * * * *\"",
            "{ dates = [\"2026-02-30\"] }",
            "users/dags/users.toml:2: \"2026-02-30\" is not a date",
        ),
        (
            "dags/users.toml",
            "schedule = \"* * * * *\"",
            "interval = true",
            "users/dags/users.toml:2: interval = true needs a schedule",
        ),
    ];
    for (file, from, to, expected) in cases {
        let mut bundle = shipped();
        let text = bundle.files.get_mut(*file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replacen(from, to, 1);
        let is_told =
            |problems: &[Problem]| problems.iter().any(|problem| problem.to_string().starts_with(expected));
        let problems = Pipeline::parse(&bundle).expect_err(to);
        assert!(is_told(&problems), "{to}: {problems:#?}");
        // Who moves records goes on with a DAG that it can't read, and with nothing else.
        let told = Pipeline::without_dags(&bundle).err().is_some_and(|problems| is_told(&problems));
        assert_eq!(told, !file.starts_with("dags/"), "{file}: {to}");
    }
}

#[test]
fn a_schedule_may_be_a_section_and_all_its_policies_are_read() {
    let mut bundle = shipped();
    let text = "timezone = \"Europe/Zurich\"\ncatchup = { max = 5 }\non_unpause = \"next\"\nstale_after = \"1h\"\n\
        interval = true\nrun_immediately = \"10m\"\nstart = \"2026-01-31T02:00:00+01:00\"\n\
        [schedule]\nevery = \"1 month\"\n[tasks.a]\nkind = \"noop\"\n";
    bundle.files.insert("dags/monthly.toml".into(), text.into());
    let pipeline = Pipeline::parse(&bundle).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let timetable = pipeline.dags["monthly"].settings.timetable(None).unwrap();
    let start: chrono::DateTime<chrono::Utc> = "2026-01-31T01:00:00Z".parse().unwrap();
    let planned = timetable.planned(start, start).unwrap();
    assert_eq!(planned.interval, Some((start, "2026-02-28T01:00:00Z".parse().unwrap())));
}

#[test]
fn a_version_is_the_content_of_its_files() {
    let bundle = shipped();
    let mut edited = bundle.clone();
    edited.files.get_mut("users_clean.sql").unwrap().push(' ');
    assert_eq!(bundle.hash(), shipped().hash());
    assert_ne!(bundle.hash(), edited.hash());
}

#[test]
fn two_pipelines_can_not_share_a_topic() {
    let pipeline = Pipeline::parse(&shipped()).unwrap();
    let other = Pipeline { name: "more".into(), ..pipeline.clone() };
    let problems = problems_between(&[pipeline, other]);
    assert!(
        problems
            .iter()
            .any(|problem| problem.message.starts_with("stream \"users\" is also in pipeline \"users\"")),
        "{problems:#?}"
    );
}

#[test]
fn a_dag_follows_others_of_any_pipeline_but_never_itself() {
    let pipeline = |name: &str, dags: &[(&str, &str)]| {
        let dag = |(dag, after): &(&str, &str)| {
            (format!("dags/{dag}.toml"), format!("after_dag = [{after}]\n[tasks.a]\nkind = \"noop\"\n"))
        };
        let files = dags.iter().map(dag).chain([("pipeline.toml".to_owned(), String::new())]).collect();
        Pipeline::parse(&Bundle { name: name.into(), files }).unwrap()
    };
    let told = |pipelines: &[Pipeline]| -> Vec<String> {
        problems_between(pipelines).iter().map(ToString::to_string).collect()
    };
    let one = pipeline("one", &[("a", ""), ("b", "\"a\"")]);
    assert_eq!(told(&[one.clone(), pipeline("two", &[("c", "\"a\", \"b\"")])]), Vec::<String>::new());
    let lost = told(&[pipeline("two", &[("c", "\"aa\"")]), one]);
    assert_eq!(
        lost,
        ["two/dags/c.toml:1: after_dag names the DAG \"aa\", which no pipeline has: check its spelling"]
    );
    let circle =
        told(&[pipeline("one", &[("a", "\"c\""), ("b", "\"a\"")]), pipeline("two", &[("c", "\"b\"")])]);
    assert_eq!(circle.len(), 3);
    assert!(circle[0].starts_with("one/dags/a.toml:1: \"a\" follows itself:"), "{circle:#?}");
}

#[test]
fn a_folder_that_cannot_be_read_spoils_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("good/pipeline.toml", b"" as &[u8]), ("bad/pipeline.toml", b"\xff\xfe")] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    }
    let read = read_all(folder.path()).unwrap();
    assert!(read["good"].is_ok() && read["bad"].is_err());
}

proptest! {
    /// An editor saves at any moment, and people type anything.
    #[test]
    fn any_edit_of_any_file_is_right_or_told_with_its_place(
        file in 0usize..9,
        at in 0.0..1.0f64,
        cut in 0usize..40,
        typed in "[\\PC\n\"\\[\\]{}=#]{0,12}",
    ) {
        let mut bundle = shipped();
        let file = bundle.files.keys().nth(file % bundle.files.len()).unwrap().clone();
        let chars: Vec<char> = bundle.files[&file].chars().collect();
        let at = (at * chars.len() as f64) as usize;
        let rest = &chars[(at + cut).min(chars.len())..];
        let text = chars[..at].iter().chain(&typed.chars().collect::<Vec<_>>()).chain(rest).collect();
        bundle.files.insert(file, text);
        if let Err(problems) = Pipeline::parse(&bundle) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.line >= 1 && !problem.message.is_empty()));
        }
    }
}

#[test]
fn a_check_asks_one_thing_of_tables_that_are_there() {
    let problem = |asked: &str| {
        let mut bundle = shipped();
        let text = format!("[tasks.a]\nkind = \"check\"\n{asked}\n");
        bundle.files.insert("dags/checks.toml".into(), text);
        match Pipeline::parse(&bundle) {
            Ok(_) => String::new(),
            Err(problems) => {
                problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
            }
        }
    };
    let cases = [
        ("rows = { table = \"users\", at_least = 1 }", ""),
        ("fresh = { table = \"created_users\", column = \"fetched_at\", within = \"1h\" }", ""),
        ("unique = { table = \"users\", columns = [\"email\"] }", ""),
        ("", "write exactly one of `ids_of`"),
        ("sql = \"SELECT 1\"\nrows = { table = \"users\", at_least = 1 }", "write exactly one of `ids_of`"),
        ("rows = { table = \"users\" }", "rows expects nothing: write `equals`, `at_least` or `at_most`"),
        ("rows = { table = \"user\", at_most = 1 }", "names the table \"user\", which is not declared"),
        ("fresh = { table = \"users\", column = \"at\" }", "missing field `within`"),
        ("unique = { table = \"users\", columns = [] }", "unique needs columns"),
        ("unique = { table = \"created_users\", columns = [\"id\"] }", "unique asks a table in PostgreSQL"),
    ];
    for (asked, expected) in cases {
        let told = problem(asked);
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{asked}: {told}");
    }
}
