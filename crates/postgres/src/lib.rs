//! PostgreSQL: connecting, databases and migrations, hints, and the incarnations of topics.

mod hints;
pub mod incarnation;
mod migrate;

pub use hints::{Hints, listen};
pub use migrate::{migrate, migrate_to};
pub use sqlx::PgPool;

use futures::future::BoxFuture;
use model::Secret;
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// Why a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error("\"{url}\" is not an address of PostgreSQL: {cause}. Write postgres://user@host:port/database")]
    Address { url: String, cause: sqlx::Error },
    #[error("PostgreSQL at {url} did not answer: {cause}. Is it running?")]
    Unreachable { url: String, cause: sqlx::Error },
    #[error("a migration failed: {0}. The database is as it was before")]
    Migration(String),
}

/// How many connections a process holds at most.
pub const CONNECTIONS_MAX: u32 = 8;
/// A connection that nobody has used for so long is closed: each is a process of the server with memory of its own. The pool hands
/// them out in turns, so that eight are kept by one question in `IDLE_MAX / 8`: short, or a busy moment's would stay for ever.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// The same of a connection that is there for one purpose, which comes again.
const ONE_IDLE_MAX: Duration = Duration::from_secs(60);
const ACQUIRE_MAX: Duration = Duration::from_secs(10);
/// Of a step of a few statements. Waiting for a connection and for locks is in it.
pub const ANSWER_MAX: Duration = Duration::from_secs(20);
const SOUND_MAX: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Connects, and waits for as long as the server is away. Makes the database where it does not exist.
pub fn connect<'a>(url: &'a str, password: &'a Secret) -> BoxFuture<'a, Result<PgPool, PostgresError>> {
    Box::pin(wait_for(url, password))
}

async fn wait_for(url: &str, password: &Secret) -> Result<PgPool, PostgresError> {
    let options = options(url, password)?;
    let mut told = false;
    loop {
        match try_connect(&options).await {
            Ok(pool) => return Ok(pool),
            Err(cause) if is_missing_database(&cause) => create_database(&options).await,
            Err(cause) if !told => {
                told = true;
                tracing::info!("waiting for PostgreSQL at {url}: {cause}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Connects once.
pub fn connect_now<'a>(url: &'a str, password: &'a Secret) -> BoxFuture<'a, Result<PgPool, PostgresError>> {
    Box::pin(async {
        let options = options(url, password)?;
        try_connect(&options).await.map_err(|cause| PostgresError::Unreachable { url: url.to_owned(), cause })
    })
}

fn options(url: &str, password: &Secret) -> Result<PgConnectOptions, PostgresError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|cause| PostgresError::Address { url: url.to_owned(), cause })?;
    let options = options.application_name("millrace");
    Ok(if password.reveal().is_empty() { options } else { options.password(password.reveal()) })
}

async fn try_connect(options: &PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    pool(CONNECTIONS_MAX, IDLE_MAX).connect_with(options.clone()).await
}

/// A pool of one connection beside `beside`, made when it is needed. For who asks the same again and again: the server plans a
/// statement anew on each connection, and some take longer to plan than to do.
pub fn one_connection(beside: &PgPool) -> PgPool {
    pool(1, ONE_IDLE_MAX).connect_lazy_with((*beside.connect_options()).clone())
}

fn pool(connections: u32, idle: Duration) -> PgPoolOptions {
    let pool = PgPoolOptions::new().max_connections(connections).min_connections(0);
    pool.acquire_timeout(ACQUIRE_MAX)
        .idle_timeout(idle)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_sound(connection)))
        .before_acquire(|connection, used| Box::pin(is_still_sound(connection, used.idle_for)))
}

/// Whether a connection that comes back may be used again. Who gave up waiting for an answer leaves one that still waits, and the
/// pool itself would wait with it: eight of those, and nobody gets a connection any more.
async fn is_sound(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    within(SOUND_MAX, connection.ping()).await.map(|()| true)
}

/// The same of one that is taken again. It was sound when it came back: what has happened in so short a time since may happen as well
/// while it is used.
async fn is_still_sound(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for < TRUSTED { Ok(true) } else { is_sound(connection).await }
}

/// A question takes a tenth of what a claim takes.
const TRUSTED: Duration = Duration::from_millis(500);

/// A step at the database, of whatever statements. One that gets no answer within [`ANSWER_MAX`] ends as an error: a network can be
/// silent for ever.
pub async fn answered<T, E: From<sqlx::Error>>(step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    within(ANSWER_MAX, step).await
}

async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let silent = |_| {
        let told = format!("PostgreSQL gave no answer within {} s", limit.as_secs());
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, told))
    };
    tokio::time::timeout(limit, step).await.map_err(silent)?
}

/// Whether the server may do another time what it was asked for: it ends, starts, has no room or no connection, or was not heard.
pub fn is_away(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(told) => {
            told.code().is_some_and(|code| AWAY.iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// Classes of codes: connection exception, insufficient resources, operator intervention.
const AWAY: [&str; 3] = ["08", "53", "57"];

const INVALID_CATALOG_NAME: &str = "3D000";

fn is_missing_database(cause: &sqlx::Error) -> bool {
    cause.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == INVALID_CATALOG_NAME)
}

async fn create_database(options: &PgConnectOptions) {
    let Some(name) = options.get_database().map(str::to_owned) else { return };
    let made = async {
        let pool = try_connect(&options.clone().database("postgres")).await?;
        // A name can't be a parameter; quoting makes any name harmless.
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await
    };
    match made.await {
        Ok(_) => tracing::info!("made the database {name}"),
        // Another process may have been quicker; the next attempt to connect tells.
        Err(cause) => tracing::debug!("database {name} was not made: {cause}"),
    }
}
