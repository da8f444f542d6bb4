use super::*;
use chrono::{DateTime, TimeDelta, Utc};

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn life(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A place in the topic's first life: partition 0 at 10, partition 1 at 20.
fn place() -> Place {
    Place {
        dag: "d".into(),
        pipeline: "p".into(),
        hash: "h".into(),
        topic: "t".into(),
        looked: true,
        topic_id: Some(life(1)),
        offsets: [(0, 10), (1, 20)].into(),
        since: None,
        version: 1,
        paused: false,
        queued: false,
        now: now(),
    }
}

fn on(at_least: u64, within: Option<u64>) -> On {
    On { stream: "t".into(), at_least, within: within.map(Duration::from_secs), from: Start::End }
}

fn seen(end: &[(i32, i64)]) -> Seen {
    Seen { id: life(1), first: Offsets::new(), end: end.iter().copied().collect() }
}

#[test]
fn enough_records_start_a_run_and_fewer_do_once_the_first_has_waited() {
    let since = |seconds| Place { since: Some(now() - TimeDelta::seconds(seconds)), ..place() };
    let run = |to: &[(i32, i64)], from: &[(i32, i64)], records| Step::Run {
        from: from.iter().copied().collect(),
        to: to.iter().copied().collect(),
        records,
    };
    let start = [(0, 10), (1, 20)];
    let cases = [
        (on(1, None), place(), vec![(0, 10), (1, 20)], Step::Rest),
        (on(1, None), place(), vec![(0, 11), (1, 20)], run(&[(0, 11), (1, 20)], &start, 1)),
        (on(5, None), place(), vec![(0, 12), (1, 22)], Step::Rest),
        (on(5, None), place(), vec![(0, 12), (1, 23)], run(&[(0, 12), (1, 23)], &start, 5)),
        (on(5, Some(10)), place(), vec![(0, 12), (1, 20)], Step::Move(since(0))),
        (on(5, Some(10)), since(9), vec![(0, 12), (1, 20)], Step::Rest),
        (on(5, Some(10)), since(10), vec![(0, 12), (1, 20)], run(&[(0, 12), (1, 20)], &start, 2)),
        (on(5, Some(10)), since(1), vec![(0, 15), (1, 20)], run(&[(0, 15), (1, 20)], &start, 5)),
        // A partition without a leader is not known now; one that is new begins at 0.
        (on(1, None), place(), vec![(1, 21)], run(&[(0, 10), (1, 21)], &start, 1)),
        (
            on(1, None),
            place(),
            vec![(0, 10), (1, 20), (2, 3)],
            run(&[(0, 10), (1, 20), (2, 3)], &[(0, 10), (1, 20), (2, 0)], 3),
        ),
        (on(1, None), Place { paused: true, ..place() }, vec![(0, 99), (1, 99)], Step::Rest),
        (on(1, None), Place { queued: true, ..place() }, vec![(0, 99), (1, 99)], Step::Rest),
    ];
    for (on, place, end, expected) in cases {
        assert_eq!(step(&on, &place, Some(&seen(&end))), expected, "{on:?} {place:?} {end:?}");
    }
}

#[test]
fn the_first_run_begins_after_the_dag_was_published_or_where_it_is_asked_to() {
    let new = Place { looked: false, topic_id: None, offsets: Offsets::new(), ..place() };
    let waited = Place { looked: true, ..new.clone() };
    let topic = Seen { first: [(0, 3)].into(), end: [(0, 7)].into(), id: life(1) };
    let beginning = On { from: Start::Beginning, ..on(1, None) };
    let at = |offset, id| {
        Step::Move(Place { looked: true, topic_id: Some(life(id)), offsets: [(0, offset)].into(), ..place() })
    };
    let cases = [
        // Not there yet: what is in it when it appears came later.
        (on(1, None), new.clone(), None, Step::Move(waited.clone())),
        (on(1, None), waited.clone(), None, Step::Rest),
        (on(1, None), waited, Some(topic.clone()), at(3, 1)),
        (on(1, None), new.clone(), Some(topic.clone()), at(7, 1)),
        (beginning, new, Some(topic.clone()), at(3, 1)),
        // Made again: all of it is new.
        (on(1, None), place(), Some(Seen { id: life(2), ..topic.clone() }), at(3, 2)),
        // A partition without a leader: later.
        (on(1, None), place(), Some(Seen { id: life(2), first: Offsets::new(), ..topic }), Step::Rest),
    ];
    for (on, place, seen, expected) in cases {
        assert_eq!(step(&on, &place, seen.as_ref()), expected, "{on:?} {place:?} {seen:?}");
    }
}
