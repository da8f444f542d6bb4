//! A producer of the test's own before the stack's Kafka, with a network between them that fails: what it acknowledged is there,
//! what it can't take is refused at once, and its memory stays bounded.

#![allow(clippy::unwrap_used)]

use e2e::{Folder, Memory, World};
use fault_proxy::{Action, Matches, Protocol, Proxy, Rule};
use kafka::{Polled, Reader, Start};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};
use test_support::{PATIENCE, eventually, unique};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const GROWTH_MIB_MAX: u64 = 128;

/// A producer that reaches Kafka by another address.
struct Producer {
    child: Child,
    listen: String,
    url: String,
}

impl Producer {
    async fn start(world: &World, kafka: &str, stream: &str, in_flight_bytes_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = listener.local_addr().unwrap().to_string();
        drop(listener);
        let child = Command::new(test_support::binaries().join("producer"))
            .arg("--config")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/producer.toml"))
            .env("MILLRACE_LISTEN", &listen)
            .env("MILLRACE_KAFKA_BOOTSTRAP", kafka)
            .env("MILLRACE_IN_FLIGHT_BYTES_MAX", in_flight_bytes_max.to_string())
            .env("MILLRACE_REGISTRY_URL", world.stack.address("registry"))
            .env("MILLRACE_POSTGRES_URL", world.stack.postgres_url("millrace"))
            .env("MILLRACE_POSTGRES_PASSWORD_FILE", &world.stack.postgres_password_file)
            .spawn()
            .unwrap();
        let url = format!("http://{listen}/v1/streams/{stream}/records");
        Self { child, listen, url }
    }

    fn memory(&self) -> Memory {
        Memory::of_pid("the producer", self.child.id().into())
    }

