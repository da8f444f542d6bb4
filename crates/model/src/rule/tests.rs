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
