use std::path::Path;
use std::sync::Mutex;

use rustix::process::Signal;

use super::*;
use crate::identity::Identity;
use crate::process::{Before, Health, Launch, Stop};

const LIMIT: Duration = Duration::from_secs(60);

/// A shell script that is healthy once something listens on `port`.
fn process(folder: &Path, name: &str, script: &str, port: u16, rank: u8) -> Process {
    Process {
        name: name.into(),
        kind: Kind::Ours,
        address: String::new(),
        ports: vec![],
        launch: Launch {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            folder: Some(folder.into()),
            ..Launch::default()
        },
        log: folder.join(name),
        health: Health::Ready(format!("http://127.0.0.1:{port}/readyz")),
        needs: vec![],
        before: Before::Nothing,
        stop: Stop { rank, signal: Signal::TERM, within: Duration::from_millis(500) },
        class_archive: None,
    }
}

/// Answers 200 to everything, in place of the scripts, which can't listen.
async fn always_ready() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = tokio::io::BufStream::new(stream);
            use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
            let _ = stream.flush().await;
        }
    });
    port
}

fn nothing() -> Record {
    Arc::new(|_| {})
}

fn identities(supervisor: &Supervisor) -> Vec<Identity> {
    let states = supervisor.states.borrow();
    states.iter().map(|s| Identity { pid: s.pid.unwrap(), start_time: s.start_time.unwrap() }).collect()
}

#[tokio::test]
async fn processes_stop_in_the_order_of_their_ranks_and_the_deaf_ones_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let port = always_ready().await;
    let polite =
        |name: &str| format!("trap 'echo {name} >> order; exit 0' TERM; while :; do sleep 0.02; done");
    let deaf = process(folder.path(), "deaf", "trap '' TERM; while :; do sleep 0.02; done", port, 0);
    let mut first = process(folder.path(), "first", &polite("first"), port, 1);
    let mut last = process(folder.path(), "last", &polite("last"), port, 2);
    (first.stop.within, last.stop.within) = (LIMIT, LIMIT);
    let mut supervisor = Supervisor::start(vec![last, deaf, first], nothing());
    supervisor.all_healthy(LIMIT).await.unwrap();
    let identities = identities(&supervisor);
    supervisor.stop().await;
    assert!(identities.iter().all(|identity| !identity.is_alive()));
    assert_eq!(std::fs::read_to_string(folder.path().join("order")).unwrap(), "first\nlast\n");
}

#[tokio::test]
async fn each_process_leads_a_session_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let port = always_ready().await;
    let sleeper = |name: &str| process(folder.path(), name, "exec sleep 1000", port, 0);
    let mut supervisor = Supervisor::start(vec![sleeper("one"), sleeper("other")], nothing());
    supervisor.all_healthy(LIMIT).await.unwrap();
    for identity in identities(&supervisor) {
        let pid = rustix::process::Pid::from_raw(identity.pid.cast_signed());
        assert_eq!(rustix::process::getsid(pid).ok(), pid);
    }
    supervisor.stop().await;
}

#[tokio::test]
async fn a_process_that_dies_is_started_again_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let port = always_ready().await;
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let record = recorded.clone();
    let only = process(folder.path(), "only", "exec sleep 1000", port, 0);
    let record: Record = Arc::new(move |states| record.lock().unwrap().push(states[0].pid.unwrap()));
    let mut supervisor = Supervisor::start(vec![only], record);
    supervisor.all_healthy(LIMIT).await.unwrap();
    let first = identities(&supervisor)[0];
    first.signal(Signal::KILL);
    let again = |states: &Vec<ProcessState>| states[0].restarts == 1 && states[0].state == State::Healthy;
    tokio::time::timeout(LIMIT, supervisor.states().wait_for(again)).await.unwrap().unwrap();
    let second = identities(&supervisor)[0];
    supervisor.stop().await;
    assert_eq!(*recorded.lock().unwrap(), [first.pid, second.pid]);
    assert!(!second.is_alive());
}

#[tokio::test]
async fn a_process_that_never_becomes_healthy_fails_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let port = always_ready().await;
    let mut bad = process(folder.path(), "bad", "echo port is bad; exit 3", port, 0);
    bad.health = Health::Ready("http://127.0.0.1:1/".into());
    let mut waiting = process(folder.path(), "waiting", "exec sleep 1000", port, 0);
    waiting.needs = vec!["bad".into()];
    let mut supervisor = Supervisor::start(vec![waiting, bad], nothing());
    let message = supervisor.all_healthy(LIMIT).await.unwrap_err().to_string();
    supervisor.stop().await;
    for expected in ["bad did not become healthy: ", "exit status: 3", "\nport is bad"] {
        assert!(message.contains(expected), "{message}");
    }
}
