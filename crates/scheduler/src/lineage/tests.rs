use super::*;
use std::time::Duration;

fn claim(first_look: bool) -> Claim {
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    Claim {
        run_id: Uuid::from_u128(7),
        task: "load".into(),
        attempt_id: Uuid::from_u128(8),
        holder: "me".into(),
        attempt: 2,
        tries: 2,
        dag: "users".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        logical_at: at,
        interval: (at, at),
        params: json!({ "password": "hunter2" }),
        run_started_at: at,
        age: Duration::ZERO,
        first_look,
        kept: None,
    }
}

fn told(tell: impl FnOnce(&Lineage)) -> Vec<Value> {
    let settings =
        Settings { url: "http://collector".into(), topic: String::new(), namespace: "ours".into() };
    let (lineage, mut events) = lineage(&settings);
    tell(&lineage);
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

#[test]
fn a_try_is_a_run_of_its_own_below_ours_and_ends_as_it_did() {
    let failed = Ending::Failed { reason: "no".into(), retry_in: Some(Duration::ZERO) };
    let skipped = Ending::Skipped { reason: "not today".into() };
    let endings = [(Ending::Success(json!(1)), "COMPLETE"), (failed, "FAIL"), (skipped, "ABORT")];
    for (ending, expected) in endings {
        let events = told(|lineage| lineage.ends(&claim(false), &ending));
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&event["eventType"], &event["job"]["name"]), (&json!(expected), &json!("users.load")));
        assert_eq!(
            event["run"]["runId"],
            json!(try_id(&claim(true))),
            "its beginning and its end are of one run"
        );
        assert_eq!(event["run"]["facets"]["parent"]["run"]["runId"], json!(Uuid::from_u128(7)));
        assert!(!event.to_string().contains("hunter2"));
    }
}

#[test]
fn a_look_that_comes_again_tells_nothing() {
    let deferred = Ending::Deferred { look_again_in: Duration::ZERO, reason: "not yet".into(), kept: None };
    assert_eq!(told(|lineage| lineage.ends(&claim(true), &deferred)), Vec::<Value>::new());
}

#[test]
fn without_a_collector_nothing_is_told() {
    let (lineage, mut events) = lineage(&Settings::default());
    lineage.ends(&claim(true), &Ending::Success(Value::Null));
    assert!(events.try_recv().is_err());
}
