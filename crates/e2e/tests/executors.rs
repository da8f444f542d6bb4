//! Executors: processes that only claim and run tasks. One that dies, and one that was taken for dead.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, Folder, Signal};
use servers::Identity;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use test_support::eventually;
use uuid::Uuid;

/// From the death of an executor to the start of its task elsewhere.
const ELSEWHERE_MAX: Duration = Duration::from_secs(15);
/// Of a task, seconds: longer than a lease.
const TAKES: u32 = 12;

/// A scheduler that runs no tasks itself, and two executors.
async fn crew(breaks: &str) -> Crew {
    let members: [(_, &[_]); 3] = [
        ("leader", &[("MILLRACE_TASKS_MAX", "0")]),
        ("one", &[("MILLRACE_ROLE", "executor"), ("MILLRACE_TEST_BREAK", breaks)]),
        ("two", &[("MILLRACE_ROLE", "executor")]),
    ];
    Crew::start(&members).await
}

/// A run of tasks that take long, some of which the executor `holder` has. Answers its id, and its DAG's folder.
async fn held_by(crew: &Crew, holder: &str) -> (Uuid, Folder) {
    // Whoever is free takes one: of several tasks, each executor has some.
    let (id, folder) = run_of(crew, 8).await;
    eventually(&format!("\"{holder}\" holds a task"), || async {
        (!held(crew, id, holder).await.is_empty()).then_some(())
    })
    .await;
    (id, folder)
}

/// A run of tasks that take long. Answers its id, and its DAG's folder.
async fn run_of(crew: &Crew, tasks: usize) -> (Uuid, Folder) {
    let task =
        format!("kind = \"command\"\nrun = [\"sh\", \"-c\", \"echo begun; sleep {TAKES}; echo done\"]\n");
    let folder = crew.dag(&(0..tasks).map(|n| format!("[tasks.t{n}]\n{task}")).collect::<String>());
    (crew.trigger(&folder.name).await, folder)
}

/// The tasks that an executor has.
async fn held(crew: &Crew, id: Uuid, holder: &str) -> Vec<String> {
    let statement =
        "SELECT name FROM task WHERE run_id = $1 AND state = 'running' AND holder = $2 ORDER BY name";
    sqlx::query_scalar(statement).bind(id).bind(holder).fetch_all(&crew.pool).await.unwrap()
}

/// Of each of the two that die.
const TASKS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_executors_that_die_begin_elsewhere_within_fifteen_seconds() {
    let few: [(&str, &str); 2] = [("MILLRACE_ROLE", "executor"), ("MILLRACE_TASKS_MAX", "25")];
    let many = [few[0], ("MILLRACE_TASKS_MAX", "50")];
    let members: [(_, &[_]); 4] =
        [("leader", &[("MILLRACE_TASKS_MAX", "0")]), ("one", &few), ("two", &few), ("three", &many)];
    let mut crew = Crew::start(&members).await;
    // Who is to take over has nothing before.
    crew.member("three").signal(Signal::STOP);
    let (id, _folder) = run_of(&crew, 2 * TASKS).await;
    let mut lost = eventually("both hold all of them", || async {
        let (one, two) = (held(&crew, id, "one").await, held(&crew, id, "two").await);
        (one.len() == TASKS && two.len() == TASKS).then(|| [one, two].concat())
    })
    .await;
    lost.sort();
    eventually("what they say is kept", || async {
        (said_in_first_try(&crew, id, &lost).await == lost).then_some(())
    })
    .await;
    crew.member("three").signal(Signal::CONT);
    let killed: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&crew.pool).await.unwrap();
    crew.member("one").kill();
    crew.member("two").kill();
    let mut took: Vec<f64> = eventually("another has begun all of them", || async {
        let begun = "SELECT extract(epoch FROM started_at - $2)::float8 FROM attempt WHERE run_id = $1 AND holder = 'three' AND attempt = 2";
        let took: Vec<f64> = sqlx::query_scalar(begun).bind(id).bind(killed).fetch_all(&crew.pool).await.unwrap();
        (took.len() == lost.len()).then_some(took)
    })
    .await;
    took.sort_by(f64::total_cmp);
    let [median, p99] = [50, 99].map(|part| took[(took.len() - 1) * part / 100]);
    println!(
        "{} tasks began elsewhere after their executors were killed: median {median:.1} s, p99 {p99:.1} s",
        took.len()
    );
    assert!(p99 < ELSEWHERE_MAX.as_secs_f64(), "{took:?}");
    assert_eq!(crew.ends(id).await, "success");
    assert_eq!(
        said_in_first_try(&crew, id, &lost).await,
        lost,
        "what was said before the death is still there"
    );
}

/// Those of the tasks whose first try has said that it has begun.
async fn said_in_first_try(crew: &Crew, id: Uuid, tasks: &[String]) -> Vec<String> {
    let statement = "SELECT DISTINCT task FROM task_log WHERE run_id = $1 AND task = ANY ($2) AND attempt = 1 AND line = 'begun' ORDER BY task";
    sqlx::query_scalar(statement).bind(id).bind(tasks).fetch_all(&crew.pool).await.unwrap()
}

/// A lease, and 30 s beyond it.
const STOPPED: Duration = Duration::from_secs(10 + 30);

