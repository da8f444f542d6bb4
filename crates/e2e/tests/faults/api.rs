//! An API that misbehaves in every way it knows: each user that it serves arrives, once.

use anyhow::{Context, bail};
use checker::{Finding, Report, check::same};
use e2e::{Fleet, evidence, probe};
use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};
use wire::{avro::Codec, frame, passed::Offsets};

const PER_PAGE: u64 = 1_000;
/// 20,000 users in the short form; the whole of 100,000 with `MILLRACE_USERS=100000`.
const USERS: u64 = 20_000;
const REST_MAX: Duration = Duration::from_secs(120);

pub async fn every_user_of_an_api_that_misbehaves(fleet: &Fleet) -> anyhow::Result<String> {
    let users = std::env::var("MILLRACE_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(USERS);
    let pages = users / PER_PAGE;
    let tries = fetch_all(fleet, pages).await?;
    rest(fleet).await?;
    let fetched = next_page(fleet).await? - 1;
    let served = served(fleet, "people", PER_PAGE, 1..=fetched).await?;
    let arrived = in_topic(fleet, "people").await?;
    let (clean, dead) = (in_topic(fleet, "people_clean").await?, in_topic(fleet, "people-dead").await?);
    let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
    let there = set(&[clean.clone(), dead.clone()].concat());
    let mut findings: Vec<Finding> = same("the topic", &served, &set(&arrived));
    findings.extend(same("clean + dead", &served, &there));
    findings.extend(same("table people_by_id", &set(&clean), &ids_in_cassandra(fleet).await?));
    findings.extend(same("table people", &set(&clean), &ids_in_postgres(fleet).await?));
    findings.extend(set(&clean).intersection(&set(&dead)).map(|id| Finding::Doubled {
        id: id.clone(),
        place: "clean and dead".into(),
        times: 2,
    }));
    let looked_at = [
        ("served", served.len()),
        ("in the topic", arrived.len()),
        ("clean", set(&clean).len()),
        ("dead", set(&dead).len()),
    ];
    let report = Report { findings, looked_at: looked_at.map(|(what, n)| (what, n as u64)).into() };
    let told = crate::clean(report)?;
    let faults = faults_that_fired(fleet)?;
    Ok(format!(
        "{told}\n{tries} fetches, {} records repeated in the topic; faults met: {faults}",
        arrived.len() - served.len()
    ))
}

/// Fetches until so many pages were fetched; in the middle the fetcher is killed. Answers how many fetches that took.
async fn fetch_all(fleet: &Fleet, pages: u64) -> anyhow::Result<u32> {
    let (mut tries, mut killed) = (0, false);
    while next_page(fleet).await? <= pages {
        tries += 1;
        if tries > 200 {
            bail!("{tries} fetches, and {pages} pages were not fetched");
        }
        if !killed && next_page(fleet).await? > pages / 2 {
            killed = true;
            let kill = async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                fleet.kill("fetcher")
            };
            let (_, pid) = tokio::join!(probe::fetch(fleet, "people"), kill);
            pid?;
            fleet.start_one("fetcher", "")?;
            fleet.ready("fetcher").await?;
            continue;
        }
        // A fetch that failed left the cursor where it was.
        let _ = probe::fetch(fleet, "people").await;
    }
    Ok(tries)
}

async fn next_page(fleet: &Fleet) -> anyhow::Result<u64> {
    let found: Option<serde_json::Value> =
        sqlx::query_scalar("SELECT cursor FROM source_cursor WHERE source = 'people'")
            .fetch_optional(&fleet.millrace)
            .await?;
    Ok(found.and_then(|cursor| cursor["page"].as_u64()).unwrap_or(1))
}

async fn rest(fleet: &Fleet) -> anyhow::Result<()> {
    for (group, topic) in
        [("job.people", "people"), ("sink.people_by_id", "people_clean"), ("sink.people", "people_clean")]
    {
        fleet.has_passed(group, topic, REST_MAX).await?;
    }
    Ok(())
}

/// The ids that the API has on these pages, asked for without faults.
pub async fn served(
    fleet: &Fleet,
    seed: &str,
    per_page: u64,
    pages: RangeInclusive<u64>,
) -> anyhow::Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for page in pages {
        let url = format!(
            "{}/api/1.4/?results={per_page}&page={page}&seed={seed}&inc=login&fault=500:0",
            fleet.url("users-api")
        );
        let answer: serde_json::Value = fleet.http.get(url).send().await?.json().await?;
        let users = answer["results"].as_array().context("users")?;
        ids.extend(users.iter().filter_map(|user| user["login"]["uuid"].as_str().map(str::to_owned)));
    }
    Ok(ids)
}

/// The ids of all records of a topic of people, repeats included.
pub async fn in_topic(fleet: &Fleet, topic: &str) -> anyhow::Result<Vec<String>> {
    let codec = Codec::parse(include_str!("../../pipelines/people/person.avsc"))?;
    let mut ids = vec![];
    for (_, _, value) in evidence::values(fleet, topic, &Offsets::default()).await? {
        let (_, body) = frame::split(&value)?;
        let person = wire::avro::to_json(&codec.decode(body)?);
        ids.push(person["id"].as_str().context("an id")?.to_owned());
    }
    Ok(ids)
}

async fn ids_in_cassandra(fleet: &Fleet) -> anyhow::Result<BTreeSet<String>> {
    let rows = evidence::rows_of(fleet, "", "people_by_id", "id", "id").await?;
    Ok(rows.iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect())
}

async fn ids_in_postgres(fleet: &Fleet) -> anyhow::Result<BTreeSet<String>> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM people").fetch_all(&fleet.analytics).await?;
    Ok(ids.into_iter().collect())
}

/// Each fault, and what the fetcher says when it meets it. An empty page is looked at twice and not told.
const FAULTS: [(&str, &str); 6] = [
    ("429", "429 Too Many Requests"),
    ("500", "500 Internal Server Error"),
    ("badjson", "the body is not JSON"),
    ("slow", "timed out"),
    ("endless", "its answer is larger than"),
    ("reset", "error reading a body from connection"),
];

/// How often each kind of fault was met: each must have happened.
fn faults_that_fired(fleet: &Fleet) -> anyhow::Result<String> {
    let log = fleet.log("fetcher");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("trying again")).collect();
    let met = FAULTS.map(|(fault, says)| (fault, told.iter().filter(|line| line.contains(says)).count()));
    match met.iter().find(|(_, times)| *times == 0) {
        Some((fault, _)) => bail!("the fault \"{fault}\" never happened: {met:?}"),
        None => Ok(met.map(|(fault, times)| format!("{times} × {fault}")).join(", ")),
    }
}
