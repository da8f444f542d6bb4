//! The ways out: a URL, a mail, a program, a topic.

use super::email::{self, Email};
use crate::outside::Outside;
use kafka::{Outgoing, SendError};
use queue::{Notification, Sent};
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::{io::AsyncWriteExt, process::Command};

/// `[notifications.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// A POST with the notification as JSON; the header `Idempotency-Key` is its key.
    Webhook { url: String },
    /// A mail; its Message-ID is made of the key.
    Email(Email),
    /// A program that gets the notification as JSON on its input, and the key as `MILLRACE_NOTIFICATION_KEY`.
    Command { run: Vec<String> },
    /// A record of a topic, the notification as JSON, with its key.
    Kafka { topic: String },
}

impl Channel {
    pub async fn send(&self, outside: &Outside, notification: &Notification) -> Sent {
        match self {
            Channel::Webhook { url } => webhook(outside, url, notification).await,
            Channel::Email(settings) => email::send(settings, notification).await,
            Channel::Command { run } => command(run, notification).await,
            Channel::Kafka { topic } => record(outside, topic, notification).await,
        }
    }
}

/// What goes out: nothing of how often it was tried.
fn body(notification: &Notification) -> Value {
    let Notification { key, kind, dag, run_id, task, text, made_at, .. } = notification;
    json!({ "key": key, "kind": kind, "dag": dag, "run_id": run_id, "task": task, "text": text, "at": made_at })
}

async fn webhook(outside: &Outside, url: &str, notification: &Notification) -> Sent {
    let request = outside.http.post(url).header("idempotency-key", &notification.key);
    match request.json(&body(notification)).send().await {
        Ok(answer) if answer.status().is_success() => Sent::Yes,
        Ok(answer) => Sent::NotNow(format!("{url} answered {}", answer.status())),
        Err(cause) => Sent::NotNow(format!("{url} did not answer: {cause}")),
    }
}

async fn command(run: &[String], notification: &Notification) -> Sent {
    let Some((program, arguments)) = run.split_first() else {
        return Sent::Never("run names no program: run = [\"notify-send\"]".into());
    };
    let started = Command::new(program)
        .args(arguments)
        .env("MILLRACE_NOTIFICATION_KEY", &notification.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(cause) => return Sent::NotNow(format!("\"{program}\" did not start: {cause}")),
    };
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing may have ended already: how it ends is what counts.
        let _ = input.write_all(body(notification).to_string().as_bytes()).await;
    }
    match child.wait().await {
        Ok(status) if status.success() => Sent::Yes,
        Ok(status) => Sent::NotNow(format!("\"{program}\" ended with {status}")),
        Err(cause) => Sent::NotNow(format!("\"{program}\" was lost: {cause}")),
    }
}

async fn record(outside: &Outside, topic: &str, notification: &Notification) -> Sent {
    let sender = match outside.sender.get().await {
        Ok(sender) => sender,
        Err(cause) => return Sent::NotNow(cause.to_string()),
    };
    let record = Outgoing {
        topic: topic.into(),
        key: Some(notification.key.clone().into_bytes()),
        payload: Some(body(notification).to_string().into_bytes()),
        headers: vec![("idempotency-key", notification.key.clone())],
        partition: None,
    };
    match sender.send_all(vec![record]).await.pop() {
        Some(Ok(_)) => Sent::Yes,
        Some(Err(SendError::Refused(cause))) => Sent::Never(cause),
        Some(Err(cause)) => Sent::NotNow(cause.to_string()),
        None => Sent::NotNow("Kafka did not answer".into()),
    }
}
