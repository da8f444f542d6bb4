//! Secrets are taken out of what a task says, before anything else is done with it.

use queue::Ending;
use serde_json::Value;

/// What stands where a secret was.
const MASKED: &str = "***";

/// Finds secrets, however they came into a text: as they are, line by line, or as JSON writes them.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    secrets: Vec<Vec<u8>>,
}

impl Mask {
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut found = vec![];
        for secret in secrets {
            // Without the quotes around it.
            let written = Value::from(secret.as_str()).to_string();
            let written = written[1..written.len() - 1].to_owned();
            // A log has lines: of a key with several, each is one.
            let lines = secret.lines().map(|line| line.trim().to_owned());
            let forms = lines.chain([secret.clone(), written]);
            found.extend(
                forms.filter(|form| form.len() >= pipeline::named::SECRET_BYTES_MIN).map(String::into_bytes),
            );
        }
        found.sort_unstable();
        found.dedup();
        Self { secrets: found }
    }

    pub fn text(&self, text: &str) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    pub fn value(&self, value: Value) -> Value {
        if self.secrets.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (self.text(&name), self.value(value))).collect()
            }
            other => other,
        }
    }

    pub fn ending(&self, ending: Ending) -> Ending {
        match ending {
            Ending::Success(result) => Ending::Success(self.value(result)),
            Ending::Branched { result, left_out, reason } => {
                Ending::Branched { result: self.value(result), left_out, reason: self.text(&reason) }
            }
            Ending::Failed { reason, retry_in } => Ending::Failed { reason: self.text(&reason), retry_in },
            Ending::Skipped { reason } => Ending::Skipped { reason: self.text(&reason) },
            Ending::Deferred { look_again_in, reason, kept } => Ending::Deferred {
                look_again_in,
                reason: self.text(&reason),
                kept: kept.map(|kept| self.value(kept)),
            },
        }
    }

    /// For what comes in parts: a secret may begin in one and end in the next.
    pub fn parts(&self) -> Parts<'_> {
        Parts { mask: self, held: vec![] }
    }

    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for (start, end) in self.found(bytes) {
            clean.extend_from_slice(&bytes[from..start]);
            clean.extend_from_slice(MASKED.as_bytes());
            from = end;
        }
        clean.extend_from_slice(&bytes[from..]);
        clean
    }

    /// Where secrets are, in order; those that overlap are one.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> = vec![];
        for secret in &self.secrets {
            let at = bytes.windows(secret.len()).enumerate().filter(|(_, window)| window == secret);
            all.extend(at.map(|(start, _)| (start, start + secret.len())));
        }
        all.sort_unstable();
        let mut joined: Vec<(usize, usize)> = vec![];
        for (start, end) in all {
            match joined.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        joined
    }

    /// Where a secret may have begun whose end is not there yet, or the end.
    fn sure(&self, bytes: &[u8]) -> usize {
        let begun = |secret: &Vec<u8>| {
            (1..secret.len()).rev().find(|len| bytes.ends_with(&secret[..*len])).unwrap_or_default()
        };
        let mut sure = bytes.len() - self.secrets.iter().map(begun).max().unwrap_or_default();
        for (start, end) in self.found(bytes).into_iter().rev() {
            if start < sure && sure < end {
                sure = start;
            }
        }
        sure
    }
}

/// A text that comes in parts.
pub struct Parts<'a> {
    mask: &'a Mask,
    /// What may be the beginning of a secret: never more than the longest of them, twice.
    held: Vec<u8>,
}

impl Parts<'_> {
    /// Takes a part. Answers what can be told by now.
    pub fn push(&mut self, part: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(part);
        let rest = self.held.split_off(self.mask.sure(&self.held));
        self.mask.bytes(&std::mem::replace(&mut self.held, rest))
    }

    /// The rest, when no more comes.
    pub fn end(self) -> Vec<u8> {
        self.mask.bytes(&self.held)
    }
}

#[cfg(test)]
mod tests;
