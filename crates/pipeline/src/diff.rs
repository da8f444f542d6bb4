//! What changed from one version of a pipeline to another, file by file and line by line.

use crate::Bundle;
use serde::Serialize;

/// A file that is not the same in both versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    pub file: String,
    pub change: Change,
    /// Lines with ` `, `-` or `+` before them; `…` stands for what is the same.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// Same lines that are shown around changed ones.
const AROUND: usize = 3;
/// Cells of the table that is filled to compare two texts: above, the changed middle is shown as replaced whole.
const CELLS_MAX: usize = 4_000_000;

/// The files that differ, by name.
pub fn diff<'a>(from: &'a Bundle, to: &'a Bundle) -> Vec<FileDiff> {
    let mut names: Vec<&String> = from.files.keys().chain(to.files.keys()).collect();
    names.sort();
    names.dedup();
    let of = |name: &String| {
        let (old, new) = (from.files.get(name), to.files.get(name));
        let change = match (old, new) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (old, new) if old == new => return None,
            _ => Change::Changed,
        };
        let lines_of = |text: Option<&'a String>| text.map_or_else(Vec::new, |text| text.lines().collect());
        let lines = shortened(&compare(&lines_of(old), &lines_of(new)));
        Some(FileDiff { file: name.clone(), change, lines })
    };
    names.into_iter().filter_map(of).collect()
}

/// Each line with whether it is old, new or both.
fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let first = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - first;
    let last = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old[first..old.len() - last], &new[first..new.len() - last]);
    let mut lines: Vec<(char, &str)> = old[..first].iter().map(|line| (' ', *line)).collect();
    lines.extend(middle(old_middle, new_middle));
    lines.extend(old[old.len() - last..].iter().map(|line| (' ', *line)));
    lines
}

/// By the longest common subsequence.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS_MAX {
        return old.iter().map(|line| ('-', *line)).chain(new.iter().map(|line| ('+', *line))).collect();
    }
    // common[i * width + j]: how long it is from line i of the old and line j of the new text on.
    let mut common = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = match old[i] == new[j] {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, vec![]);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    lines
}

/// Without the same lines that are far from changed ones.
fn shortened(lines: &[(char, &str)]) -> Vec<String> {
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, (mark, _))| *mark != ' ').map(|(at, _)| at).collect();
    let near = |at: usize| {
        let next = changed.partition_point(|change| *change + AROUND < at);
        changed.get(next).is_some_and(|change| change.abs_diff(at) <= AROUND)
    };
    let mut shown = vec![];
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            shown.push(format!("{mark}{line}"));
        } else if shown.last().is_none_or(|last: &String| last != "…") {
            shown.push("…".into());
        }
    }
    shown
}

#[cfg(test)]
mod tests;
