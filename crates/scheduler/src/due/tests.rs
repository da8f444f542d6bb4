use super::*;
use pipeline::{Bundle, Pipeline};

fn dag(settings: &str) -> Dag {
    let files = [
        ("pipeline.toml".to_owned(), String::new()),
        ("dags/d.toml".to_owned(), format!("{settings}\n[tasks.a]\nkind = \"noop\"\n")),
    ]
    .into();
    Pipeline::parse(&Bundle { name: "p".into(), files }).unwrap().dags.remove("d").unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2024-03-01T{text}Z").parse().unwrap()
}

fn row(last: Option<&str>) -> DagRow {
    DagRow {
        name: "d".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        paused: false,
        first_at: at("10:00:20"),
        last_logical: last.map(at),
        next_at: Some(at("10:00:20")),
    }
}

fn times(runs: &[NewRun]) -> Vec<DateTime<Utc>> {
    runs.iter().map(|run| run.logical_at).collect()
}

#[test]
fn a_dag_may_run_once_right_after_it_is_first_published() {
    let dag = dag("schedule = \"* * * * *\"\nrun_immediately = true");
    let (runs, next) = plan(&row(None), &dag, at("10:00:20"));
    assert_eq!((times(&runs), next), (vec![at("10:00:20")], Some(at("10:01:00"))));
    let (runs, next) = plan(&row(Some("10:00:20")), &dag, at("10:00:59"));
    assert_eq!((times(&runs), next), (vec![], Some(at("10:01:00"))));
    let (runs, next) = plan(&row(Some("10:00:20")), &dag, at("10:01:00"));
    assert_eq!((times(&runs), next), (vec![at("10:01:00")], Some(at("10:02:00"))));
    assert_eq!(runs[0].key, "schedule:d:2024-03-01T10:01:00Z");
}

#[test]
fn a_dag_without_a_schedule_waits_for_somebody() {
    let (runs, next) = plan(&row(None), &dag(""), at("12:00:00"));
    assert_eq!((times(&runs), next), (vec![], None));
}
