//! The schema of the metadata database.

use crate::{PgPool, PostgresError};
use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

const MIGRATIONS: [(i64, &str, &str); 14] = [
    (1, "pipelines", include_str!("../../../migrations/0001_pipelines.sql")),
    (2, "runs", include_str!("../../../migrations/0002_runs.sql")),
    (3, "jobs", include_str!("../../../migrations/0003_jobs.sql")),
    (4, "dead letters", include_str!("../../../migrations/0004_dead_letters.sql")),
    (5, "running", include_str!("../../../migrations/0005_running.sql")),
    (6, "time", include_str!("../../../migrations/0006_time.sql")),
    (7, "definition", include_str!("../../../migrations/0007_definition.sql")),
    (8, "reasons", include_str!("../../../migrations/0008_reasons.sql")),
    (9, "speed", include_str!("../../../migrations/0009_speed.sql")),
    (10, "months", include_str!("../../../migrations/0010_months.sql")),
    (11, "traces", include_str!("../../../migrations/0011_traces.sql")),
    (12, "about dags", include_str!("../../../migrations/0012_about_dags.sql")),
    (13, "setups", include_str!("../../../migrations/0013_setups.sql")),
    (14, "intervals", include_str!("../../../migrations/0014_intervals.sql")),
];

/// Brings the schema up to date. Many processes may do it at once: an advisory lock lets one work.
pub async fn migrate(pool: &PgPool) -> Result<(), PostgresError> {
    migrate_to(pool, i64::MAX).await
}

/// Brings the schema to what a release had whose newest migration was this one.
pub async fn migrate_to(pool: &PgPool, newest: i64) -> Result<(), PostgresError> {
    let known = MIGRATIONS.into_iter().filter(|(version, ..)| *version <= newest);
    let migrations = known.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // While a new version is brought in, a process of the old one may start beside it: the schema is further than it knows.
    migrator.set_ignore_missing(true);
    migrator.run(pool).await.map_err(|cause| PostgresError::Migration(cause.to_string()))
}
