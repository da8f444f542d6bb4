//! Published pipelines: the scheduler writes them, everybody else reads them, from PostgreSQL.

use crate::{Bundle, Pipeline, Problem};
use futures::future::BoxFuture;
use model::Secret;
use postgres::{PgPool, PostgresError};
use sqlx::Row;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::watch;

/// Everything that is published, parsed; without DAGs, which only the scheduler reads, and by their version.
#[derive(Clone, Debug, Default)]
pub struct Published {
    pub pipelines: BTreeMap<String, Pipeline>,
}

/// The channel of the hint that something was published. The truth is the table.
const CHANNEL: &str = "millrace_pipelines";
/// A hint may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

impl Published {
    pub fn stream(&self, name: &str) -> Option<&crate::Stream> {
        self.pipelines.values().find_map(|pipeline| pipeline.streams.get(name))
    }

    /// The pipeline that has this source.
    pub fn source(&self, name: &str) -> Option<(&Pipeline, &crate::Source)> {
        self.pipelines.values().find_map(|pipeline| Some((pipeline, pipeline.sources.get(name)?)))
    }

    /// The pipeline that has this job.
    pub fn job(&self, name: &str) -> Option<(&Pipeline, &crate::Job)> {
        self.pipelines.values().find_map(|pipeline| Some((pipeline, pipeline.jobs.get(name)?)))
    }

    /// All tables of one store, with their streams.
    pub fn tables(&self, store: crate::Store) -> Vec<(&Pipeline, &crate::Table, &crate::Stream)> {
        let mut found = vec![];
        for pipeline in self.pipelines.values() {
            for table in pipeline.tables.values().filter(|table| table.store == store) {
                if let Some(stream) = pipeline.streams.get(&table.stream) {
                    found.push((pipeline, table, stream));
                }
            }
        }
        found
    }

    fn versions(&self) -> Vec<&str> {
        self.pipelines.values().map(|pipeline| pipeline.version.as_str()).collect()
    }
}

/// Stores a bundle and makes it the current version of its pipeline. Answers whether it is a new one.
pub async fn publish(pool: &PgPool, bundle: &Bundle) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let hash = bundle.hash();
    let files = serde_json::to_value(&bundle.files).unwrap_or_default();
    sqlx::query(
        "INSERT INTO pipeline_version (pipeline, hash, files) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(&bundle.name)
    .bind(&hash)
    .bind(files)
    .execute(&mut *transaction)
    .await?;
    let changed = sqlx::query(
        "INSERT INTO pipeline_current (pipeline, hash) VALUES ($1, $2)
         ON CONFLICT (pipeline) DO UPDATE SET hash = excluded.hash, published_at = now() WHERE pipeline_current.hash <> excluded.hash",
    )
    .bind(&bundle.name)
    .bind(&hash)
    .execute(&mut *transaction)
    .await?
    .rows_affected()
        > 0;
    if changed {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(&bundle.name)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(changed)
}

/// Takes a pipeline whose folder is gone out of what is current. Its versions stay.
pub async fn retire(pool: &PgPool, pipeline: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM pipeline_current WHERE pipeline = $1").bind(pipeline).execute(pool).await?;
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(pipeline).execute(pool).await.map(drop)
}

/// Reads what is current. A version that this program cannot read is told and left out.
pub async fn current(pool: &PgPool) -> Result<(Published, Vec<Problem>), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT c.pipeline, v.files FROM pipeline_current c JOIN pipeline_version v ON v.pipeline = c.pipeline AND v.hash = c.hash ORDER BY 1",
    )
    .fetch_all(pool)
    .await?;
    let (mut published, mut problems) = (Published::default(), vec![]);
    for row in rows {
        let files: serde_json::Value = row.try_get("files")?;
        let bundle = Bundle {
            name: row.try_get("pipeline")?,
            files: serde_json::from_value(files).unwrap_or_default(),
        };
        match Pipeline::without_dags(&bundle) {
            Ok(pipeline) => drop(published.pipelines.insert(bundle.name, pipeline)),
            Err(found) => problems.extend(found),
        }
    }
    Ok((published, problems))
}

/// Reads one version of a pipeline, current or not.
pub async fn version(pool: &PgPool, pipeline: &str, hash: &str) -> Result<Option<Pipeline>, sqlx::Error> {
    let found = bundle(pool, pipeline, hash).await?;
    Ok(found.and_then(|bundle| Pipeline::parse(&bundle).ok()))
}

