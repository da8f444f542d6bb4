//! Dead letters go back to where they were meant for: each once, as they were or edited, by command and by page.

#![allow(clippy::unwrap_used)]

mod corrected;

use e2e::{Letters, World};
use serde_json::{Value, json};
use std::{io::Write, path::Path, process::Command};
use test_support::{eventually, unique};

fn user(id: &str, email: Option<&str>) -> Value {
    let mut user = json!({
        "id": id, "first_name": "Ada", "last_name": "L", "username": "ada", "country": "Norway", "nat": "NO",
        "fetched_at": "2026-03-01T12:00:00Z"
    });
    if let Some(email) = email {
        user["email"] = json!(email);
    }
    user
}

/// The place of the dead letter of a user that is sent like this.
async fn letter(world: &World, user: &Value) -> (i32, i64) {
    let (_, answer) = world.send("users", &user.to_string(), "?on_invalid=deadletter").await;
    assert_eq!(answer["rejected"], 0, "{answer}");
    let id = user["id"].as_str().unwrap().to_owned();
    let letters = Letters::of(world.stack.address("kafka"), "users");
    let found = letters.find(&id.clone(), move |letter| letter.header("record-id") == Some(&id)).await;
    (found.partition, found.offset)
}

/// `millrace deadletter replay users-dead`: whether it succeeded, and what it says.
fn replay(arguments: &[&str]) -> (bool, Value, String) {
    millrace(&[&["replay", "users-dead", "--json"], arguments].concat())
}

/// `millrace deadletter`: whether it succeeded, what it says (as text where that is no JSON), and of what it complains.
fn millrace(arguments: &[&str]) -> (bool, Value, String) {
    let stack = std::env::var("MILLRACE_TEST_STACK").expect("run the tests with `make test`");
    let output = Command::new(test_support::binaries().join("millrace"))
        .arg("deadletter")
        .args(arguments)
        .arg("--home")
        .arg(Path::new(&stack).parent().unwrap())
        .output()
        .unwrap();
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.success(), serde_json::from_str(&said).unwrap_or(Value::String(said)), complained)
}

/// Sends a form as a page of the control center does. Answers the status and the page.
async fn form(world: &World, url: &str, fields: &[(&str, &str)]) -> (u16, String) {
    form_from(world, url, fields, world.stack.address("control-center")).await
}

async fn form_from(world: &World, url: &str, fields: &[(&str, &str)], origin: &str) -> (u16, String) {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let request = world.http.post(url).body(fields.join("&"));
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").header("origin", origin);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn has_row(world: &World, id: &str) {
    let analytics = world.postgres("analytics").await;
    eventually("the replayed record is a row", || async {
        sqlx::query_as::<_, (String,)>("SELECT email FROM users WHERE id = $1")
            .bind(id)
            .fetch_optional(&analytics)
            .await
            .ok()?
    })
    .await;
}

fn file(record: &Value) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(record.to_string().as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_letter_that_is_replayed_as_it_was_is_sent_once() {
    let world = World::running();
    let id = unique("again");
    let (partition, offset) = letter(&world, &user(&id, Some("nobody"))).await;
    let place = [format!("--partition={partition}"), format!("--offset={offset}")];
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let (good, told, error) = replay(&place);
    assert!(good && told["sent"] == 1, "{told} {error}");
    // The rule refuses it again: another letter, of the record that was sent.
    let letters = Letters::of(world.stack.address("kafka"), "users");
    letters
        .find("the replayed one", move |letter| {
            letter.header("record-id") == Some(&id)
                && (letter.partition, letter.offset) != (partition, offset)
        })
        .await;
    let (good, told, error) = replay(&place);
    assert!(good && told["sent"] == 0 && told["already"] == 1, "{told} {error}");
}

#[tokio::test]
async fn an_edited_letter_of_each_stage_becomes_a_row() {
    let world = World::running();
    for (stage, email) in [("job", Some("nobody")), ("producer", None)] {
        let id = unique(stage);
        let (partition, offset) = letter(&world, &user(&id, email)).await;
        let place = [format!("--partition={partition}"), format!("--offset={offset}")];
        let with = |record: &Value| {
            let file = file(record);
            replay(&[&place[0], &place[1], "--edit", file.path().to_str().unwrap()])
        };
        let (good, told, error) = with(&json!({"id": id}));
        assert!(!good && told["failed"] == 1, "{stage}: {told} {error}");
        assert!(
            told["letters"][0]["told"].as_str().unwrap().contains("the record does not have it"),
            "{told}"
        );
        let (good, told, error) = with(&user(&id, Some("ada@example.com")));
        assert!(good && told["sent"] == 1, "{stage}: {told} {error}");
        has_row(&world, &id).await;
    }
}

#[tokio::test]
async fn letters_are_replayed_by_their_reason_and_wrong_questions_are_told() {
    let world = World::running();
    let id = unique("reason");
    letter(&world, &user(&id, Some("nobody"))).await;
    let (good, told, error) = replay(&["--reason", "no such reason at all"]);
    assert!(good && told["letters"] == json!([]), "{told} {error}");
    let (good, _, error) = replay(&["--partition=0", "--offset=99999999"]);
    assert!(!good && error.contains("there is no dead letter at users-dead 0 99999999"), "{error}");
    let (good, _, error) = replay(&[]);
    assert!(!good && error.contains("--offset"), "{error}");
}

#[tokio::test]
async fn the_page_shows_letters_and_replays_one_and_only_for_its_own_pages() {
    let world = World::running();
    let id = unique("page");
    let (partition, offset) = letter(&world, &user(&id, None)).await;
    let list = world.page("control-center", "/deadletters").await;
    assert!(list.contains("users-dead"), "{list}");
    let page = world.page("control-center", "/deadletters/users-dead?stage=producer&limit=200").await;
    assert!(
        page.contains(&format!("letter-{partition}-{offset}"))
            && page.contains("the record does not have it")
    );
    let other = world.page("control-center", "/deadletters/users-dead?stage=sink&limit=200").await;
    assert!(!other.contains(&format!("letter-{partition}-{offset}")));
    let own = world.stack.address("control-center").to_owned();
    let [partition, offset] = [partition.to_string(), offset.to_string()];
    let post = async |origin: &str, edited: &str| {
        let fields = [("partition", partition.as_str()), ("offset", &offset), ("edited", edited)];
        form_from(&world, &format!("{own}/deadletters/users-dead/replay"), &fields, origin).await
    };
    let edited = user(&id, Some("ada@example.com")).to_string();
    assert_eq!(post("http://evil.example", &edited).await.0, 403);
    let (status, told) = post(&own, "not json").await;
    assert!(status == 422 && told.contains("not one JSON record"), "{told}");
    let (status, told) = post(&own, &edited).await;
    assert!(status == 200 && told.contains("is in users again"), "{told}");
    has_row(&world, &id).await;
    let (status, told) = post(&own, &edited).await;
    assert!(status == 200 && told.contains("was replayed before"), "{told}");
}

/// All bytes as `%xx`.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
