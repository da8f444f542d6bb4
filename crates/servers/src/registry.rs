//! Apicurio Registry 3.0 with Confluent's API (`/apis/ccompat/v7`), which keeps its schemas in PostgreSQL.

use std::time::Duration;

use rustix::process::Signal;

use crate::error::{Error, at};
use crate::install::Installed;
use crate::java::{Java, JavaServer};
use crate::postgres;
use crate::process::{Before, Health, Kind, Port, Process, Stop, answers_ok};
use crate::settings::{Settings, local};

pub const NAME: &str = "registry";
/// The path of Confluent's API below the server's address.
pub const API: &str = "/apis/ccompat/v7";

pub(crate) fn process(
    settings: &Settings,
    installed: &Installed,
    java: &Java,
    password: &str,
) -> Result<Process, Error> {
    let folder = settings.folder(NAME);
    std::fs::create_dir_all(&folder).map_err(at("create", &folder))?;
    let port = settings.ports.registry;
    let server = JavaServer {
        name: NAME,
        heap_mb: (64, settings.memory.registry_heap_mb.max(96)),
        class_path: &[installed.registry.join("apicurio-registry-app-3.0.9-runner.jar")],
        options: vec!["-XX:TieredStopAtLevel=1".into()],
        main: "io.quarkus.runner.GeneratedMain",
        args: vec![],
        folder,
    };
    let (mut launch, class_archive) = java.launch(server, &installed.class_archives)?;
    launch.env.extend(environment(settings, password));
    let url = format!("http://{}", local(port));
    Ok(Process {
        name: NAME.into(),
        kind: Kind::Server,
        address: format!("{url}{API}"),
        ports: vec![Port { number: port, setting: "ports.registry".into() }],
        launch,
        log: settings.log(NAME),
        health: Health::Registry(url),
        needs: vec![postgres::NAME.into()],
        before: Before::Nothing,
        stop: Stop { rank: 1, signal: Signal::TERM, within: Duration::from_millis(1500) },
        class_archive,
    })
}

/// Its pool opens 20 connections by default, a fifth of what PostgreSQL has.
fn environment(settings: &Settings, password: &str) -> Vec<(String, String)> {
    let database = format!("jdbc:postgresql://{}/registry", local(settings.ports.postgres));
    let pairs = [
        ("QUARKUS_HTTP_HOST", "127.0.0.1"),
        ("QUARKUS_HTTP_PORT", &settings.ports.registry.to_string()),
        ("QUARKUS_HTTP_ACCESS_LOG_ENABLED", "false"),
        ("APICURIO_STORAGE_KIND", "sql"),
        ("APICURIO_STORAGE_SQL_KIND", "postgresql"),
        ("APICURIO_DATASOURCE_URL", &database),
        ("APICURIO_DATASOURCE_USERNAME", postgres::USER),
        ("APICURIO_DATASOURCE_PASSWORD", password),
        ("APICURIO_DATASOURCE_JDBC_INITIAL_SIZE", "1"),
        ("APICURIO_DATASOURCE_JDBC_MIN_SIZE", "1"),
        ("APICURIO_DATASOURCE_JDBC_MAX_SIZE", "10"),
    ];
    pairs.map(|(name, value)| (name.to_string(), value.to_string())).into()
}

/// Ready, and enforcing compatibility: without a level of its own it takes every schema, where Confluent's says BACKWARD.
pub(crate) async fn healthy(http: &reqwest::Client, url: &str) -> Result<(), String> {
    answers_ok(http, &format!("{url}/health/ready")).await?;
    let config = format!("{url}{API}/config");
    let words = |error: reqwest::Error| error.without_url().to_string();
    let answer = http.get(&config).send().await.map_err(words)?;
    let level: serde_json::Value = answer.json().await.map_err(words)?;
    if level["compatibilityLevel"] != "NONE" {
        return Ok(());
    }
    let backward = serde_json::json!({ "compatibility": "BACKWARD" });
    let answer = http.put(&config).json(&backward).send().await.map_err(words)?;
    answer.error_for_status().map(drop).map_err(words)
}
