//! The document and the files that it refers to, all read before the walk begins; and where a `$ref` leads.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    fmt,
};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{
    error::ImportError,
    report::Notes,
    sources::{RefError, Sources, folder_of, locate},
    text::{self, Bounds},
};

/// The document (file 0) and its files.
pub(crate) struct Documents {
    files: Vec<File>,
    by_path: BTreeMap<String, Result<usize, RefError>>,
}

struct File {
    path: String,
    value: Value,
}

/// A value of one of the files.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) file: usize,
}

/// What a reference names, for recognising it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) file: usize,
    pub(crate) pointer: String,
}

impl Documents {
    /// Reads every file that the document refers to, directly or through others. Those that are missing or broken are
    /// remembered as such: only what needs them fails.
    pub(crate) fn load(
        path: &str,
        root: Value,
        sources: &dyn Sources,
        bounds: Bounds,
        notes: &mut Notes,
    ) -> Result<Self, ImportError> {
        let mut documents = Self { files: Vec::new(), by_path: BTreeMap::new() };
        if let Ok(clean) = locate("", path) {
            documents.by_path.insert(clean.clone(), Ok(0));
            documents.files.push(File { path: clean, value: root });
        } else {
            documents.files.push(File { path: String::new(), value: root });
        }
        let mut bytes = 0;
        let mut at = 0;
        while at < documents.files.len() {
            let folder = folder_of(&documents.files[at].path).to_owned();
            for reference in file_references(&documents.files[at].value) {
                let Ok(path) = locate(&folder, &reference) else { continue };
                if documents.by_path.contains_key(&path) {
                    continue;
                }
                let read = match sources.read(&path) {
                    None => Err(RefError::NoFile(path.clone())),
                    Some(_) if documents.files.len() >= FILE_COUNT_MAX => {
                        let why = format!("the document already has {FILE_COUNT_MAX} files");
                        Err(RefError::BadFile { path: path.clone(), why })
                    }
                    Some(text) => {
                        bytes += text.len();
                        if bytes > bounds.bytes_max {
                            return Err(ImportError::TooLarge { bytes, bytes_max: bounds.bytes_max });
                        }
                        text::read(&text, bounds, notes)
                            .map_err(|error| RefError::BadFile { path: path.clone(), why: error.to_string() })
                    }
                };
                let index = read.map(|value| {
                    documents.files.push(File { path: path.clone(), value });
                    documents.files.len() - 1
                });
                documents.by_path.insert(path, index);
            }
            at += 1;
        }
        Ok(documents)
    }

    pub(crate) fn root(&self) -> Node<'_> {
        Node { value: &self.files[0].value, file: 0 }
    }

    pub(crate) fn path_of(&self, file: usize) -> &str {
        &self.files[file].path
    }

    /// The value itself, behind however many references.
    pub(crate) fn follow<'a>(&'a self, node: Node<'a>) -> Result<Node<'a>, RefError> {
        let mut node = node;
        for _ in 0..HOP_COUNT_MAX {
            let Some(reference) = node.reference() else { return Ok(node) };
            node = self.target(node.file, reference)?.0;
        }
        Err(RefError::Cycle(node.reference().unwrap_or_default().to_owned()))
    }

    /// What a reference in `file` names: one hop.
    pub(crate) fn target<'a>(&'a self, file: usize, reference: &str) -> Result<(Node<'a>, Target), RefError> {
        self.target_within(file, reference, &mut { HOP_COUNT_MAX })
    }

    /// `hops` is for the whole way, not for its depth: references within references must not multiply.
    fn target_within<'a>(
        &'a self,
        file: usize,
        reference: &str,
        hops: &mut usize,
    ) -> Result<(Node<'a>, Target), RefError> {
        *hops = hops.checked_sub(1).ok_or_else(|| RefError::Cycle(reference.to_owned()))?;
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = if path.is_empty() { file } else { self.file(file, path)? };
        let mut node = Node { value: &self.files[file].value, file };
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return Err(RefError::NoPlace(reference.to_owned()));
        }
        // The pointer as it is written, unless the way there leads over another reference.
        let mut onward: Option<String> = None;
        for raw in fragment.split('/').skip(1) {
            let segment = unescape(raw);
            if let Some(value) = step(node.value, &segment).or_else(|| step(node.value, raw)) {
                node = Node { value, file: node.file };
            } else {
                let further = node.reference().ok_or_else(|| RefError::NoPlace(reference.to_owned()))?;
                let (behind, target) = self.target_within(node.file, further, hops)?;
                let value = step(behind.value, &segment).ok_or_else(|| RefError::NoPlace(reference.to_owned()))?;
                node = Node { value, file: behind.file };
                onward = Some(target.pointer);
            }
            if let Some(pointer) = &mut onward {
                pointer.push('/');
                pointer.push_str(&escape(&segment));
            }
        }
        let pointer =
            onward.unwrap_or_else(|| if fragment.contains('%') { canonical(fragment) } else { fragment.to_owned() });
        Ok((node, Target { file: node.file, pointer }))
    }

    fn file(&self, from: usize, path: &str) -> Result<usize, RefError> {
        let path = locate(folder_of(&self.files[from].path), path)?;
        self.by_path.get(&path).cloned().unwrap_or(Err(RefError::NoFile(path)))
    }
}

