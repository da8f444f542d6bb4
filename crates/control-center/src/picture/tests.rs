use super::*;
use chrono::TimeDelta;
use kafka::cluster;
use std::collections::BTreeMap;
use wire::passed::Offsets;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

/// One partition of `users`, from `first` to `end`, and a group that has committed `committed` (below zero: nothing).
fn survey(second: i64, first: i64, end: i64, committed: i64) -> Survey {
    let one = |offset: i64| BTreeMap::from([("users".to_owned(), Offsets([(0, offset)].into()))]);
    let partition = |id, leader, in_sync| cluster::Partition { id, leader, replicas: vec![1, 2], in_sync };
    let committed = if committed < 0 { Offsets([(7, 0)].into()) } else { Offsets([(0, committed)].into()) };
    Survey {
        at: at(second),
        brokers: vec![],
        topics: vec![cluster::Topic {
            name: "users".into(),
            id: Default::default(),
            internal: false,
            partitions: vec![partition(0, 1, vec![1])],
        }],
        first: one(first),
        end: one(end),
        sizes: Default::default(),
        groups: Ok([("sink.users".to_owned(), Ok(BTreeMap::from([("users".to_owned(), committed)])))].into()),
        troubles: vec![],
    }
}

/// The picture after surveys of (second, end, committed).
fn watched(surveys: impl IntoIterator<Item = (i64, i64, i64)>) -> Picture {
    let next = |before: Option<Picture>, (second, end, committed)| {
        Some(Picture::of(survey(second, 0, end, committed), before.as_ref(), &Oldest::default()))
    };
    surveys.into_iter().fold(None, next).unwrap()
}

#[test]
fn lag_is_what_is_still_there_to_read_and_what_was_deleted_unread_is_missed() {
    // first, end, committed: lag, missed
    let cases = [
        (0, 100, 100, 0, 0),
        (0, 100, 40, 60, 0),
        (50, 100, 40, 50, 10),
        (50, 100, -1, 50, 0),
        // The end was asked for a moment before the group's place.
        (0, 100, 103, 0, 0),
    ];
    for (first, end, committed, lag, missed) in cases {
        let picture = Picture::of(survey(0, first, end, committed), None, &Oldest::default());
        let group = picture.group("sink.users").unwrap();
        assert_eq!((group.lag(), group.missed()), (Some(lag), missed), "{first} {end} {committed}");
    }
}

#[test]
fn what_is_not_known_is_not_taken_for_nothing() {
    let mut unknown = survey(0, 0, 100, 40);
    unknown.end.clear();
    unknown.groups.as_mut().unwrap().insert("job.a".into(), Err("the coordinator is loading".into()));
    let picture = Picture::of(unknown, None, &Oldest::default());
    assert_eq!(picture.group("sink.users").unwrap().lag(), None);
    let failed = picture.group("job.a").unwrap();
    assert_eq!((failed.lag(), failed.trend(at(0)), failed.kind), (None, Trend::Unknown, Kind::Job));
    assert_eq!(picture.topic("users").unwrap().rate(), None);
}

#[test]
fn a_group_is_called_by_what_its_lag_does() {
    let minute = |end: fn(i64) -> i64, committed: fn(i64) -> i64| {
        watched((0..=40).map(|n| (2 * n, end(n), committed(n))))
    };
    let cases = [
        (minute(|n| n * 10, |n| n * 10), Trend::CaughtUp),
        (minute(|n| n * 10, |n| n * 10 - n % 7), Trend::Reading),
        (minute(|n| n * 10, |n| n * 5), Trend::Growing),
        (minute(|_| 100, |_| 40), Trend::Still),
        // Caught up until just now: it may still begin to read.
        (minute(|n| 40 + n / 40, |_| 40), Trend::Reading),
    ];
    for (picture, expected) in cases {
        let group = picture.group("sink.users").unwrap();
        assert_eq!(group.trend(picture.at), expected, "{:?}", group.lags);
    }
}

#[test]
fn a_rate_is_told_between_surveys_but_not_across_a_gap_or_a_new_incarnation() {
    let rate = |surveys: &[(i64, i64, i64)]| watched(surveys.iter().copied()).topic("users").unwrap().rate();
    assert_eq!(rate(&[(0, 100, 0), (2, 150, 0)]), Some(25.0));
    assert_eq!(rate(&[(0, 100, 0), (60, 150, 0)]), None);
    assert_eq!(rate(&[(0, 100, 0), (2, 20, 0)]), None);
    let picture = watched([(0, 100, 0), (2, 150, 0), (4, 160, 0)]);
    let rates: Vec<_> = picture.rates(|_| true).into_iter().map(|(_, rate)| rate).collect();
    assert_eq!(rates, [None, Some(25.0), Some(5.0)]);
}

#[test]
fn histories_are_bounded() {
    let picture = watched((0..200).map(|n| (2 * n, n, n)));
    assert_eq!(picture.times.len(), HISTORY);
    assert_eq!(picture.topic("users").unwrap().rates.values().len(), HISTORY);
    assert_eq!(picture.times.last(), Some(&(at(0) + TimeDelta::seconds(398))));
}

#[test]
fn a_partition_with_fewer_copies_than_declared_is_told() {
    let topic = watched([(0, 1, 1)]).topic("users").unwrap().clone();
    assert_eq!((topic.under_replicated(), topic.leaderless(), topic.replication()), (1, 0, 2));
}

#[test]
fn groups_and_their_histories_outlive_a_moment_without_an_answer() {
    let before = watched((0..40).map(|n| (2 * n, 100, 40)));
    let silent = Survey { groups: Err("broker 2 is away".into()), ..survey(80, 0, 100, 40) };
    let during = Picture::of(silent, Some(&before), &Oldest::default());
    let group = during.group("sink.users").unwrap();
    assert_eq!((group.lag(), group.trend(during.at)), (None, Trend::Unknown));
    assert_eq!(during.troubles, ["The consumer groups are not known: broker 2 is away"]);
    let after = Picture::of(survey(82, 0, 100, 40), Some(&during), &Oldest::default());
    let group = after.group("sink.users").unwrap();
    assert_eq!(
        (group.lags.from_end(1), group.lags.from_end(2), group.trend(after.at)),
        (None, Some(60.0), Trend::Still)
    );
}
