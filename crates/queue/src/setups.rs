//! What is cleared between a setup and its teardown needs the setup again, where the teardown has taken it down.

use pipeline::graph;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The setups of a run that were taken down, or are just now.
#[derive(Default)]
pub(crate) struct TakenDown {
    /// The setups of each teardown that has begun.
    setups: BTreeMap<String, BTreeSet<String>>,
    children: BTreeMap<String, Vec<String>>,
}

impl TakenDown {
    /// Looked for before anything is cleared: a teardown that was cleared does not tell whether it had begun.
    pub(crate) async fn of(connection: &mut PgConnection, run_id: Uuid) -> Result<Self, sqlx::Error> {
        let pairs: Vec<(String, String)> = sqlx::query_as(include_str!("sql/taken_down.sql"))
            .bind(run_id)
            .fetch_all(&mut *connection)
            .await?;
        if pairs.is_empty() {
            return Ok(Self::default());
        }
        let edges: Vec<(String, String)> =
            sqlx::query_as("SELECT parent, child FROM task_edge WHERE run_id = $1")
                .bind(run_id)
                .fetch_all(connection)
                .await?;
        Ok(Self::from(pairs, edges))
    }

    /// `pairs`: teardown, setup; `edges`: parent, child.
    fn from(pairs: Vec<(String, String)>, edges: Vec<(String, String)>) -> Self {
        let mut taken_down = Self::default();
        for (teardown, setup) in pairs {
            taken_down.setups.entry(teardown).or_default().insert(setup);
        }
        for (parent, child) in edges {
            taken_down.children.entry(parent).or_default().push(child);
        }
        taken_down
    }

    /// The setups that are needed again where these tasks run again, and the teardowns of those. What they need in turn is among them.
    pub(crate) fn beside(&self, cleared: &[String]) -> Vec<String> {
        let cleared: BTreeSet<&str> = cleared.iter().map(String::as_str).collect();
        let mut again = cleared.clone();
        let mut left: Vec<(&str, BTreeSet<&str>)> =
            self.setups.keys().map(|teardown| (teardown.as_str(), self.between(teardown))).collect();
        while let Some(at) = left.iter().position(|(_, between)| !between.is_disjoint(&again)) {
            let (teardown, _) = left.swap_remove(at);
            again.insert(teardown);
            again.extend(self.setups[teardown].iter().map(String::as_str));
        }
        again.difference(&cleared).map(|task| (*task).to_owned()).collect()
    }

    /// The setups of a teardown and all below them that is not below it.
    fn between(&self, teardown: &str) -> BTreeSet<&str> {
        let setups = self.setups[teardown].iter().map(String::as_str);
        let mut between = self.below(setups.clone());
        between.extend(setups);
        let after = self.below([teardown]);
        between.retain(|task| *task != teardown && !after.contains(task));
        between
    }

    fn below<'a>(&'a self, from: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        graph::reach(from, |at| self.children.get(at).into_iter().flatten().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"drop~make"`: a teardown that has begun; `"work<make"`: a task after another.
    fn beside(shape: &str, cleared: &str) -> String {
        let (mut pairs, mut edges) = (vec![], vec![]);
        for word in shape.split_whitespace() {
            let (child, parents) = word.split_once(['<', '~']).unwrap();
            for parent in parents.split(',') {
                edges.push((parent.to_owned(), child.to_owned()));
                if word.contains('~') {
                    pairs.push((child.to_owned(), parent.to_owned()));
                }
            }
        }
        let cleared: Vec<String> = cleared.split(',').map(str::to_owned).collect();
        TakenDown::from(pairs, edges).beside(&cleared).join(",")
    }

    #[test]
    fn what_runs_again_between_a_setup_and_its_teardown_takes_both_along() {
        let one = "a<make b<a drop<b drop~make after<drop other<make";
        let nested = "two<one a<two down2<a down2~two b<two down1<down2 down1~one";
        let both = "a<one b<two down<a,b down~one,two";
        for (shape, cleared, expected) in [
            (one, "b", "drop,make"),
            (one, "a,b", "drop,make"),
            (one, "make", "drop"),
            (one, "other", "drop,make"),
            (one, "b,drop", "make"),
            // A teardown alone takes down what it finds, and what comes after it needs no setup.
            (one, "drop", ""),
            (one, "after", ""),
            (one, "start", ""),
            (nested, "a", "down1,down2,one,two"),
            (nested, "down2", "down1,one"),
            // It takes down both, so it needs both.
            (both, "a", "down,one,two"),
            ("b<a", "a", ""),
        ] {
            assert_eq!(beside(shape, cleared), expected, "{shape} without {cleared}");
        }
    }
}
