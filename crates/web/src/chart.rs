//! Charts as SVG made on the server: sparklines, bars, and lines over time. Gaps are gaps.

use crate::format;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// One line of a [`Chart`].
pub struct Series {
    pub name: String,
    /// In the order of time; `None` where nothing was measured.
    pub points: Vec<(DateTime<Utc>, Option<f64>)>,
}

/// Lines over one stretch of time, from zero up.
pub struct Chart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Says a value with its unit, for example [`format::rate`].
    pub say: fn(f64) -> String,
    /// At most four: more have no dash of their own.
    pub series: &'a [Series],
}

/// The plot's own units; the style sheet stretches it to the room there is.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Shows lines over time. All charts of a page share one cross-hair.
pub fn chart(chart: &Chart) -> Markup {
    let top = top_of_axis(chart.series.iter().flat_map(|series| &series.points).filter_map(|point| point.1));
    let span = (chart.to - chart.from).num_milliseconds().max(1) as f64;
    let x = |at: DateTime<Utc>| (at - chart.from).num_milliseconds() as f64 / span * WIDTH;
    html! {
        figure class="chart" id=(chart.id) data-from=(chart.from.timestamp_millis()) data-to=(chart.to.timestamp_millis()) {
            figcaption { b { (chart.title) } (legend(chart)) }
            div class="axis" aria-hidden="true" {
                @for share in [1.0, 0.5, 0.0] { span class="num" { ((chart.say)(top * share)) } }
            }
            div class="plot" {
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(spoken(chart)) {
                    path class="grid" d=(format!("M0 .5H{WIDTH}M0 {}H{WIDTH}M0 {}H{WIDTH}", HEIGHT / 2.0, HEIGHT - 0.5)) {}
                    @for (at, series) in chart.series.iter().enumerate() {
                        @let points = series.points.iter().map(|&(at, value)| (x(at), value));
                        path class={ "line s" (at) } d=(line(points, |value| HEIGHT - value / top * (HEIGHT - 2.0) - 1.0)) {}
                    }
                }
            }
            div class="ends muted" { (crate::value::time(chart.from)) (crate::value::time(chart.to)) }
            (readings(chart))
        }
    }
}

fn legend(chart: &Chart) -> Markup {
    html! {
        @for (at, series) in chart.series.iter().enumerate() {
            span class="key" {
                svg width="16" height="8" aria-hidden="true" { path class={ "line s" (at) } d="M0 4H16" {} }
                (series.name) " " span class="num" data-reading=(at) { (last(chart, series)) }
            }
        }
    }
}

fn last(chart: &Chart, series: &Series) -> String {
    series.points.last().and_then(|point| point.1).map_or_else(|| format::UNKNOWN.to_owned(), chart.say)
}

fn spoken(chart: &Chart) -> String {
    let series = chart.series.iter().map(|series| format!("{} now {}", series.name, last(chart, series)));
    format!("{}: {}", chart.title, series.collect::<Vec<_>>().join(", "))
}

/// What the cross-hair says at each moment, in the server's words.
fn readings(chart: &Chart) -> Markup {
    let of = |series: &Series| {
        let readings = series.points.iter().map(|&(at, value)| {
            (at.timestamp_millis(), value.map_or_else(|| format::UNKNOWN.to_owned(), chart.say))
        });
        readings.collect::<Vec<_>>()
    };
    let all: Vec<_> = chart.series.iter().map(of).collect();
    // Numbers and words of ours: `<` stands only in "<0.01/s", and must not open a tag.
    let json = serde_json::to_string(&all).unwrap_or_else(|_| "[]".to_owned()).replace('<', "\\u003c");
    html! { script type="application/json" { (maud::PreEscaped(json)) } }
}

/// The first of 1, 2, 5 × 10ⁿ that is not below any value.
fn top_of_axis(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    // Rounding may put 1000 just above its own power of ten.
    [1.0, 2.0, 5.0, 10.0].iter().map(|step| step * power).find(|top| *top >= most * 0.999_999).unwrap_or(most)
}

