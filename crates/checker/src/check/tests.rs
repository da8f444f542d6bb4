//! A good history, and the same one with each kind of damage: each is found, and nothing else is.

use super::*;
use crate::{Event, Row, Window};

/// Twelve events over three keys, written, worked on and stored as it should be. Each sixth is filtered, each sixth is dead.
fn good() -> (Ledger, Evidence) {
    let event = |n: i64| Event {
        id: format!("id-{n:02}"),
        key: format!("key-{}", n % 3),
        seq: n / 3,
        at: 1_700_000_000_000 + n * 20_000,
        fate: [Fate::Clean, Fate::Clean, Fate::Filtered, Fate::Clean, Fate::Clean, Fate::Dead]
            [n as usize % 6],
    };
    let mut ledger = Ledger::default();
    let mut evidence = Evidence::default();
    for n in 0..12 {
        let message = Message { partition: (n % 3) as i32, offset: n, event: event(n) };
        ledger.operations.insert(event(n).id, (event(n), Outcome::Ok));
        match message.event.fate {
            Fate::Clean => evidence.clean.push(message.clone()),
            Fate::Dead => evidence.dead.push(message.clone()),
            Fate::Filtered => {}
        }
        evidence.input.push(message);
    }
    // Never sent, as far as anybody knows, and not there either.
    ledger.operations.insert("id-98".into(), (Event { id: "id-98".into(), ..event(0) }, Outcome::Unknown));
    ledger.operations.insert("id-99".into(), (Event { id: "id-99".into(), ..event(0) }, Outcome::Fail));
    evidence.tables = vec![
        Table { name: "by_id".into(), shape: Shape::Id, rows: evidence.clean.iter().map(row).collect() },
        Table { name: "by_key".into(), shape: Shape::Key, rows: newest(&evidence.clean) },
    ];
    evidence.windows = Some(counted(&evidence.input));
    evidence.places = [(("job".into(), 0), vec![1, 1, 4, 9])].into();
    evidence.markers = [(Outcome::Ok, 3), (Outcome::Fail, 0), (Outcome::Unknown, 0), (Outcome::Unknown, 3)]
        .iter()
        .map(|(outcome, seen)| Marker { id: "m".into(), outcome: *outcome, written: 3, seen: *seen })
        .collect();
    (ledger, evidence)
}

fn row(message: &Message) -> Row {
    let Event { id, key, seq, .. } = message.event.clone();
    Row { id, key, seq }
}

fn newest(clean: &[Message]) -> Vec<Row> {
    let by_key: BTreeMap<&str, &Message> =
        clean.iter().map(|message| (message.event.key.as_str(), message)).collect();
    by_key.into_values().map(row).collect()
}

fn counted(input: &[Message]) -> Vec<Window> {
    let mut windows: Vec<Window> = vec![];
    for Message { event, .. } in input {
        let start = event.at - event.at % 60_000;
        match windows.iter_mut().find(|window| (&window.key, window.start) == (&event.key, start)) {
            Some(window) => window.n += 1,
            None => windows.push(Window { key: event.key.clone(), start, n: 1 }),
        }
    }
    windows
}

type Damage = fn(&mut Ledger, &mut Evidence);

fn kinds(damage: Damage) -> Vec<String> {
    let (mut ledger, mut evidence) = good();
    damage(&mut ledger, &mut evidence);
    check(&ledger, &evidence).kinds().into_keys().collect()
}

#[test]
fn a_good_history_has_no_finding_and_says_what_was_looked_at() {
    let (ledger, evidence) = good();
    let report = check(&ledger, &evidence);
    assert!(report.is_clean(), "{report}");
    let looked = |what| report.looked_at[what];
    assert_eq!((looked("operations"), looked("acknowledged"), looked("in the input")), (14, 12, 12));
    assert_eq!((looked("in the output"), looked("dead"), looked("rows")), (8, 2, 10));
}

