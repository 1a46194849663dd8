//! The text of the document.

use crate::{
    names::kebab,
    source::{Source, short},
    steps::Step,
    yaml::{Yaml, comment, member},
};

/// What the document is made of.
pub(crate) struct Frame<'f> {
    pub(crate) source: &'f Source,
    pub(crate) vars: Vec<(String, Yaml)>,
    pub(crate) triggers: &'f [Yaml],
    pub(crate) steps: Vec<Step>,
    pub(crate) output: Option<String>,
    /// What the workflow is called, where that is settled already.
    pub(crate) id: Option<String>,
}

pub(crate) fn written(frame: &Frame<'_>) -> String {
    let source = frame.source;
    let mut out = String::new();
    comment(&format!("{ORIGIN}{} ({})", short(&source.name), short(&source.id)), 0, &mut out);
    let title = short(&source.name);
    let id = frame.id.clone().unwrap_or_else(|| kebab(&title, "workflow"));
    member("workflow", &Yaml::Text(id), 0, &mut out);
    if !title.is_empty() {
        member("title", &Yaml::Text(title), 0, &mut out);
    }
    let description: String = source.description.trim().chars().take(DESCRIPTION_CHARS_MAX).collect();
    if !description.is_empty() {
        member("note", &Yaml::Text(description), 0, &mut out);
    }
    member("triggers", &Yaml::List(frame.triggers.to_vec()), 0, &mut out);
    if !frame.vars.is_empty() {
        member("vars", &Yaml::Map(frame.vars.clone()), 0, &mut out);
    }
    out.push_str("steps:\n");
    if frame.steps.is_empty() {
        out.push_str("  - id: nothing\n    note: The workflow in Shuffle has no node.\n    disabled: true\n    set:\n      nothing: true\n");
    }
    for step in &frame.steps {
        for text in &step.comments {
            comment(text, 2, &mut out);
        }
        out.push_str("  - ");
        let mut inner = String::new();
        member("id", &Yaml::Text(step.id.clone()), 4, &mut inner);
        for (key, value) in &step.members {
            member(key, value, 4, &mut inner);
        }
        out.push_str(&inner[4..]);
    }
    if let Some(output) = &frame.output {
        member("output", &Yaml::Text(output.clone()), 0, &mut out);
    }
    out
}

/// The id that the document's workflow has in Shuffle, where the document was imported from there.
pub fn origin(document: &str) -> Option<&str> {
    let line = document.split(['\n', '\r']).next()?.strip_prefix("# ")?.strip_prefix(ORIGIN)?;
    let (_, id) = line.strip_suffix(')')?.rsplit_once(" (")?;
    Some(id).filter(|id| !id.is_empty())
}

const ORIGIN: &str = "Imported from Shuffle: ";
const DESCRIPTION_CHARS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn a_document_says_where_it_comes_from() {
        #[track_caller]
        fn check(document: &str, expected: Option<&str>) {
            assert_eq!(origin(document), expected, "{document}");
        }
        check("# Imported from Shuffle: A (b) c (0f12-34)\nworkflow: a\n", Some("0f12-34"));
        check("# Imported from Shuffle: A (c)\r\nworkflow: a\r\n", Some("c"));
        check("# Imported from Shuffle: A (c)\rworkflow: a\r", Some("c"));
        check("# Imported from Shuffle: A ()\nworkflow: a\n", None);
        check("# Imported from Shuffle: A (x)", Some("x"));
        check("workflow: a\n# Imported from Shuffle: A (x)\n", None);
        check("", None);
    }
}
