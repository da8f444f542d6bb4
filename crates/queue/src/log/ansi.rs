//! Colours that programs write into their lines: the escape sequences of ECMA-48, as far as people use them in logs.

/// A part of a line, and how it is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    pub colour: Option<&'static str>,
    pub bold: bool,
    pub text: &'a str,
}

const COLOURS: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const ESCAPE: char = '\u{1b}';

/// The line without its sequences, in parts that look the same. What is no colour is left out; what is no sequence stays.
pub fn spans(line: &str) -> Vec<Span<'_>> {
    let (mut found, mut colour, mut bold) = (vec![], None, false);
    for (number, part) in line.split(ESCAPE).enumerate() {
        // Only what comes after an escape may be a sequence.
        let sequence = (number > 0).then(|| sequence(part)).flatten();
        let text = match sequence {
            Some((parameters, 'm', rest)) => {
                (colour, bold) = look(parameters, colour, bold);
                rest
            }
            Some((_, _, rest)) => rest,
            None => part,
        };
        if !text.is_empty() {
            found.push(Span { colour, bold, text });
        }
    }
    found
}

/// The line without its sequences.
pub fn plain(line: &str) -> String {
    spans(line).into_iter().map(|span| span.text).collect()
}

/// `[1;31mrest`: parameters, what ends them, the rest.
fn sequence(part: &str) -> Option<(&str, char, &str)> {
    let rest = part.strip_prefix('[')?;
    let end = rest.find(|c: char| ('@'..='~').contains(&c))?;
    let last = rest[end..].chars().next()?;
    Some((&rest[..end], last, &rest[end + last.len_utf8()..]))
}

fn look(parameters: &str, mut colour: Option<&'static str>, mut bold: bool) -> (Option<&'static str>, bool) {
    let mut numbers = parameters.split(';').map(|number| number.parse().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            0 => (colour, bold) = (None, false),
            1 => bold = true,
            22 => bold = false,
            30..=37 => colour = COLOURS.get(number - 30).copied(),
            90..=97 => colour = COLOURS.get(number - 90).copied(),
            39 => colour = None,
            // A colour of 256 or of millions: two or four numbers more, which are not looked at.
            38 | 48 => {
                let more = if numbers.next() == Some(2) { 3 } else { 1 };
                numbers.by_ref().take(more).for_each(drop);
            }
            _ => {}
        }
    }
    (colour, bold)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colour, whether it is bold, and the text.
    type Seen<'a> = (Option<&'a str>, bool, &'a str);

    #[test]
    fn a_line_comes_apart_where_its_look_changes() {
        let cases: [(&str, &[Seen<'_>]); 7] = [
            ("plain", &[(None, false, "plain")]),
            ("", &[]),
            ("\u{1b}[31mred\u{1b}[0m not", &[(Some("red"), false, "red"), (None, false, " not")]),
            ("\u{1b}[1;92mok\u{1b}[22m so", &[(Some("green"), true, "ok"), (Some("green"), false, " so")]),
            ("\u{1b}[38;5;196mx\u{1b}[38;2;1;2;3;34my", &[(None, false, "x"), (Some("blue"), false, "y")]),
            ("\u{1b}[2Kcleared\u{1b}[1", &[(None, false, "cleared"), (None, false, "[1")]),
            ("a\u{1b}b", &[(None, false, "a"), (None, false, "b")]),
        ];
        for (line, expected) in cases {
            let found: Vec<_> =
                spans(line).into_iter().map(|span| (span.colour, span.bold, span.text)).collect();
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn nothing_but_sequences_is_lost() {
        assert_eq!(plain("\u{1b}[33mWARN\u{1b}[0m <b>& ä\u{1b}[m"), "WARN <b>& ä");
    }
}
