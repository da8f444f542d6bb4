//! Undoing the compression of a batch.

use bytes::Bytes;
use std::io::Read;

/// A batch is never larger when it is unpacked: a client gathers a megabyte before it packs, and our topics take 2 MiB.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// The bytes of a batch's records. `compression` is what its attributes say.
pub fn unpack(compression: i16, packed: &Bytes) -> Result<Bytes, &'static str> {
    match compression {
        0 => Ok(packed.clone()),
        1 => read(flate2::read::MultiGzDecoder::new(&packed[..])),
        2 => snappy(packed),
        3 => read(lz4_flex::frame::FrameDecoder::new(&packed[..])),
        4 => read(zstd::stream::read::Decoder::new(&packed[..]).map_err(|_| DAMAGED)?),
        _ => Err("a batch is compressed in a way that is not known here"),
    }
}

const DAMAGED: &str = "a batch can't be unpacked";
const TOO_LARGE: &str = "a batch is larger than 64 MiB when it is unpacked";

fn read(from: impl Read) -> Result<Bytes, &'static str> {
    let mut unpacked = vec![];
    from.take(UNPACKED_BYTES_MAX as u64 + 1).read_to_end(&mut unpacked).map_err(|_| DAMAGED)?;
    if unpacked.len() > UNPACKED_BYTES_MAX { Err(TOO_LARGE) } else { Ok(unpacked.into()) }
}

/// What Java's library writes before its blocks: a magic number, a version and the oldest that can read it.
const SNAPPY_MAGIC: &[u8] = b"\x82SNAPPY\0";
const SNAPPY_HEAD_BYTES: usize = 16;

/// Blocks, each after its length; one that is all, from clients that are not Java's.
fn snappy(packed: &[u8]) -> Result<Bytes, &'static str> {
    if !packed.starts_with(SNAPPY_MAGIC) {
        return block(packed, 0).map(Bytes::from);
    }
    let (mut unpacked, mut left) = (vec![], packed.get(SNAPPY_HEAD_BYTES..).ok_or(DAMAGED)?);
    while let Some((length, rest)) = left.split_first_chunk::<4>() {
        let (packed, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(DAMAGED)?;
        unpacked.extend(block(packed, unpacked.len())?);
        left = rest;
    }
    Ok(unpacked.into())
}

fn block(packed: &[u8], before: usize) -> Result<Vec<u8>, &'static str> {
    let length = snap::raw::decompress_len(packed).map_err(|_| DAMAGED)?;
    if before + length > UNPACKED_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    snap::raw::Decoder::new().decompress_vec(packed).map_err(|_| DAMAGED)
}
