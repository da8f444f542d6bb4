//! Asking all servers again and again, each at its own pace, so that one that hangs does not hold up the others.

use crate::{Config, jobs, oldest::Oldest, picture::Picture, schemas, seen::Seen, survey::survey};
use chrono::Utc;
use kafka::Cluster;
use postgres::PgPool;
use registry::Registry;
use service::Service;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

/// The one task that talks to servers.
pub struct Poll {
    pub config: Config,
    pub registry: Registry,
    pub seen: watch::Sender<Seen>,
    pub service: Service,
}

/// Fast enough to watch a lag go down.
pub const KAFKA_EVERY: Duration = Duration::from_secs(2);
pub const JOBS_EVERY: Duration = Duration::from_secs(2);
/// Schemas change when somebody deploys.
pub const SCHEMAS_EVERY: Duration = Duration::from_secs(10);
/// All questions of one round together; a server that hangs is then told as such.
const ROUND_MAX: Duration = Duration::from_secs(15);

impl Poll {
    /// Asks until the process is to end.
    pub async fn run(self) {
        let all = async { tokio::join!(self.kafka(), self.jobs(), self.schemas()) };
        tokio::select! { _ = all => {}, () = self.service.shutdown.cancelled() => {} }
    }

    async fn kafka(&self) {
        let cluster = Cluster::new(&self.config.kafka.bootstrap);
        let mut oldest = Oldest::default();
        every(KAFKA_EVERY, async || {
            let before = self.seen.borrow().kafka.good.clone().map(|(_, picture)| picture);
            let answer = within(look_at_kafka(&cluster, before, &mut oldest)).await;
            match &answer {
                Ok(_) => self.service.health.good("kafka"),
                Err(reason) => self.service.health.bad("kafka", reason.clone()),
            }
            self.seen.send_modify(|seen| seen.kafka.take(Utc::now(), answer));
        })
        .await;
    }

    async fn jobs(&self) {
        let mut pool: Option<PgPool> = None;
        every(JOBS_EVERY, async || {
            let answer = within(self.look_at_jobs(&mut pool)).await;
            self.seen.send_modify(|seen| seen.jobs.take(Utc::now(), answer));
        })
        .await;
    }

    async fn look_at_jobs(&self, pool: &mut Option<PgPool>) -> Result<Vec<jobs::Slot>, String> {
        let database = &self.config.postgres;
        let connected = match pool {
            Some(pool) => pool,
            None => pool.insert(
                postgres::connect_now(&database.url, &database.password)
                    .await
                    .map_err(|cause| cause.to_string())?,
            ),
        };
        jobs::slots(connected)
            .await
            .map_err(|cause| format!("PostgreSQL at {} did not answer: {cause}", database.url))
    }

    async fn schemas(&self) {
        every(SCHEMAS_EVERY, async || {
            let answer =
                within(async { schemas::subjects(&self.registry).await.map_err(|cause| cause.to_string()) })
                    .await;
            self.seen.send_modify(|seen| seen.schemas.take(Utc::now(), answer));
        })
        .await;
    }
}

/// One survey, with the age of what is unread. Where that age can't be found out, the rest is shown without it.
async fn look_at_kafka(
    cluster: &Cluster,
    before: Option<Arc<Picture>>,
    oldest: &mut Oldest,
) -> Result<Picture, String> {
    let survey = survey(cluster).await.map_err(|cause| cause.to_string())?;
    let draft = Picture::of(survey.clone(), before.as_deref(), oldest);
    if let Err(cause) = oldest.look(cluster.bootstrap(), &draft).await {
        tracing::debug!("the age of unread records is not known: {cause}");
        return Ok(draft);
    }
    Ok(Picture::of(survey, before.as_deref(), oldest))
}

async fn every(pause: Duration, mut act: impl AsyncFnMut()) {
    let mut clock = interval(pause);
    // After a slow round the next comes a whole pause later, not at once.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        act().await;
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(ROUND_MAX, answer)
        .await
        .unwrap_or_else(|_| Err(format!("There was no complete answer within {ROUND_MAX:?}")))
}
