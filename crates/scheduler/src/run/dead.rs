//! Looking for ids in the dead letters.

use super::Job;
use kafka::{Polled, RECORD_ID, Reader};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Reading the dead letters takes no longer: there should be few.
const READ_MAX: Duration = Duration::from_secs(30);

/// Clocks of machines differ: a letter that is so much older than the run may still be of it.
const CLOCKS_DIFFER: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// The ids among `wanted` that are in a dead-letter topic of the pipeline since the run began, each with the last reason. A letter of
/// an earlier run says nothing about this one.
pub async fn find(job: &Job<'_>, wanted: &BTreeSet<String>) -> Result<Vec<(String, String)>, String> {
    let topics = job.outside.cluster.topics().await.map_err(|cause| cause.to_string())?;
    let dead: Vec<String> = job.pipeline.streams.keys().map(|stream| model::dead::topic_of(stream)).collect();
    let mut places = vec![];
    for topic in topics.iter().filter(|topic| dead.contains(&topic.name)) {
        places.push((topic.name.clone(), topic.partitions.len()));
    }
    let since = (job.claim.run_started_at - CLOCKS_DIFFER).timestamp_millis();
    let (bootstrap, wanted) = (job.outside.cluster.bootstrap().to_owned(), wanted.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let mut found = std::collections::BTreeMap::new();
        for (topic, partitions) in places {
            read(&bootstrap, &topic, partitions, since, &wanted, &mut found)?;
        }
        Ok::<_, kafka::KafkaError>(found.into_iter().collect())
    });
    reading.await.map_err(|cause| cause.to_string())?.map_err(|cause| cause.to_string())
}

fn read(
    bootstrap: &str,
    topic: &str,
    partitions: usize,
    since_ms: i64,
    wanted: &BTreeSet<String>,
    found: &mut std::collections::BTreeMap<String, String>,
) -> Result<(), kafka::KafkaError> {
    let reader = Reader::new(bootstrap)?;
    reader.assign(&reader.places_since(topic, partitions as i32, since_ms)?)?;
    let (started, mut open) = (Instant::now(), partitions);
    while open > 0 && started.elapsed() < READ_MAX {
        match reader.poll(Duration::from_millis(100))? {
            Polled::End { .. } => open -= 1,
            Polled::Nothing => {}
            Polled::Record(record) => {
                if let Some(id) = record.header(RECORD_ID).filter(|id| wanted.contains(*id)) {
                    found.insert(
                        id.to_owned(),
                        record.header("reason").unwrap_or("no reason was kept").to_owned(),
                    );
                }
            }
        }
    }
    Ok(())
}
