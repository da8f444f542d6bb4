//! An API that misbehaves in every way it knows: each user that it serves arrives, once.

use anyhow::{Context, bail};
use checker::{
    Finding, Report,
    check::{as_often, same},
};
use e2e::{Fleet, evidence, probe};
use kafka::cluster::End;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};
use wire::{avro::Codec, frame, passed::Offsets};

const PER_PAGE: u64 = 1_000;
/// 20,000 users in the short form; the whole of 100,000 with `MILLRACE_USERS=100000`.
const USERS: u64 = 20_000;
const REST_MAX: Duration = Duration::from_secs(120);

/// How many users are fetched.
pub fn users() -> u64 {
    std::env::var("MILLRACE_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(USERS)
}

pub async fn every_user_of_an_api_that_misbehaves(fleet: &Fleet) -> anyhow::Result<String> {
    let tries = fetch_all(fleet, users() / PER_PAGE).await?;
    rest(fleet).await?;
    let fetched = next_page(fleet).await? - 1;
    let served = served(fleet, "people", PER_PAGE, 1..=fetched).await?;
    let arrived = in_topic(fleet, "people").await?;
    let (clean, dead) = (in_topic(fleet, "people_clean").await?, in_topic(fleet, "people-dead").await?);
    let set = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<String>>();
    let once = |ids: &[String]| set(ids).into_iter().collect::<Vec<_>>();
    let mut findings: Vec<Finding> = same("the topic", &served, &set(&arrived));
    // What was fetched again after the kill goes on as often as it is there; a table has it once.
    findings.extend(as_often("clean + dead", &arrived, &[clean.clone(), dead.clone()].concat()));
    findings.extend(as_often("table people_by_id", &once(&clean), &ids_in_cassandra(fleet).await?));
    findings.extend(as_often("table people", &once(&clean), &ids_in_postgres(fleet).await?));
    findings.extend(set(&clean).intersection(&set(&dead)).map(|id| Finding::Doubled {
        id: id.clone(),
        place: "clean and dead".into(),
        times: 2,
    }));
    let again = repeated(&arrived);
    let looked_at = [
        ("served", served.len()),
        ("in the topic", arrived.len()),
        ("clean", set(&clean).len()),
        ("dead", set(&dead).len()),
    ];
    let report = Report { findings, looked_at: looked_at.map(|(what, n)| (what, n as u64)).into() };
    let told = crate::clean(report)?;
    let faults = faults_that_fired(fleet)?;
    let shown: Vec<&String> = again.iter().take(SHOWN_MAX).collect();
    Ok(format!(
        "{told}\n{tries} fetches, {} records repeated in the topic, such as {shown:?}; faults met: {faults}",
        again.len()
    ))
}

/// More examples would say no more.
const SHOWN_MAX: usize = 3;

/// The ids that are there more than once.
fn repeated(ids: &[String]) -> Vec<String> {
    let mut times = BTreeMap::<&String, usize>::new();
    ids.iter().for_each(|id| *times.entry(id).or_default() += 1);
    times.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id.clone()).collect()
}

/// Fetches until so many pages were fetched; in the middle the fetcher is killed while it fetches. Answers how many fetches that took.
async fn fetch_all(fleet: &Fleet, pages: u64) -> anyhow::Result<u32> {
    let (mut tries, mut killed) = (0, false);
    while next_page(fleet).await? <= pages {
        tries += 1;
        if tries > TRIES_MAX {
            bail!("{tries} fetches, and {pages} pages were not fetched");
        }
        if !killed && next_page(fleet).await? > pages / 2 {
            killed = kill_in_a_fetch(fleet).await?;
            continue;
        }
        // A fetch that failed left the cursor where it was.
        let _ = probe::fetch(fleet, "people").await;
    }
    if !killed {
        bail!("the fetcher was never killed in the middle of a fetch: the fault has hit none");
    }
    Ok(tries)
}

/// Kills the fetcher as soon as a page of its fetch is in the topic: its cursor may not be stored yet. Answers whether the fetch broke
/// off because of that.
async fn kill_in_a_fetch(fleet: &Fleet) -> anyhow::Result<bool> {
    let before = fleet.cluster.ends("people", End::Written).await?;
    let kill = async {
        let more =
            || async { fleet.cluster.ends("people", End::Written).await.is_ok_and(|ends| ends != before) };
        let came = fleet.within(PAGE_WITHIN, "a page is in the topic", more).await;
        came.and(fleet.kill("fetcher"))
    };
    let (fetched, killed) = tokio::join!(probe::fetch(fleet, "people"), kill);
    killed?;
    fleet.start_one("fetcher", "")?;
    fleet.ready("fetcher").await?;
    // One that had ended, well or not, has a status.
    Ok(fetched.is_err_and(|cause| cause.is::<reqwest::Error>()))
}

/// A page is asked for some twenty times.
const PAGE_WITHIN: Duration = Duration::from_secs(60);
/// Fetches, each of up to five pages.
const TRIES_MAX: u32 = 400;

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

async fn ids_in_cassandra(fleet: &Fleet) -> anyhow::Result<Vec<String>> {
    let rows = evidence::rows_of(fleet, "", "people_by_id", "id", "id").await?;
    Ok(rows.iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect())
}

async fn ids_in_postgres(fleet: &Fleet) -> anyhow::Result<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT id FROM people").fetch_all(&fleet.analytics).await?)
}

/// Each fault, and what the fetcher says when it meets it.
const FAULTS: [(&str, &str); 7] = [
    ("empty", "the page is empty"),
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
