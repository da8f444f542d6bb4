//! Every component on one page, with the style sheet and the script inside it: `cargo run -p web --example gallery`.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, Render, html};
use std::time::Duration;
use web::{
    Chart, Edge, Figure, Header, NavItem, Node, Notice, Page, Row, Series, State, Target, actions, bar,
    button, bytes, chart, code, confirm, count, crumbs, duration, elapsed, empty, figures, filter, graph, id,
    id_link, key_value, mark, notice, palette, rate, section, sparkline, state, state_as, table, tabs, tally,
    time,
};

fn main() {
    println!("{}", web::assets::inlined(&page(Utc::now()).render().into_string()));
}

fn page(now: DateTime<Utc>) -> Page {
    Page {
        title: "users".into(),
        product: "Scheduler",
        nav: ["DAGs", "Runs", "Pipelines", "Dead letters", "Health"]
            .map(|label| NavItem::new("#", label, label == "DAGs"))
            .into(),
        live: None,
        body: body(now),
    }
}

fn body(now: DateTime<Utc>) -> Markup {
    html! {
        (crumbs(&[("#", "DAGs")]))
        (notice(Notice::Error, "Kafka did not answer for 30 s (broker 1, localhost:9092). Retrying every 5 s."))
        (summary(now))
        (tabs("Views of this DAG", &["Graph", "Runs", "Code", "Settings"].map(|label| NavItem::new("#", label, label == "Graph"))))
        (section("Tasks", tasks()))
        (section("Runs", runs(now)))
        (section("Throughput", throughput(now)))
        (section("Topics", topics()))
        (section("States", states()))
        (section("Facts", facts(now)))
        (section("Actions", asks()))
        (section("Nothing yet", empty("No dead letters. Records that a job refuses will be listed here with their reason.", "millrace deadletter list users")))
        (section("Query", code("SELECT id, country, fetched_at,\n       date_trunc('day', fetched_at) AS day\nFROM users\nWHERE email IS NOT NULL")))
        (notice(Notice::Warning, "3 runs are late by more than 10 minutes. The oldest waits for the stream \"users\" to pass offset 12 408."))
        (notice(Notice::Done, "3 tasks will run again."))
        (notice(Notice::Info, "This DAG is paused: nothing is scheduled until it is unpaused."))
        (palette(&[Target { label: "users_daily".into(), href: "#".into(), kind: "DAG".into() }]))
    }
}

fn summary(now: DateTime<Utc>) -> Markup {
    let figure = |label: &str, value: Markup, note: Markup| Figure { label: label.into(), value, note };
    figures(&[
        figure("Last run", state(State::Success), html! { (time(now - TimeDelta::seconds(41))) }),
        figure("Records today", count(1_204_512), html! { (rate(4210.0)) " now" }),
        figure(
            "Median run",
            duration(Duration::from_millis(1240)),
            html! { "p99 " (duration(Duration::from_secs(184))) },
        ),
        figure("Dead letters", count(12), html! { a href="#" { "8 bad dates" } }),
        figure(
            "Next run",
            html! { (time(now + TimeDelta::seconds(19))) },
            html! { code { "* * * * *" } " UTC" },
        ),
    ])
}

fn tasks() -> Markup {
    let node = |id: &str, state: State, note: &str| Node {
        id: id.into(),
        label: id.into(),
        href: Some(format!("#{id}")),
        state: Some(state),
        note: Some(note.into()),
    };
    let edge = |from: &str, to: &str, label: &str| Edge {
        from: from.into(),
        to: to.into(),
        label: (!label.is_empty()).then(|| label.into()),
    };
    let nodes = [
        node("fetch", State::Success, "1.2 s"),
        node("arrived", State::Success, "340 ms"),
        node("verified", State::Running, "12 s"),
        node("profile", State::Failed, "3 of 3 tries"),
        node("country_report", State::UpstreamFailed, "–"),
        node("publish", State::Waiting, "–"),
        node("vacuum", State::Skipped, "not Sunday"),
    ];
    let edges = [
        edge("fetch", "arrived", "500 rows"),
        edge("fetch", "profile", ""),
        edge("arrived", "verified", ""),
        edge("arrived", "vacuum", ""),
        edge("profile", "country_report", ""),
        edge("verified", "publish", "4.2 k/s"),
        edge("country_report", "publish", ""),
        edge("fetch", "publish", ""),
    ];
    graph("tasks", "Tasks of users", &nodes, &edges)
}

