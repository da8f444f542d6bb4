//! Trigger rules: when a task may run, told from how many of its parents are in which state.
//!
//! The thirteen rules and their meaning are Airflow's (`TriggerRuleDep`), so that a DAG moves here unchanged.

use serde::{Deserialize, Serialize};

/// When a task runs, by the states of its parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerRule {
    #[default]
    AllSuccess,
    AllFailed,
    AllDone,
    AllDoneSetupSuccess,
    AllDoneMinOneSuccess,
    OneSuccess,
    OneFailed,
    OneDone,
    NoneFailed,
    NoneFailedMinOneSuccess,
    NoneSkipped,
    AllSkipped,
    Always,
}

/// How many parents a task has, and how many of them ended in which state. Setups are counted among the parents too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ParentCounts {
    pub upstream: i32,
    pub success: i32,
    pub skipped: i32,
    pub failed: i32,
    pub upstream_failed: i32,
    pub removed: i32,
    pub setups: i32,
    pub setup_success: i32,
    pub setup_skipped: i32,
}

/// What a rule says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    Run,
    Wait,
    Skipped,
    UpstreamFailed,
}

impl TriggerRule {
    pub const ALL: [Self; 13] = [
        Self::AllSuccess,
        Self::AllFailed,
        Self::AllDone,
        Self::AllDoneSetupSuccess,
        Self::AllDoneMinOneSuccess,
        Self::OneSuccess,
        Self::OneFailed,
        Self::OneDone,
        Self::NoneFailed,
        Self::NoneFailedMinOneSuccess,
        Self::NoneSkipped,
        Self::AllSkipped,
        Self::Always,
    ];

    /// Judges a task. A task without parents runs.
    pub fn judge(self, parents: ParentCounts) -> Verdict {
        if parents.upstream == 0 || self == TriggerRule::Always {
            return Verdict::Run;
        }
        if let Some(verdict) = self.cannot_run(&parents) {
            return verdict;
        }
        if self.may_run(&parents) { Verdict::Run } else { Verdict::Wait }
    }

    /// The end of a task whose rule can no longer hold.
    fn cannot_run(self, p: &ParentCounts) -> Option<Verdict> {
        use TriggerRule::*;
        let bad = p.failed + p.upstream_failed;
        let (skipped, upstream_failed) = match self {
            AllSuccess => (p.skipped > 0, bad > 0),
            AllFailed => (p.success + p.skipped > 0, false),
            OneSuccess => (p.skipped == p.upstream, p.all_done() && p.success == 0),
            OneFailed => (p.all_done() && bad == 0, false),
            OneDone => (p.all_done() && p.success + p.failed == 0, false),
            NoneFailed => (false, bad > 0),
            NoneFailedMinOneSuccess => (p.skipped == p.upstream, bad > 0),
            NoneSkipped => (p.skipped > 0, false),
            AllSkipped => (p.success + bad > 0, false),
            AllDoneSetupSuccess => (
                p.all_done() && p.setups > 0 && p.setup_skipped >= p.setups,
                p.all_done() && p.setups > 0 && p.setup_success == 0,
            ),
            AllDoneMinOneSuccess => (p.skipped > 0, p.all_done() && p.success == 0),
            AllDone | Always => (false, false),
        };
        // Where both hold, a failure above counts for more in the rules that look for one, a skip in the others.
        match (self, skipped, upstream_failed) {
            (AllSuccess, _, true) => Some(Verdict::UpstreamFailed),
            (_, true, _) => Some(Verdict::Skipped),
            (_, false, true) => Some(Verdict::UpstreamFailed),
            (_, false, false) => None,
        }
    }

    fn may_run(self, p: &ParentCounts) -> bool {
        use TriggerRule::*;
        let counted = p.upstream - p.removed;
        match self {
            AllSuccess => p.success >= counted,
            AllFailed => p.failed + p.upstream_failed >= counted,
            AllDone | AllDoneSetupSuccess | AllDoneMinOneSuccess | NoneSkipped => p.all_done(),
            OneSuccess => p.success > 0,
            OneFailed => p.failed + p.upstream_failed > 0,
            OneDone => p.success + p.failed > 0,
            NoneFailed | NoneFailedMinOneSuccess => p.success + p.skipped >= counted,
            AllSkipped => p.skipped >= counted,
            Always => true,
        }
    }
}

impl ParentCounts {
    fn all_done(&self) -> bool {
        self.success + self.skipped + self.failed + self.upstream_failed + self.removed >= self.upstream
    }
}

#[cfg(test)]
mod tests;
