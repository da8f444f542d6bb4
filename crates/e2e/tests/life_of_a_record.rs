//! The life of a record, from the producer's door to the rows, on the real servers. Read it from top to bottom.

#![allow(clippy::unwrap_used)]

use e2e::World;
use serde_json::{Value, json};
use test_support::{eventually, unique};

fn user(id: &str) -> Value {
    json!({
        "id": id, "first_name": "Åse", "last_name": "O'Neil", "gender": "female", "address": "12 Storgata", "post_code": "0150",
        "email": "  Ase.ONeil@Example.COM ", "username": "ase", "dob": "1966-08-07T01:02:03Z", "phone": "(22) 34-56",
        "country": "Norway", "city": "Oslo", "nat": "NO", "fetched_at": "2026-03-01T12:00:00Z"
    })
}

#[tokio::test]
async fn a_record_goes_from_the_producer_to_a_row_in_each_table() {
    let world = World::running();
    let id = unique("user");

    // The producer answers when the record is durable, and says where it is.
    let (status, answer) = world.send("users", &user(&id).to_string(), "").await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    assert!(answer["results"][0]["offset"].as_i64().is_some(), "{answer}");

    // A job cleans it; a sink writes it to Cassandra, with the place in its topic as the write time.
    let cassandra = world.cassandra().await;
    let question = format!(
        "SELECT email, phone, age_band, day, post_code, writetime(email) FROM millrace.created_users WHERE id = '{id}'"
    );
    let row = eventually("the row is in Cassandra", || async {
        cassandra.query(&question).await.ok()?.rows.into_iter().next()
    })
    .await;
    assert_eq!(
        row[..5],
        ["ase.oneil@example.com", "223456", "45-64", "2026-03-01", "0150"].map(Value::from),
        "{row:?}"
    );

    // The same record, by country and day.
    let question = format!(
        "SELECT id FROM millrace.users_by_country WHERE country = 'Norway' AND day = '2026-03-01' AND fetched_at = '2026-03-01T12:00:00Z' AND id = '{id}'"
    );
    eventually("the row is found by country", || async {
        cassandra.query(&question).await.ok()?.rows.into_iter().next()
    })
    .await;

    // And in PostgreSQL, with the same version as in Cassandra.
    let analytics = world.postgres("analytics").await;
    let found: (String, i64) = eventually("the row is in PostgreSQL", || async {
        sqlx::query_as("SELECT email, _version FROM users WHERE id = $1")
            .bind(&id)
            .fetch_optional(&analytics)
            .await
            .ok()?
    })
    .await;
    assert_eq!((Value::from(found.0), Value::from(found.1)), (row[0].clone(), row[5].clone()));
}

#[tokio::test]
async fn a_bad_record_stops_nothing_and_is_kept_with_its_reason() {
    let world = World::running();
    let (bad, good) = (unique("bad"), unique("good"));
    let mut without_email = user(&bad);
    without_email.as_object_mut().unwrap().remove("email");
    let lines = format!("{without_email}\n{}\nnot json\n", user(&good));

    let (status, answer) = world.send("users", &lines, "?on_invalid=deadletter").await;
    assert_eq!((status, &answer["accepted"], &answer["dead"]), (200, &json!(1), &json!(2)), "{answer}");
    assert_eq!(
        answer["results"][0]["reason"],
        "field \"email\": the record does not have it, and the schema gives no default: send it"
    );
    assert!(
        answer["results"][2]["reason"].as_str().unwrap().starts_with("the record is not JSON"),
        "{answer}"
    );

    // The dead letter has the payload byte for byte, the reason, and the id.
    let (partition, offset) =
        (answer["results"][0]["partition"].clone(), answer["results"][0]["offset"].clone());
    let letter =
        read(&world, "users-dead", partition.as_i64().unwrap() as i32, offset.as_i64().unwrap()).await;
    assert_eq!(letter.payload.as_deref(), Some(without_email.to_string().as_bytes()));
    assert_eq!((letter.header("stage"), letter.header("record-id")), (Some("producer"), Some(bad.as_str())));

    let cassandra = world.cassandra().await;
    let question = format!("SELECT id FROM millrace.created_users WHERE id = '{good}'");
    eventually("the good record of the same request arrived", || async {
        cassandra.query(&question).await.ok()?.rows.into_iter().next()
    })
    .await;
}

#[tokio::test]
async fn a_record_that_the_job_refuses_is_in_the_dead_letters_with_the_rules_reason() {
    let world = World::running();
    let id = unique("noat");
    let mut record = user(&id);
    record["email"] = json!("nobody");
    let (_, answer) = world.send("users", &record.to_string(), "").await;
    let place = &answer["results"][0];
    let letter = find(&world, "users-dead", &id).await;
    assert_eq!(letter.header("reason"), Some("the e-mail has no @"));
    assert_eq!(letter.header("job"), Some("users_clean"));
    assert_eq!(
        (letter.header("partition"), letter.header("offset")),
        (Some(place["partition"].to_string().as_str()), Some(place["offset"].to_string().as_str()))
    );
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_what_to_do() {
    let world = World::running();
    let (status, answer) = world.send("nobody_declared_this", "{}", "").await;
    assert_eq!(status, 404);
    assert!(
        answer["error"].as_str().unwrap().contains("declare it under [streams.nobody_declared_this]"),
        "{answer}"
    );
    let (status, answer) = world.send("users_clean", "{}", "").await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("written by the job \"users_clean\""), "{answer}");
    let (status, answer) = world.send("users", "{\"id\": 7}", "").await;
    assert_eq!((status, &answer["rejected"]), (422, &json!(1)));
}

async fn read(world: &World, topic: &str, partition: i32, offset: i64) -> kafka::Record {
    scan(world, topic, move |record| record.partition == partition && record.offset == offset).await
}

async fn find(world: &World, topic: &str, id: &str) -> kafka::Record {
    let id = id.to_owned();
    scan(world, topic, move |record| record.header("record-id") == Some(&id)).await
}

/// Reads a topic until a record is the one that is looked for.
async fn scan(
    world: &World,
    topic: &str,
    is_it: impl Fn(&kafka::Record) -> bool + Send + 'static,
) -> kafka::Record {
    let (bootstrap, topic) = (world.stack.address("kafka").to_owned(), topic.to_owned());
    let partitions = kafka::Cluster::new(&bootstrap).topic(&topic).await.unwrap().partitions.len() as i32;
    let scanning = tokio::task::spawn_blocking(move || {
        let reader = kafka::Reader::new(&bootstrap).unwrap();
        let places: Vec<_> =
            (0..partitions).map(|partition| (topic.clone(), partition, kafka::Start::Beginning)).collect();
        reader.assign(&places).unwrap();
        let started = std::time::Instant::now();
        while started.elapsed() < test_support::PATIENCE {
            if let kafka::Polled::Record(record) = reader.poll(std::time::Duration::from_millis(200)).unwrap()
                && is_it(&record)
            {
                return record;
            }
        }
        panic!("the record is not in {topic}");
    });
    scanning.await.unwrap()
}
