//! Walks over what leads to what: tasks of a DAG, DAGs that follow DAGs.

use std::collections::BTreeSet;

/// All that steps lead to from `from`, at any distance; of `from` itself only what a circle leads back to.
pub fn reach<'a, N: IntoIterator<Item = &'a str>>(
    from: impl IntoIterator<Item = &'a str>,
    steps: impl Fn(&str) -> N,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = from.into_iter().collect();
    while let Some(at) = open.pop() {
        open.extend(steps(at).into_iter().filter(|to| found.insert(*to)));
    }
    found
}
