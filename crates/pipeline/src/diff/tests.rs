use super::*;

fn bundle(files: &[(&str, &str)]) -> Bundle {
    let files = files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    Bundle { name: "p".into(), files }
}

#[test]
fn a_diff_shows_changed_lines_with_a_few_around_them() {
    let old = bundle(&[("a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"), ("gone", "x\n"), ("same", "s")]);
    let new = bundle(&[("a", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"), ("fresh", "y\n"), ("same", "s")]);
    let found = diff(&old, &new);
    let shown: Vec<(&str, Change, String)> =
        found.iter().map(|diff| (diff.file.as_str(), diff.change, diff.lines.join("|"))).collect();
    let expected = [
        ("a", Change::Changed, "…| 2| 3| 4|-5|+five| 6| 7| 8|…".to_owned()),
        ("fresh", Change::Added, "+y".to_owned()),
        ("gone", Change::Removed, "-x".to_owned()),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn the_fewest_lines_are_told_as_changed() {
    let cases = [
        ("a b c", "a c", " a|-b| c"),
        ("a c", "a b c", " a|+b| c"),
        ("a b c d", "c d a b", "-a|-b| c| d|+a|+b"),
        ("", "a", "+a"),
        ("a a a", "a a", " a| a|-a"),
    ];
    for (old, new, expected) in cases {
        let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        assert_eq!(shortened(&compare(&words(old), &words(new))).join("|"), expected, "{old} to {new}");
    }
}

#[test]
fn texts_too_large_to_compare_are_told_as_replaced() {
    let lines = |from: usize| (from..from + 3_000).map(|n| format!("{n}\n")).collect::<String>();
    let found = diff(&bundle(&[("a", &lines(0))]), &bundle(&[("a", &lines(5_000))]));
    assert_eq!(found[0].lines.len(), 6_000);
}
