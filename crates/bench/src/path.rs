//! The shipped pipeline under load: how long a user takes from the producer's door to a row in Cassandra.

use crate::{
    report::Report,
    stand::{Stand, With, until},
    warm::warm,
};
use anyhow::ensure;
use cassandra::{
    Cassandra,
    scylla::{
        statement::prepared::PreparedStatement,
        value::{CqlTimestamp, CqlValue},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Each rate is held for so long; the first seconds are not counted.
const FOR: Duration = Duration::from_secs(20);
const WARM: Duration = Duration::from_secs(3);
/// A body goes out so often.
const EVERY: Duration = Duration::from_millis(50);
/// One user in so many is followed.
const FOLLOWED: usize = 25;
/// A followed user is looked for so often at first, and each time a twentieth of its age later: so exactly is the latency known, and
/// what comes late is not made later by being looked for.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_PER_AGE: u32 = 20;
/// A user that takes longer has failed the rate.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Users a second that warm up the path, and are not told.
const WARM_RATE: usize = 500;
/// Users a second, one after the other until one does not hold.
const RATES: [usize; 7] = [1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000];
const HOLDS: Duration = Duration::from_secs(2);

pub async fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("path");
    let stand = Stand::start(folder, With::Users).await?;
    let cassandra = Arc::new(stand.cassandra().await?);
    until("the first run has written users", async || {
        Ok(!cassandra.query("SELECT id FROM millrace.created_users LIMIT 1").await?.rows.is_empty())
    })
    .await?;
    let look =
        Arc::new(cassandra.session().prepare("SELECT id FROM millrace.created_users WHERE id = ?").await?);
    warm(async || bare(&cassandra).await).await?;
    hold(&stand, &cassandra, &look, WARM_RATE).await?;
    let mut greatest = 0;
    for rate in RATES {
        let took = hold(&stand, &cassandra, &look, rate).await?;
        let (p50, p95) = (took.at(0.5), took.at(0.95));
        let goals = if rate == 1_000 { (Some(500.0), Some(1_500.0)) } else { (None, None) };
        report.add_less(format!("{rate} users/s: p50"), p50.as_secs_f64() * 1e3, "ms", goals.0);
        report.add_less(format!("{rate} users/s: p95"), p95.as_secs_f64() * 1e3, "ms", goals.1);
        if p95 > HOLDS || took.behind {
            break;
        }
        greatest = rate;
    }
    let ceiling = bare(&cassandra).await?;
    report.add(format!("greatest rate with p95 ≤ {HOLDS:?}"), greatest as f64, "users/s", None);
    report.add("bare loop into the same two tables", ceiling, "users/s", None);
    report.add("greatest rate : bare loop", greatest as f64 / ceiling, "", Some(0.7));
    report.note(format!("each rate for {FOR:?} in bodies every {EVERY:?}; one user in {FOLLOWED} is looked for, from before its body is sent, every {LOOK:?} and each twentieth of its age; Cassandra is warm; each user is two rows in Cassandra, one in PostgreSQL, and a count; the DAG runs beside it"));
    stand.stop()?;
    Ok(report.done())
}

/// Latencies of the followed users, sorted.
struct Took {
    latencies: Vec<Duration>,
    /// The load itself could not keep up.
    behind: bool,
}

impl Took {
    fn at(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share).round() as usize).copied().unwrap_or(GIVE_UP)
    }
}

