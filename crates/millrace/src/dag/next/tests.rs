#![allow(clippy::unwrap_used)]

use pipeline::{Bundle, Pipeline};

use super::*;

fn check(file: &str, now: &str, last: Option<&str>, start: Option<&str>, expected: &[(&str, &str)]) {
    let at = |text: &str| instant::parse(text).unwrap();
    let files =
        [("pipeline.toml", ""), ("dags/it.toml", file)].map(|(name, text)| (name.into(), text.into()));
    let bundle = Bundle { name: "it".into(), files: files.into() };
    let dag = Pipeline::parse(&bundle).unwrap().dags.remove("it").unwrap();
    let args =
        DagNextArgs { name: "it".into(), now: None, last: last.map(at), start: start.map(at), json: false };
    let expected: Vec<_> =
        expected.iter().map(|(a, b)| Planned { logical_at: at(a), fires_at: at(b) }).collect();
    assert_eq!(planned(&dag, &args, at(now)).unwrap(), expected, "{file} at {now}");
}

#[test]
fn missed_times_are_made_now_as_the_catchup_says_and_the_next_one_follows() {
    let daily = |more: &str| format!("schedule = \"30 16 * * *\"\n{more}\n[tasks.a]\nkind = \"noop\"\n");
    let (now, last) = ("2021-09-10T00:00Z", Some("2021-09-06T16:30Z"));
    let next = ("2021-09-10T16:30Z", "2021-09-10T16:30Z");
    let missed = |day: &'static str| (day, now);
    let (seventh, eighth, ninth) = ("2021-09-07T16:30Z", "2021-09-08T16:30Z", "2021-09-09T16:30Z");
    check(&daily("catchup = \"latest\""), now, last, None, &[missed(ninth), next]);
    check(
        &daily("catchup = \"all\""),
        now,
        last,
        None,
        &[missed(seventh), missed(eighth), missed(ninth), next],
    );
    check(&daily("catchup = \"none\""), now, last, None, &[next]);
    check(&daily(""), now, None, None, &[next]);
    check(&daily(""), now, None, Some("2021-09-01"), &[missed(ninth), next]);
    check(
        &daily("start = \"2021-09-12T00:00:00Z\""),
        now,
        None,
        None,
        &[("2021-09-12T16:30Z", "2021-09-12T16:30Z")],
    );
    check(&daily("run_immediately = true"), now, None, None, &[(now, now), next]);
}

#[test]
fn a_dag_without_a_schedule_has_no_due_time() {
    check("[tasks.a]\nkind = \"noop\"\n", "2021-09-10", None, None, &[]);
}
