//! A topic of one partition, as others read it.

use kafka::{Polled, Reader, Record, Start};
use std::time::{Duration, Instant};

/// Its first `many` records, or what there is of them after `within`.
pub async fn first_records(bootstrap: String, topic: String, many: usize, within: Duration) -> Vec<Record> {
    let read = move || {
        let reader = Reader::peek(&bootstrap).expect("a reader can be made");
        reader.assign(&[(topic, 0, Start::Beginning)]).expect("the partition can be read");
        let (started, mut records) = (Instant::now(), vec![]);
        while records.len() < many && started.elapsed() < within {
            if let Polled::Record(record) = reader.poll(Duration::from_millis(100)).expect("Kafka answers") {
                records.push(record);
            }
        }
        records
    };
    tokio::task::spawn_blocking(read).await.expect("the reader does not fail")
}
