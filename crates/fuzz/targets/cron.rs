//! Any expression: it is refused, or its times go forward, and backward to the same.

#![no_main]

use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;
use schedule::{Calendar, Overlap, Schedule};

fuzz_target!(|asked: (u32, &str)| {
    let (seconds, expression) = asked;
    let from = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds.into());
    for zone in ["UTC", "Europe/Zurich", "Australia/Lord_Howe"] {
        let Ok(calendar) = Calendar::new(&Schedule::of_cron(&[expression]), zone, Overlap::First, None) else {
            return;
        };
        if let Some(next) = calendar.next(from) {
            assert!(next > from, "{expression} in {zone} after {from}: {next}");
            let back = calendar.previous(next + TimeDelta::seconds(1));
            assert_eq!(back, Some(next), "{expression} in {zone} after {from}");
        }
    }
});
