//! `millrace check`: what ships is right, and each mistake is one clear error with file and line, exit code 2.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn millrace() -> PathBuf {
    test_support::binaries().join("millrace")
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn check(config: &Path) -> Output {
    Command::new(millrace()).arg("check").arg(config).output().unwrap()
}

#[test]
fn the_configuration_that_ships_is_right() {
    let output = check(&shipped());
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn each_mistake_is_one_error_with_file_and_line() {
    let cases = [
        (
            "producer.toml",
            "body_bytes_max",
            "body_bites_max",
            "producer.toml:3: unknown field `body_bites_max`",
        ),
        ("worker.toml", "capacity = 8", "capacity = \"eight\"", "worker.toml:3: invalid type"),
        ("millrace.toml", "kafka = 9092", "kafka = 99092", "millrace.toml:5:"),
        (
            "pipelines/users/pipeline.toml",
            "schema = \"users.avsc\"",
            "schema = \"gone.avsc\"",
            "names the file \"gone.avsc\"",
        ),
        ("pipelines/users/users_clean.sql", "lower(trim(email))", "lover(trim(email))", "users_clean.sql:9"),
        (
            "pipelines/users/dags/users.toml",
            "kind = \"fetch\"",
            "kind = \"fetch\"\nafter = [\"report\"]",
            "waits for itself",
        ),
    ];
    for (file, from, to, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        test_support::copy_folder(&shipped(), folder.path()).unwrap();
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let output = check(folder.path());
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{file}: {told}");
        assert!(told.contains(expected), "{file}: {told}");
        assert_eq!(told.matches(".toml:").count() + told.matches(".sql:").count(), 1, "{file}: {told}");
    }
}
