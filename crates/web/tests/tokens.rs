//! The colours of the style sheet, measured: every pair that the pages use can be told apart, in both themes.

use std::collections::HashMap;

const TOKENS: &str = include_str!("../assets/tokens.css");

/// What WCAG 2.2 asks of text (1.4.3) and of marks and edges (1.4.11).
const TEXT: f64 = 4.5;
const MARK: f64 = 3.0;

#[test]
fn text_and_marks_can_be_told_from_what_is_behind_them_in_both_themes() {
    let surfaces = ["ground", "raised", "pointed"];
    let states = ["green", "blue", "red", "amber", "violet", "orange", "grey"];
    for (theme, colours) in themes() {
        let check = |front: &str, back: &str, least: f64| {
            let found = contrast(colours[front], colours[back]);
            assert!(found >= least, "{theme}: --{front} on --{back} has {found:.2}, needs {least}");
        };
        for back in surfaces {
            ["ink", "muted", "accent"].iter().for_each(|front| check(front, back, TEXT));
            states.iter().for_each(|front| check(front, back, MARK));
            check("edge", back, MARK);
        }
        check("ink", "tint", TEXT);
        check("muted", "tint", TEXT);
        check("on-accent", "accent", TEXT);
    }
}

#[test]
fn every_colour_exists_in_srgb_so_that_all_screens_show_the_measured_one() {
    for (theme, colours) in themes() {
        for (name, colour) in colours {
            let rgb = linear_srgb(colour);
            assert!(
                rgb.iter().all(|part| (-0.0005..=1.0005).contains(part)),
                "{theme}: --{name} is {rgb:.3?}"
            );
        }
    }
}

#[test]
fn every_colour_is_declared_once_for_both_themes() {
    let light = &themes()[0].1;
    assert_eq!(light.len(), TOKENS.matches("light-dark(oklch(").count());
}

#[test]
fn contrast_is_measured_as_the_standard_does() {
    let (white, black) = ([1.0, 0.0, 0.0], [0.0, 0.0, 0.0]);
    assert!((contrast(white, black) - 21.0).abs() < 0.01);
    assert!((contrast(white, white) - 1.0).abs() < 0.01);
    // The sRGB red #ff0000 in oklch; its contrast with white is known to be 3.998.
    assert!((contrast([0.627_96, 0.257_68, 29.234], white) - 3.998).abs() < 0.01);
}

/// Lightness, chroma, hue in degrees.
type Oklch = [f64; 3];

fn themes() -> [(&'static str, HashMap<&'static str, Oklch>); 2] {
    let theme = |side: usize| TOKENS.lines().filter_map(move |line| token(line, side)).collect();
    [("light", theme(0)), ("dark", theme(1))]
}

/// Reads `--name: light-dark(oklch(L C H), oklch(L C H));`.
fn token(line: &'static str, side: usize) -> Option<(&'static str, Oklch)> {
    let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
    let colour = value.split("oklch(").nth(side + 1)?.split(')').next()?;
    let parts: Vec<f64> = colour.split_whitespace().map(|part| part.parse().expect("a number")).collect();
    Some((name, parts.try_into().expect("three numbers")))
}

fn contrast(a: Oklch, b: Oklch) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Oklch) -> f64 {
    let [r, g, b] = linear_srgb(colour).map(|part| part.clamp(0.0, 1.0));
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// Björn Ottosson's matrices (2020), as in CSS Color 4.
fn linear_srgb([lightness, chroma, hue]: Oklch) -> [f64; 3] {
    let (a, b) = (chroma * hue.to_radians().cos(), chroma * hue.to_radians().sin());
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ]
}
