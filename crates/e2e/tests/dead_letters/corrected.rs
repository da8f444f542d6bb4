//! A job that buried what is good: once it is corrected its letters are replayed, by command and by page, each once.

use crate::{form, millrace};
use e2e::{Folder, Letters, World};
use kafka::{Polled, Reader, Record, Start};
use serde_json::json;
use std::time::{Duration, Instant};
use test_support::{PATIENCE, eventually, unique};

const SCHEMA: &str = r#"{"type":"record","name":"N","fields":[
    {"name":"id","type":"string"}, {"name":"n","type":"long"}]}"#;

const DEFINITION: &str = r#"
[streams.{p}_in]
schema = "n.avsc"
key = ["id"]
partitions = 1

[streams.{p}_out]
schema = "n.avsc"
key = ["id"]
partitions = 1

[jobs.{p}_copy]
sql = "copy.sql"
into = "{p}_out"
slots = 1
deadletter_when = "n < 0"
deadletter_reason = "'the number ' || n || ' is negative'"

[tables.{p}_o]
store = "postgres"
stream = "{p}_out"
"#;

/// A pipeline whose job refuses negative numbers.
struct Job {
    world: World,
    folder: Folder,
}

impl Job {
    async fn published() -> Self {
        let files =
            [("n.avsc", SCHEMA), ("copy.sql", "SELECT id, n FROM {p}_in"), ("pipeline.toml", DEFINITION)];
        let job = Self { world: World::running(), folder: Folder::add(&files) };
        eventually("the stream takes records", || async {
            (job.world.send(&job.stream(), &record("first", 1), "").await.0 == 200).then_some(())
        })
        .await;
        job
    }

    fn stream(&self) -> String {
        format!("{}_in", self.folder.name)
    }

    fn letters(&self) -> String {
        format!("{}-dead", self.stream())
    }

    fn kafka(&self) -> &str {
        self.world.stack.address("kafka")
    }

    /// Sends a record that the job buries, and answers the place of its letter.
    async fn buried(&self, id: &str, n: i64) -> (i32, i64) {
        let (status, answer) = self.world.send(&self.stream(), &record(id, n), "").await;
        assert_eq!(status, 200, "{answer}");
        let key = id.to_owned();
        let letters = Letters::of(self.kafka(), &self.stream());
        let found = letters.find(id, move |letter| letter.header("record-id") == Some(&key)).await;
        (found.partition, found.offset)
    }

    /// The rule is taken away. From then on the job passes negative numbers on.
    async fn correct(&self) {
        let is_rule = |line: &&str| line.starts_with("deadletter");
        let corrected: Vec<&str> = DEFINITION.lines().filter(|line| !is_rule(line)).collect();
        self.folder.write("pipeline.toml", &corrected.join("\n"));
        eventually("the job is corrected", || async {
            let id = unique("probe");
            self.world.send(&self.stream(), &record(&id, -1), "").await;
            let is_row = async { while !self.has_row(&id).await {} };
            tokio::time::timeout(Duration::from_secs(2), is_row).await.ok()
        })
        .await;
    }

    async fn has_row(&self, id: &str) -> bool {
        let analytics = self.world.postgres("analytics").await;
        let question = format!("SELECT count(*) FROM {}_o WHERE id = $1", self.folder.name);
        let asked = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(question)).bind(id);
        asked.fetch_one(&analytics).await.is_ok_and(|n| n == 1)
    }

    /// How often the letter at a place was sent back to the stream.
    async fn sent_back(&self, (partition, offset): (i32, i64)) -> usize {
        let origin = format!("{}/{partition}/{offset}", self.letters());
        let records = all(self.kafka(), &self.stream()).await;
        records.iter().filter(|record| record.header("replay-of") == Some(&origin)).count()
    }

    /// How often a replay was tried, by the offset of its letter.
    async fn tries(&self, offset: i64) -> i32 {
        let millrace = self.world.postgres("millrace").await;
        let asked = sqlx::query_scalar(
            "SELECT tries FROM dead_letter_replay WHERE topic = $1 AND letter_offset = $2",
        );
        asked.bind(self.letters()).bind(offset).fetch_one(&millrace).await.unwrap()
    }
}

fn record(id: &str, n: i64) -> String {
    json!({"id": id, "n": n}).to_string()
}

