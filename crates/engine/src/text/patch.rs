//! Edits of a document as edits of its text: what is not meant stays as it is written, comments and order included.
//!
//! An edit is made in the text and then proven: the new text is read, and its meaning must be the old one with exactly that
//! edit. Where it is not, nothing is changed.

use serde_json::Value as Json;

use super::{Node, Problems, Value, lines, read};

mod parts;
mod remove;
mod set;
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
        Edit::Set { value, .. } => set::set(text, &before, path, value).map(|patched| vec![patched]),
        Edit::Remove { .. } => remove::remove(text, &before, path),
    };
    let is_meant = |patched: &String| parsed(patched).is_ok_and(|after| after.to_json() == wanted);
    patched.unwrap_or_default().into_iter().find(is_meant).ok_or_else(|| PatchError::Unclear(shown(path)))
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

fn follow<'n>(root: &'n Node, path: &[Step]) -> Option<&'n Node> {
    path.iter().try_fold(root, |at, step| match (step, &at.value) {
        (Step::Key(key), _) => at.get(key),
        (Step::Item(number), Value::List(items)) => items.get(*number),
        _ => None,
    })
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
