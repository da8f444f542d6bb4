use super::*;
use chrono::TimeDelta;

fn check<T: Copy + std::fmt::Debug>(say: impl Fn(T) -> String, examples: &[(T, &str)]) {
    for &(input, expected) in examples {
        assert_eq!(say(input), expected, "of {input:?}");
    }
}

#[test]
fn a_duration_keeps_two_figures_that_matter_and_never_shows_sixty() {
    let micros = |us: u64| duration(Duration::from_micros(us));
    check(
        micros,
        &[
            (0, "0 ms"),
            (7, "<0.1 ms"),
            (400, "0.4 ms"),
            (4_120, "4.1 ms"),
            (9_949, "9.9 ms"),
            (9_960, "10 ms"),
            (340_000, "340 ms"),
            (999_600, "1.0 s"),
            (1_240_000, "1.2 s"),
            (59_940_000, "59.9 s"),
            (59_960_000, "1 m 00 s"),
            (184_000_000, "3 m 04 s"),
            (3_599_600_000, "1 h 00 m"),
            (7_500_000_000, "2 h 05 m"),
            (273_600_000_000, "3 d 04 h"),
        ],
    );
}

#[test]
fn a_count_is_grouped_by_thin_spaces() {
    check(
        count,
        &[
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{2009}000"),
            (12_408, "12\u{2009}408"),
            (123_456, "123\u{2009}456"),
            (1_234_567, "1\u{2009}234\u{2009}567"),
            (u64::MAX, "18\u{2009}446\u{2009}744\u{2009}073\u{2009}709\u{2009}551\u{2009}615"),
        ],
    );
}

#[test]
fn a_rate_changes_its_unit_before_rounding_reaches_a_thousand() {
    check(
        rate,
        &[
            (0.0, "0/s"),
            (0.001, "<0.01/s"),
            (0.42, "0.42/s"),
            (0.996, "1.0/s"),
            (4.21, "4.2/s"),
            (12.0, "12/s"),
            (999.4, "999/s"),
            (999.6, "1.0 k/s"),
            (4_210.0, "4.2 k/s"),
            (42_100.0, "42.1 k/s"),
            (421_000.0, "421 k/s"),
            (999_999.0, "1.0 M/s"),
            (1_300_000.0, "1.3 M/s"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
            (-1.0, "–"),
        ],
    );
}

#[test]
fn bytes_are_counted_in_powers_of_1024() {
    check(
        bytes,
        &[
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (120_000, "117 KiB"),
            (1_048_575, "1.0 MiB"),
            (3_565_158, "3.4 MiB"),
            (5_368_709_120, "5.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ],
    );
}

#[test]
fn a_time_is_told_by_its_distance_until_the_date_says_more() {
    let now = "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let ago = |seconds: i64| relative(now - TimeDelta::seconds(seconds), now);
    check(
        ago,
        &[
            (0, "now"),
            (4, "4 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (239, "3 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
            (5_184_000, "2025-12-31"),
            (-4, "in 4 s"),
            (-180, "in 3 min"),
            (-7_200, "in 2 h"),
        ],
    );
}

#[test]
fn a_moment_names_its_zone() {
    let at = "2026-03-01T12:03:07.9Z".parse::<DateTime<Utc>>().unwrap();
    assert_eq!(moment(at), "2026-03-01 12:03:07 UTC");
}

#[test]
fn a_long_id_keeps_both_ends() {
    check(
        short,
        &[
            ("users", "users"),
            ("exactly-14-chr", "exactly-14-chr"),
            ("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2e1", "018f3a…c3d2e1"),
            ("größenänderungsprotokoll", "größen…tokoll"),
        ],
    );
}