    /// Sends records until they are taken.
    async fn takes(&self, world: &World) -> HashSet<String> {
        let body = Body::of(vec![unique("calm")]);
        eventually("the producer takes records", || async {
            let storm = post(&world.http, &self.url, &body).await;
            (!storm.acknowledged.is_empty()).then_some(storm.acknowledged)
        })
        .await
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What clients were told.
#[derive(Default)]
struct Storm {
    acknowledged: HashSet<String>,
    /// How many records were taken; a body is sent more than once.
    taken: usize,
    /// With 503 and when to come back.
    refused: usize,
}

/// Records made beforehand: whoever sends ten times too much must not be busy with making it.
struct Body {
    ids: Vec<String>,
    lines: String,
}

impl Body {
    fn of(ids: Vec<String>) -> Self {
        let text = "x".repeat(200);
        let lines: Vec<String> = ids.iter().map(|id| json!({"id": id, "text": text}).to_string()).collect();
        Self { ids, lines: lines.join("\n") }
    }

    fn many() -> Self {
        let name = unique("storm");
        Self::of((0..1_000).map(|n| format!("{name}-{n}")).collect())
    }
}

async fn post(http: &reqwest::Client, url: &str, body: &Body) -> Storm {
    // Where there is no answer nothing is acknowledged.
    let Ok(answer) = http.post(url).body(body.lines.clone()).send().await else { return Storm::default() };
    let status = answer.status().as_u16();
    if status == 503 {
        assert!(answer.headers().contains_key("retry-after"), "a refusal says when to come back");
    }
    // 404: a new stream has not reached the new producer yet.
    assert!([200, 404, 503].contains(&status), "{status}");
    let answer: Value = answer.json().await.unwrap_or_default();
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    let written = body.ids.iter().zip(results).filter(|(_, result)| result["status"] == "written");
    let acknowledged: HashSet<String> = written.map(|(id, _)| id.clone()).collect();
    Storm { taken: acknowledged.len(), acknowledged, refused: usize::from(status == 503) }
}

/// So many clients send bodies of a thousand records, one after the other, for so long.
async fn storm(world: &World, url: &str, clients: usize, time: Duration) -> Storm {
    let (mut running, end) = (JoinSet::new(), Instant::now() + time);
    for _ in 0..clients {
        let (http, url) = (world.http.clone(), url.to_owned());
        running.spawn(async move {
            let (mut told, bodies) = (Storm::default(), [Body::many(), Body::many()]);
            for body in bodies.iter().cycle() {
                if Instant::now() >= end {
                    break;
                }
                let answer = post(&http, &url, body).await;
                if answer.refused > 0 {
                    tokio::time::sleep(COMES_AGAIN).await;
                }
                told.add(answer);
            }
            told
        });
    }
    let mut all = Storm::default();
    for told in running.join_all().await {
        all.add(told);
    }
    all
}

/// Far sooner than it was told, as bad clients do.
const COMES_AGAIN: Duration = Duration::from_millis(50);

impl Storm {
    fn add(&mut self, other: Storm) {
        self.acknowledged.extend(other.acknowledged);
        self.taken += other.taken;
        self.refused += other.refused;
    }
}

fn folder() -> Folder {
    let schema = r#"{"type":"record","name":"S","fields":[{"name":"id","type":"string"},{"name":"text","type":"string"}]}"#;
    let definition = "[streams.{p}_s]\nschema = \"s.avsc\"\nkey = [\"id\"]\npartitions = 2\n";
    Folder::add(&[("s.avsc", schema), ("pipeline.toml", definition)])
}

/// Reads the topic until each of the ids was seen.
async fn assert_all_there(world: &World, topic: &str, mut ids: HashSet<String>) {
    let (bootstrap, topic, n) = (world.stack.address("kafka").to_owned(), topic.to_owned(), ids.len());
    let reading = tokio::task::spawn_blocking(move || {
        let reader = Reader::new(&bootstrap).unwrap();
        reader.assign(&[0, 1].map(|partition| (topic.clone(), partition, Start::Beginning))).unwrap();
        let started = Instant::now();
        while !ids.is_empty() && started.elapsed() < PATIENCE {
            if let Polled::Record(record) = reader.poll(Duration::from_millis(200)).unwrap() {
                ids.remove(record.header("record-id").unwrap());
            }
        }
        ids
    });
    let lost = reading.await.unwrap();
    assert!(
        lost.is_empty(),
        "{} of {n} acknowledged records are lost, such as {:?}",
        lost.len(),
        lost.iter().next()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_silent_requests_are_refused_at_once_and_what_was_acknowledged_is_there() {
    let (world, folder) = (World::running(), folder());
    let stream = format!("{}_s", folder.name);
    let proxy = Proxy::start(world.stack.address("kafka"), Protocol::Kafka).await.unwrap();
    let producer = Producer::start(&world, &proxy.address(), &stream, 64 << 20).await;
    let mut acknowledged = producer.takes(&world).await;
    let memory = producer.memory();

    acknowledged.extend(storm(&world, &producer.url, 8, Duration::from_secs(2)).await.acknowledged);
    let silent = proxy.rule(Rule::always(Matches::any(), Action::Drop));
    let told = storm(&world, &producer.url, 32, Duration::from_secs(8)).await;
    assert!(silent.count() > 0, "the fault never fired");
    assert!(told.refused > 0, "nobody was refused");
    acknowledged.extend(told.acknowledged);

    // Waiting clients keep the silence known; a head is answered though its body never comes.
    let waiting = tokio::spawn({
        let (http, url) = (world.http.clone(), producer.url.clone());
        async move { post(&http, &url, &Body::of(vec![unique("waits")])).await }
    });
    eventually("a request is refused before its body is read", || async {
        let mut stream = TcpStream::connect(&producer.listen).await.ok()?;
        let path = producer.url.split_once(&producer.listen)?.1;
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = vec![0; 1_000];
        let n = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await.ok()?.ok()?;
        let answer = String::from_utf8_lossy(&answer[..n]).to_lowercase();
        (answer.starts_with("http/1.1 503") && answer.contains("retry-after")).then_some(())
    })
    .await;
    memory.assert_within(GROWTH_MIB_MAX);

    proxy.heal();
    acknowledged.extend(waiting.await.unwrap().acknowledged);
    acknowledged.extend(producer.takes(&world).await);
    eprintln!("{} acknowledged, {} requests refused", acknowledged.len(), told.refused);
    assert_all_there(&world, &stream, acknowledged).await;
}

/// As many as the producer has room for, and ten times as many.
const ENOUGH: usize = 4;
const TOO_MANY: usize = 40;
/// Calm before and after, in windows: the machine does other things, too.
const CALM: [Duration; 3] = [Duration::from_secs(4); 3];
/// In this time it takes what it ever will; after as long as all of it it must hold no more.
const OVERLOAD: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(45)];
/// Between the two, what is held differs by no more than this.
const FLAT_MIB: u64 = 16;

/// What was taken in some windows, and what was held after each.
#[derive(Default)]
struct Windows {
    told: Storm,
    /// Records a second.
    rates: Vec<f64>,
    /// MiB over what was held in the beginning.
    held: Vec<u64>,
}

async fn windows(
    world: &World,
    producer: &Producer,
    memory: &Memory,
    clients: usize,
    times: &[Duration],
) -> Windows {
    let mut windows = Windows::default();
    for time in times {
        let told = storm(world, &producer.url, clients, *time).await;
        windows.rates.push(told.taken as f64 / time.as_secs_f64());
        windows.held.push(memory.now_mib());
        windows.told.add(told);
    }
    windows
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Calm, overload, calm: whether the rates are as they should be, and what was found. A machine that was busy with something else just
/// then may be asked once more.
async fn measured(world: &World, producer: &Producer, acknowledged: &mut HashSet<String>) -> (bool, String) {
    let memory = producer.memory();
    let before = windows(world, producer, &memory, ENOUGH, &CALM).await;
    let over = windows(world, producer, &memory, TOO_MANY, &OVERLOAD).await;
    let calm = Instant::now();
    acknowledged.extend(producer.takes(world).await);
    assert!(calm.elapsed() < Duration::from_secs(10), "back to normal after {:?}", calm.elapsed());
    let after = windows(world, producer, &memory, ENOUGH, &CALM).await;
    memory.assert_within(GROWTH_MIB_MAX);
    let rates = [median(&before.rates), over.rates[1], median(&after.rates)];
    let shown = format!(
        "{rates:.0?} records/s calm, overloaded, calm; {:?} MiB held; {} requests refused",
        over.held, over.told.refused
    );
    eprintln!("{shown}");
    assert!(over.told.refused > 0, "nobody was refused");
    assert!(over.held[0].abs_diff(over.held[1]) <= FLAT_MIB, "{shown}");
    let peak = median(&[before.rates, after.rates].concat());
    for told in [before.told, over.told, after.told] {
        acknowledged.extend(told.acknowledged);
    }
    (rates[1] >= 0.8 * peak && rates[2] >= 0.8 * rates[0], shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_ten_times_its_load_it_takes_nearly_as_much_as_ever_and_loses_nothing() {
    let (world, folder) = (World::running(), folder());
    let stream = format!("{}_s", folder.name);
    // Room for four bodies.
    let producer = Producer::start(&world, world.stack.address("kafka"), &stream, 1 << 20).await;
    let mut acknowledged = producer.takes(&world).await;
    let (mut good, mut shown) = measured(&world, &producer, &mut acknowledged).await;
    if !good {
        (good, shown) = measured(&world, &producer, &mut acknowledged).await;
    }
    assert!(good, "{shown}");
    assert_all_there(&world, &stream, acknowledged).await;
}
