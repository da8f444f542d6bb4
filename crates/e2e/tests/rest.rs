//! REST is asked whatever its description allows, and what it does not allow: nothing may be the server's fault.

#![allow(clippy::unwrap_used)]

use e2e::Crew;
use std::{path::PathBuf, time::Duration};
use tokio::{process::Command, time::timeout};

/// The same cases each time.
const SEED: &str = "1";
const CASES_PER_OPERATION: &str = "30";
const ASKED_WITHIN: Duration = Duration::from_secs(300);

/// `make deps-test` installs it.
fn schemathesis() -> PathBuf {
    test_support::binaries().parent().unwrap().join("schemathesis/bin/schemathesis")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_is_no_fault_of_the_server() {
    let crew = Crew::start(&[("one", &[])]).await;
    let dag = crew.dag("[tasks.a]\nkind = \"noop\"\n");
    let id = crew.trigger(&dag.name).await;
    assert_eq!(crew.ends(id).await, "success");
    // It leaves a cache where it runs.
    let folder = tempfile::tempdir().unwrap();
    let asked = Command::new(schemathesis())
        .current_dir(folder.path())
        .args(["run", "--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"])
        .args(["--seed", SEED, "--max-examples", CASES_PER_OPERATION])
        .args(["--generation-database", "none", "--request-timeout", "30", "--no-color"])
        .arg(format!("{}/api/v1/openapi.json", crew.url))
        .kill_on_drop(true)
        .output();
    let output = timeout(ASKED_WITHIN, asked).await.expect("it comes to its end").expect("it is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}");
}
