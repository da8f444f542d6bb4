//! Guards that a test may take away, one at a time, to see that a fault test then fails.
//!
//! A guard is what stands between a fault and a loss: a transaction, a fence, an acknowledgement that is waited for. A test
//! that never saw its guard missing has not been shown to test anything. Whoever holds a [`Guards`] asks it where the guard
//! acts; only `service` makes one that is not whole, and only in a debug build.

/// What can be taken away. The name of each says what then happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Break {
    /// The producer answers "written" before Kafka has confirmed.
    AckEarly = 1 << 0,
    /// A sink commits its place in Kafka before the rows are durable.
    CommitBeforeWrite = 1 << 1,
    /// The worker's outputs and places are not one transaction.
    NoTransaction = 1 << 2,
    /// A slot's new owner does not fence the old one.
    NoFence = 1 << 3,
    /// Rows of Cassandra have the server's time as their version.
    ServerTimestamp = 1 << 4,
    /// The worker commits a place that is one too low.
    OffsetMinusOne = 1 << 5,
    /// The worker goes on with its transactional producer after a request of it timed out.
    NoRecycle = 1 << 6,
    /// The fetcher stores its cursor before the producer has answered.
    CursorBeforeAck = 1 << 7,
    /// A sink that ends counts all that it has read as written.
    NoFlushOnStop = 1 << 8,
    /// Dead letters are not written.
    DropDeadLetters = 1 << 9,
    /// A task's ending is taken from whoever has one, and not only from its holder.
    AnyAttempt = 1 << 10,
    /// Whoever finds a DAG due makes its run.
    NoRunKey = 1 << 11,
    /// Schedulers claim at the same time.
    NoClaimLock = 1 << 12,
    /// A run is committed before its tasks are made.
    RunInParts = 1 << 13,
    /// Lines of a log are kept however long they are.
    WholeLines = 1 << 14,
    /// Results are kept in their tasks' rows however large they are.
    LargeResults = 1 << 15,
    /// A DAG may have any number of tasks.
    ManyTasks = 1 << 16,
    /// A `foreach` may give any number of items.
    ManyItems = 1 << 17,
    /// A task waits for its items even where it has none.
    EmptyForeach = 1 << 18,
    /// Nobody kills the child processes of an executor that was killed.
    NoWarden = 1 << 19,
    /// An executor looks for tasks only where it is told of some.
    OnlyHints = 1 << 20,
}

/// All of them, by the names that a test writes.
pub const BREAKS: [(&str, Break); 21] = [
    ("ack-early", Break::AckEarly),
    ("commit-before-write", Break::CommitBeforeWrite),
    ("no-transaction", Break::NoTransaction),
    ("no-fence", Break::NoFence),
    ("server-timestamp", Break::ServerTimestamp),
    ("offset-minus-one", Break::OffsetMinusOne),
    ("no-recycle", Break::NoRecycle),
    ("cursor-before-ack", Break::CursorBeforeAck),
    ("no-flush-on-stop", Break::NoFlushOnStop),
    ("drop-dead-letters", Break::DropDeadLetters),
    ("any-attempt", Break::AnyAttempt),
    ("no-run-key", Break::NoRunKey),
    ("no-claim-lock", Break::NoClaimLock),
    ("run-in-parts", Break::RunInParts),
    ("whole-lines", Break::WholeLines),
    ("large-results", Break::LargeResults),
    ("many-tasks", Break::ManyTasks),
    ("many-items", Break::ManyItems),
    ("empty-foreach", Break::EmptyForeach),
    ("no-warden", Break::NoWarden),
    ("only-hints", Break::OnlyHints),
];

/// Which guards stand. The default is: all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    missing: u32,
}

impl Guards {
    /// Reads names with commas between; the empty text takes nothing away. The error is a sentence.
    pub fn without(breaks: &str) -> Result<Self, String> {
        let mut guards = Self::default();
        for name in breaks.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let known = BREAKS.iter().find(|(known, _)| *known == name);
            let unknown = || {
                format!(
                    "there is no switch \"{name}\": there are {}",
                    BREAKS.map(|(name, _)| name).join(", ")
                )
            };
            guards.missing |= known.ok_or_else(unknown)?.1 as u32;
        }
        Ok(guards)
    }

    /// Whether the guard against this was taken away.
    pub fn lack(self, what: Break) -> bool {
        self.missing & what as u32 != 0
    }

    pub fn are_whole(self) -> bool {
        self.missing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_takes_away_its_own_guard_and_no_other() {
        for (name, taken) in BREAKS {
            let guards = Guards::without(name).unwrap();
            let missing: Vec<&str> =
                BREAKS.iter().filter(|(_, other)| guards.lack(*other)).map(|(name, _)| *name).collect();
            assert_eq!((missing, guards.lack(taken)), (vec![name], true));
        }
    }

    #[test]
    fn without_a_switch_all_guards_stand_and_an_unknown_one_is_told() {
        assert_eq!(Guards::without(" , "), Ok(Guards::default()));
        assert!(Guards::default().are_whole() && !Guards::without("no-fence,ack-early").unwrap().are_whole());
        let told = Guards::without("no-fense").unwrap_err();
        assert!(told.starts_with("there is no switch \"no-fense\": there are ack-early,"), "{told}");
    }
}
