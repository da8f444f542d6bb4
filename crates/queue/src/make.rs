//! Making runs and admitting them: key, run, tasks, edges and admission are one transaction, and as many statements for one run
//! as for many.

use crate::{NewRun, NewTask, Queue, judge, tell::Tidings};
use model::{Break, Guards};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Acquire, PgConnection, Row, postgres::PgRow};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl Queue {
    /// Makes a run, or finds the one that has its key. Answers its id and whether it is new.
    pub async fn create(&self, new: &NewRun) -> Result<(Uuid, bool), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let (made, tidings) = create_all(&mut transaction, self.guards, &[new]).await?;
        transaction.commit().await?;
        tidings.tell_later(connection, None);
        Ok(made[0])
    }

    /// Starts queued runs of a DAG as far as `max_active_runs` allows. Answers how many.
    pub async fn admit(&self, dag: &str, max_active_runs: i64) -> Result<u64, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let admitted = admit_all(&mut transaction, &[(dag, max_active_runs)].into()).await?;
        let tidings = begin(&mut transaction, &admitted).await?;
        transaction.commit().await?;
        tidings.tell_after(&mut connection, None).await;
        Ok(admitted.len() as u64)
    }

    /// DAGs with queued runs: name, the pipeline and version of the oldest of them, and whether these are of a backfill.
    pub async fn waiting_dags(&self) -> Result<Vec<(String, String, String, bool)>, sqlx::Error> {
        let statement = "SELECT DISTINCT ON (dag, backfill IS NOT NULL) dag, pipeline, hash, backfill IS NOT NULL FROM run \
             WHERE state = 'queued' ORDER BY dag, backfill IS NOT NULL, logical_at, made_at";
        sqlx::query_as(statement).fetch_all(&self.pool).await
    }
}

/// Makes one run; who listens is told at the commit.
pub(crate) async fn create(
    connection: &mut PgConnection,
    guards: Guards,
    new: &NewRun,
) -> Result<(Uuid, bool), sqlx::Error> {
    let (made, tidings) = create_all(connection, guards, &[new]).await?;
    tidings.tell(connection, None).await?;
    Ok(made[0])
}

/// Makes those of the runs whose keys are new. Answers, for each, its id and whether it is new; and what is to be told.
pub(crate) async fn create_all(
    connection: &mut PgConnection,
    guards: Guards,
    new: &[&NewRun],
) -> Result<(Vec<(Uuid, bool)>, Tidings), sqlx::Error> {
    let named: Vec<(Uuid, &NewRun)> = new.iter().map(|run| (Uuid::now_v7(), *run)).collect();
    let fresh = insert_runs(connection, guards, &named).await?;
    if guards.lack(Break::RunInParts) {
        sqlx::raw_sql("COMMIT; BEGIN").execute(&mut *connection).await?;
    }
    let made: Vec<&(Uuid, &NewRun)> = named.iter().filter(|(id, _)| fresh.contains(id)).collect();
    let dags = made.iter().filter(|(_, run)| run.skipped.is_none());
    let admitted =
        admit_all(connection, &dags.map(|(_, run)| (&*run.dag, run.max_active_runs)).collect()).await?;
    let (new_ones, earlier): (Vec<PgRow>, Vec<PgRow>) =
        admitted.into_iter().partition(|row| row.try_get("id").is_ok_and(|id| fresh.contains(&id)));
    let open = new_ones.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    insert_made(connection, &made, &open).await?;
    let mut tidings = begin(connection, &earlier).await?;
    let empty: Vec<Uuid> = made
        .iter()
        .filter(|(id, run)| run.tasks.is_empty() && open.contains(id))
        .map(|(id, _)| *id)
        .collect();
    if judge::end_runs(connection, &empty).await? > 0 {
        tidings.chores();
    }
    made.iter().for_each(|(id, _)| tidings.run(*id));
    Ok((answers(connection, &named, &fresh).await?, tidings))
}

