//! Canonical JSON (keys sorted, no blanks) and its SHA-256.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn hash(value: &Value) -> String {
    let mut text = Vec::new();
    write(value, &mut text);
    let digest = Sha256::digest(&text);
    let mut hash = String::with_capacity(71);
    hash.push_str("sha256:");
    for byte in digest {
        for nibble in [byte >> 4, byte & 15] {
            hash.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    hash
}

/// Sorts by itself: whether `serde_json` keeps its maps sorted is decided by features of other crates.
fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write(item, text);
            }
            text.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push(b'{');
            for (at, (key, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                scalar(key, text);
                text.push(b':');
                write(item, text);
            }
            text.push(b'}');
        }
        other => scalar(other, text),
    }
}

fn scalar(value: &(impl serde::Serialize + ?Sized), text: &mut Vec<u8>) {
    serde_json::to_writer(text, value).expect("a scalar is written to memory");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_is_that_of_sorted_json_without_blanks() {
        // `printf '{"a":[1,null],"b":"x"}' | sha256sum`
        let expected = "sha256:3dece6dc8d22d61692b03c7d51836aaec96fd08a614e224565e177ad6ff9dbe2";
        assert_eq!(hash(&json!({ "b": "x", "a": [1, null] })), expected);
    }
}
