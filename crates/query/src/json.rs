//! Avro bodies from JSON rows and back: what a step of a trial run says, and what it prints.
//!
//! A timestamp is RFC 3339 or a whole number in the field's unit, and comes out as RFC 3339 in UTC without trailing zeros;
//! decimals are strings, bytes base64, NaN and infinities strings.

mod read;
mod write;

pub(crate) use read::from_avro;
pub(crate) use write::to_avro;

#[cfg(test)]
mod tests;
