//! Edits of a document as edits of its text: what is not meant stays as it is written, comments and order included.
//!
//! An edit is made in the text and then proven: the new text is read, and its meaning must be the old one with exactly that
//! edit. Where it is not, nothing is changed.

use serde_json::Value as Json;

use super::{Entry, Node, Problems, Value, lines, patch::write::key_text, read};

mod write;

/// One edit. A path leads from the top by keys and by numbers of items.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// The value there becomes another one; a key that is not there is added to its map, a number one behind the last adds an
    /// item to its list.
    Set {
        /// Where.
        path: Vec<Step>,
        /// What.
        value: Json,
    },
    /// What stands there goes, with its key.
    Remove {
        /// Where.
        path: Vec<Step>,
    },
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the entry of this key.
    Key(String),
    /// To the item of this number, from 0.
    Item(usize),
}

/// Why an edit could not be made. The text is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The text cannot be read as it is.
    #[error("the text cannot be read, so that it cannot be edited: {0}")]
    Unreadable(String),
    /// The path leads nowhere.
    #[error("there is no `{0}` to edit")]
    Absent(String),
    /// The text is written in a way that the edit would change more than was meant.
    #[error("the text around `{0}` is written in a way that cannot be edited without changing more; edit it by hand")]
    Unclear(String),
}

/// Makes one edit.
///
/// # Errors
/// [`PatchError`] says why the text stays as it is.
pub fn patch(text: &str, edit: &Edit) -> Result<String, PatchError> {
    let before = parsed(text)?;
    let mut wanted = before.to_json();
    let path = edit.path();
    apply(&mut wanted, edit).ok_or_else(|| PatchError::Absent(shown(path)))?;
    let patched = match edit {
        Edit::Set { value, .. } => set(text, &before, path, value),
        Edit::Remove { .. } => remove(text, &before, path),
    };
    let unclear = || PatchError::Unclear(shown(path));
    let patched = patched.ok_or_else(unclear)?;
    let is_meant = parsed(&patched).is_ok_and(|after| after.to_json() == wanted);
    if is_meant { Ok(patched) } else { Err(unclear()) }
}

impl Edit {
    fn path(&self) -> &[Step] {
        let (Self::Set { path, .. } | Self::Remove { path }) = self;
        path
    }
}

fn parsed(text: &str) -> Result<Node, PatchError> {
    let mut problems = Problems::default();
    let node = read(text, &mut problems);
    match (node, problems.into_sorted().first()) {
        (Some(node), None) => Ok(node),
        (_, Some(problem)) => Err(PatchError::Unreadable(problem.to_string())),
        (None, None) => Err(PatchError::Unreadable("it is empty".to_owned())),
    }
}

/// The edit on the meaning.
fn apply(value: &mut Json, edit: &Edit) -> Option<()> {
    let (last, way) = edit.path().split_last()?;
    let mut at = value;
    for step in way {
        at = match step {
            Step::Key(key) => at.as_object_mut()?.get_mut(key)?,
            Step::Item(number) => at.as_array_mut()?.get_mut(*number)?,
        };
    }
    match (edit, last, at) {
        (Edit::Set { value, .. }, Step::Key(key), Json::Object(map)) => drop(map.insert(key.clone(), value.clone())),
        (Edit::Set { value, .. }, Step::Item(number), Json::Array(items)) if *number == items.len() => {
            items.push(value.clone());
        }
        (Edit::Set { value, .. }, Step::Item(number), Json::Array(items)) => *items.get_mut(*number)? = value.clone(),
        (Edit::Remove { .. }, Step::Key(key), Json::Object(map)) => drop(map.remove(key)?),
        (Edit::Remove { .. }, Step::Item(number), Json::Array(items)) if *number < items.len() => {
            items.remove(*number);
        }
        _ => return None,
    }
    Some(())
}

