//! Tables: they scroll inside themselves, and their first column and header stay.

use maud::{Markup, html};

/// The head of a column.
#[derive(Clone, Debug)]
pub struct Header {
    label: String,
    numeric: bool,
}

impl Header {
    /// A column of numbers: to the right, so that digits of one weight stand below each other.
    pub fn number(label: impl Into<String>) -> Self {
        Self { label: label.into(), numeric: true }
    }
}

impl<T: Into<String>> From<T> for Header {
    fn from(label: T) -> Self {
        Self { label: label.into(), numeric: false }
    }
}

/// One row; the first cell names it.
#[derive(Clone, Debug)]
pub struct Row {
    id: Option<String>,
    cells: Vec<Markup>,
}

impl Row {
    /// A row that a patch can name. The id must be unique on the page.
    pub fn with_id(id: impl Into<String>, cells: Vec<Markup>) -> Self {
        Self { id: Some(id.into()), cells }
    }
}

impl From<Vec<Markup>> for Row {
    fn from(cells: Vec<Markup>) -> Self {
        Self { id: None, cells }
    }
}

/// Shows rows below their headers. `label` names the table for a screen reader; `id` is what a patch or [`filter`] names.
pub fn table(id: &str, label: &str, headers: &[Header], rows: &[Row]) -> Markup {
    html! {
        // Focusable, or the keyboard could not scroll it.
        div class="scroll" role="region" aria-label=(label) tabindex="0" {
            table id=(id) {
                thead { tr { @for header in headers { th scope="col" class=[header.numeric.then_some("right")] { (header.label) } } } }
                tbody { @for row in rows { (line(headers, row)) } }
            }
        }
    }
}

fn line(headers: &[Header], row: &Row) -> Markup {
    let right = |column: usize| headers.get(column).is_some_and(|header| header.numeric).then_some("right");
    html! {
        tr id=[row.id.as_deref()] {
            @for (column, cell) in row.cells.iter().enumerate() {
                @if column == 0 { th scope="row" class=[right(column)] { (cell) } }
                @else { td class=[right(column)] { (cell) } }
            }
        }
    }
}

/// Shows a field that hides the rows of `table` without the typed words. Needs the script, and is hidden without it.
pub fn filter(table: &str, label: &str) -> Markup {
    html! {
        label class="filter scripted" {
            span class="unseen" { (label) }
            input type="search" data-filter=(table) placeholder=(label) autocomplete="off" spellcheck="false";
            span class="muted num" data-filtered=(table) aria-live="polite" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cell_names_the_row_and_numbers_stand_to_the_right() {
        let headers = ["Topic".into(), Header::number("Records")];
        let rows = [Row::with_id("t-users", vec![html! { "users" }, html! { "12" }])];
        let shown = table("topics", "Topics", &headers, &rows).into_string();
        let expected = "<tr id=\"t-users\"><th scope=\"row\">users</th><td class=\"right\">12</td></tr>";
        assert!(shown.contains(expected), "{shown}");
        assert!(shown.contains("<th scope=\"col\" class=\"right\">Records</th>"), "{shown}");
    }

    #[test]
    fn what_a_cell_says_is_escaped() {
        let name = "<script>";
        let shown = table("t", "T", &["A".into()], &[vec![html! { (name) }].into()]).into_string();
        assert!(shown.contains("&lt;script&gt;"), "{shown}");
    }
}
