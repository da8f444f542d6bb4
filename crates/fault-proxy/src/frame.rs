//! Where a frame ends, what it asks, and which answer belongs to which request. Pure: bytes in, no I/O.

mod http;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Kafka,
    /// Without TLS.
    Postgres,
    /// Versions 3 and 4; 5 wraps frames in segments.
    Cql,
    /// 1.1. An answer to HEAD is not understood.
    Http,
}

/// Who sends what is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The next bytes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub bytes: usize,
    pub kind: i32,
    /// Equal in a request and its answer, on one connection.
    pub key: i64,
    /// Is it the first of its request? Rules look at that one only.
    pub begins: bool,
    /// Is it the last of its answer?
    pub ends: bool,
}

impl Frame {
    fn whole(bytes: usize, kind: i32, key: i64) -> Self {
        Self { bytes, kind, key, begins: true, ends: true }
    }
}

pub(crate) struct Parser {
    protocol: Protocol,
    side: Side,
    /// PostgreSQL and HTTP answer in order: how many requests are behind.
    count: i64,
    /// PostgreSQL: the first messages have no tag.
    started: bool,
    body: http::Body,
}

type Next = Result<Option<Frame>, &'static str>;

impl Parser {
    pub(crate) fn new(protocol: Protocol, side: Side) -> Self {
        Self { protocol, side, count: 0, started: false, body: http::Body::None }
    }

    /// The frame that `buffer` begins with; `None` where more bytes are needed to tell. Called again only with what follows it.
    pub(crate) fn next(&mut self, buffer: &[u8]) -> Next {
        match (self.protocol, self.side) {
            (Protocol::Kafka, side) => kafka(buffer, side),
            (Protocol::Cql, _) => cql(buffer),
            (Protocol::Postgres, Side::Client) => self.postgres_request(buffer),
            (Protocol::Postgres, Side::Server) => self.postgres_answer(buffer),
            (Protocol::Http, _) => self.http(buffer),
        }
    }

    /// A query, or what leads to a Sync, is answered by all up to a ReadyForQuery. Logging in counts as the first one.
    fn postgres_request(&mut self, buffer: &[u8]) -> Next {
        if !self.started {
            const VERSION_3: i32 = 196_608;
            let (Some(length), Some(code)) = (i32_at(buffer, 0), i32_at(buffer, 4)) else { return Ok(None) };
            let bytes = size(length, 0)?;
            if buffer.len() < bytes {
                return Ok(None);
            }
            self.started = code == VERSION_3;
            self.count = i64::from(self.started);
            return Ok(Some(Frame::whole(bytes, 0, self.count)));
        }
        let Some((tag, bytes)) = tagged(buffer)? else { return Ok(None) };
        let key = match tag {
            b'Q' | b'S' | b'F' => {
                self.count += 1;
                self.count
            }
            // Passwords belong to the login.
            b'p' => self.count,
            _ => self.count + 1,
        };
        Ok(Some(Frame::whole(bytes, i32::from(tag), key)))
    }

    fn postgres_answer(&mut self, buffer: &[u8]) -> Next {
        if !self.started {
            match buffer.first() {
                None => return Ok(None),
                // To the question for TLS, a single letter.
                Some(b'N') => return Ok(Some(Frame::whole(1, 0, 0))),
                Some(b'S') => return Err("PostgreSQL offers TLS, which can't be read: turn it off"),
                Some(_) => self.started = true,
            }
        }
        let Some((tag, bytes)) = tagged(buffer)? else { return Ok(None) };
        let ready = tag == b'Z';
        let frame = Frame { ends: ready, ..Frame::whole(bytes, i32::from(tag), self.count + 1) };
        self.count += i64::from(ready);
        Ok(Some(frame))
    }

    fn http(&mut self, buffer: &[u8]) -> Next {
        if buffer.is_empty() {
            return Ok(None);
        }
        let Some(part) = self.body.next(buffer, self.side)? else { return Ok(None) };
        let key = self.count;
        self.count += i64::from(part.ends);
        Ok(Some(Frame { bytes: part.bytes, kind: 0, key, begins: part.begins, ends: part.ends }))
    }
}

/// Length, then in requests the API key, its version and the correlation id; in answers the correlation id.
fn kafka(buffer: &[u8], side: Side) -> Next {
    let Some(length) = i32_at(buffer, 0) else { return Ok(None) };
    let bytes = size(length, 4)?;
    if buffer.len() < bytes {
        return Ok(None);
    }
    let (kind, correlation) = match side {
        Side::Client => (i16_at(buffer, 4), i32_at(buffer, 8)),
        Side::Server => (Some(0), i32_at(buffer, 4)),
    };
    match (kind, correlation) {
        (Some(kind), Some(correlation)) => {
            Ok(Some(Frame::whole(bytes, i32::from(kind), i64::from(correlation))))
        }
        _ => Err("a frame that is not Kafka's"),
    }
}

/// Version, flags, stream, opcode, length.
fn cql(buffer: &[u8]) -> Next {
    let Some(length) = i32_at(buffer, 5) else { return Ok(None) };
    let bytes = size(length, 9)?;
    let stream = i16_at(buffer, 2).unwrap_or_default();
    Ok((buffer.len() >= bytes).then(|| Frame::whole(bytes, i32::from(buffer[4]), i64::from(stream))))
}

/// A tag, and a length that counts itself.
fn tagged(buffer: &[u8]) -> Result<Option<(u8, usize)>, &'static str> {
    let (Some(tag), Some(length)) = (buffer.first(), i32_at(buffer, 1)) else { return Ok(None) };
    let bytes = size(length, 1)?;
    Ok((buffer.len() >= bytes).then_some((*tag, bytes)))
}

fn size(length: i32, beside: usize) -> Result<usize, &'static str> {
    usize::try_from(length).map(|length| length + beside).map_err(|_| "a frame of a negative length")
}

fn i32_at(buffer: &[u8], at: usize) -> Option<i32> {
    buffer.get(at..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

fn i16_at(buffer: &[u8], at: usize) -> Option<i16> {
    buffer.get(at..)?.first_chunk().map(|bytes| i16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
