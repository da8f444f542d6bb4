//! A network that fails: answers that nobody hears, requests that arrive when nobody waits for them any more.

use crate::{clean, scenes::WORKERS, servers::Markers};
use anyhow::bail;
use e2e::{Fleet, REST_MAX, Story, evidence::By, probe};
use fault_proxy::{Action, Fired, Matches, Protocol, Proxy, Rule, kafka, postgres};
use std::time::Duration;

/// A fault that was ordered fires within this: commits come many times a second.
const FIRES_WITHIN: Duration = Duration::from_secs(30);

async fn fires(fleet: &Fleet, what: &str, fault: &Fired, times: usize) -> anyhow::Result<()> {
    fleet.within(FIRES_WITHIN, &format!("{what}, {times} times"), || async { fault.count() >= times }).await
}

/// "Did my commit happen?" PostgreSQL does it, and its answer never arrives: at the sink, and at the scheduler.
pub async fn commits_are_not_answered(fleet: &Fleet) -> anyhow::Result<String> {
    let analytics = Proxy::start(&fleet.address("postgres"), Protocol::Postgres).await?;
    let metadata = Proxy::start(&fleet.address("postgres"), Protocol::Postgres).await?;
    let url = |proxy: &Proxy, database: &str| {
        format!("postgres://{}@{}/{database}", servers::POSTGRES_USER, proxy.address())
    };
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
    let runs = runs_in_spite_of(fleet, &metadata).await?;
    story.goes_on(100).await?;
    let report = story.check(By::Ours, REST_MAX).await?;
    fleet.restart_with(&["postgres-sink", "scheduler"], &[]).await?;
    Ok(format!("12 commits of the sink unanswered, {runs}\n{}", clean(report)?))
}

/// Each trigger makes one run, which ends well, although the scheduler does not hear of what it has committed.
async fn runs_in_spite_of(fleet: &Fleet, metadata: &Proxy) -> anyhow::Result<String> {
    const RUNS: i64 = 5;
    let began: i64 = count_runs(fleet).await?;
    let mut unheard = 0;
    for _ in 0..RUNS {
        let rule = Rule { matches: Matches::text("COMMIT"), action: Action::CutBeforeAnswer, times: 2 };
        let fault = metadata.rule(rule);
        probe::run(fleet).await?;
        unheard += fault.count();
        metadata.heal();
    }
    let made = count_runs(fleet).await? - began;
    if made != RUNS {
        bail!("{RUNS} triggers made {made} runs");
    }
    if unheard == 0 {
        bail!("no COMMIT of the scheduler was cut off: the fault has hit none");
    }
    Ok(format!("{unheard} of the scheduler; {RUNS} triggers made {made} runs"))
}

async fn count_runs(fleet: &Fleet) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM run WHERE dag = 'look'").fetch_one(&fleet.millrace).await?)
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
