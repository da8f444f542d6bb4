//! Avro's binary encoding, in the few pieces that readers and writers are made of.

/// Appends a zigzag varint: Avro's `int` and `long` (Avro 1.12, "Binary Encoding").
#[inline]
pub fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length and the bytes: Avro's `bytes` and `string`.
#[inline]
pub fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    put_long(value.len() as i64, out);
    out.extend_from_slice(value);
}

/// The shortest big-endian two's complement of `value`: what a `decimal` in `bytes` holds.
pub fn shortest(value: i128) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    let same_sign = |next: u8| (next & 0x80 != 0) == (value < 0);
    let skip = (0..bytes.len() - 1).take_while(|i| bytes[*i] == fill && same_sign(bytes[i + 1])).count();
    bytes[skip..].to_vec()
}

/// The number that big-endian two's complement bytes stand for; `None` above 16 bytes.
pub fn from_twos_complement(bytes: &[u8]) -> Option<i128> {
    if bytes.len() > 16 {
        return None;
    }
    let fill = if bytes.first().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let mut all = [fill; 16];
    all[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// Reads through bytes and never past their end.
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are not read yet.
    #[inline]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(truncated(count, self.rest.len())),
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            // Says what is missing.
            None => self.take(N).map(|_| [0; N]),
        }
    }

    /// A zigzag varint of at most ten bytes.
    #[inline]
    pub fn long(&mut self) -> Result<i64, String> {
        match self.rest {
            // Lengths and indexes of unions are nearly always of one byte.
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1))
            }
            _ => self.long_of_bytes(),
        }
    }

    fn long_of_bytes(&mut self) -> Result<i64, String> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte has room for one bit only.
            if i == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        if self.rest.len() < 10 {
            Err("the message is truncated inside a number".into())
        } else {
            Err("a number is longer than ten bytes".into())
        }
    }

    #[inline]
    pub fn int(&mut self) -> Result<i32, String> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| format!("{value} does not fit an int"))
    }

    #[inline]
    pub fn boolean(&mut self) -> Result<bool, String> {
        match self.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("{other} is not a boolean")),
        }
    }

    /// A length and so many bytes.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| format!("{length} is not a length"))?;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|e| format!("a string is not UTF-8: {e}"))
    }

    /// The number of entries of the next block of an array or map; 0 is the end.
    ///
    /// A negative count is followed by the block's size in bytes, which a reader may skip by; here it is read and not used.
    pub fn block(&mut self) -> Result<u64, String> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    /// An index below `bound`: of a union's branch, of an enum's symbol.
    #[inline]
    pub fn index(&mut self, what: &str, bound: usize) -> Result<usize, String> {
        let index = self.long()?;
        usize::try_from(index)
            .ok()
            .filter(|i| *i < bound)
            .ok_or_else(|| format!("{index} is not an index of {what} (it has {bound})"))
    }
}

#[cold]
fn truncated(count: usize, left: usize) -> String {
    format!("the message is truncated: {count} bytes expected, {left} left")
}
