//! Writes how tasks ended: those that end while a commit waits for the disk go together into the next one.

use queue::{Claim, Ending, Finished, Queue};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// In one transaction. It holds the locks of its runs, so it must not be long.
const TOGETHER_MAX: usize = 64;

type Said = Result<Finished, sqlx::Error>;
type Asked = (Claim, Ending, oneshot::Sender<Said>);

/// Where endings are handed in. Cheap to clone.
#[derive(Clone)]
pub struct Finisher(mpsc::Sender<Asked>);

impl Finisher {
    /// Writes until all that hand in are gone; then the handle ends.
    pub fn start(queue: Queue) -> (Self, JoinHandle<()>) {
        // Who hands in waits for an answer: no more are on their way than tasks run here.
        let (sender, asked) = mpsc::channel(TOGETHER_MAX);
        (Self(sender), tokio::spawn(write(queue, asked)))
    }

    /// Ends a claim.
    pub async fn finish(&self, claim: &Claim, ending: Ending) -> Said {
        let (answer, said) = oneshot::channel();
        // Who writes is gone only when the process ends.
        self.0.send((claim.clone(), ending, answer)).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        said.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

async fn write(queue: Queue, mut asked: mpsc::Receiver<Asked>) {
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    while asked.recv_many(&mut together, TOGETHER_MAX).await > 0 {
        let endings: Vec<(&Claim, &Ending)> =
            together.iter().map(|(claim, ending, _)| (claim, ending)).collect();
        let said = match postgres::answered(queue.finish_all(&endings)).await {
            Ok(said) => said.into_iter().map(Ok).collect(),
            Err(cause) if endings.len() == 1 => vec![Err(cause)],
            // One that the database refuses must not keep the others from their end.
            Err(_) => one_by_one(&queue, &endings).await,
        };
        for ((.., answer), said) in together.drain(..).zip(said) {
            // Who was stopped meanwhile does not wait for it.
            let _ = answer.send(said);
        }
    }
}

async fn one_by_one(queue: &Queue, endings: &[(&Claim, &Ending)]) -> Vec<Said> {
    let mut said = vec![];
    for (claim, ending) in endings {
        said.push(postgres::answered(queue.finish(claim, ending)).await);
    }
    said
}