/// Reads the files of one version, current or not.
pub async fn bundle(pool: &PgPool, pipeline: &str, hash: &str) -> Result<Option<Bundle>, sqlx::Error> {
    let row = sqlx::query("SELECT files FROM pipeline_version WHERE pipeline = $1 AND hash = $2")
        .bind(pipeline)
        .bind(hash)
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let files: serde_json::Value = row.try_get("files")?;
    Ok(Some(Bundle { name: pipeline.to_owned(), files: serde_json::from_value(files).unwrap_or_default() }))
}

/// A version of a pipeline, without its files.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Version {
    pub version: String,
    pub made_at: chrono::DateTime<chrono::Utc>,
    pub current: bool,
}

/// The versions of a pipeline, the newest first.
pub async fn versions(pool: &PgPool, pipeline: &str, limit: i64) -> Result<Vec<Version>, sqlx::Error> {
    let statement = "SELECT v.hash, v.made_at, c.hash IS NOT NULL AS current FROM pipeline_version v LEFT JOIN pipeline_current c ON c.pipeline = v.pipeline AND c.hash = v.hash
        WHERE v.pipeline = $1 ORDER BY v.made_at DESC LIMIT $2";
    let rows = sqlx::query(statement).bind(pipeline).bind(limit).fetch_all(pool).await?;
    let version = |row: &sqlx::postgres::PgRow| {
        Ok(Version {
            version: row.try_get("hash")?,
            made_at: row.try_get("made_at")?,
            current: row.try_get("current")?,
        })
    };
    rows.iter().map(version).collect()
}

/// What keeps the newest edits from being published.
pub async fn problems(pool: &PgPool) -> Result<Vec<Problem>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT file, line, message FROM pipeline_problem ORDER BY 1, 2").fetch_all(pool).await?;
    let problem = |row: &sqlx::postgres::PgRow| {
        let line = usize::try_from(row.try_get::<i32, _>("line")?).unwrap_or_default();
        Ok(Problem::new(row.try_get::<String, _>("file")?, line, row.try_get::<String, _>("message")?))
    };
    rows.iter().map(problem).collect()
}

/// What every process that works by published pipelines begins with: the metadata, up to date, and what is current. PostgreSQL is
/// waited for.
pub fn begin<'a>(url: &'a str, password: &'a Secret) -> BoxFuture<'a, Result<Begun, PostgresError>> {
    Box::pin(async {
        let pool = postgres::connect(url, password).await?;
        postgres::migrate(&pool).await?;
        let published = watch(pool.clone()).await;
        Ok((pool, published))
    })
}

/// The metadata, and what is current.
pub type Begun = (PgPool, watch::Receiver<Published>);

/// Follows what is current for as long as the receiver lives. The first value is what is current now.
pub async fn watch(pool: PgPool) -> watch::Receiver<Published> {
    let (sender, receiver) = watch::channel(Published::default());
    let mut seen = Seen::default();
    if let Ok(Some((published, _))) = postgres::answered(seen.look(&pool)).await {
        sender.send_replace(published);
    }
    tokio::spawn(async move {
        let [mut hints] = postgres::listen(&pool, [CHANNEL]);
        while !sender.is_closed() {
            tokio::select! { () = hints.next() => {}, () = tokio::time::sleep(LOOK_AGAIN) => {} }
            match postgres::answered(seen.look(&pool)).await {
                Ok(None) => {}
                Ok(Some((published, problems))) => {
                    problems
                        .iter()
                        .for_each(|problem| tracing::warn!("published version left out: {problem}"));
                    sender.send_if_modified(|known| {
                        let changed = known.versions() != published.versions();
                        *known = published;
                        changed
                    });
                }
                Err(cause) => tracing::warn!(
                    "cannot read the published pipelines: {cause}; going on with the last ones"
                ),
            }
        }
    });
    receiver
}

/// Pipelines and the hashes of their versions, as they were when their files were last read.
#[derive(Default)]
struct Seen(Option<Vec<(String, String)>>);

impl Seen {
    /// Reads the files where a version has changed since; they can be large, and everybody looks every few seconds.
    async fn look(&mut self, pool: &PgPool) -> Result<Option<(Published, Vec<Problem>)>, sqlx::Error> {
        let statement = "SELECT pipeline, hash FROM pipeline_current ORDER BY 1";
        let now = Some(sqlx::query_as(statement).fetch_all(pool).await?);
        if self.0 == now {
            return Ok(None);
        }
        let found = current(pool).await?;
        self.0 = now;
        Ok(Some(found))
    }
}
