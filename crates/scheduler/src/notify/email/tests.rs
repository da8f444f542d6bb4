//! Mails to a server of the tests' own, which speaks TLS where it is asked to.

use super::*;
use crate::notify::tests::sent;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// The login that the server knows.
const USERNAME: &str = "anna";
const PASSWORD: &str = "hunter2";

/// Greets, and takes one mail. Answers all that was said to it. A recipient at `refused` is not known here.
async fn take_mail(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let _ = stream.write_all(b"220 here\r\n").await;
    let (_, said) = listen(stream, "250-here\r\n250 AUTH PLAIN\r\n").await;
    said
}

/// Answers until the other side goes, or wants to speak TLS.
async fn listen<S: AsyncRead + AsyncWrite + Unpin>(stream: S, hello: &str) -> (S, String) {
    let mut stream = BufReader::new(stream);
    let (mut said, mut line, mut in_data) = (String::new(), String::new(), false);
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        said += &line;
        let now = std::mem::take(&mut line);
        let now = now.trim_end();
        if in_data && now != "." {
            continue;
        }
        let answer = match now.split_whitespace().next().unwrap_or_default() {
            "EHLO" => hello,
            "AUTH" if !now.ends_with(&login()) => "535 who are you\r\n",
            "AUTH" => "235 welcome\r\n",
            "STARTTLS" => "220 go on\r\n",
            "RCPT" if now.contains("@refused") => "550 nobody of that name\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        in_data = now == "DATA";
        if stream.write_all(answer.as_bytes()).await.is_err() || now == "STARTTLS" {
            break;
        }
    }
    (stream.into_inner(), said)
}

fn login() -> String {
    BASE64_STANDARD.encode(format!("\0{USERNAME}\0{PASSWORD}"))
}

/// A certificate for `localhost` that nobody knows, as a file, and a server's side with it.
fn certificate() -> (NamedTempFile, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

/// Takes a mail as a server does whose connections are protected like that. Answers what was said after that, or nothing where the
/// other side did not believe the certificate.
async fn take_mail_safely(mut stream: TcpStream, tls: &str, acceptor: TlsAcceptor) -> String {
    if tls == "starttls" {
        stream.write_all(b"220 here\r\n").await.unwrap();
        stream = listen(stream, "250-here\r\n250 STARTTLS\r\n").await.0;
    }
    let Ok(protected) = acceptor.accept(stream).await else { return String::new() };
    match tls {
        "starttls" => listen(protected, "250-here\r\n250 AUTH PLAIN\r\n").await.1,
        _ => take_mail(protected).await,
    }
}

/// A server for one mail. Answers its port, and what it heard.
async fn server(tls: &'static str, acceptor: TlsAcceptor) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = async move { take_mail_safely(listener.accept().await.unwrap().0, tls, acceptor).await };
    (port, tokio::spawn(heard))
}

fn settings(port: u16, more: &str) -> String {
    format!(
        "kind = \"email\"\nserver = \"localhost:{port}\"\nfrom = \"millrace@example.com\"\nto = [\"anna@example.com\"]\n{more}"
    )
}

fn with_login(port: u16, tls: &str, password: &str, file: &str) -> String {
    let more = format!(
        "tls = \"{tls}\"\nusername = \"{USERNAME}\"\npassword = \"{password}\"\nca_file = \"{file}\""
    );
    settings(port, &more)
}

#[tokio::test]
async fn a_mail_goes_out_with_an_id_made_of_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = tokio::spawn(async move {
        let first = take_mail(listener.accept().await.unwrap().0).await;
        (first, take_mail(listener.accept().await.unwrap().0).await)
    });
    let near = settings(port, "tls = \"none\"");
    assert_eq!(sent(&near).await, Sent::Yes);
    let refused = sent(&near.replace("anna@example.com", "anna@refused.example")).await;
    assert!(matches!(&refused, Sent::Never(cause) if cause.contains("nobody of that name")), "{refused:?}");
    let (mail, _) = taken.await.unwrap();
    for part in [
        "Message-ID: <failure-7-1-ops@millrace>",
        "To: anna@example.com",
        "Subject: [millrace] users: failure",
        "failed",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
}

#[tokio::test]
async fn a_mail_goes_out_over_tls_and_with_a_login() {
    for tls in ["starttls", "tls"] {
        let (file, acceptor) = certificate();
        let (port, heard) = server(tls, acceptor).await;
        let file = file.path().to_str().unwrap();
        assert_eq!(sent(&with_login(port, tls, PASSWORD, file)).await, Sent::Yes, "{tls}");
        let heard = heard.await.unwrap();
        assert!(heard.contains(&login()) && heard.contains("failure-7-1-ops@millrace"), "{tls}: {heard}");
    }
}

#[tokio::test]
async fn a_login_that_is_wrong_is_not_tried_again() {
    let (file, acceptor) = certificate();
    let (port, heard) = server("tls", acceptor).await;
    let refused = sent(&with_login(port, "tls", "hunter3", file.path().to_str().unwrap())).await;
    assert!(matches!(&refused, Sent::Never(cause) if cause.contains("who are you")), "{refused:?}");
    assert!(!heard.await.unwrap().contains("MAIL"));
}

#[tokio::test]
async fn who_can_not_show_a_known_certificate_is_told_nothing() {
    for tls in ["starttls", "tls"] {
        let (_, acceptor) = certificate();
        let (port, heard) = server(tls, acceptor).await;
        let refused = sent(&with_login(port, tls, PASSWORD, "")).await;
        assert!(matches!(&refused, Sent::NotNow(cause) if cause.contains("certificate")), "{refused:?}");
        assert_eq!(heard.await.unwrap(), "", "{tls}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing_unless_that_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move { take_mail(listener.accept().await.unwrap().0).await });
    let refused = sent(&settings(port, "")).await;
    assert!(matches!(&refused, Sent::NotNow(cause) if cause.contains("STARTTLS")), "{refused:?}");
    assert!(!heard.await.unwrap().contains("MAIL"));
}

#[test]
fn settings_that_show_a_password_or_name_no_server_are_refused() {
    let good = "server = \"mail.example.com:587\"\nfrom = \"a@b.c\"\nto = []\n";
    let cases = [
        (format!("{good}username = \"anna\"\ntls = \"none\""), "would show the password"),
        (format!("{good}password = \"hunter2\""), "a password without a username"),
        (format!("{good}tls = \"ssl\""), "unknown variant `ssl`"),
        (format!("{good}user = \"anna\""), "unknown field `user`"),
        (good.replace(":587", ""), "\"mail.example.com\" is no host:port"),
        (good.replace("587", "smtp"), "is no host:port"),
    ];
    for (text, expected) in cases {
        let told = toml::from_str::<Email>(&text).unwrap_err();
        let told = told.message();
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told}");
    }
    assert_eq!(place("[::1]:25"), Some(("::1".to_owned(), 25)));
}