#[test]
fn each_kind_of_damage_is_found() {
    let cases: [(Damage, &[&str]); 22] = [
        // The input.
        (|ledger, _| _ = ledger.operations.remove("id-00"), &["phantom in the input"]),
        (
            |ledger, _| _ = ledger.operations.get_mut("id-99").map(|(_, outcome)| *outcome = Outcome::Ok),
            &["lost in the input"],
        ),
        (
            |ledger, _| _ = ledger.operations.get_mut("id-00").map(|(_, outcome)| *outcome = Outcome::Fail),
            &["phantom in the input"],
        ),
        (
            |ledger, _| _ = ledger.operations.get_mut("id-02").map(|(event, _)| event.at += 1),
            &["altered in the input"],
        ),
        (
            |_, evidence| {
                let again = Message { offset: 12, ..evidence.input[11].clone() };
                evidence.input.push(again.clone());
                evidence.dead.push(Message { offset: 2, ..again });
                evidence.windows = Some(counted(&evidence.input));
            },
            &["doubled in the input"],
        ),
        (|ledger, _| ledger.damaged.push("id-00".into()), &["damaged ledger"]),
        // The job.
        (
            |_, evidence| {
                evidence.clean.remove(0);
                evidence.tables[0].rows.remove(0);
            },
            &["in ≠ out + dead + filtered + late", "lost in the output"],
        ),
        (
            |_, evidence| evidence.clean.push(Message { offset: 99, ..evidence.clean[7].clone() }),
            &["doubled in the output", "in ≠ out + dead + filtered + late"],
        ),
        (|_, evidence| evidence.clean[0].event.at += 1, &["altered in the output"]),
        (
            |_, evidence| evidence.dead.truncate(1),
            &["in ≠ out + dead + filtered + late", "lost in the dead letters"],
        ),
        (
            |_, evidence| evidence.dead.push(evidence.dead[0].clone()),
            &["doubled in the dead letters", "in ≠ out + dead + filtered + late"],
        ),
        (
            |_, evidence| evidence.dead.push(evidence.input[2].clone()),
            &["in ≠ out + dead + filtered + late", "phantom in the dead letters"],
        ),
        (|_, evidence| evidence.late += 1, &["in ≠ out + dead + filtered + late"]),
        // Order.
        (
            |_, evidence| {
                let (first, second) = (evidence.input[2].offset, evidence.input[8].offset);
                (evidence.input[2].offset, evidence.input[8].offset) = (second, first);
            },
            &["out of order in the input"],
        ),
        (|_, evidence| evidence.input[2].partition = 1, &["out of order in the input"]),
        // Tables.
        (|_, evidence| _ = evidence.tables[0].rows.pop(), &["lost in table by_id"]),
        (|_, evidence| evidence.tables[1].rows[0].seq -= 1, &["stale in table by_key"]),
        (
            |_, evidence| {
                let again = evidence.tables[0].rows[0].clone();
                evidence.tables[0].rows.push(again);
            },
            &["doubled in table by_id"],
        ),
        (
            |_, evidence| evidence.tables[1].rows[0].key.push('x'),
            &["lost in table by_key", "phantom in table by_key"],
        ),
        // Windows, places, transactions.
        (
            |_, evidence| evidence.windows.iter_mut().for_each(|windows| windows[0].n += 1),
            &["wrong window count"],
        ),
        (|_, evidence| evidence.places.values_mut().for_each(|looks| looks.push(8)), &["a place went back"]),
        (|_, evidence| evidence.markers[3].seen = 2, &["torn transaction"]),
    ];
    for (index, (damage, expected)) in cases.into_iter().enumerate() {
        assert_eq!(kinds(damage), expected, "case {index}");
    }
}

#[test]
fn a_marker_is_seen_as_its_writer_was_told() {
    let seen = |outcome, seen| {
        let markers = vec![Marker { id: "m".into(), outcome, written: 3, seen }];
        check(&Ledger::default(), &Evidence { markers, ..Evidence::default() }).is_clean()
    };
    let cases = [
        (Outcome::Ok, [false, false, false, true]),
        (Outcome::Fail, [true, false, false, false]),
        (Outcome::Unknown, [true, false, false, true]),
    ];
    for (outcome, expected) in cases {
        assert_eq!([0, 1, 2, 3].map(|times| seen(outcome, times)), expected, "{outcome:?}");
    }
}

#[test]
fn ids_that_are_in_one_place_only_are_found() {
    let ids = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<BTreeSet<_>>();
    let found = same("there", &ids(&["a", "b"]), &ids(&["b", "c"]));
    let place = || "there".to_owned();
    assert_eq!(
        found,
        [
            Finding::Lost { id: "a".into(), place: place() },
            Finding::Phantom { id: "c".into(), place: place() }
        ]
    );
    assert_eq!(same("there", &ids(&["a"]), &ids(&["a"])), []);
}

#[test]
fn ids_that_are_there_more_or_less_often_are_found() {
    let ids = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    let (id, place) = (|id: &str| id.to_owned(), || "there".to_owned());
    let found = as_often("there", &ids(&["a", "a", "b", "d"]), &ids(&["a", "b", "b", "c", "d"]));
    assert_eq!(
        found,
        [
            Finding::Lost { id: id("a"), place: place() },
            Finding::Doubled { id: id("b"), place: place(), times: 2 },
            Finding::Phantom { id: id("c"), place: place() }
        ]
    );
    assert_eq!(as_often("there", &ids(&["a", "b", "a"]), &ids(&["b", "a", "a"])), []);
}
