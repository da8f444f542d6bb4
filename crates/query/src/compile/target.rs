//! Fits the columns of a SELECT to the target: declared, or derived from them.

use std::sync::Arc;

use apache_avro::Schema as AvroSchema;
use arrow::{
    compute::can_cast_types,
    datatypes::{DataType, Field as ArrowField, Schema, TimeUnit},
};
use datafusion_physical_expr::{
    PhysicalExpr,
    expressions::{CastExpr, Column as ColumnExpr},
};

use super::flow::{Flow, Origin};
use crate::{
    check::Mentions,
    derive,
    encode::{Column, Encoder, Source},
    job::Input,
    json,
    shape::{Field, Shape},
    spec::{CompileError, Emit, JobSpec, StreamDef},
    stage::Step,
};

/// The target of a job, and how its records are made of the SELECT's columns.
pub(super) struct Target {
    /// Casts the columns to the types of the target's fields.
    pub(super) step: Step,
    pub(super) encoder: Encoder,
    pub(super) schema: String,
    pub(super) shape: Shape,
    pub(super) key: Vec<String>,
}

pub(super) fn fit(
    spec: &JobSpec,
    stream: &StreamDef,
    input: &Input,
    flow: &Flow,
    found: &Mentions,
) -> Result<Target, CompileError> {
    if spec.allowed_lateness_ms < 0 {
        return Err(CompileError::new("allowed_lateness is negative"));
    }
    let text = match &spec.target {
        Some(target) => target.schema.clone(),
        None => derive::avro_schema(&spec.into, &Schema::new(flow.columns.clone()), found)?.to_string(),
    };
    let refuse = |e: String| CompileError::new(format!("the schema of the target {}: {e}", spec.into));
    let shape = Shape::parse(&text).map_err(refuse)?;
    let schema = AvroSchema::parse_str(&text).map_err(|e| refuse(e.to_string()))?;
    let schema = serde_json::to_string(&schema).map_err(|e| refuse(e.to_string()))?;
    let (step, columns) = columns(&shape, flow, spec, found)?;
    let key = key_of(spec, stream, input, flow).map_err(|e| found.at_column(e, ""))?;
    let places = key.iter().map(|k| {
        columns
            .iter()
            .position(|c| c.name == *k)
            .ok_or_else(|| refuse(format!("its key names the field {k}, which it lacks")))
    });
    let encoder = Encoder { key: places.collect::<Result<_, _>>()?, columns };
    Ok(Target { step, encoder, schema, shape, key })
}

