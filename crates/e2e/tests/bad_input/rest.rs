//! The scheduler's REST, and the fetcher's.

use crate::{GROWTH_MIB_MAX, assert_clear};
use e2e::{Memory, World};
use serde_json::Value;

async fn ask(
    world: &World,
    process: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let url = format!("{}{path}", world.stack.address(process));
    let request = world.http.request(method.parse().unwrap(), url);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.body(body.to_owned()).send().await.expect("the process answers");
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    let told = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|answer| Some(answer["error"].as_str()?.to_owned()));
    (status, told.unwrap_or(text))
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Method, path, headers, body, and what is answered: status and a part of the text.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn the_scheduler_says_what_is_wrong_with_a_request() {
    let world = World::running();
    let memory = Memory::of("scheduler");
    let deep = "[".repeat(10_000);
    let large = format!("{{\"idempotency_key\": \"{}\"}}", "k".repeat(3_000_000));
    let long = format!("{{\"idempotency_key\": \"{}\"}}", "k".repeat(300_000));
    let trigger = "/api/v1/dags/users/runs";
    let cases: [Case<'_>; 21] = [
        ("POST", "/api/v1/dags/nobody/runs", JSON, "{}", 404, "There is no DAG \"nobody\""),
        ("POST", trigger, JSON, "not json", 400, "JSON"),
        ("POST", trigger, JSON, "{\"idempotency_key\": 7}", 422, "expected a string"),
        ("POST", trigger, JSON, "{\"nope\": 1}", 422, "unknown field `nope`"),
        ("POST", trigger, JSON, "{\"conf\": \"{{ 7 * 7 }}\"}", 422, "unknown field `conf`"),
        ("POST", trigger, JSON, &deep, 422, "expected a string"),
        ("POST", trigger, JSON, &large, 413, "send less in one request"),
        ("POST", trigger, JSON, &long, 400, "idempotency_key"),
        ("POST", trigger, JSON, "{\"idempotency_key\": \"a\\u0000b\"}", 400, "idempotency_key"),
        ("POST", trigger, &[("content-type", "text/html")], "<html>", 415, "application/json"),
        ("POST", "/api/v1/dags/..%2f..%2fetc/runs", JSON, "{}", 404, "There is no DAG"),
        ("POST", "/api/v1/dags/%00/runs", JSON, "{}", 404, "There is no DAG"),
        ("POST", "/api/v1/dags/%ff/runs", JSON, "{}", 400, "UTF-8"),
        ("POST", "/api/v1/dags/{{ 7 * 7 }}/runs", JSON, "{}", 404, "There is no DAG"),
        ("DELETE", trigger, &[], "", 405, "does not take DELETE"),
        ("GET", "/api/v1/runs?limit=many", &[], "", 400, "invalid digit"),
        ("GET", "/api/v1/runs?nope=1", &[], "", 400, "unknown field `nope`"),
        ("GET", "/api/v1/runs/not-a-uuid", &[], "", 400, "UUID"),
        ("GET", "/api/v1/runs/00000000-0000-0000-0000-000000000000", &[], "", 404, "there is no run"),
        ("GET", "/api/v1/nothing", &[], "", 404, "there is no /api/v1/nothing"),
        (
            "POST",
            trigger,
            &[("content-type", "application/json"), ("origin", "http://evil.example")],
            "{}",
            403,
            "evil.example",
        ),
    ];
    for (method, path, headers, body, status, part) in cases {
        let (found, told) = ask(&world, "scheduler", method, path, headers, body).await;
        let shown: String = body.chars().take(60).collect();
        assert!(found == status && told.contains(part), "{method} {path} {shown}: {found} {told}");
        assert_clear(&format!("{method} {path} {shown}"), &told);
        assert!(!told.to_lowercase().contains("panic") && told.len() < 2_000, "{told}");
    }
    let (status, _) = ask(&world, "scheduler", "GET", "/api/v1/dags", &[], "").await;
    assert_eq!(status, 200);
    let (status, told) =
        ask(&world, "scheduler", "GET", "/api/v1/dags", &[("host", "evil.example")], "").await;
    assert!(status == 403 && told.contains("is not a name of this server"), "{told}");
    memory.assert_within(GROWTH_MIB_MAX);
}

#[tokio::test]
async fn the_fetcher_says_what_is_wrong_with_a_request() {
    let world = World::running();
    let cases = [
        ("/v1/fetch", "not json", 400, "JSON"),
        ("/v1/fetch", "{}", 422, "missing field"),
        ("/v1/fetch", "{\"source\": \"users\", \"attempt_id\": \"7\"}", 422, "UUID"),
        ("/v1/dry-run", "{\"source\": 7}", 422, "expected a string"),
        ("/v1/dry-run", "{\"source\": \"users\", \"nope\": 1}", 422, "unknown field `nope`"),
        ("/v1/dry-run", "{\"source\": \"nobody\"}", 404, "declare it under [sources.nobody]"),
        ("/v1/dry-run", "{\"source\": \"a\\u0000b\"}", 404, "no published pipeline has a source"),
        ("/v1/nothing", "{}", 404, "there is no /v1/nothing"),
    ];
    for (path, body, status, part) in cases {
        let (found, told) = ask(&world, "fetcher", "POST", path, JSON, body).await;
        assert!(found == status && told.contains(part), "{path} {body}: {found} {told}");
        assert_clear(path, &told);
    }
}
