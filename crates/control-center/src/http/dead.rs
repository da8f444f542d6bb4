//! Dead letters: seen like other messages, and the one thing here that changes something: sent back when somebody asks.

use super::{State, status};
use crate::{
    messages::{Asked, BrowseError},
    pages::dead::{self, Filter},
};
use axum::{
    Form, Router,
    extract::{Path, Query, State as Held},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use deadletters::{Letter, Replay, ReplayError, Replayed, Replayer};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::OnceCell;

/// Connects when it is needed for the first time: the pages must not wait for PostgreSQL.
#[derive(Clone)]
pub struct Dead {
    bootstrap: String,
    database: service::settings::Postgres,
    producer_url: String,
    replayer: Arc<OnceCell<Replayer>>,
}

/// Of one request: somebody is waiting for the answer.
const LETTERS_MAX: usize = 1_000;

impl Dead {
    pub fn new(bootstrap: &str, database: service::settings::Postgres, producer_url: &str) -> Self {
        let (bootstrap, producer_url) = (bootstrap.to_owned(), producer_url.to_owned());
        Self { bootstrap, database, producer_url, replayer: Arc::default() }
    }

    async fn replayer(&self) -> Result<&Replayer, String> {
        self.replayer
            .get_or_try_init(|| async {
                let pool = postgres::connect_now(&self.database.url, &self.database.password)
                    .await
                    .map_err(|cause| cause.to_string())?;
                Replayer::new(&self.bootstrap, pool, &self.producer_url).map_err(|cause| cause.to_string())
            })
            .await
    }

    async fn replays(&self, topic: &str) -> Result<Vec<Replay>, String> {
        self.replayer().await?.replays(topic).await.map_err(|cause| cause.to_string())
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/deadletters", get(list))
        .route("/deadletters/{topic}", get(show))
        .route("/deadletters/{topic}/replay", post(replay_one))
        .route("/deadletters/{topic}/replay-all", post(replay_all))
}

async fn list(Held(state): Held<State>) -> Response {
    dead::list(&state.seen()).into_response()
}

async fn show(
    Held(state): Held<State>,
    Path(topic): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let asked = Asked::parse(&query).map_err(BrowseError::Asked);
    let found = match asked {
        Ok(asked) if dead::is_dead(&topic) => state.browser.browse(&topic, &asked, false).await,
        Ok(_) => Err(BrowseError::Asked(format!("{topic} holds no dead letters."))),
        Err(cause) => Err(cause),
    };
    let (status, found) = match found {
        Ok(found) => (StatusCode::OK, Ok(found)),
        Err(cause) => (status(&cause), Err(cause.to_string())),
    };
    let replays = state.dead.replays(&topic).await;
    (status, dead::show(&topic, &Filter::of(&query), found.as_ref().map_err(String::as_str), &replays))
        .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    partition: i32,
    offset: i64,
    /// Empty: as it is.
    #[serde(default)]
    edited: String,
}

async fn replay_one(Held(state): Held<State>, Path(topic): Path<String>, Form(one): Form<One>) -> Response {
    let told = async {
        let edited = match one.edited.trim() {
            "" => None,
            text => Some(
                serde_json::from_str(text)
                    .map_err(|cause| format!("What was typed is not one JSON record: {cause}."))?,
            ),
        };
        let letter = find(&state, &topic, one.partition, one.offset).await?;
        let replayed = state.dead.replayer().await?.replay(&letter, edited.as_ref()).await;
        sentence(replayed).map_err(|cause| format!("The letter was not replayed: {cause}."))
    };
    match told.await {
        Ok(told) => dead::done(&topic, web::Notice::Done, &told).into_response(),
        Err(told) => {
            (StatusCode::UNPROCESSABLE_ENTITY, dead::done(&topic, web::Notice::Error, &told)).into_response()
        }
    }
}

async fn find(state: &State, topic: &str, partition: i32, offset: i64) -> Result<Letter, String> {
    let bootstrap = &state.dead.bootstrap;
    let found =
        deadletters::at(bootstrap, topic, partition, offset).await.map_err(|cause| cause.to_string())?;
    found.ok_or_else(|| format!("There is no dead letter at {topic} {partition} {offset}."))
}

fn sentence(replayed: Result<Replayed, ReplayError>) -> Result<String, String> {
    match replayed {
        Ok(Replayed::Sent { topic, place }) => Ok(format!(
            "The letter is in {topic} again, partition {}, offset {}.",
            place.partition, place.offset
        )),
        Ok(Replayed::Already(replay)) => {
            Ok(format!("The letter was replayed before, {}. Nothing was sent.", replay.changed_at))
        }
        Err(cause) => Err(cause.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    /// The topic's name, typed.
    confirm: String,
}

async fn replay_all(
    Held(state): Held<State>,
    Path(topic): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    Form(all): Form<All>,
) -> Response {
    if all.confirm != topic {
        let told = format!("Nothing was replayed: \"{}\" is not the topic's name.", all.confirm);
        return (StatusCode::UNPROCESSABLE_ENTITY, dead::done(&topic, web::Notice::Error, &told))
            .into_response();
    }
    match replay_those(&state, &topic, &Filter::of(&query)).await {
        Ok((told, true)) => dead::done(&topic, web::Notice::Done, &told).into_response(),
        Ok((told, false)) | Err(told) => {
            (StatusCode::UNPROCESSABLE_ENTITY, dead::done(&topic, web::Notice::Error, &told)).into_response()
        }
    }
}

/// What to tell, and whether all went well.
async fn replay_those(state: &State, topic: &str, filter: &Filter) -> Result<(String, bool), String> {
    let read = deadletters::all(&state.dead.bootstrap, topic, LETTERS_MAX)
        .await
        .map_err(|cause| cause.to_string())?;
    let replayer = state.dead.replayer().await?;
    let (mut sent, mut already, mut failed) = (0, 0, vec![]);
    for letter in
        read.letters.iter().filter(|letter| filter.takes(letter.origin.stage.as_str(), &letter.origin.reason))
    {
        match replayer.replay(letter, None).await {
            Ok(Replayed::Sent { .. }) => sent += 1,
            Ok(Replayed::Already(_)) => already += 1,
            Err(cause) => failed.push(cause.to_string()),
        }
    }
    let why = failed.first().map_or(String::new(), |first| format!(" The first: {first}."));
    let more = if read.more { " Only the first letters were looked at: there are more." } else { "" };
    let told = format!("{sent} sent, {already} sent before, {} failed.{why}{more}", failed.len());
    Ok((told, failed.is_empty()))
}
