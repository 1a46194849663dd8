//! Names for people become ids: kebab-case for steps, letters, digits and `_` for what templates say.

use std::collections::HashMap;

/// Ids that were given already.
#[derive(Default)]
pub(crate) struct Taken {
    /// With the last number that was tried behind it, so that ten thousand equal labels are no square.
    last: HashMap<String, usize>,
}

impl Taken {
    /// The id, with a number behind it if it was given already.
    pub(crate) fn unique(&mut self, id: String, joint: char) -> String {
        if !self.last.contains_key(&id) {
            self.last.insert(id.clone(), 1);
            return id;
        }
        let mut number = self.last[&id];
        loop {
            number += 1;
            let tail = format!("{joint}{number}");
            let cut = id.len().min(ID_BYTES_MAX - tail.len());
            let numbered = format!("{}{tail}", id[..cut].trim_end_matches(joint));
            if !self.last.contains_key(&numbered) {
                self.last.insert(numbered.clone(), 1);
                self.last.insert(id, number);
                return numbered;
            }
        }
    }
}

/// A label as an id of ours.
pub(crate) fn kebab(label: &str, otherwise: &str) -> String {
    let mut id = String::new();
    for c in label.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => id.push(c),
            _ if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            _ => {}
        }
        if id.len() >= ID_BYTES_MAX {
            break;
        }
    }
    let id = id.trim_end_matches('-');
    match id.as_bytes().first() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => {
            let id = format!("{otherwise}-{id}");
            id[..id.len().min(ID_BYTES_MAX)].trim_end_matches('-').to_owned()
        }
        Some(_) => id.to_owned(),
    }
}

/// A name that a template can say.
pub(crate) fn word(name: &str, otherwise: &str) -> String {
    let word: String = name.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(50).collect();
    match word.bytes().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{word}"),
        Some(_) => word,
    }
}

/// As Shuffle compares names: small letters, `_` for a blank.
pub(crate) fn folded(name: &str) -> String {
    name.trim().to_lowercase().replace(' ', "_")
}

const ID_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_ids() {
        #[track_caller]
        fn check(label: &str, expected: &str) {
            assert_eq!(kebab(label, "step"), expected, "{label:?}");
        }
        check("Shuffle Tools_1", "shuffle-tools-1");
        check("  Case artifact! ", "case-artifact");
        check("2nd try", "step-2nd-try");
        check("ÄÖ", "step");
        check("", "step");
        check("a__b--c", "a-b-c");
        check(&"x".repeat(100), &"x".repeat(64));
        check(&format!("9{}", "x".repeat(100)), &format!("step-9{}", "x".repeat(58)));
    }

    #[test]
    fn equal_ids_get_numbers_within_the_bound() {
        let mut taken = Taken::default();
        let mut give = |id: &str| taken.unique(id.to_owned(), '-');
        assert_eq!([give("a"), give("a"), give("a-2"), give("a")], ["a", "a-2", "a-2-2", "a-3"]);
        let long = "y".repeat(64);
        assert_eq!([give(&long), give(&long)], [long.clone(), format!("{}-2", "y".repeat(62))]);
    }

    #[test]
    fn names_become_words() {
        assert_eq!(word("thehive apikey", "x"), "thehive_apikey");
        assert_eq!(word("1st", "x"), "_1st");
        assert_eq!(word("", "x"), "x");
    }
}
