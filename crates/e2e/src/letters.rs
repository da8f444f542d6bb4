//! The dead letters of a stream, as they are now.

use kafka::{Cluster, Polled, Reader, Record, Start};
use std::time::{Duration, Instant};
use test_support::PATIENCE;

/// Reads a dead-letter topic from its beginning.
pub struct Letters {
    bootstrap: String,
    topic: String,
}

impl Letters {
    pub fn of(bootstrap: &str, stream: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), topic: model::dead::topic_of(stream) }
    }

    /// Reads until one is the one that is looked for. Fails with `what` where none comes.
    pub async fn find(&self, what: &str, is_it: impl Fn(&Record) -> bool + Send + 'static) -> Record {
        let (bootstrap, topic, what) = (self.bootstrap.clone(), self.topic.clone(), what.to_owned());
        let partitions = Cluster::new(&bootstrap).topic(&topic).await.expect("the topic is there").partitions;
        let places: Vec<_> =
            partitions.iter().map(|partition| (topic.clone(), partition.id, Start::Beginning)).collect();
        let reading = tokio::task::spawn_blocking(move || {
            let reader = Reader::peek(&bootstrap).expect("a reader can be made");
            reader.assign(&places).expect("the partitions can be read");
            let (started, mut seen) = (Instant::now(), vec![]);
            while started.elapsed() < PATIENCE {
                match reader.poll(Duration::from_millis(200)).expect("Kafka answers") {
                    Polled::Record(letter) if is_it(&letter) => return letter,
                    Polled::Record(letter) => seen.push(letter.header("reason").unwrap_or("-").to_owned()),
                    _ => {}
                }
            }
            panic!(
                "waited {PATIENCE:?} in vain for the dead letter of {what} in {topic}; there are {seen:?}"
            );
        });
        reading.await.expect("the reader does not fail")
    }
}
