//! Histories: seeded sequences of steps in which holders die, are stopped, and do not hear answers.

use super::{Claimed, End, Machine, Shape};
use crate::{Break, Guards, RunState, TaskState, TriggerRule};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::{BTreeMap, BTreeSet};

/// What a history went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub steps: u64,
    pub runs: u64,
    pub ended: u64,
    pub refused: u64,
    pub rescued: u64,
    /// Tasks that people cleared or marked.
    pub by_hand: u64,
}

const STEPS: usize = 80;
const HOLDERS: usize = 3;
const RUNS_MAX: usize = 4;
const TRIES_MAX: u32 = 3;
pub const LEASE: u64 = 1_000_000;
const POOLS: [&str; 2] = ["a", "b"];
const DAGS: [&str; 2] = ["x", "y"];
/// More rounds than any history needs to come to its end.
const ROUNDS_MAX: usize = 2_000;

/// One step, as somebody takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Make {
        key: String,
        dag: &'static str,
        tasks_max: Option<u32>,
        shapes: Vec<Shape>,
    },
    Claim {
        holder: usize,
        limit: usize,
    },
    ClaimAtOnce {
        limit: usize,
    },
    Finish {
        holder: usize,
        end: End,
        heard: bool,
    },
    FinishAll {
        holder: usize,
    },
    Renew {
        holder: usize,
    },
    Rescue,
    Pass {
        time: u64,
    },
    Cancel {
        run: usize,
    },
    Clear {
        run: usize,
        tasks: BTreeSet<usize>,
        only_failed: bool,
    },
    Mark {
        run: usize,
        task: usize,
        state: TaskState,
    },
    /// It dies; another begins with its name, and knows nothing.
    Die {
        holder: usize,
    },
}

/// Plays a history to its end. The error is what did not hold, and when.
pub fn play(seed: u64, guards: Guards) -> Result<Seen, String> {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut machine = Machine::new(pools(&mut random), guards);
    let (mut held, mut seen) = (vec![vec![]; HOLDERS], Seen::default());
    for number in 0..STEPS {
        let step = step(&mut random, &machine);
        take(&mut machine, &mut held, &step, &mut seen);
        seen.steps += 1;
        let found = machine.check().and_then(|()| check_tries(&machine));
        found.map_err(|cause| format!("seed {seed}, step {number}, {step:?}: {cause}"))?;
    }
    come_to_rest(&mut machine, &mut seen).map_err(|cause| format!("seed {seed}, at its end: {cause}"))?;
    seen.runs = machine.runs.len() as u64;
    Ok(seen)
}

fn check_tries(machine: &Machine) -> Result<(), String> {
    let mut tasks = machine.runs.iter().flat_map(|run| &run.tasks);
    match tasks.find(|task| task.attempt > TRIES_MAX + task.tries_before + task.rescues) {
        Some(task) => Err(format!(
            "a task was tried {} times, {} of them before it was cleared, {} lost",
            task.attempt, task.tries_before, task.rescues
        )),
        None => Ok(()),
    }
}

pub fn pools(random: &mut Pcg64) -> BTreeMap<&'static str, u32> {
    POOLS.into_iter().map(|name| (name, random.random_range(1..4))).collect()
}

/// The next step.
pub fn step(random: &mut Pcg64, machine: &Machine) -> Step {
    let (holder, runs) = (random.random_range(0..HOLDERS), machine.runs.len());
    if runs == 0 {
        return make(random, runs);
    }
    match random.random_range(0..100) {
        0..6 if runs < RUNS_MAX => make(random, runs),
        0..6 => Step::Cancel { run: random.random_range(0..runs) },
        6..28 => Step::Claim { holder, limit: random.random_range(1..5) },
        28..33 => Step::ClaimAtOnce { limit: random.random_range(1..5) },
        33..62 => Step::Finish { holder, end: end(random), heard: random.random_bool(0.9) },
        62..70 => Step::FinishAll { holder },
        70..78 => Step::Renew { holder },
        78..84 => Step::Rescue,
        84..92 => Step::Pass { time: LEASE * random.random_range(1..4) / 2 },
        92..96 => by_hand(random, machine),
        _ => Step::Die { holder },
    }
}

/// What people do to a run. Of one that was cancelled all is cleared: what waits for a task that was removed waits for ever, and is
/// ended for that by whoever looks for such runs.
fn by_hand(random: &mut Pcg64, machine: &Machine) -> Step {
    let run = random.random_range(0..machine.runs.len());
    let of = &machine.runs[run];
    if random.random_bool(0.5) {
        let states = [TaskState::Success, TaskState::Failed, TaskState::Skipped];
        let state = states[random.random_range(0..states.len())];
        return Step::Mark { run, task: random.random_range(0..of.tasks.len()), state };
    }
    let all = of.state == RunState::Cancelled;
    let tasks = (0..of.tasks.len()).filter(|_| all || random.random_bool(0.5)).collect();
    Step::Clear { run, tasks, only_failed: !all && random.random_bool(0.3) }
}

