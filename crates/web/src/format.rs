//! Numbers, times and ids as words: pure, the same on every page.
//!
//! `assets/app/times.js` keeps the rules of [`relative`] and [`duration`] for the page that stays open: change both.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// Groups digits by three, so that 12408 cannot be misread as 1248.
const THIN_SPACE: char = '\u{2009}';

/// What stands where a number is not known or not finite.
pub const UNKNOWN: &str = "–";

/// Says how long something took: `4.1 ms`, `340 ms`, `1.2 s`, `3 m 04 s`, `2 h 05 m`, `3 d 04 h`.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    // Each limit is where rounding would show the next unit's first value, so `60.0 s` is never seen.
    match seconds {
        0.0 => "0 ms".to_owned(),
        s if s < 0.000_05 => "<0.1 ms".to_owned(),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1} s"),
        s => two_units(s.round() as u64),
    }
}

fn two_units(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours) {
        (0, 0) => format!("{minutes} m {:02} s", seconds % 60),
        (0, _) => format!("{hours} h {:02} m", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// Groups a count by thin spaces: `12 408`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(THIN_SPACE);
        }
        grouped.push(digit);
    }
    grouped
}

/// Says how many a second: `0.42/s`, `4.2/s`, `340/s`, `4.2 k/s`, `1.3 M/s`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r < 0.0 => UNKNOWN.to_owned(),
        0.0 => "0/s".to_owned(),
        r if r < 0.005 => "<0.01/s".to_owned(),
        r if r < 0.995 => format!("{r:.2}/s"),
        r => match scaled(r, 1000.0, &["", "k", "M", "G", "T"]) {
            (number, "") => format!("{number}/s"),
            (number, unit) => format!("{number} {unit}/s"),
        },
    }
}

/// Says a size in powers of 1024: `512 B`, `1.0 KiB`, `3.4 MiB`.
pub fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let (number, unit) = scaled(n as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
    format!("{number} {unit}")
}

/// Divides until the rounded number fits its unit; one decimal below 10, and below 100 of a larger unit.
fn scaled(value: f64, step: f64, units: &'static [&'static str]) -> (String, &'static str) {
    let mut value = value;
    let mut unit = 0;
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let decimals_below = if unit == 0 { 9.95 } else { 99.95 };
    let number = if value < decimals_below { format!("{value:.1}") } else { format!("{value:.0}") };
    (number, units[unit])
}

/// Says how far `at` is from `now`: `now`, `4 s ago`, `3 min ago`, `2 h ago`, `5 d ago`, `in 4 s`; beyond 60 days the date.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let far = seconds.unsigned_abs();
    let words = match far {
        0 => return "now".to_owned(),
        1..60 => format!("{far} s"),
        60..3600 => format!("{} min", far / 60),
        3600..172_800 => format!("{} h", far / 3600),
        172_800..5_184_000 => format!("{} d", far / 86_400),
        _ => return at.format("%Y-%m-%d").to_string(),
    };
    if seconds > 0 { format!("{words} ago") } else { format!("in {words}") }
}

/// Writes a moment out: `2026-03-01 12:03:07 UTC`.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Shortens an id in the middle: `018f3a…c3d2e1`. Both ends stay, because ids of one time share their beginning.
pub fn short(id: &str) -> String {
    /// Six at each end and the ellipsis: nothing is gained by shortening less than that.
    const WHOLE_MAX: usize = 14;
    const END: usize = 6;
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= WHOLE_MAX {
        return id.to_owned();
    }
    let head: String = chars[..END].iter().collect();
    let tail: String = chars[chars.len() - END..].iter().collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests;
