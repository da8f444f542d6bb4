//! From the folder of pipelines to what is published. A bad edit is told and changes nothing.

use crate::{
    Config,
    checking::{self, CheckingError},
    outside::Outside,
};
use pipeline::{Bundle, Dag, Pipeline, Problem};
use queue::About;
use service::Service;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Follows the folder until the process is to end.
pub async fn follow(service: &Service, config: &Config, outside: &Outside) -> anyhow::Result<()> {
    let folder = config.config_dir.join("pipelines");
    let compiler = checking::program(&config.worker)?;
    let (mut seen, mut known): (Option<Loaded>, _) = (None, Known::default());
    while !service.shutdown.is_cancelled() {
        let looked = folder.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&looked)).await?;
        if seen.as_ref() != Some(&loaded) {
            match publish(&compiler, outside, &loaded, &mut known).await {
                Ok(()) => {
                    service.health.good("pipelines");
                    seen = Some(loaded);
                }
                Err(cause) => service.health.bad("pipelines", format!("cannot publish: {cause}")),
            }
        }
        tokio::select! { () = tokio::time::sleep(LOOK_AGAIN) => {}, () = service.shutdown.cancelled() => {} }
    }
    Ok(())
}

/// What the folder holds.
#[derive(Debug, Default, PartialEq)]
struct Loaded {
    bundles: BTreeMap<String, Bundle>,
    problems: Vec<Problem>,
    unreadable: bool,
}

fn load(folder: &Path) -> Loaded {
    let mut loaded = Loaded::default();
    match pipeline::read_all(folder) {
        Ok(found) => {
            for (name, bundle) in found {
                match bundle {
                    Ok(bundle) => drop(loaded.bundles.insert(name, bundle)),
                    Err(problem) => loaded.problems.push(problem),
                }
            }
        }
        Err(problem) => {
            loaded.unreadable = true;
            loaded.problems.push(problem);
        }
    }
    loaded
}

/// What an edit of one pipeline leaves as it was: the others are neither compiled nor stored again.
#[derive(Default)]
struct Known {
    /// By name and version.
    checked: BTreeMap<(String, String), Result<Pipeline, Vec<Problem>>>,
    /// Versions by name.
    stored: BTreeMap<String, String>,
}

impl Known {
    async fn check(&mut self, compiler: &Path, loaded: &Loaded) -> Result<(), CheckingError> {
        let there: BTreeMap<(String, String), &Bundle> =
            loaded.bundles.values().map(|bundle| ((bundle.name.clone(), bundle.hash()), bundle)).collect();
        self.checked.retain(|key, _| there.contains_key(key));
        let (keys, new): (Vec<_>, Vec<&Bundle>) =
            there.into_iter().filter(|(key, _)| !self.checked.contains_key(key)).unzip();
        if !new.is_empty() {
            self.checked.extend(keys.into_iter().zip(checking::check(compiler, &new).await?));
        }
        Ok(())
    }
}

/// Publishes every bundle that is right. Between pipelines that exclude each other, none of those is published.
async fn publish(
    compiler: &Path,
    outside: &Outside,
    loaded: &Loaded,
    known: &mut Known,
) -> anyhow::Result<()> {
    known.check(compiler, loaded).await?;
    let mut problems = loaded.problems.clone();
    problems.extend(known.checked.values().filter_map(|checked| checked.as_ref().err()).flatten().cloned());
    let mut good: Vec<Pipeline> =
        known.checked.values().filter_map(|checked| checked.as_ref().ok()).cloned().collect();
    let between = pipeline::problems_between(&good);
    let excluded: BTreeSet<String> =
        between.iter().filter_map(|problem| problem.file.split('/').next().map(str::to_owned)).collect();
    problems.extend(between);
    good.retain(|pipeline| {
        !excluded.contains(&pipeline.name) && known.stored.get(&pipeline.name) != Some(&pipeline.version)
    });
    for pipeline in &good {
        postgres::answered(store(outside, &loaded.bundles[&pipeline.name], pipeline)).await?;
        known.stored.insert(pipeline.name.clone(), pipeline.version.clone());
    }
    postgres::answered(retire(outside, loaded)).await?;
    known.stored.retain(|name, _| loaded.bundles.contains_key(name));
    problems.iter().for_each(|problem| tracing::warn!("not published: {problem}"));
    Ok(postgres::answered(keep(outside, &problems)).await?)
}

