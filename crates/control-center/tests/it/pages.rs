//! What pages say, from a made-up cluster.

use crate::made_up::{HOSTILE, found, seen};
use chrono::{DateTime, TimeDelta, Utc};
use control_center::{
    Seen,
    messages::{Asked, LIMIT},
    pages::{self, View},
};
use maud::Render;

fn now() -> DateTime<Utc> {
    "2026-03-01T12:03:07Z".parse().unwrap()
}

fn page(view: &View, seen: &Seen) -> String {
    pages::page(view, seen, now()).render().into_string()
}

fn check(view: View, seen: &Seen, parts: &[&str]) {
    let page = page(&view, seen);
    for part in parts {
        assert!(page.contains(part), "{view:?} lacks {part}: {page}");
    }
    assert!(!page.contains(HOSTILE), "{view:?} would run what a record says");
}

#[test]
fn every_page_shows_what_it_is_for() {
    let seen = seen(now(), false);
    check(
        View::Overview,
        &seen,
        &["healthy", "127.0.0.1:9092", "controller", "Dead letters", "users-dead/messages"],
    );
    check(
        View::Topics,
        &seen,
        &["href=\"/topics/users_clean\"", "in sync", "Kafka's own", "__consumer_offsets"],
    );
    check(
        View::Topic("users".into()),
        &seen,
        &[
            "/schemas/users-value",
            "version 2, id 4",
            "42000",
            "messages?partition=3",
            "/groups/job.users_clean",
            "/topics/users-dead/messages",
        ],
    );
    check(View::Topic("users-dead".into()), &seen, &["Dead letters of", "href=\"/topics/users\""]);
    check(
        View::Groups,
        &seen,
        &["caught up", "console-consumer-%3C1%3E", "worker-2", "signups_per_country/0"],
    );
    check(
        View::Group("job.users_clean".into()),
        &seen,
        &["Next to read", "users_clean/1", "href=\"/topics/users\""],
    );
    check(View::Schemas, &seen, &["users_clean-value", "href=\"/topics/users_clean\""]);
    check(
        View::Schema("users-value".into()),
        &seen,
        &["string or null", "long (timestamp-millis)", "Version 2, id 4: adds city", "&lt;script&gt;"],
    );
}

#[test]
fn the_overview_says_what_is_wrong_and_what_can_be_done() {
    let mut troubled = seen(now(), true);
    check(
        View::Overview,
        &troubled,
        &[
            "unhealthy",
            "Broker 3 is not there: start it.",
            "Slot 0 of job signups_per_country has failed: the state could not be restored",
            "job.users_clean is falling behind: 9\u{2009}600 records, and more every minute. The oldest unread one was written 1 min ago.",
            "sink.users is",
            "has committed nothing since 2026-03-01 12:01:07 UTC. Is its process running?",
        ],
    );
    troubled.kafka.take(
        now() - TimeDelta::seconds(30),
        Err("Kafka at localhost:9092 did not answer: refused. Is the broker running?".into()),
    );
    let away = "Kafka at localhost:9092 did not answer: refused. Is the broker running? First failure 30 s ago; retrying with pauses of 2 s. What is shown was true now.";
    check(View::Overview, &troubled, &["away", away]);
    check(View::Topics, &troubled, &[away, "users_clean"]);
}

#[test]
fn a_page_is_there_before_any_server_has_answered() {
    let mut nothing = Seen::default();
    for view in [View::Overview, View::Topics, View::Topic("users".into()), View::Groups, View::Schemas] {
        check(view, &nothing, &["for the first time"]);
    }
    nothing.kafka.take(now(), Err("Kafka is away".into()));
    check(
        View::Topics,
        &nothing,
        &[
            "Kafka is away. First failure now; retrying with pauses of 2 s. It was not seen since this process was started.",
        ],
    );
    assert!(!View::Topic("users".into()).is_missing(&nothing));
    assert!(View::Topic("none".into()).is_missing(&seen(now(), false)));
}

#[test]
fn messages_are_shown_whatever_they_are_and_never_run() {
    let asked = Asked { partition: Some(0), ..Asked::default() };
    let page = pages::messages("users", &asked, LIMIT, Ok(&found(now()))).render().into_string();
    let parts = [
        "&lt;script&gt;",
        "Avro, decoded",
        "a tombstone",
        "Not decoded: schema 4: the Avro body does not fit its schema",
        "field &quot;dob&quot;: expected a timestamp",
        "\\x00\\x00\\x00\\x00\\x04&lt;script&gt;\\xff",
        "partition=0&amp;limit=50&amp;before=840401",
    ];
    for part in parts {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(!page.contains(HOSTILE) && !page.contains("Newer messages"));
    let refused =
        pages::messages("users", &asked, LIMIT, Err("There is no partition 9".into())).render().into_string();
    assert!(refused.contains("There is no partition 9"), "{refused}");
}

#[test]
fn the_first_view_of_a_page_stays_small() {
    for view in [View::Overview, View::Topics, View::Groups] {
        let bytes = page(&view, &seen(now(), true)).len();
        assert!(bytes < 100_000, "{view:?} has {bytes} bytes");
    }
}
