//! Who is told of failures, recoveries and deadlines: a URL and a topic, by what the DAG's file names.

#![allow(clippy::unwrap_used)]

use e2e::{Crew, World, collector, first_records};
use kafka::{Cluster, Record, TopicSpec, topics};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use test_support::{eventually, unique};
use tokio::time::timeout;

const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// A record as others read it: key, the header, and the body.
type Heard = (String, String, Value);

async fn in_topic(bootstrap: String, topic: String, many: usize) -> Vec<Heard> {
    let heard = |record: Record| {
        let header = record.header("idempotency-key").unwrap().to_owned();
        let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
        (key, header, serde_json::from_slice(&record.payload.unwrap()).unwrap())
    };
    first_records(bootstrap, topic, many, TOLD_WITHIN).await.into_iter().map(heard).collect()
}

/// Fails while the file is not there; tells of the deadline when it takes long.
const DAG: &str = r#"
notify = ["hook", "topic"]
[params.takes]
type = "integer"
default = 0
[tasks.a]
kind = "command"
run = ["sh", "-c", "sleep {{ params.takes }}; test -e {file}"]
deadline = "1s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_url_and_a_topic_are_told_of_a_failure_its_recovery_and_a_deadline() {
    let bootstrap = World::running().stack.address("kafka").to_owned();
    let (url, mut collected) = collector("/hook", 200, |told| vec![told]).await;
    let topic = unique("notifications");
    topics::ensure(&Cluster::new(&bootstrap), &[TopicSpec::new(&topic, 1, 1, None)]).await.unwrap();
    let sections = format!(
        "[notifications.hook]\nkind = \"webhook\"\nurl = \"{url}/hook\"\n\
         [notifications.topic]\nkind = \"kafka\"\ntopic = \"{topic}\"\n"
    );
    let crew = Crew::start_with(&sections, &[("one", &[])]).await;
    let file = crew.place("there");
    let folder = crew.dag(&DAG.replace("{file}", &file.display().to_string()));
    let failed = crew.trigger(&folder.name).await;
    assert_eq!(crew.ends(failed).await, "failed");
    std::fs::write(&file, "").unwrap();
    let recovered = crew.trigger(&folder.name).await;
    assert_eq!(crew.ends(recovered).await, "success");
    let late = crew.trigger_with(&folder.name, &json!({ "params": { "takes": 4 } })).await;
    assert_eq!(crew.ends(late).await, "success");

    let expected: BTreeSet<(String, String)> =
        [("failure", failed), ("recovery", recovered), ("deadline", late)]
            .map(|(kind, run)| (kind.to_owned(), run.to_string()))
            .into();
    let in_short = |told: &Value| (text(told, "kind"), text(told, "run_id"));
    let mut by_url = vec![];
    for _ in &expected {
        by_url.push(timeout(TOLD_WITHIN, collected.recv()).await.expect("the collector is told").unwrap());
    }
    let by_topic = in_topic(bootstrap, topic, expected.len()).await;
    assert_eq!(by_url.iter().map(in_short).collect::<BTreeSet<_>>(), expected);
    assert_eq!(by_topic.iter().map(|(.., told)| in_short(told)).collect::<BTreeSet<_>>(), expected);
    // Each has a key of its own, in the topic as key and header of the record.
    assert!(
        by_topic.iter().all(|(key, header, told)| key == header && *key == text(told, "key")),
        "{by_topic:#?}"
    );
    let keys = by_url.iter().chain(by_topic.iter().map(|(.., told)| told)).map(|told| text(told, "key"));
    assert_eq!(keys.collect::<BTreeSet<_>>().len(), 2 * expected.len());
    let told = by_url.iter().find(|told| told["kind"] == "failure").unwrap();
    assert!(text(told, "text").starts_with(&format!("the run of DAG \"{}\" for ", folder.name)), "{told}");
    // The one that the collector refused first was sent again, and page by page all are there.
    let pages = eventually("all are sent", || async {
        let mut found = vec![];
        let mut before = String::new();
        while let Some(page) = crew.get(&format!("notifications?state=sent&limit=2{before}")).await {
            let Some(last) = page.as_array()?.last() else { break };
            before = format!("&before={}", last["id"]);
            found.extend(page.as_array()?.iter().map(|one| text(one, "key")));
        }
        (found.len() == 2 * expected.len()).then_some(found)
    })
    .await;
    assert_eq!(pages.iter().collect::<BTreeSet<_>>().len(), pages.len());
}

fn text(told: &Value, key: &str) -> String {
    told[key].as_str().unwrap_or_default().to_owned()
}