fn set(text: &str, root: &Node, path: &[Step], value: &Json) -> Option<String> {
    let (last, way) = path.split_last()?;
    let around = follow(root, way)?;
    if let Some(present) = follow(around, std::slice::from_ref(last)) {
        return replace(text, around, present, last, value);
    }
    match (&around.value, last) {
        (Value::Map(entries), Step::Key(key)) => add_entry(text, around, entries, key, value),
        (Value::List(items), Step::Item(_)) => add_item(text, around, items, value),
        _ => None,
    }
}

/// The value in the place of the one that is there.
fn replace(text: &str, around: &Node, present: &Node, step: &Step, value: &Json) -> Option<String> {
    let (start, end) = (present.span.start as usize, tight_end(text, present));
    if is_flow(text, around) || (is_flow(text, present) && !write::is_large(value)) {
        return Some(spliced(text, start, end, &write::flow(value)));
    }
    match step {
        // From behind the colon, so that a list or map can begin on a line of its own.
        Step::Key(key) => {
            let Value::Map(entries) = &around.value else { return None };
            let entry = entries.iter().find(|entry| entry.key == *key)?;
            let colon = entry.key_span.end as usize + text.get(entry.key_span.end as usize..)?.find(':')? + 1;
            let indent = column(text, entry.key_span.start as usize);
            Some(spliced(text, colon, end.max(colon), &write::after_colon(value, indent)))
        }
        Step::Item(_) => {
            let indent = column(text, dash(text, start)?);
            // An empty item may end with its dash.
            let blank = if text[..start].ends_with('-') { " " } else { "" };
            Some(spliced(text, start, end, &format!("{blank}{}", write::block(value, indent + 2))))
        }
    }
}

fn add_entry(text: &str, around: &Node, entries: &[Entry], key: &str, value: &Json) -> Option<String> {
    if is_flow(text, around) {
        let end = around.span.end as usize - 1;
        let comma = if entries.is_empty() { "" } else { ", " };
        let last = entries.last().map_or(around.span.start as usize + 1, |entry| tight_end(text, &entry.node));
        let new = format!("{comma}{}: {}", key_text(key), write::flow(value));
        // What stands between the last entry and the bracket stays behind the new one.
        return Some(spliced(text, last, last, &new)).filter(|_| last <= end);
    }
    let indent = column(text, entries.first()?.key_span.start as usize);
    let at = lines::end(text, tight_end(text, &entries.last()?.node));
    let new = format!("\n{}{}:{}", " ".repeat(indent), key_text(key), write::after_colon(value, indent));
    Some(spliced(text, at, at, &new))
}

fn add_item(text: &str, around: &Node, items: &[Node], value: &Json) -> Option<String> {
    if is_flow(text, around) {
        let comma = if items.is_empty() { "" } else { ", " };
        let last = items.last().map_or(around.span.start as usize + 1, |item| tight_end(text, item));
        return Some(spliced(text, last, last, &format!("{comma}{}", write::flow(value))));
    }
    let indent = column(text, dash(text, items.first()?.span.start as usize)?);
    let at = lines::end(text, tight_end(text, items.last()?));
    let new = format!("\n{}- {}", " ".repeat(indent), write::block(value, indent + 2));
    Some(spliced(text, at, at, &new))
}

