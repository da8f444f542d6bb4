//! Bodies of flat records straight to values: no names, no wrapping, one pass.
//!
//! Most streams are flat, and the library takes ten times as long to read them and to look at what it has read. It is an attempt:
//! whatever is odd ends it, and the library says what is wrong. What is read here is what it would read (crates/wire/src/avro/tests.rs).

use super::plan::{Node, Plan};
use crate::binary::Cursor;
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
        let mut at = Cursor::new(body);
        let values =
            self.fields.iter().map(|known| field(&mut at, &known.node)).collect::<Option<Vec<_>>>()?;
        (at.left() == 0).then_some(values)
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

fn field(at: &mut Cursor<'_>, node: &Node) -> Option<Option<Value>> {
    let Node::Union(branches) = node else { return value(at, node).map(Some) };
    match &branches[at.index("the union's branches", branches.len()).ok()?] {
        Node::Null => Some(None),
        one => value(at, one).map(Some),
    }
}

fn value(at: &mut Cursor<'_>, node: &Node) -> Option<Value> {
    let read = match node {
        Node::Boolean => at.boolean().map(Value::Boolean),
        Node::Int => at.int().map(Value::Int),
        Node::Long => at.long().map(Value::Long),
        Node::Float => at.array().map(|bytes| Value::Float(f32::from_le_bytes(bytes))),
        Node::Double => at.array().map(|bytes| Value::Double(f64::from_le_bytes(bytes))),
        Node::String => at.text().map(|text| Value::String(text.to_owned())),
        Node::Bytes => at.bytes().map(|bytes| Value::Bytes(bytes.to_vec())),
        Node::Date => at.int().map(Value::Date),
        Node::TimeMillis => at.int().map(Value::TimeMillis),
        Node::TimeMicros => at.long().map(Value::TimeMicros),
        Node::TimestampMillis => at.long().map(Value::TimestampMillis),
        Node::TimestampMicros => at.long().map(Value::TimestampMicros),
        _ => return None,
    };
    read.ok()
}
