//! Canonical JSON (keys sorted, no blanks) and its SHA-256.

use std::{borrow::Cow, cmp::Ordering, ops::Range};

use sha2::{Digest, Sha256};

/// `sha256:` and 64 hexadecimal digits of the canonical form of what `serde_json` wrote without blanks.
///
/// The text itself is put in order, piece by piece: making values of it takes several times as long and as much memory.
pub(crate) fn hash(json: &str) -> String {
    let mut digest = Sha256::new();
    for piece in sorted(json) {
        digest.update(&json[piece]);
    }
    let mut hash = String::with_capacity(71);
    hash.push_str("sha256:");
    for byte in digest.finalize() {
        for nibble in [byte >> 4, byte & 15] {
            hash.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    hash
}

/// The pieces of the text in the order in which they are the canonical form.
fn sorted(json: &str) -> Vec<Range<usize>> {
    let mut sorter = Sorter { json, at: 0, pieces: Vec::new(), members: Vec::new(), moved: Vec::new() };
    sorter.value(0);
    sorter.pieces
}

struct Sorter<'j> {
    json: &'j str,
    at: usize,
    pieces: Vec<Range<usize>>,
    /// Members of the objects that are being read, the innermost last.
    members: Vec<Member<'j>>,
    /// Pieces on their way to another place.
    moved: Vec<Range<usize>>,
}

struct Member<'j> {
    /// As it is written, between its quotes.
    key: &'j str,
    /// Its pieces, by their numbers.
    pieces: Range<usize>,
}

impl<'j> Sorter<'j> {
    /// Reads one value; its pieces do not join with those before `floor`.
    fn value(&mut self, floor: usize) {
        let start = self.at;
        match self.next() {
            b'{' => return self.object(floor),
            b'[' => return self.list(floor),
            b'"' => drop(self.text()),
            _ => {
                let rest = &self.json.as_bytes()[start..];
                self.at += rest.iter().position(|byte| matches!(byte, b',' | b']' | b'}')).unwrap_or(rest.len());
            }
        }
        self.put(floor, start..self.at);
    }

    fn next(&self) -> u8 {
        self.json.as_bytes()[self.at]
    }

    /// Appends a piece, joined with the last one where that ends here.
    fn put(&mut self, floor: usize, piece: Range<usize>) {
        match self.pieces[floor..].last_mut() {
            Some(last) if last.end == piece.start => last.end = piece.end,
            _ => self.pieces.push(piece),
        }
    }

    fn list(&mut self, floor: usize) {
        loop {
            // The bracket or the comma before an item.
            self.at += 1;
            self.put(floor, self.at - 1..self.at);
            if self.next() != b']' {
                self.value(floor);
            }
            if self.next() == b']' {
                break;
            }
        }
        self.at += 1;
        self.put(floor, self.at - 1..self.at);
    }

    fn object(&mut self, floor: usize) {
        let (start, base, first) = (self.at, self.pieces.len(), self.members.len());
        self.at += 1;
        while self.next() != b'}' {
            if self.next() == b',' {
                self.at += 1;
            }
            let (from, number) = (self.at, self.pieces.len());
            let key = self.text();
            self.at += 1;
            self.pieces.push(from..self.at);
            self.value(number);
            self.members.push(Member { key: &key[1..key.len() - 1], pieces: number..self.pieces.len() });
        }
        self.at += 1;
        let members = &mut self.members[first..];
        let is_sorted = members.is_sorted_by(|one, next| by_key(one, next) != Ordering::Greater);
        if is_sorted && self.pieces.len() == base + members.len() {
            self.pieces.truncate(base);
            self.put(floor, start..self.at);
        } else {
            members.sort_unstable_by(by_key);
            self.reorder(floor, base, first, start);
        }
        self.members.truncate(first);
    }

