use super::*;
use crate::{nation, show};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn asked(query: &[(&str, &str)]) -> Asked {
    let query: HashMap<_, _> =
        query.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Asked::read(&query, "millrace", &nation::all().unwrap()).unwrap()
}

fn body(query: &[(&str, &str)]) -> Vec<u8> {
    let asked = asked(query);
    show::body(&asked, &page(&asked, &nation::all().unwrap())).unwrap()
}

fn users(query: &[(&str, &str)]) -> Vec<Value> {
    let Value::Object(mut envelope) = serde_json::from_slice(&body(query)).unwrap() else {
        panic!("no object")
    };
    serde_json::from_value(envelope.remove("results").unwrap()).unwrap()
}

#[test]
fn the_same_seed_and_page_give_the_same_bytes() {
    let query = [("seed", "a"), ("page", "3"), ("results", "50")];
    assert_eq!(body(&query), body(&query));
    let fewer = users(&[("seed", "a"), ("page", "3"), ("results", "7")]);
    assert_eq!(users(&query)[..7], fewer[..]);
    assert_ne!(users(&query), users(&[("seed", "a"), ("page", "4"), ("results", "50")]));
    assert_ne!(users(&query), users(&[("seed", "b"), ("page", "3"), ("results", "50")]));
}

#[test]
fn no_id_is_given_twice() {
    let mut seen = BTreeSet::new();
    for page in 1..=20 {
        for user in users(&[("page", &page.to_string()), ("results", "500"), ("inc", "login")]) {
            assert!(seen.insert(user["login"]["uuid"].as_str().unwrap().to_owned()), "{user}");
        }
    }
    assert_eq!(seen.len(), 10_000);
}

/// The fixture is what other crates test with, and what nobody may change by accident: the first user of each nation.
#[test]
fn one_user_of_each_nation_is_as_the_fixture_has_it() {
    let mut first = BTreeMap::new();
    for user in users(&[("seed", "fixture"), ("results", "500")]) {
        first.entry(user["nat"].as_str().unwrap().to_owned()).or_insert(user);
    }
    assert_eq!(first.len(), 21);
    let found = serde_json::json!({ "results": first.into_values().collect::<Vec<_>>() });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/nationalities.json");
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| {
        std::fs::write(file, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        panic!("wrote {file}: look at it, and run again")
    });
    assert_eq!(found, serde_json::from_str::<Value>(&text).unwrap());
}

#[test]
fn a_post_code_is_a_number_in_18_nations_and_text_in_three() {
    let mut kinds: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut zeros = 0;
    for user in users(&[("results", "5000")]) {
        let (nat, code) = (user["nat"].as_str().unwrap(), &user["location"]["postcode"]);
        kinds.entry(nat.to_owned()).or_default().insert(if code.is_string() { "text" } else { "number" });
        zeros += usize::from(nat == "NO" && code.as_str().unwrap().starts_with('0'));
    }
    let of = |kind: &'static str| {
        kinds
            .iter()
            .filter(|(_, found)| **found == [kind].into())
            .map(|(nat, _)| nat.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!((of("text"), of("number").len()), (vec!["CA", "GB", "NO"], 18));
    assert!(zeros > 0);
}

#[test]
fn dates_reach_before_1970_and_ages_do_not_depend_on_today() {
    let users = users(&[("results", "1000")]);
    let before = users.iter().filter(|user| user["dob"]["date"].as_str().unwrap() < "1970").count();
    assert!((300..600).contains(&before), "{before}");
    for user in &users {
        let dob = &user["dob"];
        let born = DateTime::parse_from_rfc3339(dob["date"].as_str().unwrap()).unwrap();
        let years = (AGES_AS_OF_MS - born.timestamp_millis()) as f64 / YEAR_MS;
        assert_eq!(dob["age"], years as i64);
    }
}

#[test]
fn filters_choose_users_and_fields() {
    for user in users(&[("results", "100"), ("gender", "female"), ("nat", "ir,ua")]) {
        assert_eq!(user["gender"], "female");
        assert!(["IR", "UA"].contains(&user["nat"].as_str().unwrap()));
        assert!(!user["name"]["last"].as_str().unwrap().is_ascii());
        assert_eq!(user["id"], serde_json::json!({"name": "", "value": null}));
    }
    let keys = |query| users(query)[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&[]), show::FIELDS.join(" "));
    assert_eq!(keys(&[("inc", "nat,login,unknown")]), "login nat");
    assert_eq!(
        keys(&[("exc", "login,picture,location,registered")]),
        "gender name email dob phone cell id nat"
    );
}
