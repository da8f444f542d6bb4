//! HTTP/1.1 in parts: the head, then its body as it comes, so that endless bodies pass as well.

use super::Side;

/// What is still to come of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The next bytes are a head.
    None,
    Length(usize),
    Chunks,
    /// Until the connection ends.
    Rest,
}

pub(super) struct Part {
    pub bytes: usize,
    pub begins: bool,
    pub ends: bool,
}

impl Body {
    /// The part that `buffer`, which is not empty, begins with.
    pub(super) fn next(&mut self, buffer: &[u8], side: Side) -> Result<Option<Part>, &'static str> {
        let bytes = match *self {
            Body::None => return self.head(buffer, side),
            Body::Rest => buffer.len(),
            Body::Length(left) => {
                let bytes = left.min(buffer.len());
                *self = if bytes == left { Body::None } else { Body::Length(left - bytes) };
                bytes
            }
            Body::Chunks => match chunk(buffer)? {
                None => return Ok(None),
                Some((bytes, last)) => {
                    if last {
                        *self = Body::None;
                    }
                    bytes
                }
            },
        };
        Ok(Some(Part { bytes, begins: false, ends: *self == Body::None }))
    }

    fn head(&mut self, buffer: &[u8], side: Side) -> Result<Option<Part>, &'static str> {
        const HEAD_BYTES_MAX: usize = 1 << 20;
        let Some(bytes) = find(buffer, b"\r\n\r\n").map(|at| at + 4) else {
            return if buffer.len() > HEAD_BYTES_MAX { Err("a head without an end") } else { Ok(None) };
        };
        let head = String::from_utf8_lossy(&buffer[..bytes]).to_ascii_lowercase();
        *self = follows(&head, side);
        // "100 Continue" is not the answer yet.
        let interim =
            side == Side::Server && head.split(' ').nth(1).is_some_and(|code| code.starts_with('1'));
        Ok(Some(Part { bytes, begins: true, ends: *self == Body::None && !interim }))
    }
}

/// The body that a head, in lower case, announces.
fn follows(head: &str, side: Side) -> Body {
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.split_once(':').filter(|(found, _)| *found == name))
            .map(|(_, value)| value.trim())
    };
    let code = head.split(' ').nth(1).unwrap_or_default();
    let bare = side == Side::Server && (code.starts_with('1') || ["204", "304"].contains(&code));
    match header("content-length").and_then(|text| text.parse().ok()) {
        _ if bare => Body::None,
        _ if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) => Body::Chunks,
        Some(0) => Body::None,
        Some(length) => Body::Length(length),
        None if side == Side::Client => Body::None,
        None => Body::Rest,
    }
}

/// How long the first chunk is, and whether it is the last.
fn chunk(buffer: &[u8]) -> Result<Option<(usize, bool)>, &'static str> {
    let Some(line) = find(buffer, b"\r\n") else { return Ok(None) };
    let digits = String::from_utf8_lossy(&buffer[..line]);
    let size = usize::from_str_radix(digits.split(';').next().unwrap_or_default().trim(), 16)
        .map_err(|_| "a chunk without a size")?;
    if size == 0 {
        // Trailers, which nobody sends, would stand before the empty line.
        return Ok((buffer.len() >= line + 4).then_some((line + 4, true)));
    }
    let bytes = line + 2 + size + 2;
    Ok((buffer.len() >= bytes).then_some((bytes, false)))
}

fn find(buffer: &[u8], what: &[u8]) -> Option<usize> {
    buffer.windows(what.len()).position(|window| window == what)
}
