//! Who runs what: a pure function.

use std::collections::BTreeMap;

/// A slot of a job, by name and number.
pub type SlotId = (String, i32);

/// What is wanted and what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Situation {
    /// Every slot that is to run, with the job's version.
    pub wanted: BTreeMap<SlotId, String>,
    /// Workers that are alive, with how many slots each can take.
    pub workers: BTreeMap<String, usize>,
    /// What the table says now: version and worker.
    pub assigned: BTreeMap<SlotId, (String, Option<String>)>,
}

/// What the table is to say: every wanted slot, with its version and its worker; none where no worker has room.
pub type Assignment = BTreeMap<SlotId, (String, Option<String>)>;

/// Decides. A slot stays where it is while its worker lives; others go to the worker with the fewest; and where one worker has two
/// more than another, one slot moves. The same situation always gives the same answer.
pub fn decide(situation: &Situation) -> Assignment {
    let mut load: BTreeMap<&str, usize> =
        situation.workers.keys().map(|worker| (worker.as_str(), 0)).collect();
    let mut decided = Assignment::new();
    for (slot, version) in &situation.wanted {
        let kept = situation
            .assigned
            .get(slot)
            .and_then(|(_, worker)| worker.clone())
            .filter(|worker| has_room(situation, &load, worker));
        if let Some(worker) = &kept {
            add(&mut load, worker);
        }
        decided.insert(slot.clone(), (version.clone(), kept));
    }
    for (_, worker) in decided.values_mut().filter(|(_, worker)| worker.is_none()) {
        *worker = least(situation, &load);
        if let Some(worker) = worker {
            add(&mut load, worker);
        }
    }
    level(situation, &mut load, &mut decided);
    decided
}

fn has_room(situation: &Situation, load: &BTreeMap<&str, usize>, worker: &str) -> bool {
    situation.workers.get(worker).is_some_and(|capacity| load.get(worker).copied().unwrap_or(0) < *capacity)
}

fn add(load: &mut BTreeMap<&str, usize>, worker: &str) {
    if let Some(slots) = load.get_mut(worker) {
        *slots += 1;
    }
}

fn least(situation: &Situation, load: &BTreeMap<&str, usize>) -> Option<String> {
    load.iter()
        .filter(|(worker, _)| has_room(situation, load, worker))
        .min_by_key(|(_, slots)| **slots)
        .map(|(worker, _)| (*worker).to_owned())
}

/// Moves slots from the fullest to the emptiest worker until none has two more than another that has room.
fn level(situation: &Situation, load: &mut BTreeMap<&str, usize>, decided: &mut Assignment) {
    loop {
        let Some((fullest, most)) = load
            .iter()
            .max_by_key(|(_, slots)| **slots)
            .map(|(worker, slots)| ((*worker).to_owned(), *slots))
        else {
            return;
        };
        let Some(emptiest) = least(situation, load).filter(|worker| load[worker.as_str()] + 1 < most) else {
            return;
        };
        let Some((_, worker)) =
            decided.values_mut().find(|(_, worker)| worker.as_deref() == Some(fullest.as_str()))
        else {
            return;
        };
        *worker = Some(emptiest.clone());
        add(load, &emptiest);
        if let Some(slots) = load.get_mut(fullest.as_str()) {
            *slots -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
