use crate::{Bundle, Pipeline};

const DAG: &str = r#"
[params.day]
type = "string"
default = "today"

[tasks.first]
kind = "noop"

[tasks.second]
kind = "http"
after = ["first"]
url = "URL"

[tasks.aside]
kind = "noop"
"#;

fn problems(url: &str) -> Vec<String> {
    let files = [("pipeline.toml", String::new()), ("dags/d.toml", DAG.replace("URL", url))];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    let bundle = Bundle { name: "p".into(), files };
    match Pipeline::parse(&bundle) {
        Ok(_) => vec![],
        Err(problems) => problems.iter().map(|problem| problem.to_string()).collect(),
    }
}

#[test]
fn only_what_records_start_may_name_them() {
    assert!(problems("{{ event.from }}")[0].contains("no records start this DAG: it has no `on`"));
    let named = |part: &str| {
        let stream = "[streams.s]\nschema = \"s.avsc\"\nkey = [\"id\"]\n";
        let schema = r#"{"type":"record","name":"S","fields":[{"name":"id","type":"string"}]}"#;
        let dag =
            format!("on = {{ stream = \"s\" }}\n{}", DAG.replace("URL", &format!("{{{{ event.{part} }}}}")));
        let files =
            [("pipeline.toml", stream.to_owned()), ("s.avsc", schema.to_owned()), ("dags/d.toml", dag)];
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        Pipeline::parse(&Bundle { name: "p".into(), files }).map(drop).map_err(|found| found[0].to_string())
    };
    for part in ["topic", "from", "to", "records", "to['0']"] {
        assert_eq!(named(part), Ok(()), "{part}");
    }
    assert!(named("offset").unwrap_err().contains("an event has only topic, from, to, records"));
}

#[test]
fn a_template_names_only_what_is_there_when_its_task_runs() {
    let good = [
        "{{ params.day }}/{{ dag }}/{{ run_id }}",
        "{{ logical_time }} {{ data_interval_start }} {{ data_interval_end }}",
        "{{ tasks.first.result.rows }} {{ tasks.first.state }}",
        "{{ connections.warehouse.password }}@{{ variables.region }}",
        "{% for n in range(3) %}{{ n }}{% endfor %}",
    ];
    for url in good {
        assert_eq!(problems(url), Vec::<String>::new(), "{url}");
    }
    let bad = [
        ("{{ params.dya }}", "a template names \"params.dya\", but the DAG has no [params.dya]"),
        ("{{ logical_tim }}", "a template names \"logical_tim\", which is not there; there are: dag"),
        (
            "{{ tasks.frist.result }}",
            "a template names \"tasks.frist.result\", but the DAG has no task \"frist\"",
        ),
        (
            "{{ tasks.first.results }}",
            "a template names \"tasks.first.results\", but a task has no \"results\"",
        ),
        ("{{ connections }}", "a template names \"connections\", write connections.NAME"),
        ("{{ tasks.aside.result }}", "but does not wait for it: add \"aside\" to `after`"),
    ];
    for (url, expected) in bad {
        let told = problems(url);
        assert!(told.len() == 1 && told[0].contains(expected), "{url}: {told:#?}");
        assert!(told[0].starts_with("p/dags/d.toml:9: [tasks.second] "), "{}", told[0]);
    }
    let told = problems("{{ params.day");
    assert!(told[0].starts_with("p/dags/d.toml:9: task \"second\": the template"), "{told:#?}");
}
