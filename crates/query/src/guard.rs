//! Follows a message along its writer's schema before it may touch the decoder.
//!
//! The decoder takes a bad union index in silence, answers `Ok` for a truncated message, and one bad message spoils the rows
//! that are already in it. This walk finds all of that first, at a fraction of the decoder's own cost.

use crate::shape::Shape;
use wire::binary::Cursor;

/// An array or map of values without bytes (nulls, empty records) could claim any length; nobody sends that many.
const EMPTY_ENTRIES_MAX: u64 = 1 << 16;

/// Checks that `body` is exactly one value of `shape`.
pub(crate) fn check(shape: &Shape, body: &[u8]) -> Result<(), String> {
    let mut cursor = Cursor::new(body);
    walk(shape, &mut cursor)?;
    match cursor.left() {
        0 => Ok(()),
        left => Err(format!("{left} bytes follow after the end of the record")),
    }
}

fn walk(shape: &Shape, at: &mut Cursor<'_>) -> Result<(), String> {
    match shape {
        Shape::Null => {}
        Shape::Boolean => drop(at.boolean()?),
        Shape::Int | Shape::Date | Shape::TimeMillis => drop(at.int()?),
        Shape::Long | Shape::TimeMicros | Shape::Timestamp { .. } => drop(at.long()?),
        Shape::Float => drop(at.take(4)?),
        Shape::Double => drop(at.take(8)?),
        Shape::Bytes => drop(at.bytes()?),
        Shape::String => drop(at.text()?),
        Shape::Fixed(size) | Shape::Decimal { fixed: Some(size), .. } => drop(at.take(*size)?),
        Shape::Decimal { fixed: None, .. } => decimal(at)?,
        Shape::Enum(symbols) => drop(at.index("the enum's symbols", symbols.len())?),
        Shape::Array(items) => blocks(at, |at| walk(items, at))?,
        Shape::Map(values) => blocks(at, |at| {
            at.text()?;
            walk(values, at)
        })?,
        Shape::Union(branches) => walk(&branches[at.index("the union's branches", branches.len())?], at)?,
        Shape::Record(fields) => {
            for field in fields {
                walk(&field.shape, at).map_err(|e| in_field(&field.name, e))?;
            }
        }
    }
    Ok(())
}

/// Names the field, from the outermost in: `address.city: …`.
fn in_field(name: &str, error: String) -> String {
    match error.strip_prefix("field ") {
        Some(inner) => format!("field {name}.{inner}"),
        None => format!("field {name}: {error}"),
    }
}

fn decimal(at: &mut Cursor<'_>) -> Result<(), String> {
    match at.bytes()?.len() {
        0..=16 => Ok(()),
        length => Err(format!("a decimal of {length} bytes, at most 16 are taken")),
    }
}

fn blocks(
    at: &mut Cursor<'_>,
    mut entry: impl FnMut(&mut Cursor<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut empty = 0;
    loop {
        let count = at.block()?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            let before = at.left();
            entry(at)?;
            empty += u64::from(before == at.left());
            if empty > EMPTY_ENTRIES_MAX {
                return Err(format!("more than {EMPTY_ENTRIES_MAX} entries without a byte"));
            }
        }
    }
}
