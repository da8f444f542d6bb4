//! What the hint says that a run has changed.

use std::fmt;
use uuid::Uuid;

/// Which run has changed, and by whom where a holder's answer changed it: who looks anyway after its own answer need not look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint<'a> {
    pub run_id: Uuid,
    pub holder: Option<&'a str>,
}

impl<'a> Hint<'a> {
    pub fn parse(payload: &'a str) -> Option<Self> {
        let (id, holder) = payload.split_once(' ').map_or((payload, None), |(id, holder)| (id, Some(holder)));
        Some(Self { run_id: id.parse().ok()?, holder })
    }
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.holder {
            Some(holder) => write!(f, "{} {holder}", self.run_id),
            None => write!(f, "{}", self.run_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for holder in [None, Some("scheduler"), Some("a name")] {
            let hint = Hint { run_id: Uuid::from_u128(7), holder };
            assert_eq!(Hint::parse(&hint.to_string()), Some(hint));
        }
        assert_eq!(Hint::parse("no id"), None);
    }
}
