//! The log of a task.

use crate::{Claim, Queue};

/// A line longer than this is cut.
const LINE_BYTES_MAX: usize = 4_000;

impl Queue {
    /// Adds lines to the log of a claim's try.
    pub async fn log(&self, claim: &Claim, lines: &[String]) -> Result<(), sqlx::Error> {
        let cut: Vec<String> = lines
            .iter()
            .map(|line| line.chars().take(LINE_BYTES_MAX).filter(|c| *c != '\0').collect())
            .collect();
        sqlx::query("INSERT INTO task_log (run_id, task, attempt, line) SELECT $1, $2, $3, line FROM unnest($4::text[]) AS new (line)")
            .bind(claim.run_id)
            .bind(&claim.task)
            .bind(claim.attempt)
            .bind(cut)
            .execute(&self.pool)
            .await
            .map(drop)
    }
}
