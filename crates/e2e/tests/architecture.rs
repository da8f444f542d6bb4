//! The house rules that a compiler does not hold: who may know whom, and that documents name what exists.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const PROCESSES: [&str; 9] = [
    "users-api",
    "fetcher",
    "producer",
    "scheduler",
    "coordinator",
    "worker",
    "cassandra-sink",
    "postgres-sink",
    "control-center",
];
/// From the bottom up. A crate knows only crates below it, or beside it where the pair is named.
const LAYERS: [&[&str]; 5] = [
    &["model", "schedule"],
    &["wire", "servers"],
    &["kafka", "registry", "postgres", "cassandra", "service", "web"],
    &["pipeline", "query", "queue", "sink", "deadletters"],
    &[],
];
const BESIDE: [(&str, &str); 3] = [("query", "pipeline"), ("queue", "pipeline"), ("sink", "pipeline")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each crate of the workspace with the names of its dependencies, tests' left out.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let folders = fs::read_dir(root().join("crates")).unwrap().flatten().map(|entry| entry.path());
    folders
        // A workspace of its own, which knows what it gives any bytes to.
        .filter(|path| !path.ends_with("fuzz"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                dependencies(&path.join("Cargo.toml"), "dependencies"),
            )
        })
        .collect()
}

fn dependencies(manifest: &Path, section: &str) -> BTreeSet<String> {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    manifest
        .get(section)
        .and_then(|found| found.as_table())
        .map(|found| found.keys().cloned().collect())
        .unwrap_or_default()
}

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&name)).unwrap_or(LAYERS.len() - 1)
}

#[test]
fn arrows_point_down() {
    let crates = crates();
    for (name, known) in &crates {
        // For development only, and known by nobody: they may know anybody.
        if ["test-support", "e2e", "bench", "xtask"].contains(&name.as_str()) {
            continue;
        }
        for other in known.iter().filter(|other| crates.contains_key(*other)) {
            let beside = BESIDE.contains(&(name, other));
            assert!(layer(other) < layer(name) || beside, "{name} must not know {other}");
        }
    }
}

#[test]
fn no_process_knows_a_process() {
    for (name, known) in crates().iter().filter(|(name, _)| *name != "e2e") {
        let other = PROCESSES.iter().find(|other| known.contains(**other));
        assert_eq!(other, None, "{name} knows a process");
    }
}

#[test]
fn one_crate_knows_each_outside_thing() {
    let only = |library: &str, owner: &str| {
        for (name, known) in crates().iter().filter(|(name, _)| *name != owner) {
            assert!(
                !known.iter().any(|known| known.starts_with(library)),
                "{name} knows {library}; only {owner} may"
            );
        }
    };
    only("rdkafka", "kafka");
    only("kafka-protocol", "kafka");
    only("datafusion", "query");
    only("scylla", "cassandra");
    only("schema_registry_converter", "registry");
}

#[test]
fn every_declared_dependency_is_used() {
    let used: BTreeSet<String> = crates()
        .keys()
        .flat_map(|name| {
            let manifest = root().join("crates").join(name).join("Cargo.toml");
            let source = source(&root().join("crates").join(name));
            let all: Vec<String> = dependencies(&manifest, "dependencies")
                .into_iter()
                .chain(dependencies(&manifest, "dev-dependencies"))
                .collect();
            for dependency in &all {
                assert!(
                    source.contains(&dependency.replace('-', "_")),
                    "{name} declares {dependency} and does not use it"
                );
            }
            all
        })
        .collect();
    let workspace: toml::Table =
        toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    for dependency in workspace["workspace"]["dependencies"].as_table().unwrap().keys() {
        assert!(used.contains(dependency), "no crate uses the workspace's {dependency}");
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for name in crates().keys() {
        let folder = root().join("crates").join(name).join("src");
        let file =
            if folder.join("lib.rs").exists() { folder.join("lib.rs") } else { folder.join("main.rs") };
        assert!(fs::read_to_string(file).unwrap().starts_with("//! "), "{name} has no crate doc");
    }
}

#[test]
fn documents_name_only_what_exists() {
    for document in [
        "README.md",
        "docs/ARCHITECTURE.md",
        "docs/DAGS.md",
        "docs/DOCKER.md",
        "docs/RELIABILITY.md",
        "docs/coming-from-airflow-and-spark.md",
    ] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
        for path in words.filter(|word| {
            ["crates/", "config/", "docker/", "migrations/", "docs/"].iter().any(|top| word.starts_with(top))
        }) {
            let path = path.trim_end_matches(['.', '/']);
            assert!(
                path.contains("NAME") || root().join(path).exists(),
                "{document} names {path}, which does not exist"
            );
        }
    }
}

/// All Rust text of a crate.
fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &source(&path);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}
