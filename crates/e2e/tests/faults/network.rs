//! A network that fails: answers that nobody hears, requests that arrive when nobody waits for them any more.

use crate::{clean, scenes::WORKERS, servers::Markers};
use anyhow::bail;
use e2e::{Fleet, REST_MAX, Story, evidence::By, probe, runs};
use fault_proxy::{Action, Fired, Matches, Protocol, Proxy, Rule, kafka, postgres};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A fault that was ordered fires within this: commits come many times a second.
const FIRES_WITHIN: Duration = Duration::from_secs(30);

async fn fires(fleet: &Fleet, what: &str, fault: &Fired, times: usize) -> anyhow::Result<()> {
    fleet.within(FIRES_WITHIN, &format!("{what}, {times} times"), || async { fault.count() >= times }).await
}

/// The address of a database behind a proxy.
fn url(proxy: &Proxy, database: &str) -> String {
    format!("postgres://{}@{}/{database}", servers::POSTGRES_USER, proxy.address())
}

/// "Did my commit happen?" PostgreSQL does it, and its answer never arrives: at the sink, and at the scheduler.
pub async fn commits_are_not_answered(fleet: &Fleet) -> anyhow::Result<String> {
    let analytics = Proxy::start(&fleet.address("postgres"), Protocol::Postgres).await?;
    let metadata = Proxy::start(&fleet.address("postgres"), Protocol::Postgres).await?;
    fleet
        .restart_with(&["postgres-sink"], &[("MILLRACE_ANALYTICS_URL", &url(&analytics, "analytics"))])
        .await?;
    fleet.restart_with(&["scheduler"], &[("MILLRACE_POSTGRES_URL", &url(&metadata, "millrace"))]).await?;
    let mut story = Story::begin(fleet, "commit").await?;
    story.load(story.events());
    story.goes_on(100).await?;
    // The sink writes rows and place in one statement, which commits itself: the one with the load's rows.
    let commit = || Matches::kind(postgres::BIND).and_text(&story.run);
    let cut = Rule { matches: commit(), action: Action::CutBeforeAnswer, times: 10 };
    fires(fleet, "a commit of the sink is cut off", &analytics.rule(cut), 10).await?;
    // The connection stays, and says nothing any more.
    let swallowed = Rule { matches: commit(), action: Action::SwallowAnswer, times: 2 };
    fires(fleet, "a commit of the sink is not answered", &analytics.rule(swallowed), 2).await?;
    let runs = [
        runs_in_spite_of(fleet, &metadata, Action::CutBeforeAnswer, 5).await?,
        runs_in_spite_of(fleet, &metadata, Action::SwallowAnswer, 2).await?,
    ];
    let once = asked_twice(fleet, &metadata).await?;
    story.goes_on(100).await?;
    let report = story.check(By::Ours, REST_MAX).await?;
    let no_key: [(&str, &str); 2] =
        [("MILLRACE_POSTGRES_URL", &url(&metadata, "millrace")), ("MILLRACE_TEST_BREAK", "no-run-key")];
    fleet.restart_with(&["scheduler"], &no_key).await?;
    let without = asked_twice(fleet, &metadata).await?;
    fleet.restart_with(&["postgres-sink", "scheduler"], &[]).await?;
    if once != 1 || without < 2 {
        bail!(
            "a key that was given twice made {once} runs, without its guard {without}: 1 and more are right"
        );
    }
    let runs = runs.join(", ");
    Ok(format!(
        "12 commits of the sink unanswered; of the scheduler {runs}; a key given twice made 1 run, {without} without no-run-key\n{}",
        clean(report)?
    ))
}

/// Each trigger makes one run, which ends well, although the scheduler does not hear of what it has committed.
async fn runs_in_spite_of(
    fleet: &Fleet,
    metadata: &Proxy,
    action: Action,
    runs: i64,
) -> anyhow::Result<String> {
    let began = runs::count(fleet).await?;
    let mut unheard = 0;
    for _ in 0..runs {
        let fault = metadata.rule(Rule { matches: Matches::text("COMMIT"), action, times: 2 });
        probe::run(fleet).await?;
        unheard += fault.count();
        metadata.heal();
    }
    let made = runs::count(fleet).await? - began;
    if made != runs {
        bail!("{runs} triggers made {made} runs");
    }
    if unheard == 0 {
        bail!("no COMMIT of the scheduler met {action:?}: the fault has hit none");
    }
    Ok(format!("{unheard} met {action:?}, {runs} triggers made {made} runs"))
}

/// The answer of a COMMIT is lost, so who triggers does it again with the same key. Answers how many runs that made.
async fn asked_twice(fleet: &Fleet, metadata: &Proxy) -> anyhow::Result<i64> {
    let (began, key) = (runs::count(fleet).await?, test_support::unique("twice"));
    let lost = metadata.rule(Rule::once(Matches::text("COMMIT"), Action::CutBeforeAnswer));
    probe::trigger(fleet, &key).await;
    fires(fleet, "a COMMIT is cut off", &lost, 1).await?;
    metadata.heal();
    let again = || probe::trigger(fleet, &key);
    fleet.within(FIRES_WITHIN, "the second trigger is answered", again).await?;
    Ok(runs::count(fleet).await? - began)
}