fn make(random: &mut Pcg64, runs: usize) -> Step {
    let count = random.random_range(1..9);
    let shape = |random: &mut Pcg64, at: usize| Shape {
        rule: rule(random),
        parents: (0..at).filter(|_| random.random_bool(0.4)).collect(),
        pool: POOLS[random.random_range(0..POOLS.len())],
        slots: random.random_range(1..3),
        priority: random.random_range(0..3),
    };
    Step::Make {
        // Sometimes it is asked for again.
        key: format!("key {}", random.random_range(0..=runs)),
        dag: DAGS[random.random_range(0..DAGS.len())],
        tasks_max: random.random_bool(0.3).then_some(2),
        shapes: (0..count).map(|at| shape(random, at)).collect(),
    }
}

/// Any but the one that asks for setups: the machine has none.
fn rule(random: &mut Pcg64) -> TriggerRule {
    if random.random_bool(0.5) {
        return TriggerRule::AllSuccess;
    }
    let of_parents = TriggerRule::ALL.into_iter().filter(|rule| *rule != TriggerRule::AllDoneSetupSuccess);
    let all: Vec<TriggerRule> = of_parents.collect();
    all[random.random_range(0..all.len())]
}

fn end(random: &mut Pcg64) -> End {
    match random.random_range(0..10) {
        0..5 => End::Success,
        5 => End::Skipped,
        6 => End::Failed,
        7 | 8 => End::Retry(LEASE),
        _ => End::Deferred(LEASE / 4),
    }
}

/// A try that was the last one is not followed by another.
pub fn last_try(end: End, claimed: &Claimed) -> End {
    match end {
        End::Retry(_) if claimed.tries >= TRIES_MAX => End::Failed,
        end => end,
    }
}

fn take(machine: &mut Machine, held: &mut [Vec<Claimed>], step: &Step, seen: &mut Seen) {
    match step {
        Step::Make { key, dag, tasks_max, shapes } => {
            let parts = machine.guards.lack(Break::RunInParts);
            machine.make(key, dag, *tasks_max, if parts { vec![] } else { shapes.clone() });
        }
        Step::Claim { holder, limit } => held[*holder].extend(machine.claim(*limit, LEASE)),
        Step::ClaimAtOnce { limit } => {
            let [one, other] = machine.claim_at_once(*limit, LEASE);
            held[0].extend(one);
            held[1].extend(other);
        }
        Step::Finish { holder, end, heard } => {
            let Some(claimed) = held[*holder].first().copied() else { return };
            let taken = machine.finish(&[(claimed, last_try(*end, &claimed))]);
            seen.refused += taken.iter().filter(|taken| !**taken).count() as u64;
            if *heard {
                held[*holder].remove(0);
            }
        }
        Step::FinishAll { holder } => {
            let all: Vec<(Claimed, End)> =
                held[*holder].drain(..).map(|claimed| (claimed, End::Success)).collect();
            seen.refused += machine.finish(&all).iter().filter(|taken| !**taken).count() as u64;
        }
        Step::Renew { holder } => held[*holder].retain(|claimed| machine.renew(claimed, LEASE)),
        Step::Rescue => rescue(machine, seen),
        Step::Pass { time } => machine.pass(*time),
        Step::Cancel { run } => drop(machine.cancel(*run)),
        Step::Clear { run, tasks, only_failed } => {
            seen.by_hand += machine.clear(*run, tasks, *only_failed) as u64;
        }
        Step::Mark { run, task, state } => {
            machine.mark(*run, *task, *state);
            seen.by_hand += 1;
        }
        Step::Die { holder } => held[*holder].clear(),
    }
}

fn rescue(machine: &mut Machine, seen: &mut Seen) {
    let rescues = |machine: &Machine| -> u64 {
        machine.runs.iter().flat_map(|run| &run.tasks).map(|task| u64::from(task.rescues)).sum()
    };
    let before = rescues(machine);
    machine.rescue();
    seen.rescued += rescues(machine) - before;
}

/// All holders have died. Another one does what there is to do: each run comes to its end.
fn come_to_rest(machine: &mut Machine, seen: &mut Seen) -> Result<(), String> {
    for _ in 0..ROUNDS_MAX {
        if machine.runs.iter().all(|run| run.state.is_final()) {
            seen.ended = machine.runs.len() as u64;
            return machine.check();
        }
        machine.pass(2 * LEASE);
        rescue(machine, seen);
        let all: Vec<(Claimed, End)> =
            machine.claim(usize::MAX, LEASE).into_iter().map(|claimed| (claimed, End::Success)).collect();
        machine.finish(&all);
        machine.check()?;
    }
    Err("a run does not end, though somebody works on".into())
}
