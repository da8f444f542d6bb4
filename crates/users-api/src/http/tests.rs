//! Each fault, met over a real connection.

use super::*;
use serde_json::Value;
use tokio::net::TcpListener;

async fn serve(fault: &str, users_max: u64) -> String {
    let config = Config {
        listen: String::new(),
        users_max,
        window: Duration::from_secs(300),
        seed: "millrace".into(),
        fault: fault.into(),
        fault_seed: 1,
        slow: Duration::from_millis(300),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = routes(State::new(&config).unwrap()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/api/1.4/")
}

async fn get(url: &str) -> reqwest::Response {
    test_support::http().get(url).send().await.unwrap()
}

#[tokio::test]
async fn a_page_has_the_envelope_of_the_real_api() {
    let url = serve("", 0).await;
    let answer: Value = get(&format!("{url}?results=3&page=2&seed=abc")).await.json().await.unwrap();
    assert_eq!(answer["info"], serde_json::json!({"seed": "abc", "results": 3, "page": 2, "version": "1.4"}));
    assert_eq!(answer["results"].as_array().unwrap().len(), 3);
    let bare: Value = get(&format!("{}?noinfo", url.replace("1.4/", ""))).await.json().await.unwrap();
    assert_eq!(bare.as_object().unwrap().keys().collect::<Vec<_>>(), ["results"]);
}

#[tokio::test]
async fn more_users_than_an_address_may_have_are_refused() {
    let url = serve("", 10).await;
    assert_eq!(get(&format!("{url}?results=8")).await.status(), 200);
    let refused = get(&format!("{url}?results=3")).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((290..=300).contains(&wait), "{wait}");
    assert!(refused.json::<Value>().await.unwrap()["error"].as_str().unwrap().contains("come back in"));
    assert_eq!(get(&format!("{url}?results=2")).await.status(), 200);
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_refused_and_the_known_are_named() {
    let refused = get(&format!("{}?fault=timeout:1", serve("", 0).await)).await;
    assert_eq!(refused.status(), 400);
    let error = refused.text().await.unwrap();
    assert!(error.contains("429, 500, slow, empty, badjson, endless, reset"), "{error}");
}

#[tokio::test]
async fn faults_that_are_answers() {
    let url = serve("429:1", 0).await;
    let too_many = get(&url).await;
    assert_eq!(
        (too_many.status().as_u16(), &too_many.headers()["retry-after"]),
        (429, &HeaderValue::from(1))
    );
    assert_eq!(get(&format!("{url}?fault=500:1")).await.status(), 500);
    let empty: Value = get(&format!("{url}?fault=empty:1&results=5")).await.json().await.unwrap();
    assert_eq!((empty["results"].as_array().unwrap().len(), &empty["info"]["results"]), (0, &0.into()));
    let broken = get(&format!("{url}?fault=badjson:1&results=5")).await;
    assert_eq!(broken.status(), 200);
    assert!(serde_json::from_slice::<Value>(&broken.bytes().await.unwrap()).is_err());
}

#[tokio::test]
async fn a_slow_answer_shows_its_head_first() {
    let url = format!("{}?fault=slow:1", serve("", 0).await);
    let answer = get(&url).await;
    let head = Instant::now();
    assert_eq!(answer.json::<Value>().await.unwrap()["results"].as_array().unwrap().len(), 1);
    assert!(head.elapsed() > Duration::from_millis(150), "{:?}", head.elapsed());
}

#[tokio::test]
async fn an_endless_answer_goes_on_and_a_reset_one_breaks() {
    let url = serve("", 0).await;
    let mut endless = get(&format!("{url}?fault=endless:1")).await;
    let mut read = 0;
    while read < 200_000 {
        read += endless.chunk().await.unwrap().expect("an endless body does not end").len();
    }
    let reset = get(&format!("{url}?fault=reset:1&results=50")).await;
    assert_eq!(reset.status(), 200);
    assert!(reset.bytes().await.is_err());
}

#[tokio::test]
async fn who_tries_again_gets_the_page() {
    let url = format!("{}?fault=500:0.5&fault_seed=3&page=", serve("", 0).await);
    let mut failed = 0;
    for page in 1..=10 {
        while get(&format!("{url}{page}")).await.status() == 500 {
            failed += 1;
        }
    }
    assert!((1..40).contains(&failed), "{failed}");
}
