use super::*;
use proptest::prelude::*;

fn situation(slots: &[(&str, i32, Option<&str>)], workers: &[(&str, usize)]) -> Situation {
    let id = |job: &str, number: i32| (job.to_owned(), number);
    Situation {
        wanted: slots.iter().map(|(job, number, _)| (id(job, *number), "v".into())).collect(),
        workers: workers.iter().map(|(worker, capacity)| (worker.to_string(), *capacity)).collect(),
        assigned: slots
            .iter()
            .map(|(job, number, worker)| (id(job, *number), ("v".into(), worker.map(str::to_owned))))
            .collect(),
    }
}

fn workers(assignment: &Assignment) -> Vec<&str> {
    assignment.values().map(|(_, worker)| worker.as_deref().unwrap_or("-")).collect()
}

#[test]
fn slots_stay_spread_and_move_when_their_worker_is_gone() {
    type Case = (
        &'static str,
        &'static [(&'static str, i32, Option<&'static str>)],
        &'static [(&'static str, usize)],
        &'static [&'static str],
    );
    let cases: &[Case] = &[
        (
            "a fresh start spreads",
            &[("a", 0, None), ("a", 1, None), ("b", 0, None)],
            &[("w1", 8), ("w2", 8)],
            &["w1", "w2", "w1"],
        ),
        (
            "what runs stays",
            &[("a", 0, Some("w2")), ("a", 1, Some("w1"))],
            &[("w1", 8), ("w2", 8)],
            &["w2", "w1"],
        ),
        (
            "a lost worker's slots go elsewhere",
            &[("a", 0, Some("w2")), ("a", 1, Some("w1"))],
            &[("w1", 8)],
            &["w1", "w1"],
        ),
        (
            "a new worker takes its part",
            &[("a", 0, Some("w1")), ("a", 1, Some("w1"))],
            &[("w1", 8), ("w2", 8)],
            &["w2", "w1"],
        ),
        ("without a worker a slot waits", &[("a", 0, Some("w1"))], &[], &["-"]),
        ("a full worker takes no more", &[("a", 0, None), ("a", 1, None)], &[("w1", 1)], &["w1", "-"]),
    ];
    for (name, slots, alive, expected) in cases {
        assert_eq!(workers(&decide(&situation(slots, alive))), *expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Over any history of workers that come and go: every slot has a living worker if there is room, the load is level, and
    /// once nothing changes nothing moves.
    #[test]
    fn every_history_ends_level_and_still(
        slots in 1usize..12,
        history in proptest::collection::vec(proptest::collection::btree_map("w[1-5]", 1usize..6, 0..5), 1..12),
    ) {
        let mut assigned = Assignment::new();
        for workers in history {
            let wanted = (0..slots).map(|number| (("job".to_owned(), number as i32), "v".to_owned())).collect();
            let situation = Situation { wanted, workers: workers.clone(), assigned: assigned.clone() };
            let decided = decide(&situation);
            let room: usize = workers.values().sum();
            let running = decided.values().filter(|(_, worker)| worker.is_some()).count();
            prop_assert_eq!(running, slots.min(room));
            for (worker, capacity) in &workers {
                let of = |name: &String| decided.values().filter(|(_, worker)| worker.as_ref() == Some(name)).count();
                prop_assert!(of(worker) <= *capacity);
                for (other, capacity) in &workers {
                    prop_assert!(of(worker) <= of(other) + 1 || of(other) == *capacity);
                }
            }
            prop_assert_eq!(&decide(&Situation { assigned: decided.clone(), ..situation }), &decided);
            assigned = decided;
        }
    }
}
