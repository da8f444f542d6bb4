//! The Kafka key of a record.

use serde_json::Value;

/// The key made of a record's key fields: the text itself where it is one string, else a JSON array without white space.
pub fn key(values: &[&Value]) -> Vec<u8> {
    match values {
        [Value::String(text)] => text.clone().into_bytes(),
        many => serde_json::to_vec(many).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::key;
    use serde_json::json;

    #[test]
    fn one_text_is_its_own_key_and_all_else_is_a_json_array() {
        assert_eq!(key(&[&json!("å")]), "å".as_bytes());
        assert_eq!(key(&[&json!(7)]), b"[7]");
        assert_eq!(key(&[&json!("DK"), &json!(1000)]), b"[\"DK\",1000]");
    }
}
