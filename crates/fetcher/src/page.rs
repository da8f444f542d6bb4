//! A page: what is asked for it, and what its body says. Pure.

use crate::{
    cursor::Position,
    variables::{VariableError, Variables},
};
use pipeline::{Paging, Source, Stop};
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

/// A question to a source.
#[derive(Clone, Debug)]
pub struct Asked {
    pub url: Url,
    /// The address as it may be logged.
    pub shown: String,
    pub headers: HeaderMap,
}

/// Why a question can't be put.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Variable(#[from] VariableError),
    #[error("\"{shown}\" is not a URL ({cause}): correct `url` of the source")]
    Url { shown: String, cause: String },
    #[error("the header \"{name}\" can't be sent: correct `headers` of the source")]
    Header { name: String },
}

/// The question for the page at `position`.
pub fn ask(source: &Source, position: &Position, variables: &Variables) -> Result<Asked, AskError> {
    let address = variables.fill(&source.url)?;
    let wrong = |cause: String| AskError::Url { shown: address.shown.clone(), cause };
    let mut url = Url::parse(&address.text).map_err(|cause| wrong(cause.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are asked".into()));
    }
    let mut shown = Shown::new(&address.shown, url.query().is_some());
    for (name, template) in &source.query {
        // Variables first: a cursor comes from outside, and a "${SECRET}" in it must stay what it is.
        let filled = variables.fill(template)?;
        let Some(value) = place(&filled.text, position) else { continue };
        url.query_pairs_mut().append_pair(name, &value);
        shown.push(name, &place(&filled.shown, position).unwrap_or_default());
    }
    Ok(Asked { url, shown: shown.text, headers: headers(source, variables)? })
}

/// An address that grows parameters and stays readable.
struct Shown {
    text: String,
    has_query: bool,
}

impl Shown {
    fn new(address: &str, has_query: bool) -> Self {
        Self { text: address.to_owned(), has_query }
    }

    fn push(&mut self, name: &str, value: &str) {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.text.push_str(&format!("{name}={value}"));
        self.has_query = true;
    }
}

/// The value of a parameter. `None`: it is a cursor that does not exist yet, and many APIs refuse an empty one.
fn place(template: &str, position: &Position) -> Option<String> {
    match position {
        Position::Only => Some(template.to_owned()),
        Position::Page(page) => Some(template.replace("{page}", &page.to_string())),
        Position::Cursor(cursor) if cursor.is_empty() && template == "{cursor}" => None,
        Position::Cursor(cursor) => Some(template.replace("{cursor}", cursor)),
    }
}

fn headers(source: &Source, variables: &Variables) -> Result<HeaderMap, AskError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &source.headers {
        let wrong = || AskError::Header { name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&variables.fill(value)?.text).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// What a source answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub records: Vec<Value>,
    /// The cursor that the page names.
    pub next: Option<String>,
}

/// Why a body is not a page. The source is at fault: it is asked again.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PageError {
    #[error("the body is not JSON: {cause}")]
    Json { cause: String },
    #[error("it answered 200 with an error: {error}")]
    Error { error: String },
    #[error("there is no array at \"{pointer}\" in its answer")]
    NoRecords { pointer: String },
    #[error("it answered without records, where `stop = \"never\"` says that there are always some")]
    Empty,
}

impl Page {
    /// Reads a body. 200 is not success: an error in the body, or no records where there must be some, is a fault.
    pub fn read(source: &Source, body: &[u8]) -> Result<Self, PageError> {
        let mut answer: Value =
            serde_json::from_slice(body).map_err(|cause| PageError::Json { cause: cause.to_string() })?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(PageError::Error { error: shortened(error) });
        }
        let next = match &source.page {
            Paging::Cursor { next, .. } => answer.pointer(next).and_then(as_cursor),
            Paging::None | Paging::Number { .. } => None,
        };
        let Some(Value::Array(records)) = answer.pointer_mut(&source.records).map(Value::take) else {
            return Err(PageError::NoRecords { pointer: source.records.clone() });
        };
        let never = matches!(source.page, Paging::Number { stop: Stop::Never, .. });
        if records.is_empty() && never { Err(PageError::Empty) } else { Ok(Self { records, next }) }
    }
}

/// Some APIs count their cursors.
fn as_cursor(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An error's text goes into our log and answer: not a whole page of it.
const ERROR_CHARS_MAX: usize = 200;

fn shortened(error: &Value) -> String {
    let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
    text.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
