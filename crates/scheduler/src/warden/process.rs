//! The process itself: no runtime, no configuration, no log.

use super::{Group, Told};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeSet,
    io::{self, BufRead},
    process::ExitCode,
};

/// Listens until the executor is gone, and kills the process groups that it has left.
pub fn main() -> ExitCode {
    for group in left(io::stdin().lock()).iter().filter(|group| group.is_itself()) {
        if let Some(leader) = Pid::from_raw(group.leader.cast_signed()) {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
    ExitCode::SUCCESS
}

/// The groups that have begun and not ended.
fn left(told: impl BufRead) -> BTreeSet<Group> {
    let mut groups = BTreeSet::new();
    for line in told.lines().map_while(Result::ok) {
        match Told::parse(&line) {
            Some(Told::Begun(group)) => groups.insert(group),
            Some(Told::Ended(group)) => groups.remove(&group),
            None => false,
        };
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_begun_and_not_ended_is_left() {
        let of = |leader| Group { leader, started: 5 };
        let told = [Told::Begun(of(1)), Told::Begun(of(2)), Told::Ended(of(1)), Told::Begun(of(3))];
        let lines: String = told.iter().map(Told::to_string).collect();
        // Of a line that the executor's death has cut, nothing is believed.
        let lines = lines + "what?\n+4";
        assert_eq!(left(lines.as_bytes()), BTreeSet::from([of(2), of(3)]));
    }

    #[test]
    fn a_number_that_was_given_to_another_process_is_not_taken_for_the_group() {
        let mine = Group::of(std::process::id()).unwrap();
        assert!(mine.is_itself());
        assert!(!Group { started: mine.started + 1, ..mine }.is_itself());
    }
}
