//! The records of a request's body, as bytes. Pure.

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How a body is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One JSON value: a record, or an array of records.
    Json,
    /// A record a line.
    Lines,
}

impl Layout {
    /// What the content type says; JSON lines where it says nothing that is known.
    pub fn of(content_type: Option<&str>) -> Self {
        match content_type.map(|text| text.split(';').next().unwrap_or_default().trim()) {
            Some("application/json") => Layout::Json,
            _ => Layout::Lines,
        }
    }
}

/// Takes the body apart. Each record keeps its bytes as they came, for the dead letters. The error is the whole body's.
pub fn records(layout: Layout, body: &[u8], records_max: usize) -> Result<Vec<&[u8]>, String> {
    let records = match layout {
        Layout::Lines => body
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            // One more tells that there are too many; all of 16 million would be memory.
            .take(records_max + 1)
            .collect(),
        Layout::Json if body.trim_ascii().starts_with(b"[") => elements(body, records_max + 1)?,
        Layout::Json => vec![body.trim_ascii()],
    };
    match records.len() {
        0 => Err("the body has no record: send one JSON record, an array of them, or one a line".into()),
        n if n > records_max => {
            Err(format!("more than {records_max} records in one request: send them in several"))
        }
        _ => Ok(records),
    }
}

/// The elements of an array, as far as `most`; what follows is looked at and not kept.
fn elements(body: &[u8], most: usize) -> Result<Vec<&[u8]>, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let records = reader.deserialize_seq(First(most)).and_then(|records| reader.end().map(|()| records));
    records.map_err(|cause| {
        format!("the body is not a JSON array: {cause}: send it whole, [record, …], or one record a line")
    })
}

struct First(usize);

impl<'de> Visitor<'de> for First {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut records = vec![];
        while records.len() < self.0
            && let Some(item) = items.next_element::<&RawValue>()?
        {
            records.push(item.get().as_bytes());
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_bytes() {
        type Case = (Layout, &'static str, Result<&'static [&'static str], &'static str>);
        let cases: [Case; 8] = [
            (Layout::Lines, "{\"a\": 1}\r\n\n  nonsense\n", Ok(&["{\"a\": 1}", "nonsense"])),
            (Layout::Json, " {\n \"a\": 1} ", Ok(&["{\n \"a\": 1}"])),
            (Layout::Json, "[{\"a\": 1}, 7]", Ok(&["{\"a\": 1}", "7"])),
            (Layout::Json, "[{\"a\": 1}, ", Err("the body is not a JSON array")),
            (Layout::Lines, " \n", Err("the body has no record")),
            (Layout::Json, "[1, 2, 3, 4, 5]", Err("more than 3 records")),
            (Layout::Json, "[1] 2", Err("the body is not a JSON array: trailing characters")),
            (Layout::Lines, "1\n2\n3\n4", Err("more than 3 records")),
        ];
        for (layout, body, expected) in cases {
            let found = records(layout, body.as_bytes(), 3);
            match expected {
                Ok(parts) => {
                    assert_eq!(found.unwrap(), parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
                }
                Err(start) => {
                    assert!(found.as_ref().is_err_and(|cause| cause.starts_with(start)), "{found:?}")
                }
            }
        }
        assert_eq!(Layout::of(Some("application/json; charset=utf-8")), Layout::Json);
        assert_eq!(Layout::of(None), Layout::Lines);
    }
}
