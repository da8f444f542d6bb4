#![allow(clippy::unwrap_used)]

use pipeline::{Bundle, Pipeline};

use super::*;

/// The lines for a DAG of one task with these settings; `asked` is "now", "now last" or "now last start", with "-" for none.
fn check(settings: &str, asked: &str, expected: &[&str]) {
    let task = "[tasks.a]\nkind = \"noop\"\n";
    let files = [("pipeline.toml", String::new()), ("dags/it.toml", format!("{settings}\n{task}"))]
        .map(|(name, text)| (name.into(), text));
    let bundle = Bundle { name: "it".into(), files: files.into() };
    let dag = Pipeline::parse(&bundle).unwrap().dags.remove("it").unwrap();
    let mut times = asked.split(' ').map(|text| (text != "-").then(|| instant::interval(text).unwrap()));
    let [now, last, start] = [(); 3].map(|()| times.next().flatten());
    let [now, start] = [now, start].map(|time| time.map(|(at, _)| at));
    let args = DagNextArgs { name: "it".into(), now, last, start, json: false };
    let lines: Vec<String> = planned(&dag, &args).unwrap().iter().map(line).collect();
    // Dates of 2021 at 16:30, where nothing else is said.
    let full = |word: &str| match word.len() {
        5 => format!("2021-{word}T16:30:00Z"),
        16 => format!("{word}:00Z"),
        _ => word.to_owned(),
    };
    let whole = |text: &&str| {
        let mut words = text.split(' ');
        let [logical, end, fires] = [(); 3].map(|()| full(words.next().unwrap()));
        let more: String = words.map(|word| format!(" {word}")).collect();
        format!("{logical}  {logical}/{end}  {fires}{}{more}", if more.is_empty() { "" } else { " " })
    };
    assert_eq!(lines, expected.iter().map(whole).collect::<Vec<_>>(), "{settings} at {asked}");
}

#[test]
fn missed_times_are_made_now_as_the_catchup_says_and_the_next_one_follows() {
    let daily = |more: &str| format!("schedule = \"30 16 * * *\"\n{more}");
    let (now, next) = ("2021-09-10T00:00Z 2021-09-06T16:30Z", "09-10 09-10 09-10");
    let [seventh, eighth, ninth] =
        ["09-07 09-07", "09-08 09-08", "09-09 09-09"].map(|day| format!("{day} 2021-09-10T00:00"));
    check(&daily("catchup = \"latest\""), now, &[&ninth, next]);
    check(&daily("catchup = \"all\""), now, &[&seventh, &eighth, &ninth, next]);
    check(&daily("catchup = { max = 2 }"), now, &[&eighth, &ninth, next]);
    check(&daily("catchup = \"none\""), now, &[next]);
    check(&daily(""), "2021-09-10T00:00Z", &[next]);
    check(&daily(""), "2021-09-10T00:00Z - 2021-09-01", &[&ninth, next]);
    check(&daily("start = \"2021-09-12T00:00:00Z\""), "2021-09-10", &["09-12 09-12 09-12"]);
    check(&daily("run_immediately = true"), "2021-09-10", &[&ninth, next]);
    let told = format!("{ninth} not started: older than stale_after");
    check(&daily("stale_after = \"1h\""), now, &[&told, next]);
}

#[test]
fn a_run_for_an_interval_is_told_with_its_end_and_fires_there() {
    let daily = "schedule = \"30 16 * * *\"\ninterval = true";
    check(daily, "2021-09-07 - 2021-09-06", &["09-06 09-07 09-07"]);
    check(daily, "2021-09-10 2021-09-06T16:30Z", &["09-08 09-09 2021-09-10T00:00", "09-09 09-10 09-10"]);
    // The newest run was for two days.
    check(daily, "2021-09-10 2021-09-07T16:30Z/2021-09-09T16:30Z", &["09-09 09-10 09-10"]);
}

#[test]
fn every_form_of_a_schedule_has_its_times() {
    let day = |day: &str| format!("2021-{day}T00:00 2021-{day}T00:00 2021-{day}T00:00");
    let cases = [
        ("schedule = { every = \"1 month\" }", "2021-04-10 2021-03-31 2021-01-31", "04-30"),
        (
            "schedule = { every = \"2 weeks\" }\nstart = \"2021-03-01T00:00:00Z\"",
            "2021-03-02 2021-03-01",
            "03-15",
        ),
        ("schedule = { dates = [\"2021-12-24\", \"2021-12-31\"] }", "2021-12-25", "12-31"),
        ("schedule = [\"@monthly\", \"0 0 15 * *\"]", "2021-03-02 2021-03-01", "03-15"),
        ("schedule = \"@once\"\nstart = \"2021-03-15T00:00:00Z\"", "2021-03-02", "03-15"),
    ];
    for (schedule, asked, expected) in cases {
        check(schedule, asked, &[&day(expected)]);
    }
}

#[test]
fn a_dag_without_a_schedule_has_no_due_time() {
    check("", "2021-09-10", &[]);
}