fn columns(
    shape: &Shape,
    flow: &Flow,
    spec: &JobSpec,
    found: &Mentions,
) -> Result<(Step, Vec<Column>), CompileError> {
    let refuse =
        |e: String| CompileError::new(format!("the SELECT does not fit the target {}: {e}", spec.into));
    if let Some(extra) = flow.columns.iter().find(|c| shape.fields().iter().all(|f| f.name != *c.name())) {
        let error = refuse(format!(
            "the target has no field {}; leave the column out, or add the field to its schema",
            extra.name()
        ));
        return Err(found.at_column(error, extra.name()));
    }
    let (mut expressions, mut fields, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for field in shape.fields() {
        let source = match flow.columns.iter().position(|c| c.name() == &field.name) {
            Some(i) => {
                let target = field.arrow().map_err(&refuse)?.with_nullable(true);
                let converted = converted(i, &flow.columns[i], target.data_type(), spec.target.is_some());
                expressions.push(converted.map_err(|e| found.at_column(refuse(e), &field.name))?);
                fields.push(target);
                Source::Batch(expressions.len() - 1)
            }
            None => Source::Default(default_of(field).map_err(|e| found.at_column(refuse(e), ""))?),
        };
        columns.push(Column { name: field.name.clone(), shape: field.shape.clone(), source });
    }
    Ok((Step::Project { expressions, schema: Arc::new(Schema::new(fields)) }, columns))
}

fn default_of(field: &Field) -> Result<Vec<u8>, String> {
    let Some(default) = &field.default else {
        return Err(format!(
            "the field {} has no default, and no column is called {}; add it to the SELECT",
            field.name, field.name
        ));
    };
    let mut bytes = Vec::new();
    json::to_avro(&field.shape, default, &mut bytes)
        .map_err(|e| format!("the default of the field {}: {e}", field.name))?;
    Ok(bytes)
}

fn converted(
    i: usize,
    column: &ArrowField,
    to: &DataType,
    declared: bool,
) -> Result<Arc<dyn PhysicalExpr>, String> {
    let plain: Arc<dyn PhysicalExpr> = Arc::new(ColumnExpr::new(column.name(), i));
    if column.data_type() == to {
        return Ok(plain);
    }
    let fits = if declared { widens(column.data_type(), to) } else { can_cast_types(column.data_type(), to) };
    if !fits {
        return Err(format!(
            "the column {} is {}, its field is {to}; CAST the column, or change the field",
            column.name(),
            column.data_type()
        ));
    }
    Ok(Arc::new(CastExpr::new(plain, to.clone(), None)))
}

/// Whether every value of one type has its equal in the other. Nanoseconds, which only functions make, may be cut to what Avro
/// keeps; unsigned 64-bit numbers are checked row by row.
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (LargeUtf8 | Utf8View, Utf8)
        | (LargeBinary | BinaryView, Binary)
        | (Date64, Date32)
        | (Float16, Float32) => true,
        (Dictionary(_, values), to) => **values == *to || widens(values, to),
        (Int8 | Int16 | UInt8 | UInt16, Int32) => true,
        (Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 | UInt64, Int64) => true,
        (Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Float16 | Float32, Float64) => true,
        (Int8 | Int16 | UInt8 | UInt16, Float32) => true,
        (Time32(_), Time64(_)) | (Time32(_), Time32(TimeUnit::Millisecond)) | (Time64(_), Time64(_)) => true,
        (Timestamp(TimeUnit::Nanosecond, _), Timestamp(_, _)) => true,
        (Timestamp(from, _), Timestamp(to, _)) => fineness(*from) <= fineness(*to),
        (Decimal128(p, s), Decimal128(q, t)) => {
            s <= t && i16::from(*p) - i16::from(*s) <= i16::from(*q) - i16::from(*t)
        }
        (List(_) | LargeList(_), List(_)) | (Struct(_), Struct(_)) | (Map(_, _), Map(_, _)) => {
            can_cast_types(from, to)
        }
        _ => false,
    }
}

fn fineness(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// The declared key; else the group's columns, or the input's key, where they are all in the SELECT.
fn key_of(
    spec: &JobSpec,
    stream: &StreamDef,
    input: &Input,
    flow: &Flow,
) -> Result<Vec<String>, CompileError> {
    if let Some(target) = &spec.target {
        return Ok(target.key.clone());
    }
    let named = |origin: Origin| {
        flow.origins.iter().position(|o| *o == origin).map(|i| flow.columns[i].name().clone())
    };
    if flow.operator.is_none() {
        let key =
            stream.key.iter().map(|k| input.schema.index_of(k).ok().and_then(|i| named(Origin::Input(i))));
        return Ok(key.collect::<Option<Vec<_>>>().unwrap_or_default());
    }
    let is_window = |g: &Origin| matches!(g, Origin::WindowStart | Origin::WindowEnd);
    let groups: Vec<(bool, Option<String>)> =
        flow.groups.iter().enumerate().map(|(i, g)| (is_window(g), named(Origin::Group(i)))).collect();
    // One of start and end says which window it is.
    let complete = groups.iter().any(|(window, name)| *window && name.is_some())
        && groups.iter().all(|(window, name)| *window || name.is_some());
    match complete {
        true => Ok(groups.into_iter().filter_map(|(_, name)| name).collect()),
        false if spec.emit == Emit::Updates => Err(CompileError::new(
            "emit = \"updates\" needs a key: put window_start and every column of GROUP BY into the SELECT, or declare the target with its key",
        )),
        false => Ok(Vec::new()),
    }
}