    /// Puts the pieces of an object's members in line.
    fn reorder(&mut self, floor: usize, base: usize, first: usize, start: usize) {
        let mut moved = std::mem::take(&mut self.moved);
        moved.clear();
        moved.extend(self.pieces.drain(base..));
        self.put(floor, start..start + 1);
        // Any comma is as good as another; there is one behind the member that was written first.
        let ends = self.members[first..].iter().map(|member| moved[member.pieces.end - 1 - base].end);
        let comma = ends.min().unwrap_or(start);
        for at in first..self.members.len() {
            if at > first {
                self.put(floor, comma..comma + 1);
            }
            for number in self.members[at].pieces.clone() {
                self.put(floor, moved[number - base].clone());
            }
        }
        self.put(floor, self.at - 1..self.at);
        self.moved = moved;
    }

    /// The text that stands here, with its quotes.
    fn text(&mut self) -> &'j str {
        let start = self.at;
        let bytes = self.json.as_bytes();
        self.at += 1;
        while bytes[self.at] != b'"' {
            self.at += 1 + usize::from(bytes[self.at] == b'\\');
        }
        self.at += 1;
        &self.json[start..self.at]
    }
}

fn by_key(one: &Member<'_>, other: &Member<'_>) -> Ordering {
    plain(one.key).cmp(&plain(other.key))
}

/// Keys are in the order of what they say, not of how it is written.
fn plain(key: &str) -> Cow<'_, str> {
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    serde_json::from_str(&format!("\"{key}\"")).map_or(Cow::Borrowed(key), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str, canonical: &str) {
        assert_eq!(sorted(json).into_iter().map(|piece| &json[piece]).collect::<String>(), canonical);
    }

    /// JSON without blanks whose members stand in any order.
    fn any_json() -> impl Strategy<Value = String> {
        let text = || "[a-c\"\\\\\u{1}é{},:]{0,3}".prop_map(|text| serde_json::Value::String(text).to_string());
        let leaf = prop_oneof![text(), any::<i32>().prop_map(|number| number.to_string()), Just("null".to_owned())];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            let list = prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(",")));
            let members = prop::collection::hash_map(text(), inner, 0..6);
            let object = members.prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            });
            prop_oneof![list, object]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_sorted_is_the_same_value_in_the_order_of_its_keys(json in any_json()) {
            fn written(value: &serde_json::Value) -> String {
                match value {
                    serde_json::Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(",")),
                    serde_json::Value::Object(map) => {
                        let map: std::collections::BTreeMap<_, _> = map.iter().collect();
                        let key = |key: &str| serde_json::Value::from(key).to_string();
                        let members = map.into_iter().map(|(name, one)| format!("{}:{}", key(name), written(one)));
                        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                    }
                    scalar => scalar.to_string(),
                }
            }
            check(&json, &written(&serde_json::from_str(&json).unwrap()));
        }
    }

    #[test]
    fn the_hash_is_that_of_sorted_json_without_blanks() {
        // `printf '{"a":[1,null],"b":"x"}' | sha256sum`
        let expected = "sha256:3dece6dc8d22d61692b03c7d51836aaec96fd08a614e224565e177ad6ff9dbe2";
        assert_eq!(hash(r#"{"b":"x","a":[1,null]}"#), expected);
    }

    #[test]
    fn keys_are_sorted_by_what_they_say_at_every_level() {
        check(
            r#"{"b":{"d":1,"c":[{"f":{},"e":[]},-1.5e3,true]},"a":""}"#,
            r#"{"a":"","b":{"c":[{"e":[],"f":{}},-1.5e3,true],"d":1}}"#,
        );
        check(r#"{"b":"}],\"\\","a\"b":"{","a":[]}"#, r#"{"a":[],"a\"b":"{","b":"}],\"\\"}"#);
        // The control character comes before the digit, and its escape behind it.
        check(r#"{"a0":1,"a\u0001":2}"#, r#"{"a\u0001":2,"a0":1}"#);
        check(r#"{"é":1,"z":2}"#, r#"{"z":2,"é":1}"#);
        check("[]", "[]");
        check("7", "7");
    }
}