fn runs(now: DateTime<Utc>) -> Markup {
    let headers = [
        "Run".into(),
        "State".into(),
        "Tasks".into(),
        Header::number("Started"),
        Header::number("Took"),
        Header::number("Records"),
        "Id".into(),
    ];
    let row = |n: i64| {
        let at = now - TimeDelta::seconds(61 * n + 8);
        let how = match n {
            0 => State::Running,
            2 => State::Failed,
            5 => State::Retrying,
            _ => State::Success,
        };
        let took =
            if n == 0 { elapsed(at, now) } else { duration(Duration::from_millis(1240 + 733 * n as u64)) };
        Row::with_id(
            format!("run-{n}"),
            vec![
                html! { a href="#" { (at.format("%Y-%m-%d %H:%M")) } },
                state(how),
                tally(&[
                    (State::Success, 4),
                    (State::Failed, u64::from(how == State::Failed)),
                    (State::Running, u64::from(n == 0)),
                ]),
                time(at),
                took,
                count(500 + 13_457 * n as u64),
                id(&format!("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2{n:02}")),
            ],
        )
    };
    html! {
        (actions(html! { (filter("runs", "Filter runs")) (button("/clear", "Retry 3 tasks")) (button("/trigger", "Run now")) }))
        (table("runs", "Runs", &headers, &(0..8).map(row).collect::<Vec<_>>()))
    }
}

fn throughput(now: DateTime<Utc>) -> Markup {
    let from = now - TimeDelta::minutes(30);
    let wave = |n: i64, height: f64, phase: f64| {
        height * (1.4 + (n as f64 / 9.0 + phase).sin() + 0.15 * (n as f64 * 1.7).sin())
    };
    let series = |name: &str, height: f64, phase: f64, gap: std::ops::Range<i64>| Series {
        name: name.into(),
        points: (0..=120)
            .map(|n| (from + TimeDelta::seconds(15 * n), (!gap.contains(&n)).then(|| wave(n, height, phase))))
            .collect(),
    };
    let lines = [
        series("in", 1900.0, 0.0, 70..82),
        series("out", 1700.0, -0.2, 70..82),
        series("dead", 90.0, 1.0, 0..0),
    ];
    chart(&Chart { id: "rates", title: "Records", from, to: now, say: web::format::rate, series: &lines })
}

fn topics() -> Markup {
    let headers = [
        "Topic".into(),
        "Rate".into(),
        Header::number("Records"),
        Header::number("Size"),
        "Lag".into(),
        "Leader".into(),
    ];
    let row = |(name, n): (&str, u64)| {
        let values: Vec<Option<f64>> =
            (0..40).map(|at| (at != 20).then(|| 2.0 + ((at * (n + 3)) as f64 / 17.0).sin())).collect();
        Row::from(vec![
            html! { a href="#" { (name) } },
            sparkline(&values, &web::format::rate(1200.0 * n as f64)),
            count(12_408 * n * n),
            bytes(3_565_158 * n),
            bar(n as f64, 6.0, &web::format::count(n * 412)),
            mark(State::Success, "broker 1 leads"),
        ])
    };
    let rows: Vec<Row> =
        ["users", "users_clean", "signups_per_country", "users.dead"].into_iter().zip(1..).map(row).collect();
    table("topics", "Topics", &headers, &rows)
}

fn states() -> Markup {
    html! {
        div class="tally" { @for each in State::ALL { (state(each)) } (state_as(State::Success, "healthy")) }
    }
}

fn facts(now: DateTime<Utc>) -> Markup {
    key_value(&[
        ("Attempt", id("018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2e1")),
        ("Run", id_link("#", "018f3a2b-77aa-7c3e-9f00-5d1b2ac3d2e2")),
        ("Lease ends", time(now + TimeDelta::seconds(30))),
        ("Schedule", html! { code { "*/5 6-22 * * MON-FRI" } " Europe/Berlin" }),
        ("Memory", bytes(187_904_000)),
    ])
}

fn asks() -> Markup {
    actions(html! {
        (button("/pause", "Pause users"))
        (confirm("/backfill", "Backfill 31 days", "users", "Runs users again for 31 days: 44 640 runs, 22 320 000 records. Rows are written again with the same keys."))
    })
}
