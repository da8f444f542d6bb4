//! Mails, by SMTP: to a server that is near, or over TLS and with a login to any.

use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
    },
};
use model::Secret;
use queue::{Notification, Sent};
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use tokio::time::timeout;

/// Where mails go, and by whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Email {
    host: String,
    port: u16,
    tls: Protection,
    /// Never there without TLS.
    login: Option<(String, Secret)>,
    ca_file: PathBuf,
    from: String,
    to: Vec<String>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protection {
    /// Not at all: anybody between here and there reads along.
    None,
    /// From the second command on. A server that does not want to is told nothing.
    #[default]
    StartTls,
    /// From the first byte on.
    Tls,
}

/// `[notifications.NAME]` with `kind = "email"`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The mail server, `host:port`.
    server: String,
    #[serde(default)]
    tls: Protection,
    /// Empty: without a login.
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Secret,
    /// Certificates to trust beside the system's, PEM; empty: none.
    #[serde(default)]
    ca_file: PathBuf,
    from: String,
    to: Vec<String>,
}

impl TryFrom<Written> for Email {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { server, tls, username, password, ca_file, from, to } = written;
        let (host, port) = place(&server)
            .ok_or_else(|| format!("server \"{server}\" is no host:port: write \"mail.example.com:587\""))?;
        // A password that is not there yet may still come from a variable.
        if username.is_empty() && !password.reveal().is_empty() {
            return Err("a password without a username: set username, or leave both out".into());
        }
        if !username.is_empty() && tls == Protection::None {
            return Err("tls = \"none\" would show the password to whoever reads along: set \"starttls\" or \"tls\", or log in without a username".into());
        }
        let login = (!username.is_empty()).then_some((username, password));
        Ok(Self { host, port, tls, login, ca_file, from, to })
    }
}

/// A host and its port; an address of IPv6 stands in brackets.
fn place(server: &str) -> Option<(String, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((bare.to_owned(), port.parse().ok()?)).filter(|_| !bare.is_empty())
}

/// Why a mail did not go out.
enum Refused {
    Now(String),
    ForGood(String),
}

impl From<Error> for Refused {
    fn from(cause: Error) -> Self {
        match cause.is_permanent() {
            true => Refused::ForGood(cause.to_string()),
            false => Refused::Now(cause.to_string()),
        }
    }
}

pub async fn send(settings: &Email, notification: &Notification) -> Sent {
    let mail = match mail(settings, notification) {
        Ok(mail) => mail,
        Err(cause) => return Sent::Never(cause),
    };
    let Email { host, port, .. } = settings;
    match talk(settings, &mail).await {
        Ok(()) => Sent::Yes,
        Err(Refused::Now(cause)) => Sent::NotNow(format!("{host}:{port} did not take the mail: {cause}")),
        Err(Refused::ForGood(cause)) => Sent::Never(format!("{host}:{port} refuses the mail: {cause}")),
    }
}

fn mail(settings: &Email, notification: &Notification) -> Result<Message, String> {
    let Notification { key, kind, dag, run_id, text, made_at, .. } = notification;
    let id = key.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let mut mail = Message::builder()
        .message_id(Some(format!("<{id}@millrace>")))
        .date((*made_at).into())
        .from(mailbox(&settings.from)?)
        .subject(format!("[millrace] {dag}: {kind}"))
        .header(ContentType::TEXT_PLAIN);
    for to in &settings.to {
        mail = mail.to(mailbox(to)?);
    }
    mail.body(format!("{text}\n\nrun {run_id}\n")).map_err(|cause| format!("it is no mail: {cause}"))
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    let parsed = address.parse();
    let parsed = parsed.map_err(|_| format!("\"{address}\" is no address: write somebody@example.com"))?;
    Ok(Mailbox::new(None, parsed))
}

/// A server that has taken a mail may say goodbye for so long.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// One connection for one mail: they are rare. How long all of it may take is up to who asks.
async fn talk(settings: &Email, mail: &Message) -> Result<(), Refused> {
    let (hello, place) = (ClientId::Domain("millrace".into()), (settings.host.as_str(), settings.port));
    let connect = |tls| AsyncSmtpConnection::connect_tokio1(place, None, &hello, tls, None);
    let mut connection = match settings.tls {
        Protection::None => connect(None).await?,
        Protection::Tls => connect(Some(trust(settings).await?)).await?,
        Protection::StartTls => {
            let trust = trust(settings).await?;
            let mut connection = connect(None).await?;
            connection.starttls(trust, &hello).await?;
            connection
        }
    };
    if let Some((username, password)) = &settings.login {
        let login = Credentials::new(username.clone(), password.reveal().to_owned());
        connection.auth(DEFAULT_MECHANISMS, &login).await?;
    }
    connection.send(mail.envelope(), &mail.formatted()).await?;
    // It has been taken: how the server says goodbye changes nothing.
    let _ = timeout(GOODBYE_MAX, connection.quit()).await;
    Ok(())
}

/// Whose certificates are believed: those of the system's authorities, and of a company's own.
async fn trust(settings: &Email) -> Result<TlsParameters, Refused> {
    let mut trust = TlsParameters::builder(settings.host.clone());
    let file = &settings.ca_file;
    if !file.as_os_str().is_empty() {
        let wrong =
            |cause: String| Refused::Now(format!("ca_file {} can't be used: {cause}", file.display()));
        let pem = tokio::fs::read(file).await.map_err(|cause| wrong(cause.to_string()))?;
        let certificates = Certificate::from_pem(&pem).map_err(|cause| wrong(cause.to_string()))?;
        trust = trust.add_root_certificate(certificates);
    }
    // The system's are read from the disk.
    let built = tokio::task::spawn_blocking(move || trust.build()).await;
    Ok(built.map_err(|cause| Refused::Now(cause.to_string()))??)
}

#[cfg(test)]
mod tests;
