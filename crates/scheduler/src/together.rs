//! Writes that are asked for while a commit waits for the disk go together into the next one.

use std::{future::Future, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

/// In one transaction. It holds locks, so it must not be long.
const TOGETHER_MAX: usize = 64;

type Said<T> = Result<T, sqlx::Error>;
type Asked<A, T> = (A, oneshot::Sender<Said<T>>);

/// Where writes are handed in. Cheap to clone.
pub struct Together<A, T>(mpsc::Sender<Asked<A, T>>);

impl<A, T> Clone for Together<A, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Who writes what was handed in.
pub struct Writer<A, T>(mpsc::Receiver<Asked<A, T>>);

/// Both ends.
pub fn together<A, T>() -> (Together<A, T>, Writer<A, T>) {
    // Who hands in waits for an answer.
    let (sender, asked) = mpsc::channel(TOGETHER_MAX);
    (Together(sender), Writer(asked))
}

impl<A, T> Together<A, T> {
    /// Answers when it is written.
    pub async fn write(&self, asked: A) -> Said<T> {
        let (answer, said) = oneshot::channel();
        // Who writes is gone only when the process ends.
        self.0.send((asked, answer)).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        said.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

impl<A: Clone, T> Together<A, T> {
    /// The same, asked again while the database is away, for so long at most. What it may have written without a word it will be asked
    /// to write a second time.
    pub async fn write_within(&self, limit: Duration, asked: A) -> Said<T> {
        let until = Instant::now() + limit;
        loop {
            match self.write(asked.clone()).await {
                Err(cause) if postgres::is_away(&cause) && Instant::now() + AGAIN < until => {
                    tracing::warn!("PostgreSQL did not do it: {cause}; it is asked again");
                    sleep(AGAIN).await;
                }
                said => return said,
            }
        }
    }
}

const AGAIN: Duration = Duration::from_millis(500);

impl<A, T> Writer<A, T> {
    /// Writes until all that hand in are gone. `write` writes all or none, and answers in their order.
    pub async fn run<W>(mut self, write: impl Fn(Vec<A>) -> W)
    where
        A: Clone,
        W: Future<Output = Result<Vec<T>, sqlx::Error>>,
    {
        let mut together = Vec::with_capacity(TOGETHER_MAX);
        while self.0.recv_many(&mut together, TOGETHER_MAX).await > 0 {
            // Others that are about to ask come along, or the first of many would go alone.
            tokio::task::yield_now().await;
            while together.len() < TOGETHER_MAX
                && let Ok(asked) = self.0.try_recv()
            {
                together.push(asked);
            }
            let (asked, answers): (Vec<A>, Vec<_>) = together.drain(..).unzip();
            let said = match postgres::answered(write(asked.clone())).await {
                Ok(said) => said.into_iter().map(Ok).collect(),
                Err(cause) if answers.len() == 1 => vec![Err(cause)],
                // One that the database refuses must not keep the others from their end.
                Err(cause) if cause.as_database_error().is_some() => one_by_one(&write, asked).await,
                // Where it was silent, it would be silent to each of them.
                Err(cause) => answers.iter().map(|_| Err(unanswered(&cause))).collect(),
            };
            for (answer, said) in answers.into_iter().zip(said) {
                // Who was stopped meanwhile does not wait for it.
                let _ = answer.send(said);
            }
        }
    }
}

/// What each is told of an error that they share.
fn unanswered(cause: &sqlx::Error) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(cause.to_string()))
}

async fn one_by_one<A, T, W>(write: &impl Fn(Vec<A>) -> W, asked: Vec<A>) -> Vec<Said<T>>
where
    W: Future<Output = Result<Vec<T>, sqlx::Error>>,
{
    let mut said = vec![];
    for one in asked {
        let answer = postgres::answered(write(vec![one])).await;
        said.push(answer.and_then(|mut answers| answers.pop().ok_or(sqlx::Error::RowNotFound)));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A writer that the database answers with an error so often, before it does what it is asked for.
    async fn asked_again(errors: usize, error: fn() -> sqlx::Error) -> (Said<u32>, usize) {
        let (hand_in, writer) = together::<u32, u32>();
        let asked = AtomicUsize::new(0);
        let write = |all: Vec<u32>| {
            let said = asked.fetch_add(1, Ordering::Relaxed);
            async move { if said < errors { Err(error()) } else { Ok(all) } }
        };
        let one = async {
            let said = hand_in.write_within(2 * AGAIN, 7).await;
            drop(hand_in);
            said
        };
        let ((), said) = tokio::join!(writer.run(write), one);
        (said, asked.into_inner())
    }

    #[tokio::test]
    async fn what_a_database_that_is_away_did_not_write_is_asked_for_again_for_so_long() {
        let (said, asked) = asked_again(1, || sqlx::Error::PoolTimedOut).await;
        assert_eq!((said.unwrap(), asked), (7, 2));
        let (said, _) = asked_again(usize::MAX, || sqlx::Error::PoolTimedOut).await;
        assert!(said.is_err());
        let (said, asked) = asked_again(1, || sqlx::Error::RowNotFound).await;
        assert!(said.is_err());
        assert_eq!(asked, 1, "it would not be otherwise another time");
    }

    #[tokio::test]
    async fn writes_that_the_database_did_not_answer_are_not_asked_one_by_one() {
        let (hand_in, writer) = together::<u32, u32>();
        let asked = AtomicUsize::new(0);
        let write = |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            async { Err(sqlx::Error::PoolTimedOut) }
        };
        let both = async {
            let said = tokio::join!(hand_in.write(1), hand_in.write(2), hand_in.write(3));
            drop(hand_in);
            [said.0, said.1, said.2].map(|said| said.is_err())
        };
        let ((), failed) = tokio::join!(writer.run(write), both);
        assert_eq!((failed, asked.into_inner()), ([true; 3], 1));
    }
}
