//! Keys of the changelog: the layout of the state, what kind of entry it is, and its own key.
//!
//! The layout's hash stands first, so that a new version of a job cannot take the state of an older one for its own.

use crate::slot::SlotError;

const IDLE: u8 = 0;
const STATE: u8 = 1;

/// What a changelog record is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// A partition of this input is idle.
    Idle { input: usize },
    /// The state of a group in the window that ends at `end`.
    State { end: i64, group: &'a [u8] },
}

pub(crate) fn idle_key(layout: u64, input: usize) -> Vec<u8> {
    let mut key = layout.to_be_bytes().to_vec();
    key.extend([IDLE, input as u8]);
    key
}

pub(crate) fn state_key(layout: u64, end: i64, group: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(17 + group.len());
    key.extend(layout.to_be_bytes());
    key.push(STATE);
    key.extend(end.to_be_bytes());
    key.extend(group);
    key
}

pub(crate) fn read_key(layout: u64, key: &[u8]) -> Result<Key<'_>, SlotError> {
    let bad = || SlotError::BadChangelog { bytes: key.len() };
    let (found, rest) = key.split_first_chunk::<8>().ok_or_else(bad)?;
    let found = u64::from_be_bytes(*found);
    if found != layout {
        return Err(SlotError::OtherLayout { found, expected: layout });
    }
    match rest {
        [IDLE, input] => Ok(Key::Idle { input: usize::from(*input) }),
        [STATE, rest @ ..] => {
            let (end, group) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
            Ok(Key::State { end: i64::from_be_bytes(*end), group })
        }
        _ => Err(bad()),
    }
}

/// FNV-1a: a hash that is the same in every build, which the standard library's is not.
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
