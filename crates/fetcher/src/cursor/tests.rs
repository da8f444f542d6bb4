use super::*;
use pipeline::Stop;
use proptest::prelude::*;
use std::collections::BTreeSet;

const NUMBER: Paging = Paging::Number { from: 1, stop: Stop::Empty };

fn by_cursor() -> Paging {
    Paging::Cursor { next: "/next".into(), first: "start".into() }
}

fn cursor(text: &str) -> Position {
    Position::Cursor(text.into())
}

#[test]
fn a_position_is_read_as_it_was_stored() {
    let cases = [
        (Paging::None, json!({}), Position::Only),
        (NUMBER, json!({"page": 7}), Position::Page(7)),
        (NUMBER, json!({}), Position::Page(1)),
        (NUMBER, json!({"cursor": "x"}), Position::Page(1)),
        (by_cursor(), json!({"cursor": "x"}), cursor("x")),
        (by_cursor(), json!({"page": 7}), cursor("start")),
        (by_cursor(), Value::Null, cursor("start")),
    ];
    for (paging, stored, expected) in cases {
        let found = Position::read(&paging, &stored);
        assert_eq!(found, expected, "{stored}");
        assert_eq!(Position::read(&paging, &found.to_json()), found);
    }
}

/// Each page as (records, the cursor that it names), and the steps that follow, as one line.
#[test]
fn a_fetch_goes_through_these_steps() {
    type Pages<'a> = &'a [(usize, Option<&'a str>)];
    let cases: &[(Position, u32, Pages, &str)] = &[
        (Position::Page(3), 1, &[(5, None)], r#"ask {"page":3}, deliver, store {"page":4}, end"#),
        (
            Position::Page(1),
            2,
            &[(5, None), (5, None)],
            r#"ask {"page":1}, deliver, store {"page":2}, ask {"page":2}, deliver, store {"page":3}, end"#,
        ),
        (Position::Page(1), 2, &[(0, None), (0, None)], r#"ask {"page":1}, confirm {"page":1}, end"#),
        (
            Position::Page(1),
            1,
            &[(0, None), (5, None)],
            r#"ask {"page":1}, confirm {"page":1}, deliver, store {"page":2}, end"#,
        ),
        (Position::Only, 9, &[(5, None)], "ask {}, deliver, store {}, end"),
        (
            cursor("a"),
            2,
            &[(5, Some("b")), (5, None)],
            r#"ask {"cursor":"a"}, deliver, store {"cursor":"b"}, ask {"cursor":"b"}, deliver, store {"cursor":"b"}, end"#,
        ),
        (cursor("a"), 9, &[(5, Some("a"))], r#"ask {"cursor":"a"}, deliver, store {"cursor":"a"}, end"#),
        (
            cursor("a"),
            2,
            &[(0, Some("b")), (1, Some(""))],
            r#"ask {"cursor":"a"}, store {"cursor":"b"}, ask {"cursor":"b"}, deliver, store {"cursor":"b"}, end"#,
        ),
        (cursor("a"), 0, &[], "end"),
    ];
    for (position, pages_max, pages, expected) in cases {
        assert_eq!(walk(position.clone(), *pages_max, pages), *expected);
    }
}

fn walk(position: Position, pages_max: u32, pages: &[(usize, Option<&str>)]) -> String {
    let (mut walk, mut pages, mut steps) = (Walk::new(position, pages_max), pages.iter(), vec![]);
    loop {
        let step = walk.step();
        match &step {
            Step::Ask(at) | Step::Confirm(at) => {
                let word = if matches!(step, Step::Ask(_)) { "ask" } else { "confirm" };
                steps.push(format!("{word} {}", at.to_json()));
                let (records, next) = pages.next().expect("a page for each question");
                walk.read(*records, *next);
            }
            Step::Deliver => {
                steps.push("deliver".into());
                walk.delivered();
            }
            Step::Store(at) => {
                steps.push(format!("store {}", at.to_json()));
                walk.stored();
            }
            Step::End => {
                steps.push("end".into());
                return steps.join(", ");
            }
        }
    }
}

/// A source whose page n has the records `[n*10, n*10 + size)`, a producer, and the stored cursor with its version.
struct World {
    sizes: Vec<usize>,
    durable: BTreeSet<u64>,
    stored: (Position, u64),
}

/// A fetcher that may stop anywhere. `version` is the one that it read at its start.
struct Fetcher {
    walk: Walk,
    version: u64,
    page: Vec<u64>,
}

/// What happens to one fetcher.
#[derive(Clone, Copy, Debug)]
enum Luck {
    /// The step succeeds.
    Well,
    /// The step fails before it did anything: it is tried again.
    Fault,
    /// The API shows no records, though there are.
    Blank,
    /// The step is done, and the fetcher dies before it knows.
    DoneThenDead,
    /// The fetcher dies.
    Dead,
}

impl World {
    fn begin(&self) -> Fetcher {
        let (position, version) = self.stored.clone();
        Fetcher { walk: Walk::new(position, 3), version, page: vec![] }
    }

    fn records(&self, page: u64) -> Vec<u64> {
        let size = self.sizes.get(page as usize).copied().unwrap_or(0) as u64;
        (page * 10..page * 10 + size).collect()
    }

    /// One step of a fetcher. `None`: it is gone.
    fn advance(&mut self, mut fetcher: Fetcher, luck: Luck) -> Option<Fetcher> {
        match (luck, fetcher.walk.step()) {
            (Luck::Dead, _) | (_, Step::End) => return None,
            (Luck::Fault, _) => return Some(fetcher),
            (_, Step::Ask(Position::Page(page)) | Step::Confirm(Position::Page(page))) => {
                fetcher.page = if matches!(luck, Luck::Blank) { vec![] } else { self.records(page) };
                fetcher.walk.read(fetcher.page.len(), None);
            }
            (_, Step::Deliver) => {
                self.durable.extend(&fetcher.page);
                fetcher.walk.delivered();
            }
            (_, Step::Store(next)) => {
                // Compare and set: another fetch has moved the cursor.
                if self.stored.1 != fetcher.version {
                    return None;
                }
                self.stored = (next, fetcher.version + 1);
                fetcher.version += 1;
                fetcher.walk.stored();
            }
            (_, step) => unreachable!("{step:?}"),
        }
        (!matches!(luck, Luck::DoneThenDead)).then_some(fetcher)
    }

    /// Every record before the cursor is durable.
    fn nothing_is_skipped(&self) -> bool {
        let Position::Page(next) = self.stored.0 else { return false };
        (0..next).all(|page| self.records(page).iter().all(|record| self.durable.contains(record)))
    }
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        6 => Just(Luck::Well),
        1 => Just(Luck::Fault),
        1 => Just(Luck::Blank),
        1 => Just(Luck::DoneThenDead),
        1 => Just(Luck::Dead),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Two fetchers at once (one may be a zombie), dying and being started again in any order.
    #[test]
    fn a_record_is_never_skipped_and_the_cursor_never_moves_before_the_acknowledgement(
        sizes in prop::collection::vec(1usize..4, 0..6),
        events in prop::collection::vec((0usize..2, luck()), 0..120),
    ) {
        let all: BTreeSet<u64> = (0..sizes.len() as u64).flat_map(|page| page * 10..page * 10 + sizes[page as usize] as u64).collect();
        let mut world = World { sizes, durable: BTreeSet::new(), stored: (Position::Page(0), 0) };
        let mut fetchers = [None, None];
        for (who, luck) in events {
            let before = world.stored.clone();
            let fetcher = fetchers[who].take().unwrap_or_else(|| world.begin());
            fetchers[who] = world.advance(fetcher, luck);
            prop_assert!(world.nothing_is_skipped(), "{:?} after {before:?}", world.stored);
            prop_assert!(world.stored.1 >= before.1);
        }
        // When all is well again, everything arrives.
        for _ in 0..4 {
            let mut fetcher = Some(world.begin());
            while let Some(running) = fetcher {
                fetcher = world.advance(running, Luck::Well);
            }
        }
        prop_assert_eq!(&world.durable, &all);
    }
}
