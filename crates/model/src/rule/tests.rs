use super::*;

#[derive(Deserialize)]
struct Case {
    id: String,
    rule: String,
    expect: String,
    #[serde(flatten)]
    parents: ParentCounts,
}

#[test]
fn every_case_of_the_table_is_judged_as_airflow_does() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../testdata/trigger_rules.json")).unwrap();
    for case in cases {
        let rule = serde_json::from_value::<TriggerRule>(case.rule.into());
        let judged = match rule {
            Ok(rule) => serde_json::to_value(rule.judge(case.parents)).unwrap(),
            Err(_) => "REJECT".into(),
        };
        assert_eq!(judged, case.expect, "{} {:?}", case.id, case.parents);
    }
}

/// Airflow's page says that skipped parents do not count here. Its code skips the task at the first of them, and so do its users' DAGs.
#[test]
fn one_skipped_parent_skips_what_waits_for_all_done_with_one_success() {
    let (rule, parents) =
        (TriggerRule::AllDoneMinOneSuccess, ParentCounts { upstream: 3, ..Default::default() });
    for (success, failed, skipped, expected) in [
        (1, 2, 0, Verdict::Run),
        (3, 0, 0, Verdict::Run),
        (1, 1, 0, Verdict::Wait),
        (0, 3, 0, Verdict::UpstreamFailed),
        (2, 0, 1, Verdict::Skipped),
        (0, 0, 1, Verdict::Skipped),
        (0, 2, 1, Verdict::Skipped),
    ] {
        let parents = ParentCounts { success, failed, skipped, ..parents };
        assert_eq!(rule.judge(parents), expected, "{parents:?}");
    }
}

/// No run may hang: once every parent has ended, no rule waits.
#[test]
fn a_rule_never_waits_when_all_parents_have_ended() {
    for n in 0..4i32.pow(5) {
        let digit = |place: u32| n / 4i32.pow(place) % 4;
        let [success, skipped, failed, upstream_failed, removed] = [0, 1, 2, 3, 4].map(digit);
        let upstream = success + skipped + failed + upstream_failed + removed;
        let parents = ParentCounts {
            upstream,
            success,
            skipped,
            failed,
            upstream_failed,
            removed,
            ..Default::default()
        };
        for rule in TriggerRule::ALL {
            assert_ne!(rule.judge(parents), Verdict::Wait, "{rule:?} {parents:?}");
        }
    }
}