async fn store(outside: &Outside, bundle: &Bundle, pipeline: &Pipeline) -> Result<(), sqlx::Error> {
    if pipeline::published::publish(outside.queue.pool(), bundle).await? {
        tracing::info!("published pipeline {} as version {}", bundle.name, &pipeline.version[..12]);
    }
    let dags: Vec<(String, bool)> =
        pipeline.dags.values().map(|dag| (dag.name.clone(), dag.settings.paused)).collect();
    outside.queue.publish_dags(&bundle.name, &pipeline.version, &dags).await?;
    outside.queue.publish_followers(&bundle.name, &followers(pipeline)).await?;
    outside.queue.publish_events(&bundle.name, &events(pipeline)).await?;
    outside.queue.publish_about(&bundle.name, &about(pipeline)).await?;
    outside.queue.publish_notify(&bundle.name, &listeners(pipeline)).await
}

/// Each DAG beside each one that it follows.
fn followers(pipeline: &Pipeline) -> Vec<(String, String)> {
    let of = |dag: &Dag| {
        let name = dag.name.clone();
        dag.settings.after_dag.clone().into_iter().map(move |upstream| (name.clone(), upstream))
    };
    pipeline.dags.values().flat_map(of).collect()
}

/// Each DAG that records start, beside their topic.
fn events(pipeline: &Pipeline) -> Vec<(String, String)> {
    let of = |dag: &Dag| Some((dag.name.clone(), dag.settings.on.as_ref()?.stream.clone()));
    pipeline.dags.values().filter_map(of).collect()
}

/// What each DAG's file says for people.
fn about(pipeline: &Pipeline) -> Vec<(String, About)> {
    let of = |dag: &Dag| {
        let settings = dag.settings.clone();
        (dag.name.clone(), About { tags: settings.tags, owner: settings.owner, doc: settings.doc })
    };
    pipeline.dags.values().map(of).collect()
}

/// Each DAG beside each channel that is told of its runs.
fn listeners(pipeline: &Pipeline) -> Vec<(String, String)> {
    let of = |dag: &Dag| {
        let name = dag.name.clone();
        dag.settings.notify.clone().into_iter().map(move |channel| (name.clone(), channel))
    };
    pipeline.dags.values().flat_map(of).collect()
}

/// A pipeline whose folder is gone is retired; one whose files can't be read stays.
async fn retire(outside: &Outside, loaded: &Loaded) -> Result<(), sqlx::Error> {
    if loaded.unreadable {
        return Ok(());
    }
    let (published, _) = pipeline::published::current(outside.queue.pool()).await?;
    let broken =
        |name: &str| loaded.problems.iter().any(|problem| problem.file.starts_with(&format!("{name}/")));
    for name in published.pipelines.keys().filter(|name| !loaded.bundles.contains_key(*name) && !broken(name))
    {
        pipeline::published::retire(outside.queue.pool(), name).await?;
        outside.queue.publish_dags(name, "", &[]).await?;
        outside.queue.publish_followers(name, &[]).await?;
        outside.queue.publish_events(name, &[]).await?;
        outside.queue.publish_about(name, &[]).await?;
        outside.queue.publish_notify(name, &[]).await?;
        tracing::info!("retired pipeline {name}: its folder is gone");
    }
    Ok(())
}

async fn keep(outside: &Outside, problems: &[Problem]) -> Result<(), sqlx::Error> {
    let mut transaction = outside.queue.pool().begin().await?;
    sqlx::query("DELETE FROM pipeline_problem").execute(&mut *transaction).await?;
    for problem in problems {
        let pipeline = problem.file.split('/').next().unwrap_or_default();
        sqlx::query("INSERT INTO pipeline_problem (pipeline, file, line, message) VALUES ($1, $2, $3, $4)")
            .bind(pipeline)
            .bind(&problem.file)
            .bind(problem.line as i32)
            .bind(&problem.message)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}
