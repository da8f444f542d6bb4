//! What must hold for every calendar at every instant, looked at where it is hardest.

use super::{at, cron, fired};
use chrono::{DateTime, LocalResult, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use schedule::{Calendar, Overlap, Schedule};
use std::collections::BTreeSet;

/// Half an hour and an hour and two, both hemispheres, Ramadan, 24 hours left out, and some that never change.
const ZONES: [&str; 30] = [
    "UTC",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Athens",
    "Europe/Chisinau",
    "Europe/Istanbul",
    "Atlantic/Azores",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Jerusalem",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Antarctica/Troll",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Easter",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "America/Nuuk",
    "America/New_York",
    "America/St_Johns",
];

fn offset(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// Whole hours after which the clock differs, in a year.
fn transitions(zone: Tz, year: i32) -> Vec<DateTime<Utc>> {
    let start = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let hours = (0..366 * 24).map(|hour| start + TimeDelta::hours(hour));
    hours.filter(|at| offset(zone, *at) != offset(zone, *at + TimeDelta::hours(1))).collect()
}

#[test]
fn next_is_later_and_nothing_lies_between_at_every_second_around_every_transition() {
    let mut transitions_seen = 0;
    for name in ZONES {
        let zone: Tz = name.parse().unwrap();
        // A fixed time in most of these nights, and an hour that is stepped.
        let schedule = Schedule::of_cron(&["30 0,1,2,3 * * *", "*/20 */2 * * *"]);
        let calendar = Calendar::new(&schedule, name, Overlap::Both, None).unwrap();
        for transition in transitions(zone, 2025) {
            transitions_seen += 1;
            let first = transition - TimeDelta::hours(3);
            let mut expected = calendar.next(first).unwrap();
            for second in 0..=7 * 3600 {
                let now = first + TimeDelta::seconds(second);
                if now >= expected {
                    assert_eq!(now, expected, "{name}: an instant was skipped");
                    expected = calendar.next(now).unwrap();
                    assert_eq!(calendar.previous(expected), Some(now), "{name}: backward from {expected}");
                }
                assert!(expected > now);
                assert_eq!(calendar.next(now), Some(expected), "{name} at {now}");
            }
        }
    }
    assert!(transitions_seen >= 40, "{transitions_seen}");
}

const EXPRESSIONS: [&str; 12] = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 1-3 * * *",
    "0,30 0,2,23 * * *",
    "15 */5 * * *",
    "0 0 * * 0",
    "45 1 1,15,31 * *",
    "0 3 L * *",
    "59 23 29 2 *",
    "10 30 2 * * *",
    "0 12 1W 3,10 *",
];

/// SplitMix64: the same numbers for ever.
fn seeded(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[test]
fn forward_and_backward_agree_at_100_000_seeded_instants() {
    let overlaps = [Overlap::First, Overlap::Last, Overlap::Both];
    let calendars: Vec<(String, Calendar)> = ZONES
        .iter()
        .flat_map(|zone| EXPRESSIONS.iter().map(move |expression| (zone, expression)))
        .enumerate()
        .map(|(n, (zone, expression))| {
            (format!("{expression} in {zone} {:?}", overlaps[n % 3]), cron(expression, zone, overlaps[n % 3]))
        })
        .collect();
    let years = 67 * 365 * 24 * 3600;
    for seed in 0..100_000 {
        let (name, calendar) = &calendars[seed as usize % calendars.len()];
        let now = DateTime::from_timestamp_millis((seeded(seed) % (years * 1000)) as i64).unwrap();
        let told = || format!("seed {seed}: {name} at {now}");
        let next = calendar.next(now).unwrap();
        assert!(next > now, "{}", told());
        // `now` itself may be an instant, and is then the one before `next`.
        let before = calendar.previous(next).unwrap();
        assert!(before <= now, "{}: {before} lies between", told());
        assert_eq!(calendar.next(before), Some(next), "{}", told());
        let earlier = calendar.previous(now).unwrap();
        assert!(earlier < now && calendar.next(earlier).is_some_and(|it| it >= now), "{}: {earlier}", told());
    }
}

#[test]
fn a_year_is_the_same_forward_and_backward() {
    let (start, end) = (at("2025-01-01"), at("2026-01-01"));
    for zone in ZONES {
        for (expression, overlap) in
            [("30 2 * * *", Overlap::First), ("0 0-3 * * *", Overlap::Last), ("20 */3 * * *", Overlap::Both)]
        {
            let calendar = cron(expression, zone, overlap);
            let forward = fired(&calendar, start, end);
            let mut backward: Vec<_> =
                std::iter::successors(calendar.latest(start - TimeDelta::seconds(1), end), |at| {
                    calendar.previous(*at)
                })
                .take_while(|at| *at >= start)
                .collect();
            backward.reverse();
            assert_eq!(forward, backward, "{expression} in {zone}");
        }
    }
}

#[test]
fn a_month_of_every_minute_is_every_minute() {
    for (zone, month) in [
        ("UTC", "2025-02-01"),
        ("Europe/Zurich", "2025-03-15"),
        ("Europe/Zurich", "2025-10-15"),
        ("Australia/Lord_Howe", "2025-04-01"),
    ] {
        let (start, end) = (at(month), at(month) + TimeDelta::days(31));
        let brute: Vec<_> = (0..=31 * 24 * 60).map(|minute| start + TimeDelta::minutes(minute)).collect();
        assert!(fired(&cron("* * * * *", zone, Overlap::First), start, end) == brute, "{zone} from {month}");
    }
}

/// The rule itself, over every minute of the wall clock: slow, and without any cleverness.
fn brute(
    zone: Tz,
    from: NaiveDateTime,
    minutes: i64,
    due: impl Fn(u32, u32) -> bool,
    fixed: bool,
    overlap: Overlap,
) -> Vec<DateTime<Utc>> {
    let mut all = BTreeSet::new();
    for wall in (0..minutes).map(|minute| from + TimeDelta::minutes(minute)) {
        let time = wall.time();
        if !due(time.hour(), time.minute()) {
            continue;
        }
        let later =
            || (1..).find_map(|more| zone.from_local_datetime(&(wall + TimeDelta::minutes(more))).earliest());
        let instants = match (zone.from_local_datetime(&wall), fixed, overlap) {
            (LocalResult::Single(at), ..) => vec![at],
            (LocalResult::Ambiguous(first, _), true, Overlap::First) => vec![first],
            (LocalResult::Ambiguous(_, last), true, Overlap::Last) => vec![last],
            (LocalResult::Ambiguous(first, last), ..) => vec![first, last],
            (LocalResult::None, true, _) => later().into_iter().collect(),
            (LocalResult::None, false, _) => vec![],
        };
        all.extend(instants.iter().map(DateTime::to_utc));
    }
    all.into_iter().collect()
}

#[test]
fn the_weeks_of_the_changes_equal_brute_force() {
    type Due = fn(u32, u32) -> bool;
    let rules: [(&str, bool, Due); 4] = [
        ("30 2 * * *", true, |hour, minute| hour == 2 && minute == 30),
        ("*/15 0-3 * * *", true, |hour, minute| hour <= 3 && minute % 15 == 0),
        ("5,35 * * * *", false, |_, minute| minute == 5 || minute == 35),
        ("0 */2 * * *", false, |hour, minute| hour % 2 == 0 && minute == 0),
    ];
    for name in ZONES {
        let zone: Tz = name.parse().unwrap();
        for transition in transitions(zone, 2025) {
            let from = (transition - TimeDelta::days(3)).naive_utc().date().and_time(NaiveTime::MIN);
            for (expression, fixed, due) in rules {
                for overlap in [Overlap::First, Overlap::Last, Overlap::Both] {
                    let expected = brute(zone, from, 6 * 24 * 60, due, fixed, overlap);
                    let found =
                        fired(&cron(expression, name, overlap), expected[0], *expected.last().unwrap());
                    assert_eq!(found, expected, "{expression} in {name} {overlap:?} from {from}");
                }
            }
        }
    }
}
