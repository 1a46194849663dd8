//! Words of a regular expression, made from its parts. Whether they are its words is asked of the expression itself.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regex::Regex;
use regex_syntax::{
    Parser,
    hir::{Class, Hir, HirKind, Repetition},
};

/// A word of the pattern within the bounds; `None` where the pattern cannot be read, or none was found.
pub(crate) fn word(pattern: &str, least: usize, most: usize) -> Option<String> {
    let read = read(pattern)?;
    let (hir, whole) = &*read;
    let written = |way, more| {
        let mut writer = Writer { way, more, out: String::new(), count: 0 };
        writer.write(hir);
        writer.out
    };
    let longer = (0..WAYS).flat_map(|way| (0..=least.min(MORE_MAX)).map(move |more| written(way, more)));
    // Where its ends are free, what is missing may stand behind.
    let padded = (0..WAYS).map(|way| format!("{:x<least$}", written(way, 0)));
    let fits = |word: &String| (least..=most).contains(&word.chars().count()) && whole.is_match(word);
    longer.chain(padded).find(fits)
}

/// Whether the word is of the pattern; a pattern that cannot be read takes any.
pub(crate) fn fits(pattern: &str, word: &str) -> bool {
    read(pattern).is_none_or(|read| read.1.is_match(word))
}

type Read = Option<Rc<(Hir, Regex)>>;

/// Each pattern once: reading one takes longer than everything that is done with it.
fn read(pattern: &str) -> Read {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Read>> = RefCell::default();
    }
    let parts = || {
        let plain = without_views(pattern);
        Some(Rc::new((Parser::new().parse(&plain).ok()?, Regex::new(&plain).ok()?)))
    };
    KNOWN.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(parts).clone())
}

/// Whether the pattern looks ahead or behind.
pub(crate) fn has_views(pattern: &str) -> bool {
    VIEWS.iter().any(|view| pattern.contains(view))
}

/// The pattern without what it looks at ahead and behind, which this kind of expression does not have; and with the
/// brackets that stand for themselves in a class marked as such.
fn without_views(pattern: &str) -> String {
    let mut out = String::new();
    let (mut rest, mut in_class) = (pattern, false);
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let is_view = !in_class && VIEWS.iter().any(|view| rest.starts_with(view));
        if let Some(length) = is_view.then(|| group(rest)).flatten() {
            rest = &rest[length..];
            continue;
        }
        match c {
            '[' if in_class => out.push('\\'),
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// How long the group is that the text begins with.
fn group(text: &str) -> Option<usize> {
    let (mut depth, mut escaped, mut in_class) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

struct Writer {
    /// Which of several alternatives is taken.
    way: usize,
    /// How many repetitions beyond the needed ones are left to write.
    more: usize,
    out: String,
    /// How many characters of classes were written.
    count: usize,
}

impl Writer {
    fn write(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.out.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => self.character(class),
            HirKind::Repetition(repetition) => self.repeat(repetition),
            HirKind::Capture(capture) => self.write(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.write(part)),
            HirKind::Alternation(parts) => self.write(&parts[self.way % parts.len()]),
        }
    }

    fn repeat(&mut self, repetition: &Repetition) {
        let room = repetition.max.map_or(usize::MAX, |most| (most - repetition.min) as usize);
        let more = self.more.min(room);
        self.more -= more;
        (0..repetition.min as usize + more).for_each(|_| self.write(&repetition.sub));
    }

    /// One of the characters that need encoding, in turns, where the class has them; else a plain one.
    fn character(&mut self, class: &Class) {
        let Class::Unicode(class) = class else { return };
        let has = |c: char| class.ranges().iter().any(|range| range.start() <= c && c <= range.end());
        // `\w` has the letters of all languages here, and those of ASCII alone where the pattern comes from.
        let is_sure = |c: &char| has(*c) && (c.is_ascii() || has('€'));
        let liked: Vec<char> = LIKED.chars().filter(is_sure).collect();
        let first = class.ranges().first().map(|range| range.start());
        let plain = PLAIN.chars().find(|c| has(*c)).or(first);
        let turn = liked.get(self.count % liked.len().max(1)).copied();
        self.count += 1;
        self.out.extend(turn.or(plain));
    }
}

const VIEWS: [&str; 4] = ["(?!", "(?=", "(?<!", "(?<="];
/// What needs encoding somewhere, among what does not.
const LIKED: &str = "xy /ü";
const PLAIN: &str = "a1A0-_.";
const WAYS: usize = 4;
const MORE_MAX: usize = 300;

#[test]
fn words_are_of_their_pattern_and_length() {
    for (pattern, least, most, expected) in [
        ("^XE[0-9a-fA-F]{4}$", 6, 6, "XEaaaa"),
        (r"^(0|[1-9]\d*)\.\d+$", 1, 10, "0.1"),
        ("^[^a]{1,9}$", 5, 5, "xy /ü"),
        ("00u[0-9]+", 6, 8, "00u111"),
        ("^(?!x)[a-z]+$", 1, 9, "x"),
        (r"^a{3}$|^[\w[]{4}$", 4, 4, "xyxy"),
        (r"^\w+\(\)$", 4, 9, "xy()"),
    ] {
        assert_eq!(word(pattern, least, most).as_deref(), Some(expected), "{pattern}");
    }
    assert_eq!(word("^ab$", 3, 9), None);
    assert_eq!(word("(broken", 0, 9), None);
    assert!(fits("^a$", "a") && !fits("^a$", "b") && fits("(broken", "b"));
}
