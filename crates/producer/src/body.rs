//! The records of a request's body, as bytes. Pure.

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
            .collect(),
        Layout::Json if body.trim_ascii().starts_with(b"[") => elements(body)?,
        Layout::Json => vec![body.trim_ascii()],
    };
    match records.len() {
        0 => Err("the body has no record: send one JSON record, an array of them, or one a line".into()),
        n if n > records_max => {
            Err(format!("{n} records are more than {records_max} in one request: send them in several"))
        }
        _ => Ok(records),
    }
}

fn elements(body: &[u8]) -> Result<Vec<&[u8]>, String> {
    let raw: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(body).map_err(|cause| format!("the body is not a JSON array: {cause}"))?;
    Ok(raw.into_iter().map(|value| value.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_bytes() {
        type Case = (Layout, &'static str, Result<&'static [&'static str], &'static str>);
        let cases: [Case; 6] = [
            (Layout::Lines, "{\"a\": 1}\r\n\n  nonsense\n", Ok(&["{\"a\": 1}", "nonsense"])),
            (Layout::Json, " {\n \"a\": 1} ", Ok(&["{\n \"a\": 1}"])),
            (Layout::Json, "[{\"a\": 1}, 7]", Ok(&["{\"a\": 1}", "7"])),
            (Layout::Json, "[{\"a\": 1}, ", Err("the body is not a JSON array")),
            (Layout::Lines, " \n", Err("the body has no record")),
            (Layout::Lines, "1\n2\n3\n4", Err("4 records are more than 3")),
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
