//! Bodies of flat records straight to values: no names, no wrapping, one pass.
//!
//! Most streams are flat, and the library takes ten times as long to read them and to look at what it has read. It is an attempt:
//! whatever is odd ends it, and the library says what is wrong. What is read here is what it would read (crates/wire/src/avro/tests.rs).

use super::plan::{Node, Plan};
use apache_avro::types::Value;

impl Plan {
    /// Whether each field is one value, or null.
    pub(super) fn is_flat(&self) -> bool {
        self.fields.iter().all(|field| match &field.node {
            Node::Union(branches) => {
                matches!(&branches[..], [Node::Null, one] | [one, Node::Null] if one.is_flat())
            }
            node => node.is_flat(),
        })
    }

    /// The fields' values, in their order; `None` for null.
    pub(super) fn values(&self, body: &[u8]) -> Option<Vec<Option<Value>>> {
        let mut at = Cursor(body);
        let values = self.fields.iter().map(|field| at.field(&field.node)).collect::<Option<Vec<_>>>()?;
        at.0.is_empty().then_some(values)
    }
}

impl Node {
    fn is_flat(&self) -> bool {
        use Node::*;
        matches!(
            self,
            Boolean
                | Int
                | Long
                | Float
                | Double
                | String
                | Bytes
                | Date
                | TimeMillis
                | TimeMicros
                | TimestampMillis
                | TimestampMicros
        )
    }
}

/// What is left of a body.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn field(&mut self, node: &Node) -> Option<Option<Value>> {
        let Node::Union(branches) = node else { return self.value(node).map(Some) };
        match branches.get(usize::try_from(self.long()?).ok()?)? {
            Node::Null => Some(None),
            one => self.value(one).map(Some),
        }
    }

    fn value(&mut self, node: &Node) -> Option<Value> {
        Some(match node {
            Node::Boolean => match self.take(1)? {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return None,
            },
            Node::Int => Value::Int(self.int()?),
            Node::Long => Value::Long(self.long()?),
            Node::Float => Value::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            Node::Double => Value::Double(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            Node::String => Value::String(std::str::from_utf8(self.sized()?).ok()?.to_owned()),
            Node::Bytes => Value::Bytes(self.sized()?.to_vec()),
            Node::Date => Value::Date(self.int()?),
            Node::TimeMillis => Value::TimeMillis(self.int()?),
            Node::TimeMicros => Value::TimeMicros(self.long()?),
            Node::TimestampMillis => Value::TimestampMillis(self.long()?),
            Node::TimestampMicros => Value::TimestampMicros(self.long()?),
            _ => return None,
        })
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn sized(&mut self) -> Option<&[u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        self.take(length)
    }

    fn int(&mut self) -> Option<i32> {
        self.long()?.try_into().ok()
    }

    fn long(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            // The tenth byte has room for one bit only.
            if index == 9 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }
}
