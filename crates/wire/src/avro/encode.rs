//! JSON to an Avro body, one pass.

use super::plan::{Field, Node, Plan};
use crate::{
    binary::{put_bytes, put_long, shortest},
    record::Json,
};
use chrono::{DateTime, NaiveDate, Timelike};
use std::{borrow::Cow, fmt};

/// Why a record does not fit its schema: which field, what was expected, what was found.
#[derive(Debug, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// Field names and indexes from the outside in, such as `address.lines[2]`. Empty for the record itself.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "the record: {}", self.message)
        } else {
            write!(f, "field \"{}\": {}", self.path, self.message)
        }
    }
}

type Encoded = Result<(), Refusal>;

impl Plan {
    pub(super) fn encode(&self, record: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
        let Json::Object(object) = record else { return Err(wrong("a JSON object", record)) };
        let mut used = 0;
        for (index, field) in self.fields.iter().enumerate() {
            match (find(object, &field.name, index), &field.default) {
                (Some(value), _) => {
                    used += 1;
                    field.node.encode(value, out).map_err(|refusal| refusal.inside(&field.name))?;
                }
                (None, Some(default)) => out.extend_from_slice(default),
                (None, None) => return Err(missing(field)),
            }
        }
        if used < object.len() { Err(self.unknown(object)) } else { Ok(()) }
    }

    /// A field that the schema does not have is refused, not dropped: dropping it would lose data in silence.
    fn unknown(&self, object: &Object<'_>) -> Refusal {
        let name = object
            .iter()
            .map(|(key, _)| key)
            .find(|key| !self.fields.iter().any(|field| field.name == **key));
        Refusal {
            path: name.map(|name| name.to_string()).unwrap_or_default(),
            message: "the schema has no such field: leave it out, or add it to the schema".into(),
        }
    }
}

type Object<'a> = [(Cow<'a, str>, Json<'a>)];

/// Most records have their fields in the schema's order.
fn find<'r, 'a>(object: &'r Object<'a>, field: &str, index: usize) -> Option<&'r Json<'a>> {
    let here = object.get(index).filter(|(key, _)| key == field);
    here.or_else(|| object.iter().find(|(key, _)| key == field)).map(|(_, value)| value)
}

impl Node {
    fn encode(&self, value: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
        match self {
            Node::Null => value.is_null().then_some(()).ok_or_else(|| wrong("null", value)),
            Node::Boolean => put(value.as_bool(), "true or false", value, |flag| out.push(flag.into())),
            Node::Int => {
                put(whole(value, i32::MIN.into(), i32::MAX.into()), "a whole number of 32 bits", value, |n| {
                    put_long(n, out)
                })
            }
            Node::Long => put(value.as_i64(), "a whole number of 64 bits", value, |n| put_long(n, out)),
            Node::Float => put(float(value), "a number", value, |n| out.extend((n as f32).to_le_bytes())),
            Node::Double => put(float(value), "a number", value, |n| out.extend(n.to_le_bytes())),
            Node::String => put(value.as_str(), "text", value, |text| put_bytes(text.as_bytes(), out)),
            Node::Uuid => {
                put(value.as_str().filter(|t| uuid::Uuid::try_parse(t).is_ok()), "a UUID", value, |t| {
                    put_bytes(t.as_bytes(), out)
                })
            }
            Node::Bytes => put(bytes(value), "bytes as base64", value, |bytes| put_bytes(&bytes, out)),
            Node::Fixed(n) => {
                put(bytes(value).filter(|b| b.len() == *n), format_args!("{n} bytes as base64"), value, |b| {
                    out.extend(b)
                })
            }
            Node::Date => put(date(value), "a date (\"2024-02-29\") or whole days since 1970", value, |n| {
                put_long(n, out)
            }),
            Node::TimeMillis => {
                put(time(value, 1_000), "a time of day (\"13:37:00\") or whole milliseconds", value, |n| {
                    put_long(n, out)
                })
            }
            Node::TimeMicros => put(
                time(value, 1_000_000),
                "a time of day (\"13:37:00\") or whole microseconds",
                value,
                |n| put_long(n, out),
            ),
            Node::TimestampMillis => put(
                timestamp(value, 1_000),
                "a timestamp (RFC 3339) or whole milliseconds since 1970",
                value,
                |n| put_long(n, out),
            ),
            Node::TimestampMicros => put(
                timestamp(value, 1_000_000),
                "a timestamp (RFC 3339) or whole microseconds since 1970",
                value,
                |n| put_long(n, out),
            ),
            Node::Decimal { precision, scale, fixed } => decimal(value, *precision, *scale, *fixed, out),
            Node::Enum(symbols) => symbol(symbols, value, out),
            Node::Array(items) => array(items, value, out),
            Node::Map(values) => map(values, value, out),
            Node::Union(branches) => union(branches, value, out),
            Node::Record(plan) => plan.encode(value, out),
        }
    }
}

/// The bytes of a field's default, or nothing where the default is not of the field's type.
pub(super) fn default_bytes(node: &Node, value: &Json<'_>) -> Option<Vec<u8>> {
    // By Avro's rule the default of a union belongs to its first branch.
    let mut out = vec![];
    match node {
        Node::Union(branches) => {
            put_long(0, &mut out);
            branches.first()?.encode(value, &mut out).ok()?;
        }
        other => other.encode(value, &mut out).ok()?,
    }
    Some(out)
}

