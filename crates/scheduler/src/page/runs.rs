//! Runs: of all DAGs, or of one.

use super::{Trouble, backfills, badge, doc, find_dag, page as frame, took};
use crate::outside::Outside;
use axum::{
    extract::{Path, State},
    response::Response,
};
use maud::{Markup, html};
use pipeline::Dag;
use queue::DagRow;

const SHOWN: i64 = 100;

pub async fn page(State(outside): State<Outside>) -> Result<Response, Trouble> {
    Ok(frame("Runs", "Runs", table(&outside, None).await?))
}

pub async fn dag_page(State(outside): State<Outside>, Path(name): Path<String>) -> Result<Response, Trouble> {
    let dag = find_dag(&outside, &name).await?;
    let version = outside.version(&dag.pipeline, &dag.hash).await.ok();
    let declared = version.as_ref().and_then(|pipeline| pipeline.dags.get(&name));
    let act = |what: &str| format!("/dags/{name}/{what}");
    let body = html! {
        @if let Some(text) = declared.and_then(|dag| dag.settings.doc.as_ref()) { (doc::doc(text)) }
        (web::key_value(&facts(&dag, declared)))
        (web::actions(html! {
            (web::button(&act("trigger"), "Trigger run"))
            @if dag.paused { (web::button(&act("unpause"), "Unpause DAG")) } @else { (web::button(&act("pause"), "Pause DAG")) }
        }))
        (backfills::section(&outside, &name).await?)
        (web::section("Runs", table(&outside, Some(&name)).await?))
    };
    Ok(frame(&name, "DAGs", body))
}

/// What is known of a DAG; what its file says nothing of is left out.
fn facts(dag: &DagRow, declared: Option<&Dag>) -> Vec<(&'static str, Markup)> {
    let settings = declared.map(|dag| &dag.settings);
    let schedule = settings.map_or_else(String::new, |settings| match settings.schedule.is_empty() {
        true => "by hand".into(),
        false => format!("{} ({})", settings.schedule, settings.timezone),
    });
    let next = dag.next_at.filter(|_| !dag.paused).map_or_else(|| html! { "–" }, web::time);
    let state = if dag.paused {
        badge("paused")
    } else {
        html! { "on" }
    };
    let owner = settings.and_then(|settings| settings.owner.as_deref());
    let tags = settings.map(|settings| settings.tags.as_slice()).filter(|tags| !tags.is_empty());
    let all = [
        Some(("Schedule", html! { (schedule) })),
        Some(("Next look", next)),
        Some(("State", state)),
        owner.map(|owner| ("Owner", html! { (owner) })),
        tags.map(|tags| {
            ("Tags", html! { @for tag in tags { a href={ "/?tag=" (encoded(tag)) } { (tag) } " " } })
        }),
        Some(("Pipeline", html! { (dag.pipeline) " " (web::id(&dag.hash)) })),
    ];
    all.into_iter().flatten().collect()
}

/// A value of an address.
fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Also sent to open pages, as `runs` or `runs-DAG`.
pub async fn table(outside: &Outside, dag: Option<&str>) -> Result<Markup, sqlx::Error> {
    let runs = outside.queue.runs(dag, SHOWN).await?;
    let row = |run: &queue::RunRow| {
        web::Row::with_id(
            format!("run-row-{}", run.id),
            vec![
                html! { a href={ "/runs/" (run.id) } { (badge(run.state.as_str())) } },
                html! { a href={ "/dags/" (run.dag) } { (run.dag) } },
                web::time(run.logical_at),
                html! { (run.cause) },
                took(run.started_at, run.ended_at),
                html! { (run.reason.as_deref().unwrap_or_default()) },
            ],
        )
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    let headers = ["State", "DAG", "Logical time", "Cause", "Took", "Reason"].map(web::Header::from);
    let body = if rows.is_empty() {
        web::empty("Nothing has run yet.", "millrace dag trigger users")
    } else {
        web::table("runs-table", "Runs", &headers, &rows)
    };
    let id = dag.map_or_else(|| "runs".to_owned(), |dag| format!("runs-{dag}"));
    Ok(html! { div id=(id) { (body) } })
}
