use super::*;
use serde_json::json;

fn mask() -> Mask {
    Mask::new([
        "hunter22".into(),
        "say \"abc\"".into(),
        "-----KEY-----\nAAAAA\nBBBBB\n".into(),
        "22-and-more".into(),
    ])
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let cases = [
        ("nothing of it", "nothing of it"),
        ("p=hunter22;", "p=***;"),
        ("hunter22hunter22", "******"),
        ("they overlap: hunter22-and-more.", "they overlap: ***."),
        ("{\"a\": \"say \\\"abc\\\"\"}", "{\"a\": \"***\"}"),
        ("say \"abc\"", "***"),
        ("line BBBBB of the key", "line *** of the key"),
        ("é hunter22 é", "é *** é"),
    ];
    for (text, expected) in cases {
        assert_eq!(mask().text(text), expected, "{text}");
    }
    let value = json!({"hunter22": ["AAAAA", 3, {"x": "hunter22!"}]});
    assert_eq!(mask().value(value), json!({"***": ["***", 3, {"x": "***!"}]}));
}

#[test]
fn a_secret_that_is_cut_between_two_parts_is_found() {
    let text = "x hunter2 hunter22 22-and-mor hunter22-and-more say \"abc\" BBBBBB 22-and-more";
    let whole = mask().text(text);
    assert!(!whole.contains("hunter22"));
    for size in 1..text.len() {
        let (mask, mut told) = (mask(), vec![]);
        let mut parts = mask.parts();
        for part in text.as_bytes().chunks(size) {
            told.extend(parts.push(part));
        }
        told.extend(parts.end());
        assert_eq!(String::from_utf8(told).unwrap(), whole, "in parts of {size} bytes");
    }
}

#[test]
fn what_a_task_ends_with_is_masked() {
    let ending = |reason: &str, kept| Ending::Deferred {
        look_again_in: std::time::Duration::ZERO,
        reason: reason.into(),
        kept: Some(kept),
    };
    assert_eq!(
        mask().ending(ending("hunter22 was wrong", json!(["hunter22"]))),
        ending("*** was wrong", json!(["***"]))
    );
    assert_eq!(mask().ending(Ending::Success(json!("hunter22"))), Ending::Success(json!("***")));
    // It is cut only after: what is left of a secret at the cut is not one.
    let long = "a".repeat(3_998) + "hunter22";
    assert!(mask().text(&long).ends_with("a***"));
}