fn put<T>(read: Option<T>, expected: impl fmt::Display, value: &Json<'_>, write: impl FnOnce(T)) -> Encoded {
    read.map(write).ok_or_else(|| wrong(expected, value))
}

fn whole(value: &Json<'_>, min: i64, max: i64) -> Option<i64> {
    value.as_i64().filter(|n| (min..=max).contains(n))
}

fn float(value: &Json<'_>) -> Option<f64> {
    match value {
        Json::Text(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64().filter(|n| n.is_finite()),
    }
}

fn bytes(value: &Json<'_>) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()
}

fn date(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Text(text) => {
            let date: NaiveDate = text.parse().ok()?;
            Some((date - NaiveDate::default()).num_days())
        }
        other => whole(other, i32::MIN.into(), i32::MAX.into()),
    }
}

fn time(value: &Json<'_>, per_second: i64) -> Option<i64> {
    match value {
        Json::Text(text) => {
            let time: chrono::NaiveTime = text.parse().ok()?;
            let nanos =
                i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond());
            Some(nanos / (1_000_000_000 / per_second))
        }
        other => whole(other, 0, 86_400 * per_second - 1),
    }
}

fn timestamp(value: &Json<'_>, per_second: i64) -> Option<i64> {
    match value {
        Json::Text(text) => {
            let instant = DateTime::parse_from_rfc3339(text).ok()?;
            let below = i64::from(instant.timestamp_subsec_micros()) * per_second / 1_000_000;
            instant.timestamp().checked_mul(per_second)?.checked_add(below)
        }
        other => other.as_i64(),
    }
}

fn symbol(symbols: &[String], value: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
    let index = value.as_str().and_then(|text| symbols.iter().position(|symbol| symbol == text));
    put(index, Symbols(symbols), value, |index| put_long(index as i64, out))
}

struct Symbols<'a>(&'a [String]);

impl fmt::Display for Symbols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }
}

fn array(items: &Node, value: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
    let Json::Array(values) = value else { return Err(wrong("an array", value)) };
    if !values.is_empty() {
        put_long(values.len() as i64, out);
    }
    for (index, item) in values.iter().enumerate() {
        items.encode(item, out).map_err(|refusal| refusal.inside(&format!("[{index}]")))?;
    }
    put_long(0, out);
    Ok(())
}

fn map(values: &Node, value: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
    let Json::Object(object) = value else { return Err(wrong("an object", value)) };
    if !object.is_empty() {
        put_long(object.len() as i64, out);
    }
    for (key, item) in object {
        put_bytes(key.as_bytes(), out);
        values.encode(item, out).map_err(|refusal| refusal.inside(key))?;
    }
    put_long(0, out);
    Ok(())
}

/// Takes the first branch that fits. The refusal is that of the only branch that is not null, where there is one.
fn union(branches: &[Node], value: &Json<'_>, out: &mut Vec<u8>) -> Encoded {
    let before = out.len();
    let mut last = None;
    for (index, branch) in branches.iter().enumerate() {
        if matches!(branch, Node::Null) && !value.is_null() {
            continue;
        }
        put_long(index as i64, out);
        match branch.encode(value, out) {
            Ok(()) => return Ok(()),
            Err(refusal) => last = Some(refusal),
        }
        out.truncate(before);
    }
    match last {
        Some(refusal) if branches.len() == 2 => Err(refusal.or_null()),
        _ => Err(wrong("a value of one of the union's types", value)),
    }
}

fn decimal(
    value: &Json<'_>,
    precision: usize,
    scale: usize,
    fixed: Option<usize>,
    out: &mut Vec<u8>,
) -> Encoded {
    let expected =
        format_args!("a decimal with at most {precision} digits, {scale} of them after the point, as text");
    let unscaled = value.as_str().and_then(|text| unscaled(text, precision, scale));
    let bytes = unscaled.map(|n| match fixed {
        Some(size) if size <= 16 => n.to_be_bytes()[16 - size..].to_vec(),
        Some(size) => [vec![if n < 0 { 0xff } else { 0 }; size - 16], n.to_be_bytes().to_vec()].concat(),
        None => shortest(n),
    });
    put(
        bytes,
        expected,
        value,
        |bytes| if fixed.is_some() { out.extend(bytes) } else { put_bytes(&bytes, out) },
    )
}

/// The decimal's digits as one number: `"-12.5"` at scale 2 is -1250.
fn unscaled(text: &str, precision: usize, scale: usize) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > scale {
        return None;
    }
    let digits: i128 = format!("{whole}{part:0<scale$}").parse().ok()?;
    (digits.unsigned_abs() < 10u128.checked_pow(precision as u32)?).then_some(digits)
}

impl Refusal {
    fn inside(mut self, outer: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => outer.to_owned(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        self
    }

    fn or_null(mut self) -> Self {
        if self.path.is_empty() {
            self.message = self.message.replacen("expected ", "expected null or ", 1);
        }
        self
    }
}

fn missing(field: &Field) -> Refusal {
    Refusal {
        path: field.name.clone(),
        message: "the record does not have it, and the schema gives no default: send it".into(),
    }
}

/// How much of a value is shown in a refusal.
const SHOWN_CHARS: usize = 60;

fn wrong(expected: impl fmt::Display, found: &Json<'_>) -> Refusal {
    let text = match found {
        Json::Array(items) => format!("an array of {}", items.len()),
        Json::Object(object) => format!("an object with {} fields", object.len()),
        other => other.to_value().to_string(),
    };
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    Refusal { path: String::new(), message: format!("expected {expected}, found {shown}{dots}") }
}
