#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

#[test]
fn what_a_process_says_is_taken_apart_into_file_line_and_message() {
    let cases = [
        (
            "config/worker.toml:3: unknown field `x`: no",
            Some(("config/worker.toml", 3, "unknown field `x`: no")),
        ),
        ("cannot read config/worker.toml: no such file", None),
    ];
    for (text, expected) in cases {
        let found = processes::problem(text);
        let found =
            found.as_ref().map(|problem| (problem.file.as_str(), problem.line, problem.message.as_str()));
        assert_eq!(found, expected);
    }
}

#[test]
fn problems_of_a_pipeline_name_the_file_as_the_folder_was_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("pipelines/orders");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("pipeline.toml"), "[tables.orders]\nstore = \"cassandra\"\nstream = \"orders\"\n")
        .unwrap();
    let whole = root.path().display().to_string();
    let file = format!("{whole}/pipelines/orders/pipeline.toml");
    for dir in [root.path(), &root.path().join("pipelines"), &folder] {
        let (right, problems) = pipelines(dir).unwrap();
        assert!(right.is_empty());
        assert_eq!((problems[0].file.as_str(), problems[0].line), (file.as_str(), 1));
    }
}

#[test]
fn a_folder_without_any_pipeline_is_wrong_input() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(pipelines(root.path()), Err(Failure::WrongInput(_))));
}