/// Answers the ids of those whose keys are new.
async fn insert_runs(
    connection: &mut PgConnection,
    guards: Guards,
    named: &[(Uuid, &NewRun)],
) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    // In one order everywhere, or two who make runs of the same keys would wait for each other.
    let mut sorted: Vec<&(Uuid, &NewRun)> = named.iter().collect();
    sorted.sort_by_key(|(id, run)| (&run.key, *id));
    let runs = || sorted.iter().map(|(_, run)| *run);
    let rows = sqlx::query(include_str!("sql/make_runs.sql"))
        .bind(sorted.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(sorted.iter().map(|(id, run)| key(guards, *id, run)).collect::<Vec<_>>())
        .bind(runs().map(|run| &*run.dag).collect::<Vec<_>>())
        .bind(runs().map(|run| &*run.pipeline).collect::<Vec<_>>())
        .bind(runs().map(|run| &*run.hash).collect::<Vec<_>>())
        .bind(runs().map(|run| run.logical_at).collect::<Vec<_>>())
        .bind(runs().map(|run| run.interval.map(|(from, _)| from)).collect::<Vec<_>>())
        .bind(runs().map(|run| run.interval.map(|(_, to)| to)).collect::<Vec<_>>())
        .bind(runs().map(|run| run.cause.as_str()).collect::<Vec<_>>())
        .bind(runs().map(|run| run.tasks.len() as i32).collect::<Vec<_>>())
        .bind(runs().map(|run| Value::Object(run.params.clone())).collect::<Vec<_>>())
        .bind(runs().map(|run| run.max_active_runs as i32).collect::<Vec<_>>())
        .bind(runs().map(|run| run.timeout_seconds).collect::<Vec<_>>())
        .bind(runs().map(|run| run.expected_in_seconds).collect::<Vec<_>>())
        .bind(runs().map(|run| run.event.clone()).collect::<Vec<_>>())
        .bind(runs().map(|run| run.skipped.as_deref()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get("run_id")).collect()
}

/// Of a run whose key is not looked at, nobody else has it.
fn key(guards: Guards, id: Uuid, run: &NewRun) -> String {
    if guards.lack(Break::NoRunKey) { format!("{}:{id}", run.key) } else { run.key.clone() }
}

/// The id of each run, or of the one that has its key.
async fn answers(
    connection: &mut PgConnection,
    named: &[(Uuid, &NewRun)],
    fresh: &BTreeSet<Uuid>,
) -> Result<Vec<(Uuid, bool)>, sqlx::Error> {
    let known: Vec<&str> =
        named.iter().filter(|(id, _)| !fresh.contains(id)).map(|(_, run)| &*run.key).collect();
    let known: BTreeMap<String, Uuid> = match known.is_empty() {
        true => BTreeMap::new(),
        false => {
            let statement = "SELECT key, run_id FROM run_key WHERE key = ANY ($1)";
            let found: Vec<(String, Uuid)> =
                sqlx::query_as(statement).bind(known).fetch_all(connection).await?;
            found.into_iter().collect()
        }
    };
    let answer = |(id, run): &(Uuid, &NewRun)| match known.get(&run.key) {
        Some(of_key) if !fresh.contains(id) => Ok((*of_key, false)),
        _ if fresh.contains(id) => Ok((*id, true)),
        _ => Err(sqlx::Error::RowNotFound),
    };
    named.iter().map(answer).collect()
}

/// Runs whose tasks are the same.
#[derive(Serialize)]
struct Same<'a> {
    dag: &'a str,
    tasks_max: Option<i32>,
    tasks: &'a [NewTask],
    runs: Vec<Made<'a>>,
}

/// A run whose tasks are to be made.
#[derive(Serialize)]
struct Made<'a> {
    id: Uuid,
    /// It was admitted: what waits for nobody may begin.
    open: bool,
    skipped: Option<&'a str>,
}

async fn insert_made(
    connection: &mut PgConnection,
    made: &[&(Uuid, &NewRun)],
    open: &BTreeSet<Uuid>,
) -> Result<(), sqlx::Error> {
    let mut groups: Vec<Same> = vec![];
    for (id, run) in made {
        let one = Made { id: *id, open: open.contains(id), skipped: run.skipped.as_deref() };
        let same = |group: &&mut Same| {
            group.dag == run.dag && group.tasks_max == run.max_active_tasks && group.tasks == run.tasks
        };
        match groups.last_mut().filter(same) {
            Some(group) => group.runs.push(one),
            None => groups.push(Same {
                dag: &run.dag,
                tasks_max: run.max_active_tasks,
                tasks: &run.tasks,
                runs: vec![one],
            }),
        }
    }
    insert_groups(connection, &groups).await
}

/// Makes the tasks of `new` in each of these queued runs.
pub(crate) async fn insert_tasks(
    connection: &mut PgConnection,
    run_ids: &[Uuid],
    new: &NewRun,
) -> Result<(), sqlx::Error> {
    let runs = run_ids.iter().map(|id| Made { id: *id, open: false, skipped: None }).collect();
    let group = Same { dag: &new.dag, tasks_max: new.max_active_tasks, tasks: &new.tasks, runs };
    insert_groups(connection, &[group]).await
}

async fn insert_groups(connection: &mut PgConnection, groups: &[Same<'_>]) -> Result<(), sqlx::Error> {
    if groups.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("sql/insert_tasks.sql"))
        .bind(sqlx::types::Json(groups))
        .execute(connection)
        .await
        .map(drop)
}

/// Admits queued runs of these DAGs, each as far as its number allows: rows of `id`, and whether it runs `again`.
async fn admit_all(
    connection: &mut PgConnection,
    dags: &BTreeMap<&str, i64>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if dags.is_empty() {
        return Ok(vec![]);
    }
    let (names, places): (Vec<&str>, Vec<i64>) = dags.iter().map(|(name, places)| (*name, *places)).unzip();
    // Two schedulers that admit at once must not both see the last free place. Its own statement: the next one must see what the
    // former holder of the lock has admitted. In order, or two would wait for each other. Planning what follows for these values would
    // take longer than doing it.
    sqlx::query("SELECT set_config('plan_cache_mode', 'force_generic_plan', true), pg_advisory_xact_lock(hashtext('admit ' || dag)) FROM (SELECT dag FROM unnest($1::text[]) AS d (dag) ORDER BY hashtext('admit ' || dag)) ordered")
        .bind(&names)
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("sql/admit.sql")).bind(names).bind(places).fetch_all(connection).await
}

/// Makes ready what may begin in runs that were admitted: rows of `id`, and whether it runs `again`. Answers what is to be told.
pub(crate) async fn begin(connection: &mut PgConnection, admitted: &[PgRow]) -> Result<Tidings, sqlx::Error> {
    let mut tidings = Tidings::default();
    if admitted.is_empty() {
        return Ok(tidings);
    }
    let ids: Vec<Uuid> = admitted.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    sqlx::query(include_str!("sql/ready_roots.sql")).bind(&ids).execute(&mut *connection).await?;
    for row in admitted {
        if row.try_get("again")? {
            // A cleared run goes on in its middle.
            judge::settle(connection, row.try_get("id")?).await?;
        }
    }
    if judge::end_runs(connection, &ids).await? > 0 {
        tidings.chores();
    }
    ids.into_iter().for_each(|id| tidings.run(id));
    Ok(tidings)
}