async fn hold(
    stand: &Stand,
    cassandra: &Arc<Cassandra>,
    look: &Arc<PreparedStatement>,
    rate: usize,
) -> anyhow::Result<Took> {
    let url = format!("{}/v1/streams/users/records", stand.address("producer")?);
    let per_body = (rate as f64 * EVERY.as_secs_f64()).round() as usize;
    let mut tick = tokio::time::interval(EVERY);
    let (mut sends, mut followed) = (JoinSet::new(), JoinSet::new());
    let (started, mut sent) = (Instant::now(), 0);
    while started.elapsed() < FOR {
        tick.tick().await;
        let ids: Vec<String> = (0..per_body).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let body: String = ids.iter().map(|id| format!("{}\n", user(id))).collect();
        if started.elapsed() > WARM {
            for id in ids.into_iter().skip(sent % FOLLOWED).step_by(FOLLOWED) {
                followed.spawn(follow(cassandra.clone(), look.clone(), id));
            }
        }
        sent += per_body;
        let request = stand.http.post(&url).header("content-type", "application/x-ndjson").body(body);
        sends.spawn(async move { Ok::<_, anyhow::Error>(request.send().await?.status().is_success()) });
    }
    // Ticks that could not be kept are made up for at once, so too few bodies means that the load was behind.
    let behind = (sent as f64) < 0.95 * rate as f64 * FOR.as_secs_f64();
    while let Some(done) = sends.join_next().await {
        ensure!(done??, "the producer refused a body at {rate} users/s");
    }
    let mut latencies = followed.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    latencies.sort_unstable();
    Ok(Took { latencies, behind })
}

async fn follow(
    cassandra: Arc<Cassandra>,
    look: Arc<PreparedStatement>,
    id: String,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    while started.elapsed() < GIVE_UP {
        let answer = cassandra.session().execute_unpaged(&look, (id.as_str(),)).await?;
        if answer.into_rows_result()?.rows_num() > 0 {
            return Ok(started.elapsed());
        }
        tokio::time::sleep((started.elapsed() / LOOKS_PER_AGE).max(LOOK)).await;
    }
    Ok(GIVE_UP)
}

/// Users of the bare loop, and its writes at a time: as `writes_in_flight_max` in config/cassandra-sink.toml.
const BARE_USERS: usize = 20_000;
const IN_FLIGHT: usize = 128;

/// Writes users into the pipeline's two tables without anything before it. Answers users per second.
async fn bare(cassandra: &Cassandra) -> anyhow::Result<f64> {
    const TEXTS: [(&str, &str); 13] = [
        ("first_name", "Åse"),
        ("last_name", "O'Neil"),
        ("gender", "female"),
        ("address", "12 Storgata"),
        ("post_code", "0150"),
        ("email", "ase.oneil@example.com"),
        ("username", "ase"),
        ("age_band", "45-64"),
        ("phone", "223456"),
        ("country", "Norway"),
        ("city", "Oslo"),
        ("nat", "NO"),
        ("day", "2026-01-01"),
    ];
    let names = TEXTS.map(|(name, _)| name).join(", ");
    let marks = ["?"; TEXTS.len() + 3].join(", ");
    let mut inserts = vec![];
    for table in ["created_users", "users_by_country"] {
        let text = format!(
            "INSERT INTO millrace.{table} ({names}, id, dob, fetched_at) VALUES ({marks}) USING TIMESTAMP ?"
        );
        let mut insert = cassandra.session().prepare(text).await?;
        insert.set_is_idempotent(true);
        inserts.push(insert);
    }
    let started = Instant::now();
    let writes = (0..BARE_USERS).flat_map(|n| inserts.iter().map(move |insert| (n, insert)));
    stream::iter(writes)
        .map(|(n, insert)| {
            let mut row: Vec<CqlValue> =
                TEXTS.iter().map(|(_, text)| CqlValue::Text((*text).to_owned())).collect();
            row.push(CqlValue::Text(format!("018f2b5e-7c11-7abc-8def-{n:012x}")));
            let at = |ms| CqlValue::Timestamp(CqlTimestamp(ms));
            row.extend([at(-106_700_277_000), at(1_767_225_600_000 + n as i64), CqlValue::BigInt(n as i64)]);
            async move { cassandra.session().execute_unpaged(insert, row).await.map(drop) }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(BARE_USERS as f64 / started.elapsed().as_secs_f64())
}

fn user(id: &str) -> String {
    json!({
        "id": id, "first_name": "Åse", "last_name": "O'Neil", "gender": "female", "address": "12 Storgata", "post_code": "0150",
        "email": "Ase.ONeil@Example.COM", "username": "ase", "dob": "1966-08-07T01:02:03Z", "phone": "(22) 34-56",
        "country": "Norway", "city": "Oslo", "nat": "NO", "fetched_at": chrono::Utc::now().to_rfc3339(),
    })
    .to_string()
}