/// Stops the executor `one` until another has done its tasks, and lets it go on. Answers the run's state after that, how many results of
/// its tasks were taken from it, and its log.
async fn stopped_and_continued(breaks: &str) -> (i64, String) {
    let mut crew = crew(breaks).await;
    let (id, _folder) = held_by(&crew, "one").await;
    let lost = held(&crew, id, "one").await;
    crew.member("one").signal(Signal::STOP);
    let stopped = Instant::now();
    assert_eq!(crew.ends(id).await, "success");
    eventually("its leases ended long ago", || async { (stopped.elapsed() > STOPPED).then_some(()) }).await;
    let ended: Vec<(String, chrono::DateTime<chrono::Utc>)> = ended(&crew, id, &lost).await;
    crew.member("one").signal(Signal::CONT);
    let said = eventually("it finds out", || async {
        let said = crew.said("one");
        let changed = ended_now(&crew, id, &lost, &ended).await > 0;
        (changed || said.contains("was refused") || said.contains("not lengthened") || told(&crew, id).await)
            .then_some(said)
    })
    .await;
    (ended_now(&crew, id, &lost, &ended).await, said)
}

/// Whether a task's log says that its holder lost it.
async fn told(crew: &Crew, id: Uuid) -> bool {
    let statement =
        "SELECT count(*) FROM task_log WHERE run_id = $1 AND line LIKE 'stopped: somebody ended the task%'";
    let row: (i64,) = sqlx::query_as(statement).bind(id).fetch_one(&crew.pool).await.unwrap();
    row.0 > 0
}

async fn ended(crew: &Crew, id: Uuid, tasks: &[String]) -> Vec<(String, chrono::DateTime<chrono::Utc>)> {
    sqlx::query_as("SELECT name, ended_at FROM task WHERE run_id = $1 AND name = ANY ($2) ORDER BY name")
        .bind(id)
        .bind(tasks)
        .fetch_all(&crew.pool)
        .await
        .unwrap()
}

/// How many of the tasks have ended once more since.
async fn ended_now(
    crew: &Crew,
    id: Uuid,
    tasks: &[String],
    before: &[(String, chrono::DateTime<chrono::Utc>)],
) -> i64 {
    let now = ended(crew, id, tasks).await;
    now.iter().zip(before).filter(|(now, before)| now != before).count() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_executor_says_that_was_taken_for_dead_is_refused() {
    let (taken, said) = stopped_and_continued("").await;
    assert_eq!(taken, 0, "{said}");
    let (taken, said) = stopped_and_continued("any-attempt").await;
    assert!(taken > 0, "without the attempt id, a late answer is taken: {said}");
}

/// From the death of an executor to that of its tasks' processes.
const GONE_MAX: Duration = Duration::from_secs(5);

/// The processes of one try: a shell, and what it has started. Killed when dropped, if they still are.
struct Family([Identity; 2]);

impl Family {
    /// Those of a try, from the file in which each try writes a line.
    fn of(file: &Path, number: usize) -> Option<Self> {
        let told = std::fs::read_to_string(file).ok()?;
        let line = told.split_inclusive('\n').nth(number)?.strip_suffix('\n')?.to_owned();
        let mut found = line.split(' ').map(|pid| Identity::of(pid.parse().unwrap()).expect("it lives"));
        Some(Self([found.next()?, found.next()?]))
    }

    /// How many of them live.
    fn alive(&self) -> usize {
        self.0.iter().filter(|process| process.is_alive()).count()
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.0.iter().for_each(|process| process.signal(Signal::KILL));
    }
}

/// Two executors without that guard, of which the one that has a long task is killed. Answers the task's processes, and the file in
/// which those of the next try will be.
async fn killed(breaks: &str) -> (Crew, Folder, Family, PathBuf) {
    let executor: &[_] = &[("MILLRACE_ROLE", "executor"), ("MILLRACE_TEST_BREAK", breaks)];
    let leader: &[_] = &[("MILLRACE_TASKS_MAX", "0")];
    let mut crew = Crew::start(&[("leader", leader), ("one", executor), ("two", executor)]).await;
    let file = crew.place("families");
    let says = format!("sleep 600 & echo $$ $! >> {}; wait", file.display());
    let folder = crew.dag(&format!("[tasks.long]\nkind = \"command\"\nrun = [\"sh\", \"-c\", \"{says}\"]\n"));
    let id = crew.trigger(&folder.name).await;
    let family = eventually("the task has begun", || async { Family::of(&file, 0) }).await;
    assert_eq!(family.alive(), 2);
    let holder = if held(&crew, id, "one").await.is_empty() { "two" } else { "one" };
    if breaks.is_empty() {
        another_warden(crew.member(holder).id()).await;
    }
    crew.member(holder).kill();
    (crew, folder, family, file)
}

/// Kills an executor's warden, and waits for the next.
async fn another_warden(executor: u32) {
    let first = warden_of(executor).expect("the executor has one");
    first.signal(Signal::KILL);
    eventually("another warden", || async { warden_of(executor).filter(|warden| *warden != first) }).await;
}

/// A process's children are those of its threads.
fn warden_of(executor: u32) -> Option<Identity> {
    let threads = std::fs::read_dir(format!("/proc/{executor}/task")).ok()?;
    let children = threads.flatten().flat_map(|thread| {
        let told = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        told.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
    });
    let is_warden = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.contains("\0warden"))
    };
    children.filter(is_warden).find_map(Identity::of)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_executors_task_has_started_is_gone_before_it_begins_elsewhere() {
    let (_crew, _folder, family, _) = killed("").await;
    let since = Instant::now();
    eventually("they are gone", || async { (family.alive() == 0).then_some(()) }).await;
    let took = since.elapsed();
    println!("a task's child and grandchild were gone {took:?} after their executor was killed");
    assert!(took < GONE_MAX, "{took:?}");

    let (_crew, _folder, family, file) = killed("no-warden").await;
    let second = eventually("the task begins elsewhere", || async { Family::of(&file, 1) }).await;
    assert_eq!(
        (family.alive(), second.alive()),
        (2, 2),
        "without the warden, the task is done twice at once"
    );
}