/// All records of a topic of one partition.
async fn all(bootstrap: &str, topic: &str) -> Vec<Record> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let reader = Reader::new(&bootstrap).unwrap();
        reader.assign(&[(topic, 0, Start::Beginning)]).unwrap();
        let (started, mut records) = (Instant::now(), vec![]);
        while started.elapsed() < PATIENCE {
            match reader.poll(Duration::from_millis(100)).unwrap() {
                Polled::Record(record) => records.push(record),
                Polled::End { .. } => return records,
                Polled::Nothing => {}
            }
        }
        panic!("the topic has no end");
    });
    reading.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_and_shown_decoded_and_all_are_replayed_once_their_job_is_corrected() {
    let job = Job::published().await;
    let (stream, letters) = (job.stream(), job.letters());
    let ids = [unique("a"), unique("b")];
    let place = job.buried(&ids[0], -7).await;
    job.buried(&ids[1], -8).await;
    let (_, answer) = job.world.send(&stream, r#"{"id": "half"}"#, "?on_invalid=deadletter").await;
    let refused = answer["results"][0]["offset"].as_i64().unwrap();

    let (good, listed, error) = millrace(&["list", "--stream", &stream, "--json"]);
    let listed = listed.as_array().cloned().unwrap_or_default();
    let found = listed.iter().find(|letter| letter["offset"] == place.1).expect(&error);
    let header = |name: &str| found["headers"][name].as_str().unwrap_or_default().to_owned();
    assert!(good && listed.len() == 3, "{listed:?} {error}");
    assert_eq!(found["value"], json!({"id": ids[0], "n": -7}), "decoded: {found}");
    assert_eq!(header("reason"), "the number -7 is negative");
    assert_eq!(
        (header("topic"), header("stage"), header("job")),
        (stream.clone(), "job".into(), format!("{}_copy", job.folder.name))
    );
    let came_from = format!("{stream}:{}:{}", header("partition"), header("offset"));
    let (good, table, error) = millrace(&["list", "--stream", &stream]);
    let table = table.as_str().unwrap_or_default();
    assert!(good && table.contains("came from") && table.contains(&came_from), "{table} {error}");

    let shown = [letters.clone(), place.0.to_string(), place.1.to_string()];
    let (good, shown, error) = millrace(&["show", &shown[0], &shown[1], &shown[2], "--json"]);
    assert!(good && shown == *found, "{shown} {error}");

    job.correct().await;
    // A part of a reason, in any case. That one is refused at the door again.
    let (good, told, error) = millrace(&["replay", &letters, "--reason", "DOES NOT HAVE IT", "--json"]);
    assert!(!good && told["failed"] == 1 && told["letters"][0]["offset"] == refused, "{told} {error}");
    assert_eq!(told["letters"].as_array().map(Vec::len), Some(1), "{told}");
    let (good, told, error) = millrace(&["replay", &letters, "--reason", "number -8 is", "--json"]);
    assert!(good && told["sent"] == 1 && told["already"] == 0, "{told} {error}");
    let (good, told, error) = millrace(&["replay", &letters, "--all", "--json"]);
    assert!(!good && told["failed"] == 1 && told["already"] == 1, "{told} {error}");
    assert!(told["sent"].as_u64() >= Some(1), "what was sent before is left out: {told}");
    assert_eq!((job.tries(place.1).await, job.tries(refused).await), (1, 2));
    for id in &ids {
        eventually("the replayed record is a row", || async { job.has_row(id).await.then_some(()) }).await;
    }
    let (_, told, error) = millrace(&["replay", &letters, "--all", "--json"]);
    assert_eq!((&told["sent"], job.sent_back(place).await), (&json!(0), 1), "{told} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_replay_a_letter_at_once_one_sends_it() {
    let job = Job::published().await;
    let mut places = vec![];
    for n in 1..=3 {
        places.push(job.buried(&unique("once"), -n).await);
    }
    job.correct().await;
    let letters = job.letters();
    let url = format!("{}/deadletters/{letters}", job.world.stack.address("control-center"));
    let confirm = [("confirm", letters.as_str())];
    let (one, all) = (format!("{url}/replay"), format!("{url}/replay-all?reason=negative&stage=job"));
    for place in &places {
        let [partition, offset] = [place.0.to_string(), place.1.to_string()];
        let fields = [("partition", partition.as_str()), ("offset", offset.as_str())];
        let told = tokio::join!(
            form(&job.world, &one, &fields),
            form(&job.world, &one, &fields),
            form(&job.world, &all, &confirm),
        );
        let singly = [&told.0.1, &told.1.1].map(|page| page.contains("is in "));
        assert!(told.0.0 != 500 && told.1.0 != 500 && told.2.0 != 500, "{told:?}");
        assert!(singly != [true, true], "both say that they have sent it: {told:?}");
        eventually("the letter is sent", || async { (job.sent_back(*place).await > 0).then_some(()) }).await;
    }
    for place in places {
        assert_eq!((job.sent_back(place).await, job.tries(place.1).await), (1, 1), "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_a_job_buried_and_replays_what_its_filter_takes() {
    let job = Job::published().await;
    let id = unique("decoded");
    let (seven, eight) = (job.buried(&id, -7).await, job.buried(&unique("other"), -8).await);
    job.correct().await;
    let at = |query: &str| format!("/deadletters/{}{query}", job.letters());
    let row = |(partition, offset): (i32, i64)| format!("letter-{partition}-{offset}");
    let page = job.world.page("control-center", &at("?limit=200")).await;
    assert!(page.contains(&row(seven)) && page.contains(&row(eight)), "{page}");
    assert!(
        page.contains(&id) && page.contains("the number -7 is negative"),
        "the payload is decoded: {page}"
    );
    let page = job.world.page("control-center", &at("?limit=200&reason=NUMBER%20-7")).await;
    assert!(page.contains(&row(seven)) && !page.contains(&row(eight)), "by a part of the reason: {page}");

    let url = |path: &str| format!("{}{}", job.world.stack.address("control-center"), at(path));
    let replay_all = url("/replay-all?reason=number%20-7&stage=job");
    let (status, told) = form(&job.world, &replay_all, &[("confirm", "users-dead")]).await;
    assert!(status == 422 && told.contains("Nothing was replayed"), "{status} {told}");
    let (status, told) = form(&job.world, &replay_all, &[("confirm", &job.letters())]).await;
    assert!(status == 200 && told.contains("1 sent, 0 sent before, 0 failed"), "{status} {told}");
    assert_eq!((job.sent_back(seven).await, job.sent_back(eight).await), (1, 0));
    let page = job.world.page("control-center", &at("?limit=200")).await;
    assert!(page.contains("sent") && page.contains("try 1"), "{page}");
}
