use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A source of the shipped pipeline's kind, with other settings laid over it.
fn source(settings: Value) -> Source {
    let mut all =
        json!({"url": "http://api/users", "records": "/results", "into": "users", "fields": {"id": "/id"}});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn a_question_has_the_place_and_the_variables_filled_in() {
    let environment = [("KEY".to_owned(), "s3cret&more".to_owned())];
    let variables = Variables::new(environment.into_iter(), "http://127.0.0.1:7071");
    let cases = [
        (
            json!({"query": {"page": "{page}", "results": "500"}}),
            Position::Page(3),
            "http://api/users?page=3&results=500",
            None,
        ),
        (
            json!({"url": "${USERS_API}/api/?x=1", "query": {"page": "{page}"}}),
            Position::Page(1),
            "http://127.0.0.1:7071/api/?x=1&page=1",
            None,
        ),
        (
            json!({"query": {"after": "{cursor}"}}),
            Position::Cursor("a b=".into()),
            "http://api/users?after=a+b%3D",
            Some("http://api/users?after=a b="),
        ),
        (
            json!({"query": {"after": "{cursor}", "n": "5"}}),
            Position::Cursor("".into()),
            "http://api/users?n=5",
            None,
        ),
        (
            json!({"query": {"after": "{cursor}"}}),
            Position::Cursor("${KEY}".into()),
            "http://api/users?after=%24%7BKEY%7D",
            Some("http://api/users?after=${KEY}"),
        ),
        (
            json!({"query": {"key": "${KEY}"}}),
            Position::Only,
            "http://api/users?key=s3cret%26more",
            Some("http://api/users?key=${KEY}"),
        ),
    ];
    for (settings, position, expected, shown) in cases {
        let asked = ask(&source(settings), &position, &variables).unwrap();
        assert_eq!(asked.url.as_str(), expected);
        assert_eq!(asked.shown, shown.unwrap_or(expected));
    }
    let asked =
        ask(&source(json!({"headers": {"Authorization": "Bearer ${KEY}"}})), &Position::Only, &variables)
            .unwrap();
    assert_eq!(asked.headers["authorization"], "Bearer s3cret&more");
    assert!(!format!("{asked:?}").contains("s3cret"), "{asked:?}");
}

#[test]
fn a_question_that_can_not_be_put_says_why() {
    let variables = Variables::new(std::iter::empty(), "http://127.0.0.1:7071");
    let cases = [
        (json!({"url": "${WHERE}/x"}), "needs the variable WHERE"),
        (json!({"url": "api/users"}), "is not a URL"),
        (json!({"url": "file:///etc/passwd"}), "only http and https"),
        (json!({"headers": {"a b": "c"}}), "the header \"a b\" can't be sent"),
        (json!({"headers": {"a": "c\nd"}}), "the header \"a\" can't be sent"),
    ];
    for (settings, expected) in cases {
        let reason = ask(&source(settings), &Position::Only, &variables).unwrap_err().to_string();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_body_is_a_page_or_a_fault() {
    let (plain, never) = (json!({}), json!({"page": {"kind": "number", "from": 1, "stop": "never"}}));
    let cursor = json!({"page": {"kind": "cursor", "next": "/info/next"}});
    let page = |records: Value, next: Option<&str>| {
        Ok(Page { records: serde_json::from_value(records).unwrap(), next: next.map(str::to_owned) })
    };
    let cases = [
        (&plain, r#"{"results": [{"id": 1}, 2], "error": null}"#, page(json!([{"id": 1}, 2]), None)),
        (&plain, r#"{"results": []}"#, page(json!([]), None)),
        (&never, r#"{"results": []}"#, Err("it answered without records, where")),
        (
            &plain,
            r#"{"error": "Uh oh, something has gone wrong"}"#,
            Err("it answered 200 with an error: Uh oh"),
        ),
        (
            &plain,
            r#"{"error": {"code": 7}, "results": [1]}"#,
            Err("it answered 200 with an error: {\"code\":7}"),
        ),
        (&plain, r#"{"users": []}"#, Err("there is no array at \"/results\"")),
        (&plain, r#"{"results": {"a": 1}}"#, Err("there is no array at \"/results\"")),
        (&plain, r#"[]"#, Err("there is no array at \"/results\"")),
        (&plain, r#"{"results": [{"id"#, Err("the body is not JSON: EOF")),
        (&plain, "", Err("the body is not JSON: EOF")),
        (&cursor, r#"{"results": [1], "info": {"next": "b"}}"#, page(json!([1]), Some("b"))),
        (&cursor, r#"{"results": [1], "info": {"next": 17}}"#, page(json!([1]), Some("17"))),
        (&cursor, r#"{"results": [1], "info": {"next": null}}"#, page(json!([1]), None)),
        (&cursor, r#"{"results": [1]}"#, page(json!([1]), None)),
    ];
    for (settings, body, expected) in cases {
        match (Page::read(&source(settings.clone()), body.as_bytes()), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(start)) => assert!(found.to_string().starts_with(start), "{found}"),
            (found, _) => panic!("{body}: {found:?}"),
        }
    }
}

#[test]
fn the_records_may_be_the_whole_body() {
    assert_eq!(Page::read(&source(json!({"records": ""})), b"[1, 2]").unwrap().records.len(), 2);
}

proptest! {
    #[test]
    fn any_body_is_a_page_or_a_reason(
        noise in prop::collection::vec(any::<u8>(), 0..40),
        at in 0usize..60,
        end in 0usize..60,
    ) {
        let good = br#"{"results": [{"id": "a"}, {"id": "\u00e5"}], "next": 7, "error": null}"#;
        let (at, end) = (at.min(good.len()), end.clamp(at, good.len().max(at)).min(good.len()));
        let damaged = [&good[..at], &noise, &good[end.max(at)..]].concat();
        let paging = [
            json!({}),
            json!({"page": {"kind": "number", "from": 1, "stop": "never"}}),
            json!({"page": {"kind": "cursor", "next": "/next", "first": ""}}),
        ];
        for (settings, body) in paging.iter().flat_map(|settings| [(settings, &damaged), (settings, &noise)]) {
            match Page::read(&source(settings.clone()), body) {
                Ok(page) => prop_assert!(page.records.len() <= body.len()),
                Err(cause) => prop_assert!(cause.to_string().len() < 2_000),
            }
        }
    }
}
