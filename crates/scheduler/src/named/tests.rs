//! On the real PostgreSQL of the running stack, each test in a database of its own.

use super::*;
use base64::{Engine, prelude::BASE64_STANDARD};
use model::Secret;
use test_support::{Stack, unique};

fn key(byte: u8) -> Option<Key> {
    Key::of(&Secret::new(BASE64_STANDARD.encode([byte; 32]))).unwrap()
}

async fn places(folder: &std::path::Path, environment: &[(&str, &str)]) -> Places {
    let stack = Stack::running();
    let password = Secret::new(stack.postgres_password());
    let pool = postgres::connect(&stack.postgres_url(&unique("named")), &password).await.unwrap();
    postgres::migrate(&pool).await.unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Places::new(environment, folder, key(1), pool)
}

fn by() -> queue::By {
    queue::By { who: "anna".into(), why: Some("a test".into()) }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_value_is_taken_from_the_nearest_place_and_its_secrets_are_masked() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("MILLRACE_CONNECTION_NEAR", "{\"host\": \"a\", \"password\": \"from-env\"}"),
        ("MILLRACE_VARIABLE_REGION", "eu"),
    ];
    let places = places(folder.path(), &environment).await;
    let file =
        "[connections.near]\npassword = \"from-file\"\n[connections.middle]\npassword = \"from-file\"\n";
    std::fs::write(folder.path().join(named::FILE), file).unwrap();
    for name in ["near", "middle", "far"] {
        let value = json!({ "password": "from-store" });
        places.set(Named::Connection, name, value, &by()).await.unwrap();
    }
    let wanted = [
        "connections.near.password",
        "connections.middle.password",
        "connections.far.password",
        "variables.region",
        "dag",
    ];
    let given = places.given(&names(&wanted)).await.unwrap();
    let passwords: Vec<&Value> =
        given.connections.values().map(|connection| &connection["password"]).collect();
    assert_eq!(passwords, ["from-store", "from-file", "from-env"]);
    assert_eq!(given.variables["region"], "eu");
    assert_eq!(given.mask.text("from-env from-file from-store eu a"), "*** *** *** eu a");
    let listed = places.list(Named::Connection).await.unwrap();
    let from: Vec<String> = listed.iter().map(|row| format!("{} {}", row["name"], row["from"])).collect();
    assert_eq!(from, ["\"far\" \"PostgreSQL\"", "\"middle\" \"file\"", "\"near\" \"environment\""]);
    assert!(!json!(listed).to_string().contains("from-"), "{listed:?}");
}

#[tokio::test]
async fn what_postgres_holds_can_not_be_read_there() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), &[]).await;
    places.set(Named::Variable, "api_token", json!("hunter22"), &by()).await.unwrap();
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT sealed FROM named_value").fetch_one(&places.pool).await.unwrap();
    assert!(!sealed.windows(8).any(|part| part == b"hunter22"));
    let asked = names(&["variables.api_token"]);
    let other = Places { key: key(2).map(Arc::new), ..places.clone() };
    assert!(other.given(&asked).await.unwrap_err().contains("sealed with another key"));
    let none = Places { key: None, ..places.clone() };
    assert!(none.given(&asked).await.unwrap_err().contains("MILLRACE_SECRETS_KEY"));
    let refused = none.set(Named::Variable, "x", json!("value"), &by()).await;
    assert!(matches!(refused, Err(StoreError::NoKey)));
    // One row put in the place of another.
    places.set(Named::Variable, "other", json!("harmless"), &by()).await.unwrap();
    let swap = "UPDATE named_value a SET sealed = b.sealed FROM named_value b WHERE a.name = 'other' AND b.name = 'api_token'";
    sqlx::query(swap).execute(&places.pool).await.unwrap();
    assert!(places.given(&names(&["variables.other"])).await.is_err());
    assert!(places.delete(Named::Variable, "api_token", &by()).await.unwrap());
    assert!(!places.delete(Named::Variable, "api_token", &by()).await.unwrap());
    let told = places.given(&asked).await.unwrap_err();
    let expected = "there is no variable \"api_token\": set it by `millrace variable set api_token`, in config/connections.toml, or as MILLRACE_VARIABLE_API_TOKEN";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_value_that_can_not_be_is_refused_without_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), &[("MILLRACE_CONNECTION_BAD", "hunter22")]).await;
    let cases = [
        (Named::Connection, "Ware house", json!({}), "can't be a name"),
        (Named::Connection, "a", json!("hunter22"), "has no fields"),
        (Named::Connection, "a", json!({"password": ["hunter22"]}), "is no text, number or boolean"),
        (Named::Connection, "a", json!({"password": "hunt"}), "can't be masked"),
        (Named::Variable, "a", json!(3), "is no text"),
        (Named::Variable, "a", json!("x".repeat(70_000)), "more than 65536"),
    ];
    for (kind, name, value, expected) in cases {
        let told = places.set(kind, name, value, &by()).await.unwrap_err().to_string();
        assert!(told.contains(expected) && !told.contains("hunt"), "{told}");
    }
    let told = places.given(&names(&["connections.bad.host"])).await.unwrap_err();
    assert!(told.starts_with("MILLRACE_CONNECTION_BAD: ") && !told.contains("hunter22"), "{told}");
}

#[test]
fn child_processes_get_no_secrets_of_ours() {
    let names =
        ["MILLRACE_SECRETS_KEY", "MILLRACE_SECRETS_KEY_FILE", "MILLRACE_CONNECTION_X", "MILLRACE_VARIABLE_X"];
    assert!(names.iter().all(|name| is_secret_variable(name)));
    assert!(!["MILLRACE_POSTGRES_URL", "PATH"].iter().any(|name| is_secret_variable(name)));
}
