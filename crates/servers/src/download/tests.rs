use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;

/// What the test's repository does with a request.
#[derive(Clone, Copy)]
struct Behaviour {
    /// It closes the connection after so many bytes of a body.
    cut_after: usize,
    honours_range: bool,
    status: u16,
}

const GOOD: Behaviour = Behaviour { cut_after: usize::MAX, honours_range: true, status: 200 };

/// A repository on this machine with one file; answers its address and the count of requests.
async fn repository(content: Arc<Vec<u8>>, behaviour: Behaviour) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let answer = answer(&String::from_utf8(request).unwrap(), &content, behaviour);
            stream.write_all(&answer).await.unwrap();
        }
    });
    (address, requests)
}

fn answer(request: &str, content: &[u8], behaviour: Behaviour) -> Vec<u8> {
    if behaviour.status != 200 {
        return format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", behaviour.status)
            .into();
    }
    let range =
        request.lines().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = range.filter(|_| behaviour.honours_range).unwrap_or(0);
    let body = &content[from..];
    let head = match (range, behaviour.honours_range) {
        (Some(_), true) => format!(
            "HTTP/1.1 206 X\r\nContent-Range: bytes {from}-{}/{}\r\n",
            content.len() - 1,
            content.len()
        ),
        _ => "HTTP/1.1 200 X\r\n".to_string(),
    };
    let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), &body[..body.len().min(behaviour.cut_after)]].concat()
}

fn artifact(content: &[u8], bytes: u64) -> Artifact {
    let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    Artifact { coordinate: "g:a:1".into(), path: "g/a/1/a-1.jar".into(), sha256, bytes }
}

async fn fetch(base: &str, artifact: &Artifact, folder: &Path) -> Result<(), Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (client, bar) = (client().unwrap(), ProgressBar::hidden());
    Download { client: &client, base, bar: &bar }.all(std::slice::from_ref(artifact), folder).await
}

fn content() -> Arc<Vec<u8>> {
    Arc::new((0..10_000u32).map(|i| (i % 251) as u8).collect())
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was() {
    let content = content();
    let cases = [
        ("nothing is cut", GOOD, 0, 1),
        ("each answer is cut", Behaviour { cut_after: 3_000, ..GOOD }, 0, 4),
        ("an earlier start was cut", GOOD, 4_000, 1),
        ("the repository ignores the range", Behaviour { honours_range: false, ..GOOD }, 4_000, 1),
    ];
    for (case, behaviour, have, requests) in cases {
        let folder = tempfile::tempdir().unwrap();
        let artifact = artifact(&content, content.len() as u64);
        std::fs::write(folder.path().join("a-1.jar.part"), &content[..have]).unwrap();
        let (base, counted) = repository(content.clone(), behaviour).await;
        fetch(&base, &artifact, folder.path()).await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("a-1.jar")).unwrap(), *content, "{case}");
        assert_eq!(counted.load(Ordering::SeqCst), requests, "{case}");
        fetch(&base, &artifact, folder.path()).await.unwrap();
        assert_eq!(counted.load(Ordering::SeqCst), requests, "{case}: a second call asks nobody");
    }
}

#[tokio::test]
async fn a_part_of_something_else_is_thrown_away_and_fetched_anew() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a-1.jar.part"), [0; 4_000]).unwrap();
    let (base, _) = repository(content.clone(), GOOD).await;
    fetch(&base, &artifact(&content, content.len() as u64), folder.path()).await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("a-1.jar")).unwrap(), *content);
}

#[tokio::test]
async fn what_is_not_pinned_never_gets_its_name() {
    let content = content();
    let bytes = content.len() as u64;
    let cases = [
        ("other content", GOOD, artifact(b"other", bytes), "SHA-256"),
        ("longer", GOOD, artifact(&content, bytes - 1), "longer than 9999 bytes"),
        ("missing", Behaviour { status: 404, ..GOOD }, artifact(&content, bytes), "404"),
    ];
    for (case, behaviour, artifact, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (base, _) = repository(content.clone(), behaviour).await;
        let message = fetch(&base, &artifact, folder.path()).await.unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("maven_repository"), "{case}: {message}");
        assert!(!folder.path().join("a-1.jar").exists(), "{case}");
    }
}
