//! Faults on the real servers, one after the other, on a fleet of their own. After each the checker looks at every id.
//!
//! One test, because what is killed cannot be shared: the stories are told in turn, and all failures are told together.
//! `MILLRACE_FAULTS=kills,zombie` tells some of them only; `MILLRACE_KILLS` is how many kills the first of them makes.

#![allow(clippy::unwrap_used)]

mod api;
mod durable;
mod guards;
mod limits;
mod network;
mod ours;
mod scenes;
mod servers;

use checker::Report;
use e2e::{Fleet, say};
use futures::FutureExt;
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// The longest takes a minute or two; what hangs must be told, and not hold up all that comes after it.
const STORY_MAX: Duration = Duration::from_secs(600);
/// Of these the user may ask for more than the short form has.
const KILL_MAX: Duration = Duration::from_secs(30);
const THOUSAND_USERS_MAX: Duration = Duration::from_secs(15);

/// How long a story may take.
fn story_max(name: &str) -> Duration {
    STORY_MAX
        + match name {
            "kills" => KILL_MAX * ours::kills() as u32,
            "api" => THOUSAND_USERS_MAX * (api::users() / 1_000) as u32,
            _ => Duration::ZERO,
        }
}

type Told<'a> = Pin<Box<dyn Future<Output = anyhow::Result<String>> + 'a>>;
type Tell = for<'a> fn(&'a Fleet) -> Told<'a>;

const STORIES: [(&str, Tell); 20] = [
    ("kills", |fleet| Box::pin(ours::killed_again_and_again(fleet))),
    ("term", |fleet| Box::pin(ours::asked_to_end_under_load(fleet))),
    ("zombie", |fleet| Box::pin(ours::a_worker_that_was_taken_for_gone(fleet))),
    ("open", |fleet| Box::pin(ours::transactions_are_left_open(fleet))),
    ("broker", |fleet| Box::pin(servers::a_broker_is_killed(fleet))),
    ("broker-stopped", |fleet| Box::pin(servers::a_broker_stands_still(fleet))),
    ("cassandra", |fleet| Box::pin(servers::cassandra_is_killed_and_stands_still(fleet))),
    ("postgres", |fleet| Box::pin(servers::postgresql_is_killed(fleet))),
    ("postgres-connections", |fleet| Box::pin(servers::connections_to_postgresql_are_cut(fleet))),
    ("registry", |fleet| Box::pin(servers::the_registry_stands_still(fleet))),
    ("registry-unknown", |fleet| Box::pin(servers::a_new_schema_waits_for_the_registry(fleet))),
    ("commits", |fleet| Box::pin(network::commits_are_not_answered(fleet))),
    ("hints", |fleet| Box::pin(network::hints_are_never_heard(fleet))),
    ("cassandra-answers", |fleet| Box::pin(network::writes_to_cassandra_are_not_answered(fleet))),
    ("ends", |fleet| Box::pin(network::ends_of_transactions_are_late(fleet))),
    ("memory", |fleet| Box::pin(limits::a_worker_gets_no_more_memory(fleet))),
    ("room", |fleet| Box::pin(limits::a_broker_has_no_room(fleet))),
    ("room-postgres", |fleet| Box::pin(limits::postgresql_has_no_room(fleet))),
    ("api", |fleet| Box::pin(api::every_user_of_an_api_that_misbehaves(fleet))),
    ("guards", |fleet| Box::pin(guards::each_guard_is_needed(fleet))),
];

/// Who gets no memory may die in any way.
const DIES_OF_MEMORY: &str = "memory";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_whatever_breaks() {
    let asked = std::env::var("MILLRACE_FAULTS").unwrap_or_default();
    let is_asked = |name: &str| asked.is_empty() || asked.split(',').any(|one| one == name);
    let fleet =
        timeout(STORY_MAX, Fleet::start("faults", 1)).await.expect("the fleet starts in time").unwrap();
    let mut failed = vec![];
    for (name, tell) in STORIES.into_iter().filter(|(name, _)| is_asked(name)) {
        let (started, panics) = (Instant::now(), fleet.panics().len());
        let told = timeout(story_max(name), AssertUnwindSafe(tell(&fleet)).catch_unwind()).await;
        let seconds = started.elapsed().as_secs();
        let cause = match told {
            Ok(Ok(Ok(_))) if fleet.panics().len() > panics && name != DIES_OF_MEMORY => {
                format!("{name}: a process panicked: {:?}", &fleet.panics()[panics..])
            }
            Ok(Ok(Ok(outcome))) => {
                say(&format!("{name}: good, {seconds} s\n{}", indented(&outcome)));
                continue;
            }
            Ok(Ok(Err(cause))) => format!("{name}: {cause:#}"),
            Ok(Err(_)) => format!("{name}: panicked, see above"),
            Err(_) => format!("{name}: not told to its end within {:?}", story_max(name)),
        };
        say(&format!("{name}: FAILED, {seconds} s: {cause}"));
        failed.push(cause);
        fleet.show_logs();
        timeout(STORY_MAX, fleet.mend()).await.expect("the fleet is mended in time").unwrap();
    }
    drop(fleet);
    assert!(failed.is_empty(), "{} stories failed:\n{}", failed.len(), failed.join("\n"));
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// The report as text where it has no finding, else as an error.
fn clean(report: Report) -> anyhow::Result<String> {
    match report.is_clean() {
        true => Ok(report.to_string().trim_end().to_owned()),
        false => Err(anyhow::anyhow!("{report}")),
    }
}
