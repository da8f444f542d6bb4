//! Whether a slot is still this worker's, asked after the former owner was fenced.

use crate::slot::{Failure, Work};
use sqlx::PgPool;
use std::time::Duration;

/// Who is to run a slot, as the assignment told it.
#[derive(Clone)]
pub struct Owner {
    pub pool: PgPool,
    pub worker: String,
    pub version: String,
}

const ASK_MAX: Duration = Duration::from_secs(5);

impl Owner {
    /// Refuses to go on where the slot was taken away.
    ///
    /// A job that is cut into another number of slots loses its assignments first, and then each of its old ids is fenced. A
    /// worker that takes its id back after that would write beside the new owners of its partitions; by this question, asked
    /// after it took the id, it finds the assignment gone.
    pub async fn check(&self, work: &Work) -> Result<(), Failure> {
        let statement =
            "SELECT EXISTS (SELECT FROM slot WHERE job = $1 AND slot = $2 AND worker = $3 AND version = $4)";
        let asked = sqlx::query_scalar::<_, bool>(statement)
            .bind(&work.job.name)
            .bind(work.number)
            .bind(&self.worker)
            .bind(&self.version)
            .fetch_one(&self.pool);
        match tokio::time::timeout(ASK_MAX, asked).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Failure::TakenAway),
            Ok(Err(cause)) => {
                Err(Failure::Again(format!("PostgreSQL can't tell whose slot this is: {cause}")))
            }
            Err(_) => {
                Err(Failure::Again(format!("PostgreSQL did not tell within {ASK_MAX:?} whose slot this is")))
            }
        }
    }
}