impl<'a> Node<'a> {
    /// The same place, another value: for what was put together from several places.
    pub(crate) fn of(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.of(value))
    }

    pub(crate) fn object(self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    pub(crate) fn reference(self) -> Option<&'a str> {
        self.value.get("$ref").and_then(Value::as_str)
    }

    /// Members in the order of their names, whatever the features of `serde_json` are.
    pub(crate) fn entries(self) -> Vec<(&'a str, Self)> {
        let mut entries: Vec<_> =
            self.object().into_iter().flatten().map(|(key, value)| (key.as_str(), self.of(value))).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }

    /// Items of a list; none of anything else.
    pub(crate) fn items(self) -> impl Iterator<Item = Self> {
        self.value.as_array().into_iter().flatten().map(move |value| self.of(value))
    }

    /// A text, or a scalar as text, without blanks around it; `None` when nothing is left.
    pub(crate) fn text(self, key: &str) -> Option<String> {
        text_of(self.value.get(key)?)
    }

    /// Whether a member is true, also when it was written as a text.
    pub(crate) fn flag(self, key: &str) -> bool {
        match self.value.get(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Texts of a list; a single text counts as a list of one.
    pub(crate) fn texts(self, key: &str) -> Vec<String> {
        match self.value.get(key) {
            Some(Value::Array(items)) => items.iter().filter_map(text_of).collect(),
            Some(single) => text_of(single).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// A scalar as text, without blanks around it; `None` when nothing is left.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn step<'a>(value: &'a Value, segment: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    }
}

fn unescape(segment: &str) -> Cow<'_, str> {
    if !segment.contains(['%', '~']) {
        return Cow::Borrowed(segment);
    }
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    Cow::Owned(decoded.replace("~1", "/").replace("~0", "~"))
}

/// A fragment without percent-encoding.
fn canonical(fragment: &str) -> String {
    let segments: Vec<String> = fragment.split('/').map(|segment| escape(&unescape(segment))).collect();
    segments.join("/")
}

fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// The files that a value's references name, in the order of the walk, each once.
fn file_references(value: &Value) -> Vec<String> {
    let (mut found, mut known, mut open) = (Vec::new(), HashSet::new(), vec![value]);
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().filter(|item| is_branch(item))),
            Value::Object(map) => {
                for (key, item) in map {
                    match item {
                        Value::Array(_) | Value::Object(_) => open.push(item),
                        Value::String(reference) if key == "$ref" => {
                            let path = reference.split('#').next().unwrap_or_default();
                            if !path.is_empty() && known.insert(path) {
                                found.push(path.to_owned());
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // Maps may come in any order; which files are left out past the bound must not depend on it.
    found.sort_unstable();
    found
}

fn is_branch(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// Where something stands: a path of borrowed segments that costs nothing until it is printed.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    segment: Segment<'p>,
}

#[derive(Clone, Copy)]
enum Segment<'p> {
    Root(&'p str),
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    /// The top of a file; its path is empty for the document itself. A pointer may follow the `#`.
    pub(crate) fn root(text: &'p str) -> Self {
        Self { parent: None, segment: Segment::Root(text) }
    }

    pub(crate) fn key(&'p self, key: &'p str) -> Place<'p> {
        Place { parent: Some(self), segment: Segment::Key(key) }
    }

    pub(crate) fn index(&'p self, index: usize) -> Place<'p> {
        Place { parent: Some(self), segment: Segment::Index(index) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}/")?;
        }
        match self.segment {
            Segment::Root(text) if text.contains('#') => f.write_str(text),
            Segment::Root(text) => write!(f, "{text}#"),
            Segment::Key(key) => f.write_str(&escape(key)),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

const FILE_COUNT_MAX: usize = 2_000;
const HOP_COUNT_MAX: usize = 32;
