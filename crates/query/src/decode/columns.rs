//! Records of a flat schema straight into columns: where the stream's own schema is the one that they were written with.
//!
//! Most records are such, and the way through the guard and the library costs three times as much. It is an attempt: whatever is
//! odd ends it, and the records go the other way, which says what is wrong with which. What is taken is what the guard takes, since
//! both read with the same cursor, and it comes out as the library brings it out (crates/query/tests/columns.rs).

mod column;

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use crate::shape::Shape;
use column::{Column, Kind};
use wire::binary::Cursor;

/// What the columns of a flat record hold.
pub(super) struct Flat {
    fields: Vec<(Kind, Option<usize>)>,
    schema: SchemaRef,
}

impl Flat {
    /// `None` where a field is of another kind: lists, maps and records in records go the library's way, and so do enums, fixed
    /// values and decimals.
    pub(super) fn of(shape: &Shape, schema: &SchemaRef) -> Option<Self> {
        let fields = shape.fields().iter().map(|field| {
            let (null, value) = field.shape.nullable().map_or((None, &field.shape), |(n, v)| (Some(n), v));
            Some((Kind::of(value)?, null))
        });
        Some(Self { fields: fields.collect::<Option<_>>()?, schema: Arc::clone(schema) })
    }

    /// The records as rows, in their order; `None` where anything about one of them is odd.
    pub(super) fn decode<'a>(
        &self,
        bodies: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) -> Option<RecordBatch> {
        let (rows, bytes) = (bodies.len(), bodies.clone().map(<[u8]>::len).sum::<usize>());
        // Texts are most of a record; a column that needs more than its part grows.
        let bytes = bytes / self.fields.len().max(1);
        let mut columns: Vec<Column> =
            self.fields.iter().map(|(kind, null)| Column::new(*kind, *null, rows, bytes)).collect();
        for body in bodies {
            let mut at = Cursor::new(body);
            columns.iter_mut().try_for_each(|column| column.read(&mut at)).ok()?;
            if at.left() > 0 {
                return None;
            }
        }
        let fields = self.schema.fields().iter();
        let arrays =
            columns.into_iter().zip(fields).map(|(c, f)| c.finish(f.data_type())).collect::<Option<_>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).ok()
    }
}
