//! Mails, by SMTP to a server that is near: it is spoken to in plain text, and brings them on.

use queue::{Notification, Sent};
use serde::Deserialize;
use std::io;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Where mails go, and by whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The mail server, `host:port`: one on the same machine or network, that takes mails without a login.
    pub server: String,
    pub from: String,
    pub to: Vec<String>,
}

/// Why a mail did not go out.
enum Refused {
    Now(String),
    ForGood(String),
}

impl From<io::Error> for Refused {
    fn from(cause: io::Error) -> Self {
        Refused::Now(cause.to_string())
    }
}

pub async fn send(settings: &Email, notification: &Notification) -> Sent {
    let server = &settings.server;
    if let Some(wrong) = settings.to.iter().chain([&settings.from]).find(|address| !is_address(address)) {
        return Sent::Never(format!("\"{wrong}\" is no address: write somebody@example.com"));
    }
    match talk(settings, notification).await {
        Ok(()) => Sent::Yes,
        Err(Refused::Now(cause)) => Sent::NotNow(format!("{server} did not take the mail: {cause}")),
        Err(Refused::ForGood(cause)) => Sent::Never(format!("{server} refuses the mail: {cause}")),
    }
}

/// What can't end a line or a bracket of the protocol.
fn is_address(text: &str) -> bool {
    text.contains('@') && text.chars().all(|c| c.is_ascii_graphic() && !"<>,;\\\"".contains(c))
}

/// RFC 5321: each command is answered by a number, of which 2 and 3 go on, and 5 is for good.
async fn talk(settings: &Email, notification: &Notification) -> Result<(), Refused> {
    let mut stream = BufReader::new(TcpStream::connect(&settings.server).await?);
    answer(&mut stream).await?;
    let mut commands = vec!["EHLO millrace".to_owned(), format!("MAIL FROM:<{}>", settings.from)];
    commands.extend(settings.to.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".into());
    commands.push(mail(settings, notification));
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        answer(&mut stream).await?;
    }
    // It has been taken: how the server says goodbye changes nothing.
    let _ = stream.write_all(b"QUIT\r\n").await;
    Ok(())
}

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// An answer may have several lines: all but the last have a dash after the number.
async fn answer(stream: &mut BufReader<TcpStream>) -> Result<(), Refused> {
    let mut lines = stream.take(ANSWER_BYTES_MAX);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Err(Refused::Now("the connection was closed".into()));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            break;
        }
    }
    match line.as_bytes().first() {
        Some(b'2' | b'3') => Ok(()),
        Some(b'5') => Err(Refused::ForGood(line.trim().to_owned())),
        _ => Err(Refused::Now(line.trim().to_owned())),
    }
}

/// RFC 5322, ending with the line that ends it.
fn mail(settings: &Email, notification: &Notification) -> String {
    let Notification { key, kind, dag, run_id, text, made_at, .. } = notification;
    let id = key.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let date = made_at.to_rfc2822();
    let (from, to) = (&settings.from, settings.to.join(", "));
    // A line that is a dot alone would end the mail.
    let body: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.into() })
        .collect();
    let body = body.join("\r\n");
    format!(
        "Message-ID: <{id}@millrace>\r\nDate: {date}\r\nFrom: {from}\r\nTo: {to}\r\nSubject: [millrace] {dag}: {kind}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n\r\nrun {run_id}\r\n."
    )
}
