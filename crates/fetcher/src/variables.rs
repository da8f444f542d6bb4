//! `${NAME}` in a source's definition: addresses and secrets that do not stand in the file.

use std::collections::HashMap;

/// What names stand for.
pub struct Variables(HashMap<String, String>);

/// A text with its variables filled in, and as it may be shown: a secret must not get into a log by an error's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    pub text: String,
    pub shown: String,
}

/// Why a text can't be filled.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum VariableError {
    #[error("\"{text}\" needs the variable {name}, which is not set: set it in the fetcher's environment")]
    Unset { name: String, text: String },
    #[error("\"{text}\" has a ${{ without its }}")]
    Open { text: String },
}

/// The only variable whose value is no secret: it is a setting, in the file.
const USERS_API: &str = "USERS_API";

impl Variables {
    /// The environment, above the setting for `${USERS_API}`.
    pub fn new(environment: impl Iterator<Item = (String, String)>, users_api: &str) -> Self {
        let mut known = HashMap::from([(USERS_API.to_owned(), users_api.to_owned())]);
        known.extend(environment);
        Self(known)
    }

    /// Fills in every `${NAME}`.
    pub fn fill(&self, text: &str) -> Result<Filled, VariableError> {
        let mut filled = Filled { text: String::new(), shown: String::new() };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) =
                after.split_once('}').ok_or_else(|| VariableError::Open { text: text.to_owned() })?;
            let unset = || VariableError::Unset { name: name.to_owned(), text: text.to_owned() };
            let value = self.0.get(name).ok_or_else(unset)?;
            filled.push(before, before);
            filled
                .push(value, if name == USERS_API { value.clone() } else { format!("${{{name}}}") }.as_str());
            rest = after;
        }
        filled.push(rest, rest);
        Ok(filled)
    }
}

impl Filled {
    fn push(&mut self, text: &str, shown: &str) {
        self.text.push_str(text);
        self.shown.push_str(shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_and_secrets_are_not_shown() {
        let environment =
            [("TOKEN", "hunter2"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = Variables::new(environment.into_iter(), "http://api");
        let cases = [
            ("plain {page} $5", Ok(("plain {page} $5", "plain {page} $5"))),
            ("${USERS_API}/1.4/", Ok(("http://api/1.4/", "http://api/1.4/"))),
            ("Bearer ${TOKEN}${EMPTY}!", Ok(("Bearer hunter2!", "Bearer ${TOKEN}${EMPTY}!"))),
            (
                "${NOPE}",
                Err(
                    "\"${NOPE}\" needs the variable NOPE, which is not set: set it in the fetcher's environment",
                ),
            ),
            ("a${b", Err("\"a${b\" has a ${ without its }")),
        ];
        for (text, expected) in cases {
            let found = variables.fill(text).map_err(|cause| cause.to_string());
            let expected = expected.map(|(text, shown)| Filled { text: text.into(), shown: shown.into() });
            assert_eq!(found, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn the_environment_is_above_the_setting() {
        let environment = [("USERS_API".to_owned(), "http://other".to_owned())];
        assert_eq!(
            Variables::new(environment.into_iter(), "http://api").fill("${USERS_API}").unwrap().text,
            "http://other"
        );
    }
}
