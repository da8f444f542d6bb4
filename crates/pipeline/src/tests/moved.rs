//! The DAGs of docs/moving-from-airflow.md are DAGs.

use super::*;

/// The files that stand in a document, by the names in their first lines; the last of a name counts.
fn files(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```toml\n# ").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter_map(|block| block.split_once('\n')).map(|(name, text)| (name.into(), text.into())).collect()
}

fn read(name: &str, text: &str) -> Result<Pipeline, Vec<Problem>> {
    let files = [("pipeline.toml".to_owned(), String::new()), (format!("dags/{name}"), text.to_owned())];
    Pipeline::parse(&Bundle { name: "moved".into(), files: files.into() })
}

#[test]
fn the_translated_dags_load_and_the_one_that_is_wrong_says_where() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/moving-from-airflow.md");
    let files = files(&fs::read_to_string(document).unwrap());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "process_employees.toml",
        "tutorial_taskflow_api.toml",
        "files_of_the_day.toml",
        "files_of_the_day.toml",
    ];
    assert_eq!(names, expected);
    for (number, (name, text)) in files.iter().enumerate() {
        match read(name, text) {
            Ok(pipeline) if number != 2 => assert!(pipeline.dags.values().all(|dag| dag.tasks.len() > 2)),
            Err(problems) if number == 2 => {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                assert!(told[0].contains("unknown field `depends`"), "{told:?}");
            }
            other => panic!("{name}, block {number}: {other:#?}"),
        }
    }
}