fn remove(text: &str, root: &Node, path: &[Step]) -> Option<String> {
    let (last, way) = path.split_last()?;
    let around = follow(root, way)?;
    let (starts, ends): (Vec<usize>, Vec<usize>) = match &around.value {
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key_span.start as usize, tight_end(text, &entry.node).max(behind_key(text, entry))))
            .unzip(),
        Value::List(items) => items.iter().map(|item| (item.span.start as usize, tight_end(text, item))).unzip(),
        Value::Null | Value::Scalar(_) => return None,
    };
    let number = match (last, &around.value) {
        (Step::Key(key), Value::Map(entries)) => entries.iter().position(|entry| entry.key == *key)?,
        (Step::Item(number), Value::List(_)) => *number,
        _ => return None,
    };
    if is_flow(text, around) {
        let (from, to) = match (number, starts.get(number + 1)) {
            (_, Some(next)) => (starts[number], *next),
            (0, None) => (starts[0], ends[0]),
            (_, None) => (ends[number - 1], ends[number]),
        };
        return Some(spliced(text, from, to, ""));
    }
    // The last one leaves an empty map or list, which only the bracket form can write.
    if starts.len() == 1 {
        let empty = if matches!(around.value, Value::Map(_)) { "{}" } else { "[]" };
        return Some(spliced(text, around.span.start as usize, ends[0], empty));
    }
    let begin = match last {
        Step::Key(_) => starts[number],
        Step::Item(_) => dash(text, starts[number])?,
    };
    let from = lines::start(text, begin);
    if text[from..begin].trim().is_empty() {
        let end = lines::end(text, ends[number]);
        let to = end + lines::break_at(text, end).len();
        // A bare carriage return and a line feed that come together would be one break where there were two.
        let (from, to) =
            if text[..from].ends_with('\r') && text[to..].starts_with('\n') { (from - 1, end) } else { (from, to) };
        return Some(spliced(text, from, to, ""));
    }
    // It begins behind the dash of an item: the next one takes its place.
    let next = *starts.get(number + 1)?;
    Some(spliced(text, begin, next, ""))
}

fn follow<'n>(root: &'n Node, path: &[Step]) -> Option<&'n Node> {
    path.iter().try_fold(root, |at, step| match (step, &at.value) {
        (Step::Key(key), _) => at.get(key),
        (Step::Item(number), Value::List(items)) => items.get(*number),
        _ => None,
    })
}

/// Where the last thing that belongs to the node ends; what is between it and the next one is nobody's.
fn tight_end(text: &str, node: &Node) -> usize {
    let start = node.span.start as usize;
    let own = start + text.get(start..node.span.end as usize).unwrap_or_default().trim_end().len();
    if is_flow(text, node) {
        return own;
    }
    match &node.value {
        Value::Map(entries) => {
            entries.last().map_or(own, |entry| tight_end(text, &entry.node).max(behind_key(text, entry)))
        }
        Value::List(items) => items.last().map_or(own, |item| tight_end(text, item)),
        Value::Null | Value::Scalar(_) => own,
    }
}

/// Behind the key and its colon. One that is written with `?` may have none.
fn behind_key(text: &str, entry: &Entry) -> usize {
    let end = entry.key_span.end as usize;
    end + usize::from(text.get(end..).is_some_and(|rest| rest.starts_with(':')))
}

fn is_flow(text: &str, node: &Node) -> bool {
    matches!(node.value, Value::Map(_) | Value::List(_))
        && text.get(node.span.start as usize..).is_some_and(|rest| rest.starts_with(['{', '[']))
}

/// The dash of the item that begins there. An item that is a list begins with a dash of its own, behind the one that is meant;
/// an empty one begins at the dash that is meant.
fn dash(text: &str, start: usize) -> Option<usize> {
    let line = &text[lines::start(text, start)..start];
    match line.trim_end().ends_with('-') {
        true => line.rfind('-').map(|at| lines::start(text, start) + at),
        false => text[start..].starts_with('-').then_some(start),
    }
}

fn column(text: &str, at: usize) -> usize {
    text[lines::start(text, at)..at].chars().count()
}

/// The new text has the line breaks of the place where it comes to stand.
fn spliced(text: &str, from: usize, to: usize, new: &str) -> String {
    let new = new.replace('\n', lines::break_near(text, from));
    format!("{}{new}{}", &text[..from], &text[to..])
}

fn shown(path: &[Step]) -> String {
    let mut shown = String::new();
    for step in path {
        match step {
            Step::Key(key) if shown.is_empty() => shown.push_str(key),
            Step::Key(key) => shown += &format!(".{key}"),
            Step::Item(number) => shown += &format!("[{number}]"),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