/// Path data through the points; a missing value ends the line, and the next begins another.
fn line(points: impl Iterator<Item = (f64, Option<f64>)>, y: impl Fn(f64) -> f64) -> String {
    let mut data = String::new();
    let mut drawing = false;
    for (x, value) in points {
        match value.filter(|value| value.is_finite()) {
            // `h0` gives a single point between two gaps the round end that makes it visible.
            Some(value) if !drawing => data += &format!("M{x:.1} {:.1}h0", y(value)),
            Some(value) => data += &format!("L{x:.1} {:.1}", y(value)),
            None => {}
        }
        drawing = value.is_some_and(f64::is_finite);
    }
    data
}

/// Shows the last values as a line of 120 × 24 from zero up, with the last one in words beside it.
pub fn sparkline(values: &[Option<f64>], last: &str) -> Markup {
    let top = values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let step = 116.0 / values.len().saturating_sub(1).max(1) as f64;
    let points = values.iter().enumerate().map(|(at, &value)| (2.0 + at as f64 * step, value));
    html! {
        span class="spark" {
            svg width="120" height="24" viewBox="0 0 120 24" aria-hidden="true" {
                path class="grid" d="M0 22.5H120" {}
                path class="line s0" d=(line(points, |value| 22.0 - value.max(0.0) / top * 19.0)) {}
            }
            span class="num" { (last) }
        }
    }
}

/// Shows a part of a whole as a bar, with `words` beside it.
pub fn bar(part: f64, whole: f64, words: &str) -> Markup {
    let share = if whole > 0.0 && part.is_finite() { (part / whole).clamp(0.0, 1.0) } else { 0.0 };
    html! {
        span class="bar" {
            svg width="120" height="8" viewBox="0 0 120 8" aria-hidden="true" {
                rect class="whole" width="120" height="8" rx="2" {}
                rect class="part" width=(format!("{:.1}", share * 120.0)) height="8" rx="2" {}
            }
            span class="num" { (words) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[Option<f64>]) -> String {
        line(values.iter().enumerate().map(|(at, &value)| (at as f64, value)), |value| value)
    }

    #[test]
    fn no_line_goes_through_a_gap() {
        assert_eq!(drawn(&[Some(1.0), Some(2.0)]), "M0.0 1.0h0L1.0 2.0");
        assert_eq!(drawn(&[Some(1.0), None, Some(3.0)]), "M0.0 1.0h0M2.0 3.0h0");
        assert_eq!(drawn(&[Some(1.0), Some(f64::NAN), Some(3.0), Some(4.0)]), "M0.0 1.0h0M2.0 3.0h0L3.0 4.0");
        assert_eq!(drawn(&[None, None]), "");
    }

    #[test]
    fn an_axis_ends_at_a_round_number_above_all_values() {
        for (most, top) in
            [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (7.0, 10.0), (1000.0, 1000.0), (4210.0, 5000.0)]
        {
            let found = top_of_axis([most, f64::NAN].into_iter());
            assert!((found - top).abs() < 1e-9 * top, "{most}: {found}");
        }
    }

    #[test]
    fn a_bar_never_leaves_its_frame() {
        for (part, whole, width) in
            [(1.0, 2.0, "60.0"), (3.0, 2.0, "120.0"), (-1.0, 2.0, "0.0"), (1.0, 0.0, "0.0")]
        {
            let shown = bar(part, whole, "").into_string();
            assert!(shown.contains(&format!("class=\"part\" width=\"{width}\"")), "{part}/{whole}: {shown}");
        }
    }

    #[test]
    fn a_sparkline_of_nothing_is_its_base_line() {
        let shown = sparkline(&[], "–").into_string();
        assert!(shown.contains("class=\"line s0\" d=\"\"") && shown.contains("–"), "{shown}");
    }
}
