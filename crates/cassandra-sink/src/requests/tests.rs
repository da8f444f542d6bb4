use super::*;
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

fn rows(of: &[(char, i64, usize)]) -> Vec<Routed<char>> {
    of.iter()
        .map(|(replicas, token, bytes)| Routed { replicas: *replicas, token: *token, bytes: *bytes })
        .collect()
}

#[test]
fn rows_of_one_partition_go_together_and_few_partitions_of_the_same_replicas() {
    type Case = (&'static str, &'static [(char, i64, usize)], &'static [&'static [usize]]);
    let cases: [Case; 5] = [
        ("none", &[], &[]),
        ("other replicas", &[('b', 1, 9), ('a', 1, 9), ('b', 1, 9)], &[&[1], &[0, 2]]),
        ("two partitions", &[('a', 2, 9), ('a', 1, 9), ('a', 2, 9)], &[&[1, 0, 2]]),
        ("one partition is one mutation", &[('a', 1, 5_000), ('a', 1, 5_000)], &[&[0, 1]]),
        ("two are a batch, which is bounded", &[('a', 1, 3_000), ('a', 2, 3_000)], &[&[0], &[1]]),
    ];
    for (what, given, expected) in cases {
        assert_eq!(group(&rows(given)), expected, "{what}");
    }
}

proptest! {
    #[test]
    fn every_row_goes_once_and_no_bound_is_passed(
        given in vec((prop::char::range('a', 'c'), 0..40i64, 1..9_000usize), 0..300)
    ) {
        let rows = rows(&given);
        let groups = group(&rows);
        let mut all: Vec<usize> = groups.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>());
        for group in groups {
            let replicas: BTreeSet<char> = group.iter().map(|row| rows[*row].replicas).collect();
            let partitions: BTreeSet<i64> = group.iter().map(|row| rows[*row].token).collect();
            let bytes: usize = group.iter().map(|row| rows[*row].bytes).sum();
            let bytes_max = if partitions.len() > 1 { MIXED_BYTES_MAX } else { ALIKE_BYTES_MAX };
            prop_assert!(replicas.len() == 1 && partitions.len() <= PARTITIONS_MAX && group.len() <= ROWS_MAX);
            prop_assert!(bytes <= bytes_max || group.len() == 1);
        }
    }
}
