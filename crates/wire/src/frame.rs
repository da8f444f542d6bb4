//! Confluent's wire format: a zero byte, the schema id as four big-endian bytes, the Avro body.

/// The bytes before the body.
pub const HEADER_BYTES: usize = 5;

/// Starts a payload: the header of `schema_id`, to which the body is appended.
pub fn header(schema_id: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [0, a, b, c, d]
}

/// Takes a payload apart.
pub fn split(payload: &[u8]) -> Result<(u32, &[u8]), FrameError> {
    match payload {
        [0, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        [] | [0, ..] => Err(FrameError::Short { length: payload.len() }),
        [magic, ..] => Err(FrameError::Magic { magic: *magic }),
    }
}

/// Why a payload is not in Confluent's format.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FrameError {
    #[error("{length} bytes are too few for the 5-byte header of Confluent's wire format")]
    Short { length: usize },
    #[error("the first byte is {magic:#04x}, where Confluent's wire format has 0x00")]
    Magic { magic: u8 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_apart_as_it_was_put_together() {
        let mut payload = header(0x0102_0304).to_vec();
        payload.extend(b"body");
        assert_eq!(split(&payload), Ok((0x0102_0304, b"body".as_slice())));
        assert_eq!(split(&[0, 1]), Err(FrameError::Short { length: 2 }));
        assert_eq!(split(b"{\"id\":1}"), Err(FrameError::Magic { magic: b'{' }));
    }
}
