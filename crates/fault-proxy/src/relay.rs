//! One connection: what the client sends and what the server answers, frame by frame.

use crate::{
    Action, Route,
    frame::{Frame, Parser, Protocol, Side},
    kafka,
    rule::Rules,
};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

/// What both directions of a connection know.
#[derive(Default)]
struct Pending {
    /// Answers that the client is not to see, and whether the connection ends with them.
    swallowed: HashMap<i64, bool>,
    /// The request whose answer is the last that the client hears.
    last: Option<i64>,
    /// Kafka's requests whose answers hold addresses.
    located: HashSet<i64>,
}

struct Connection<'a> {
    route: &'a Route,
    rules: &'a Rules,
    pending: Mutex<Pending>,
    cut: Notify,
}

/// Passes frames on until both sides are done or a rule cuts.
pub(crate) async fn run(client: TcpStream, server: TcpStream, route: &Route, rules: &Rules) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let connection = Connection { route, rules, pending: Mutex::default(), cut: Notify::new() };
    let (client_reader, client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let both = async {
        tokio::join!(
            connection.requests(Frames::new(client_reader, route.protocol, Side::Client), server_writer),
            connection.answers(Frames::new(server_reader, route.protocol, Side::Server), client_writer),
        )
    };
    tokio::select! { _ = both => {}, () = connection.cut.notified() => {} }
}

impl Connection<'_> {
    async fn requests(&self, mut frames: Frames, mut server: OwnedWriteHalf) -> io::Result<()> {
        let mut dropping = false;
        while let Some((frame, bytes)) = self.next(&mut frames).await? {
            if frame.begins {
                dropping = false;
                match self.rules.strike(&frame, &bytes) {
                    None => {}
                    Some(Action::Delay(time)) => tokio::time::sleep(time).await,
                    Some(Action::Drop) => dropping = true,
                    Some(Action::Cut) => {
                        self.cut.notify_one();
                        return Ok(());
                    }
                    Some(Action::SwallowAnswer) => self.swallow(frame.key, false),
                    Some(Action::Deafen) => self.deafen_after(frame.key),
                    Some(Action::CutBeforeAnswer) => self.swallow(frame.key, true),
                }
                self.remember(&frame);
            }
            if !dropping {
                server.write_all(&bytes).await?;
            }
        }
        server.shutdown().await
    }

    async fn answers(&self, mut frames: Frames, mut client: OwnedWriteHalf) -> io::Result<()> {
        let mut deaf = false;
        while let Some((frame, mut bytes)) = self.next(&mut frames).await? {
            if deaf {
                continue;
            }
            let (swallowed, located) = {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                deaf = frame.ends && pending.last == Some(frame.key);
                (pending.swallowed.get(&frame.key).copied(), pending.located.remove(&frame.key))
            };
            match swallowed {
                Some(true) if frame.ends => {
                    self.cut.notify_one();
                    return Ok(());
                }
                Some(_) => {}
                None => {
                    if located {
                        self.route.moved.iter().for_each(|moved| moved.apply(&mut bytes));
                    }
                    client.write_all(&bytes).await?;
                }
            }
            if frame.ends {
                self.pending.lock().unwrap_or_else(PoisonError::into_inner).swallowed.remove(&frame.key);
            }
        }
        client.shutdown().await
    }

    /// A closed connection is everyday. What can't be read is a mistake in a test, or here: it ends the whole connection.
    async fn next(&self, frames: &mut Frames) -> io::Result<Option<(Frame, Vec<u8>)>> {
        frames.next().await.inspect_err(|cause| {
            if cause.kind() == io::ErrorKind::InvalidData {
                eprintln!("fault-proxy before {}: {cause}", self.route.upstream);
                self.cut.notify_one();
            }
        })
    }

    fn swallow(&self, key: i64, cut: bool) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).swallowed.insert(key, cut);
    }

    fn deafen_after(&self, key: i64) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).last = Some(key);
    }

    fn remember(&self, frame: &Frame) {
        const LOCATING: [i32; 3] = [kafka::METADATA, kafka::FIND_COORDINATOR, kafka::DESCRIBE_CLUSTER];
        if self.route.protocol == Protocol::Kafka && LOCATING.contains(&frame.kind) {
            self.pending.lock().unwrap_or_else(PoisonError::into_inner).located.insert(frame.key);
        }
    }
}

/// The frames of one direction.
struct Frames {
    reader: OwnedReadHalf,
    parser: Parser,
    buffer: Vec<u8>,
    /// Up to here the buffer is passed on.
    at: usize,
}

/// A frame larger than any server takes is a mistake.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Frames {
    fn new(reader: OwnedReadHalf, protocol: Protocol, side: Side) -> Self {
        Self { reader, parser: Parser::new(protocol, side), buffer: vec![], at: 0 }
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<(Frame, Vec<u8>)>> {
        loop {
            if let Some(frame) = self.parser.next(&self.buffer[self.at..]).map_err(invalid)? {
                let end = self.at + frame.bytes;
                let bytes = self.buffer[self.at..end].to_vec();
                self.at = end;
                return Ok(Some((frame, bytes)));
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            if self.buffer.len() > FRAME_BYTES_MAX {
                return Err(invalid("a frame is too large"));
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
