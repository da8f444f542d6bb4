use super::*;

/// So many histories in each run of the tests; `millrace bench simulate-scheduler` plays more.
const HISTORIES: u64 = 10_000;

#[test]
fn ten_thousand_histories_with_crashes_keep_every_promise() {
    let mut all = history::Seen::default();
    for seed in 0..HISTORIES {
        let seen = history::play(seed, Guards::default()).unwrap();
        assert_eq!(seen.runs, seen.ended, "seed {seed}");
        all.refused += seen.refused;
        all.rescued += seen.rescued;
        all.by_hand += seen.by_hand;
    }
    // Otherwise they went through nothing.
    let least = all.refused.min(all.rescued).min(all.by_hand);
    assert!(least > HISTORIES / 10, "{all:?}");
}

#[test]
fn without_a_guard_a_history_shows_what_it_is_good_for() {
    let cases = [
        ("any-attempt", ["endings", "pool", "counts", "it has ended"].as_slice()),
        ("no-run-key", &["a key has two runs"]),
        ("no-claim-lock", &["slots, and"]),
        ("run-in-parts", &["it has no tasks"]),
    ];
    for (guard, told) in cases {
        let guards = Guards::without(guard).unwrap();
        let found = (0..1_000).find_map(|seed| history::play(seed, guards).err());
        let found = found.unwrap_or_else(|| panic!("without {guard}, no history of 1000 shows any damage"));
        assert!(told.iter().any(|told| found.contains(told)), "{guard}: {found}");
    }
}

#[test]
fn a_history_is_the_same_each_time() {
    assert_eq!(history::play(7, Guards::default()), history::play(7, Guards::default()));
}