/// Cassandra writes and is not heard: cut off, and silent. Rows are there, each with its newest event.
pub async fn writes_to_cassandra_are_not_answered(fleet: &Fleet) -> anyhow::Result<String> {
    let proxy = Proxy::start(&fleet.address("cassandra"), Protocol::Cql).await?;
    fleet.restart_with(&["cassandra-sink"], &[("MILLRACE_CASSANDRA_HOSTS", &proxy.address())]).await?;
    let mut story = Story::begin(fleet, "unheard").await?;
    story.load(story.events());
    story.goes_on(100).await?;
    // What holds the load's rows is a write.
    let write = || Matches::text(&story.run);
    for (what, action, times) in [
        ("a write to Cassandra is done and cut off", Action::CutBeforeAnswer, 3),
        ("a write to Cassandra is not answered", Action::SwallowAnswer, 5),
    ] {
        fires(fleet, what, &proxy.rule(Rule { matches: write(), action, times }), times).await?;
        story.goes_on(100).await?;
    }
    let report = story.check(By::Ours, REST_MAX).await?;
    fleet.restart_with(&["cassandra-sink"], &[]).await?;
    Ok(format!("8 writes done and not answered\n{}", clean(report)?))
}

/// A run that nobody hints at ends by the next look of a scheduler: it looks every few seconds.
const WITHOUT_HINTS_MAX: Duration = Duration::from_secs(12);

/// Who has heard nothing for 20 s asks whether it still hears, and waits 20 s for the answer.
const FOUND_DEAD_WITHIN: Duration = Duration::from_secs(60);

/// The connection that listens is there and says nothing, so no hint ever arrives: first its LISTEN is not answered, then it is, and
/// the connection dies without a word. That one is found to be dead, and LISTEN is said again on another.
pub async fn hints_are_never_heard(fleet: &Fleet) -> anyhow::Result<String> {
    let proxy = Proxy::start(&fleet.address("postgres"), Protocol::Postgres).await?;
    let mut told = vec![];
    for (what, action) in
        [("not answered", Action::SwallowAnswer), ("the last that is answered", Action::Deafen)]
    {
        let deaf = deafened(fleet, &proxy, action, "").await?;
        let longest = longest_of_three_runs(fleet).await?;
        let at_first = deaf.count();
        let again = || async { deaf.count() > at_first };
        fleet.within(FOUND_DEAD_WITHIN, "the dead connection is found, and LISTEN said again", again).await?;
        told.push(format!("{at_first} times LISTEN was {what}; the longest of 3 runs took {longest:.1?}"));
        proxy.heal();
    }
    let _deaf = deafened(fleet, &proxy, Action::SwallowAnswer, "only-hints").await?;
    // The first may be found by the look with which an executor begins.
    let _ = timeout(WITHOUT_HINTS_MAX, probe::run(fleet)).await;
    let second = timeout(WITHOUT_HINTS_MAX, probe::run(fleet)).await;
    fleet.restart_with(&["scheduler"], &[]).await?;
    if second.is_ok() {
        bail!("a run ended although nobody heard of it and nobody looked: this tests nothing");
    }
    told.push(format!("with only-hints a run does not end within {WITHOUT_HINTS_MAX:?}"));
    Ok(told.join("\n"))
}

/// A scheduler whose LISTEN this happens to.
async fn deafened(fleet: &Fleet, proxy: &Proxy, action: Action, breaks: &str) -> anyhow::Result<Fired> {
    let deaf = proxy.rule(Rule::always(Matches::text("LISTEN"), action));
    let url = url(proxy, "millrace");
    let settings: [(&str, &str); 2] = [("MILLRACE_POSTGRES_URL", &url), ("MILLRACE_TEST_BREAK", breaks)];
    fleet.restart_with(&["scheduler"], &settings).await?;
    fires(fleet, &format!("LISTEN meets {action:?}"), &deaf, 1).await?;
    Ok(deaf)
}

async fn longest_of_three_runs(fleet: &Fleet) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let triggered = Instant::now();
        probe::run(fleet).await?;
        longest = longest.max(triggered.elapsed());
    }
    if longest > WITHOUT_HINTS_MAX {
        bail!("without hints a run took {longest:.1?}, at most {WITHOUT_HINTS_MAX:?} are allowed");
    }
    Ok(longest)
}

/// The request that ends a transaction is late, later than its sender waits, or does its work and is not answered.
pub async fn ends_of_transactions_are_late(fleet: &Fleet) -> anyhow::Result<String> {
    let proxy = Proxy::start(fleet.cluster.bootstrap(), Protocol::Kafka).await?;
    fleet.restart_with(&WORKERS, &[("MILLRACE_KAFKA_BOOTSTRAP", &proxy.address())]).await?;
    let markers = Markers::write_through(fleet, &proxy.address()).await?;
    let mut story = Story::begin(fleet, "late").await?;
    story.load(story.events());
    story.goes_on(100).await?;
    let faults = [
        ("an end is three seconds late", Action::Delay(Duration::from_secs(3)), 3),
        ("an end comes when nobody waits for it", Action::Delay(Duration::from_secs(13)), 2),
        ("an end is done and cut off", Action::CutBeforeAnswer, 3),
        ("an end is done and not answered", Action::SwallowAnswer, 2),
        ("an end is lost", Action::Drop, 2),
    ];
    for (what, action, times) in faults {
        let rule = Rule { matches: Matches::kind(kafka::END_TXN), action, times };
        fires(fleet, what, &proxy.rule(rule), times).await?;
        story.goes_on(100).await?;
        markers.go_on(fleet).await?;
    }
    let told = markers.check(fleet).await?;
    let report = story.check(By::Ours, REST_MAX).await?;
    fleet.restart_with(&WORKERS, &[]).await?;
    Ok(format!("12 ends of transactions broken; {told}\n{}", clean(report)?))
}
