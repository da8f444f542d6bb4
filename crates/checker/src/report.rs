//! What the check found.

use std::{collections::BTreeMap, fmt};

/// One damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Acknowledged, or in what comes before, and not there.
    Lost { id: String, place: String },
    /// There, though it was refused, never sent, or is in nothing that comes before.
    Phantom { id: String, place: String },
    /// There more often than in what comes before.
    Doubled { id: String, place: String, times: usize },
    /// There with other values.
    Altered { id: String, place: String },
    /// A key's row is not the key's newest event.
    Stale { key: String, place: String, found: i64, newest: i64 },
    /// An event of a key lies behind a newer one.
    OutOfOrder { key: String, place: String, seq: i64, after: i64 },
    /// In is not what came out, is dead, was filtered or was late.
    Unbalanced { input: u64, clean: u64, dead: u64, filtered: u64, late: u64 },
    /// A group's committed place is lower than it was.
    WentBack { group: String, partition: i32, from: i64, to: i64 },
    /// A transaction is seen in some of its partitions, or in all though it was given up, or in none though it was committed.
    Torn { marker: String, seen: usize, written: usize },
    /// A window's count is not what plain counting gives.
    WrongCount { key: String, start: i64, found: i64, counted: i64 },
    /// The ledger contradicts itself: nothing can be said.
    DamagedLedger { id: String },
}

/// All findings, and how much was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Operations, acknowledged, messages, rows: by name, so that an empty check shows as one.
    pub looked_at: BTreeMap<&'static str, u64>,
}

/// More examples of one kind would hide the others.
const SHOWN_MAX: usize = 5;

impl Finding {
    /// The kind and the place: `lost in table events_by_id`.
    pub fn kind(&self) -> String {
        match self {
            Self::Lost { place, .. } => format!("lost in {place}"),
            Self::Phantom { place, .. } => format!("phantom in {place}"),
            Self::Doubled { place, .. } => format!("doubled in {place}"),
            Self::Altered { place, .. } => format!("altered in {place}"),
            Self::Stale { place, .. } => format!("stale in {place}"),
            Self::OutOfOrder { place, .. } => format!("out of order in {place}"),
            Self::Unbalanced { .. } => "in ≠ out + dead + filtered + late".into(),
            Self::WentBack { .. } => "a place went back".into(),
            Self::Torn { .. } => "torn transaction".into(),
            Self::WrongCount { .. } => "wrong window count".into(),
            Self::DamagedLedger { .. } => "damaged ledger".into(),
        }
    }
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings of each kind.
    pub fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for finding in &self.findings {
            *kinds.entry(finding.kind()).or_default() += 1;
        }
        kinds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looked: Vec<String> = self.looked_at.iter().map(|(what, n)| format!("{n} {what}")).collect();
        writeln!(f, "looked at {}", looked.join(", "))?;
        for (kind, n) in self.kinds() {
            writeln!(f, "{n} × {kind}")?;
            for finding in self.findings.iter().filter(|finding| finding.kind() == kind).take(SHOWN_MAX) {
                writeln!(f, "    {finding:?}")?;
            }
        }
        Ok(())
    }
}
