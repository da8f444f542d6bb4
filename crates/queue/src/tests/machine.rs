//! The SQL, held against the pure machine: the same seeded histories on both, and after each step the same states.

use super::*;
use model::{
    Guards, TriggerRule,
    machine::{
        Claimed, End, Machine, Shape,
        history::{self, LEASE as MACHINE_LEASE, Step},
    },
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const HISTORIES: u64 = 30;
const STEPS: usize = 60;
/// A unit of the machine's time. All waits are many seconds: what the test itself takes does not matter beside them.
const UNIT: Duration = Duration::from_millis(1);

/// Both, with what their holders have.
struct Pair {
    queue: Queue,
    machine: Machine,
    runs: Vec<Uuid>,
    held: Vec<Vec<(Claimed, Claim)>>,
}

fn units(time: u64) -> Duration {
    UNIT * u32::try_from(time).unwrap()
}

fn name(at: usize) -> String {
    format!("t{at:02}")
}

fn new_run(key: &str, dag: &str, tasks_max: Option<u32>, shapes: &[Shape]) -> NewRun {
    let rule = |rule: TriggerRule| serde_json::to_value(rule).unwrap().as_str().unwrap().to_owned();
    let task = |(at, shape): (usize, &Shape)| NewTask {
        name: name(at),
        rule: rule(shape.rule),
        after: shape.parents.iter().map(|parent| name(*parent)).collect(),
        pool: shape.pool.into(),
        slots: shape.slots,
        priority: shape.priority,
        ..run_of("a", "").tasks.remove(0)
    };
    NewRun {
        dag: dag.into(),
        max_active_runs: 100,
        max_active_tasks: tasks_max.map(|max| max as i32),
        tasks: shapes.iter().enumerate().map(task).collect(),
        ..run_of("", key)
    }
}

fn ending(end: End) -> Ending {
    match end {
        End::Success => success(),
        End::Skipped => Ending::Skipped { reason: "no".into() },
        End::Failed => failed(),
        End::Retry(wait) => Ending::Failed { reason: "no".into(), retry_in: Some(units(wait)) },
        End::Deferred(wait) => {
            Ending::Deferred { look_again_in: units(wait), reason: "not yet".into(), kept: None }
        }
    }
}

impl Pair {
    async fn take(&mut self, step: &Step) {
        match step {
            Step::Make { key, dag, tasks_max, shapes } => {
                let new = self.machine.make(key, dag, *tasks_max, shapes.clone());
                let made = self.queue.create(&new_run(key, dag, *tasks_max, shapes)).await.unwrap();
                assert_eq!(made.1, new, "{key}");
                self.runs.extend(new.then_some(made.0));
            }
            Step::Claim { holder, limit } => self.claim(*holder, *limit).await,
            Step::ClaimAtOnce { limit } => {
                self.claim(0, *limit).await;
                self.claim(1, *limit).await;
            }
            Step::Finish { holder, end, heard } => {
                let Some(pair) = self.held[*holder].first().cloned() else { return };
                self.finish(vec![(pair.clone(), history::last_try(*end, &pair.0))]).await;
                if *heard {
                    self.held[*holder].remove(0);
                }
            }
            Step::FinishAll { holder } => {
                let all = std::mem::take(&mut self.held[*holder]);
                self.finish(all.into_iter().map(|pair| (pair, End::Success)).collect()).await;
            }
            Step::Renew { holder } => {
                for (claimed, claim) in std::mem::take(&mut self.held[*holder]) {
                    let ours = self.machine.renew(&claimed, MACHINE_LEASE);
                    let renewed = self.queue.renew(&[claim.attempt_id], units(MACHINE_LEASE)).await.unwrap();
                    assert_eq!(renewed.len(), usize::from(ours), "{claimed:?}");
                    self.held[*holder].extend(ours.then_some((claimed, claim)));
                }
            }
            Step::Rescue => {
                self.machine.rescue();
                self.queue.rescue().await.unwrap();
            }
            Step::Pass { time } => {
                self.machine.pass(*time);
                self.pass(units(*time)).await;
            }
            Step::Cancel { run } => {
                let ended = self.queue.end(self.runs[*run], RunState::Cancelled, "cancelled").await.unwrap();
                assert_eq!(self.machine.cancel(*run), ended);
            }
            Step::Clear { run, tasks, only_failed } => self.clear(*run, tasks, *only_failed).await,
            Step::Mark { run, task, state } => {
                self.machine.mark(*run, *task, *state);
                let marked = self.queue.mark(self.runs[*run], &name(*task), *state, &By::default()).await;
                assert!(marked.unwrap());
            }
            Step::Die { holder } => self.held[*holder].clear(),
        }
    }

    /// A run that had ended is admitted at once.
    async fn clear(&mut self, run: usize, tasks: &BTreeSet<usize>, only_failed: bool) {
        let names = tasks.iter().map(|task| name(*task)).collect();
        let which = Clear { tasks: Some(names), downstream: false, upstream: false, only_failed };
        let cleared = self.queue.clear(self.runs[run], &which, &By::default()).await.unwrap();
        assert_eq!(self.machine.clear(run, tasks, only_failed), cleared as usize);
        self.queue.admit(self.machine.runs[run].dag, 100).await.unwrap();
    }

    async fn claim(&mut self, holder: usize, limit: usize) {
        // The database breaks ties among more than it may claim as it likes: so that both choose the same, there is no limit but the pools'.
        let _ = limit;
        let claimed = self.machine.claim(100, MACHINE_LEASE);
        let claims = self.queue.claim("me", units(MACHINE_LEASE), 100).await.unwrap();
        let told = |claim: &Claim| {
            (self.runs.iter().position(|id| *id == claim.run_id).unwrap(), claim.task.clone(), claim.tries)
        };
        let mut both: Vec<_> = claims.into_iter().map(|claim| (told(&claim), claim)).collect();
        both.sort_by(|one, other| one.0.cmp(&other.0));
        let mut expected: Vec<_> =
            claimed.into_iter().map(|of| ((of.run, name(of.task), of.tries), of)).collect();
        expected.sort();
        let keys = |told: &(usize, String, u32)| told.clone();
        assert_eq!(
            both.iter().map(|(told, _)| keys(told)).collect::<Vec<_>>(),
            expected.iter().map(|(told, _)| keys(told)).collect::<Vec<_>>(),
        );
        let pairs = expected.into_iter().zip(both).map(|((_, claimed), (_, claim))| (claimed, claim));
        self.held[holder].extend(pairs);
    }

    async fn finish(&mut self, endings: Vec<((Claimed, Claim), End)>) {
        let of_machine: Vec<(Claimed, End)> = endings.iter().map(|((of, _), end)| (*of, *end)).collect();
        let taken = self.machine.finish(&of_machine);
        let of_queue: Vec<(Claim, Ending)> =
            endings.into_iter().map(|((_, claim), end)| (claim, ending(end))).collect();
        let said = self
            .queue
            .finish_all(&of_queue.iter().map(|(claim, ending)| (claim, ending)).collect::<Vec<_>>())
            .await
            .unwrap();
        assert_eq!(said.iter().map(|said| *said == Finished::Taken).collect::<Vec<_>>(), taken);
    }

    /// All instants that are compared with the clock move back: as good as a clock that moves on.
    async fn pass(&self, time: Duration) {
        sqlx::query("UPDATE task SET ready_at = ready_at - $1 * interval '1 second', lease_until = lease_until - $1 * interval '1 second'")
            .bind(time.as_secs_f64())
            .execute(self.queue.pool())
            .await
            .unwrap();
    }

    async fn compare(&self) {
        for (run, id) in self.machine.runs.iter().zip(&self.runs) {
            let state = self.queue.run(*id).await.unwrap().unwrap().state;
            let tasks = self.queue.tasks(*id).await.unwrap();
            let found: Vec<_> = tasks.iter().map(|task| (task.state, task.attempt, task.deferred)).collect();
            let expected: Vec<_> =
                run.tasks.iter().map(|task| (task.state, task.attempt as i32, task.deferred)).collect();
            assert_eq!((state, found), (run.state, expected), "{}: {:#?}", run.key, run.tasks);
        }
    }
}

#[tokio::test]
async fn the_database_does_what_the_machine_does() {
    for seed in 0..HISTORIES {
        let mut random = Pcg64::seed_from_u64(seed);
        let pools = history::pools(&mut random);
        let queue = queue().await;
        let sizes: BTreeMap<String, u32> = pools.iter().map(|(name, size)| ((*name).into(), *size)).collect();
        queue.set_pools(&sizes).await.unwrap();
        let machine = Machine::new(pools, Guards::default());
        let mut pair = Pair { queue, machine, runs: vec![], held: vec![vec![]; 3] };
        for number in 0..STEPS {
            let step = history::step(&mut random, &pair.machine);
            println!("seed {seed}, step {number}: {step:?}");
            pair.take(&step).await;
            pair.compare().await;
        }
        assert_eq!(pair.queue.drifted().await.unwrap(), [], "seed {seed}: counters are what the tasks say");
    }
}
