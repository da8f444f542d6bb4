//! The backfills of a DAG, on its page.

use super::{Trouble, act::by_page, badge};
use crate::outside::Outside;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Redirect,
};
use maud::{Markup, html};
use queue::BackfillRow;
use uuid::Uuid;

/// Older ones are listed by command.
const SHOWN: i64 = 10;

/// Nothing where the DAG never had one.
pub async fn section(outside: &Outside, dag: &str) -> Result<Markup, sqlx::Error> {
    let rows: Vec<_> = outside.queue.backfills(Some(dag), SHOWN).await?.iter().map(row).collect();
    let headers = ["State", "From", "To", "Runs", "Asked by", "Why", ""].map(web::Header::from);
    Ok(html! {
        @if !rows.is_empty() {
            (web::section("Backfills", web::table("backfills-table", "Backfills", &headers, &rows)))
        }
    })
}

fn row(backfill: &BackfillRow) -> web::Row {
    let act = |what: &str| format!("/backfills/{}/{what}", backfill.id);
    let runs = &backfill.runs;
    let counts = [
        (runs.success, "succeeded"),
        (runs.failed, "failed"),
        (runs.running, "running"),
        (runs.queued, "queued"),
        (runs.cancelled, "cancelled"),
    ];
    let told: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    web::Row::with_id(
        format!("backfill-{}", backfill.id),
        vec![
            badge(&backfill.state),
            web::time(backfill.from),
            web::time(backfill.to),
            html! { (told.join(", ")) },
            html! { (backfill.who) },
            html! { (backfill.why.as_deref().unwrap_or("–")) },
            web::actions(html! {
                @match backfill.state.as_str() {
                    "running" => { (web::button(&act("pause"), "Pause backfill")) (web::button(&act("cancel"), "Cancel backfill")) }
                    "paused" => { (web::button(&act("resume"), "Resume backfill")) (web::button(&act("cancel"), "Cancel backfill")) }
                    _ => {}
                }
            }),
        ],
    )
}

/// `pause`, `resume` or `cancel`; ends on the DAG's page.
pub async fn act(
    State(outside): State<Outside>,
    Path((id, what)): Path<(Uuid, String)>,
) -> Result<Redirect, Trouble> {
    let missing = || Trouble::missing(format!("backfill {id}"));
    let backfill = outside.queue.backfill_row(id).await?.ok_or_else(missing)?;
    let done = match what.as_str() {
        "pause" => outside.queue.pause_backfill(id, true, &by_page()).await?,
        "resume" => outside.queue.pause_backfill(id, false, &by_page()).await?,
        "cancel" => outside.queue.cancel_backfill(id, &by_page()).await?.is_some(),
        _ => return Err(Trouble::missing(format!("button \"{what}\" of a backfill"))),
    };
    match done {
        true => Ok(Redirect::to(&format!("/dags/{}", backfill.dag))),
        false => Err(Trouble(StatusCode::CONFLICT, format!("The backfill {id} was cancelled meanwhile."))),
    }
}
