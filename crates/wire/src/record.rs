//! A JSON value that borrows its texts, and has no key twice: of two values of one field, either would be lost in silence.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::{borrow::Cow, collections::HashSet, fmt};

/// A record, or a part of one, as it came.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// In the order in which they came.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads one value.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        // What is UTF-8 as a whole need not be looked at text by text; where it is not, the other reader says where.
        match std::str::from_utf8(bytes) {
            Ok(text) => read(serde_json::Deserializer::from_str(text)),
            Err(_) => read(serde_json::Deserializer::from_slice(bytes)),
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Json<'a>> {
        let Json::Object(entries) = self else { return None };
        entries.iter().find(|(key, _)| key == field).map(|(_, value)| value)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Json::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub fn as_i64(&self) -> Option<i64> {
        if let Json::Number(number) = self { number.as_i64() } else { None }
    }

    pub fn as_f64(&self) -> Option<f64> {
        if let Json::Number(number) = self { number.as_f64() } else { None }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub fn to_value(&self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => Value::Number(number.clone()),
            Json::Text(text) => Value::String(text.clone().into_owned()),
            Json::Array(items) => items.iter().map(Json::to_value).collect(),
            Json::Object(entries) => Value::Object(
                entries.iter().map(|(key, value)| (key.to_string(), value.to_value())).collect(),
            ),
        }
    }
}

impl<'a> From<&'a Value> for Json<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => Json::Text(text.into()),
            Value::Array(items) => Json::Array(items.iter().map(Json::from).collect()),
            Value::Object(object) => {
                Json::Object(object.iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    }
}

fn read<'a, R: serde_json::de::Read<'a>>(
    mut reader: serde_json::Deserializer<R>,
) -> Result<Json<'a>, serde_json::Error> {
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(n.into()))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Json<'de>, E> {
        Ok(Number::from_f64(n).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut array = vec![];
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut object: Vec<(Cow<str>, Json)> = Vec::with_capacity(FEW);
        let mut many = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            let known = match object.len() {
                0..FEW => object.iter().any(|(known, _)| *known == key),
                FEW => {
                    many.extend(object.iter().map(|(known, _)| known.clone()));
                    !many.insert(key.clone())
                }
                _ => !many.insert(key.clone()),
            };
            if known {
                return Err(A::Error::custom(format_args!("the key \"{key}\" is there twice")));
            }
            object.push((key, entries.next_value_seed(self)?));
        }
        Ok(Json::Object(object))
    }
}

/// Up to so many keys, to look at each is quicker than to hash them.
const FEW: usize = 16;

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_the_library_reads_but_for_duplicate_keys() {
        for text in [
            "null",
            "[true, -1, 18446744073709551615, 1.5, \"å\\n\", {\"a\\t\": {\"b\": []}}]",
            "\"\\u0000\"",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            let found = Json::parse(text.as_bytes()).unwrap();
            assert_eq!((found.to_value(), found), (expected.clone(), Json::from(&expected)));
        }
        let deep = "[".repeat(10_000);
        let twice = |keys: usize| {
            let keys: Vec<String> = (0..keys).map(|n| format!("\"k{n}\": 1")).collect();
            format!("{{{}, \"k3\": 2}}", keys.join(", "))
        };
        let cases: [(&str, &str); 9] = [
            ("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}", "the key \"c\" is there twice"),
            (&twice(15), "the key \"k3\" is there twice"),
            (&twice(16), "the key \"k3\" is there twice"),
            (&twice(40), "the key \"k3\" is there twice"),
            ("1e400", "number out of range"),
            ("{} {}", "trailing characters"),
            ("{\"a\": ", "EOF while parsing"),
            ("<html>", "expected value"),
            (&deep, "recursion limit exceeded"),
        ];
        for (text, expected) in cases {
            let told = Json::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
        let told = Json::parse(b"{\"a\": \"\xff\"}").unwrap_err().to_string();
        assert!(told.starts_with("invalid unicode code point"), "{told}");
        assert!(
            Json::parse(
                format!("{{{}}}", (0..40).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(","))
                    .as_bytes()
            )
            .is_ok()
        );
    }
}
