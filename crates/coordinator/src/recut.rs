//! A job that is to run with another number of slots.

use pipeline::Published;
use sqlx::{PgPool, Row};

/// Takes all slots of such a job away from their workers and fences each old id, so that nobody writes for a partition that
/// another slot is about to own. Only then does the job's row get the new number, and a round may assign the new slots.
///
/// The assignments go first: a worker that takes its id back after the fence asks whether the slot is still its own, and
/// finds that it is not.
pub async fn recut(pool: &PgPool, bootstrap: &str, published: &Published) -> anyhow::Result<()> {
    for row in sqlx::query("SELECT name, slots FROM job").fetch_all(pool).await? {
        let (name, old) = (row.try_get::<String, _>("name")?, row.try_get::<i32, _>("slots")?);
        let Some(job) = published.job(&name).map(|(_, job)| job).filter(|job| job.slots as i32 != old) else {
            continue;
        };
        sqlx::query("DELETE FROM slot WHERE job = $1").bind(&name).execute(pool).await?;
        sqlx::query("SELECT pg_notify('millrace_slots', '')").execute(pool).await?;
        tracing::info!(job = name, "goes from {old} to {} slots: the old ones are fenced", job.slots);
        for slot in 0..old {
            let (bootstrap, id) = (bootstrap.to_owned(), job.transactional_id(slot));
            tokio::task::spawn_blocking(move || kafka::fence(&bootstrap, &id)).await??;
        }
        sqlx::query("UPDATE job SET slots = $2 WHERE name = $1")
            .bind(&name)
            .bind(job.slots as i32)
            .execute(pool)
            .await?;
    }
    Ok(())
}
