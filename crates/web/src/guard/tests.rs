use super::*;
use axum::{Router, body::Body, routing::any};
use tower::ServiceExt;

async fn ask(method: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let router = Router::new()
        .route("/", any(|| async { "in" }))
        .layer(loopback_only(vec!["Scheduler.example".into()]));
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn check(method: &str, headers: &[(&str, &str)], let_in: bool) {
    let (status, body) = ask(method, headers).await;
    let expected = if let_in { StatusCode::OK } else { StatusCode::FORBIDDEN };
    assert_eq!(status, expected, "{method} {headers:?}: {body}");
}

#[tokio::test]
async fn only_names_of_this_server_are_let_in_with_any_port() {
    for host in [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1",
        "127.0.0.1:9021",
        "[::1]",
        "[::1]:7077",
        "scheduler.example",
        "Scheduler.Example:80",
    ] {
        check("GET", &[("host", host)], true).await;
    }
    for host in
        ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "::1", ""]
    {
        check("GET", &[("host", host)], false).await;
    }
    check("GET", &[], false).await;
}

#[tokio::test]
async fn what_changes_something_comes_from_the_same_host_and_port_or_from_no_page() {
    let host = ("host", "localhost:8080");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        check(method, &[host], true).await;
        for (origin, let_in) in [
            ("http://localhost:8080", true),
            ("http://LOCALHOST:8080", true),
            ("http://localhost:7077", false),
            ("http://localhost", false),
            ("http://evil.example", false),
            ("http://localhost:8080.evil.example", false),
            ("null", false),
        ] {
            check(method, &[host, ("origin", origin)], let_in).await;
        }
    }
}

#[tokio::test]
async fn a_foreign_page_is_refused_even_when_its_browser_hides_the_origin() {
    let host = ("host", "localhost:8080");
    for (site, let_in) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
    {
        check("POST", &[host, ("sec-fetch-site", site)], let_in).await;
    }
}

#[tokio::test]
async fn reading_does_not_ask_for_the_origin_because_a_link_may_lead_here() {
    check("GET", &[("host", "localhost:8080"), ("origin", "http://evil.example")], true).await;
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let (_, body) = ask("GET", &[("host", "evil.example")]).await;
    assert_eq!(
        body,
        "\"evil.example\" is not a name of this server. Ask for localhost, or add the name to `allowed_hosts` in its configuration.\n"
    );
    let (_, body) = ask("POST", &[("host", "localhost:8080"), ("origin", "http://evil.example")]).await;
    assert_eq!(
        body,
        "A page of http://evil.example may not change anything here. Open this server's own page at localhost:8080 and do it there.\n"
    );
}
