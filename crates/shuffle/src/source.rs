//! A workflow of Shuffle as it is needed here, read from any JSON: what is missing or of another type is empty.

use serde_json::Value;

use crate::{
    report::{Kind, Node as Named, Report},
    yaml::one_line,
};

#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) start: String,
    pub(crate) exits_on_error: bool,
    pub(crate) nodes: Vec<Node>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) execution_variables: Vec<Variable>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    /// `actions` or `triggers`, and the number there.
    pub(crate) place: (&'static str, usize),
    pub(crate) id: String,
    pub(crate) label: String,
    /// Of a trigger: `WEBHOOK` and the like.
    pub(crate) trigger: Option<String>,
    pub(crate) app: String,
    pub(crate) app_version: String,
    pub(crate) app_id: String,
    pub(crate) function: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) has_authentication: bool,
    /// The execution variable that takes its result.
    pub(crate) variable: String,
    pub(crate) delay_s: u64,
    pub(crate) is_start: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The authentication fills it in.
    pub(crate) configuration: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Branch {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Default)]
pub(crate) struct Condition {
    pub(crate) source: String,
    pub(crate) operator: String,
    pub(crate) destination: String,
    pub(crate) negated: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Node {
    pub(crate) fn named(&self) -> Named {
        Named { label: short(&self.label), id: short(&self.id) }
    }

    /// The value of the parameter of this name, or an empty text.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.parameters.iter().find(|parameter| parameter.name == name).map_or("", |parameter| &parameter.value)
    }
}

impl Source {
    pub(crate) fn named(&self) -> Named {
        Named { label: short(&self.name), id: short(&self.id) }
    }

    pub(crate) fn read(root: &Value, report: &mut Report) -> Self {
        let mut source = Self {
            name: text(&root["name"]),
            id: text(&root["id"]),
            description: text(&root["description"]),
            start: text(&root["start"]),
            exits_on_error: flag(&root["configuration"]["exit_on_error"]),
            variables: variables(&root["workflow_variables"]),
            execution_variables: variables(&root["execution_variables"]),
            ..Self::default()
        };
        let named = source.named();
        if !root.is_object() {
            report.add(
                &named,
                Kind::Dropped,
                "this is no workflow: a workflow is an object",
                "Export the workflow again.",
            );
        }
        for list in ["actions", "triggers"] {
            match &root[list] {
                Value::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        match item.is_object() {
                            true => {
                                let node = node(item, (list, at));
                                if items_of(&item["parameters"]).len() > PARAMETERS_MAX {
                                    let what =
                                        format!("it has more than {PARAMETERS_MAX} parameters; the rest is left out");
                                    report.add(&node.named(), Kind::Changed, what, "Take the node apart.");
                                }
                                source.nodes.push(node);
                            }
                            false => report.add(&named, Kind::Dropped, format!("{list}[{at}] is no object"), ""),
                        }
                    }
                }
                Value::Null => {}
                _ => report.add(&named, Kind::Dropped, format!("`{list}` is no list"), "Export the workflow again."),
            }
        }
        for (at, item) in items_of(&root["branches"]).iter().enumerate() {
            match item.is_object() {
                true => source.branches.push(branch(item)),
                false => report.add(&named, Kind::Dropped, format!("branches[{at}] is no object"), ""),
            }
        }
        for (list, found) in
            [("workflow_variables", &source.variables), ("execution_variables", &source.execution_variables)]
        {
            if items_of(&root[list]).len() > found.len() {
                let what =
                    format!("some of `{list}` have no name, or are more than {VARIABLES_MAX}; they are left out");
                report.add(&named, Kind::Dropped, what, "");
            }
        }
        source
    }
}

fn node(item: &Value, place: (&'static str, usize)) -> Node {
    let is_trigger = place.0 == "triggers";
    let label = text(&item["label"]);
    let function = text(&item["name"]);
    let delay = &item["execution_delay"];
    let delay_s = delay.as_u64().or_else(|| text(delay).trim().parse().ok()).unwrap_or(0);
    Node {
        place,
        id: text(&item["id"]),
        label: if label.trim().is_empty() { function.clone() } else { label },
        trigger: is_trigger.then(|| text(&item["trigger_type"]).trim().to_uppercase()),
        app: text(&item["app_name"]),
        app_version: text(&item["app_version"]),
        app_id: text(&item["app_id"]),
        function,
        parameters: items_of(&item["parameters"]).iter().take(PARAMETERS_MAX).map(parameter).collect(),
        has_authentication: !text(&item["authentication_id"]).is_empty(),
        variable: variable_of(&item["execution_variable"]),
        delay_s,
        is_start: flag(&item["isStartNode"]),
    }
}

fn variable_of(variable: &Value) -> String {
    let name = text(&variable["name"]);
    // What the editor writes where no variable is chosen.
    if matches!(name.as_str(), "No selection" | "None") { String::new() } else { name }
}

fn parameter(item: &Value) -> Parameter {
    Parameter {
        name: text(&item["name"]).trim().to_owned(),
        value: text(&item["value"]),
        configuration: flag(&item["configuration"]),
    }
}

fn branch(item: &Value) -> Branch {
    let condition = |item: &Value| Condition {
        source: text(&item["source"]["value"]),
        operator: text(&item["condition"]["value"]).trim().to_lowercase(),
        destination: text(&item["destination"]["value"]),
        negated: flag(&item["condition"]["configuration"]),
    };
    Branch {
        from: text(&item["source_id"]),
        to: text(&item["destination_id"]),
        conditions: items_of(&item["conditions"]).iter().map(condition).collect(),
    }
}

fn variables(list: &Value) -> Vec<Variable> {
    let variable = |item: &Value| Variable { name: text(&item["name"]), value: text(&item["value"]) };
    items_of(list)
        .iter()
        .take(VARIABLES_MAX)
        .map(variable)
        .filter(|variable| !variable.name.trim().is_empty())
        .collect()
}

fn items_of(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Values are texts there; what somebody wrote as another type stands for its text.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| text(value).eq_ignore_ascii_case("true"))
}

/// A name that a person can read on one line.
pub(crate) fn short(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(NAME_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

const NAME_CHARS_MAX: usize = 120;
const PARAMETERS_MAX: usize = 100;
const VARIABLES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_there_is_read() {
        let mut report = Report::default();
        let source = Source::read(
            &json!({
                "name": 7, "actions": [{ "label": "", "name": "f", "parameters": [{ "name": "n", "value": { "a": 1 } }],
                    "execution_delay": "5", "execution_variable": { "name": "No selection" } }, 3],
                "triggers": "x", "branches": [{ "source_id": null, "conditions": [null] }],
                "configuration": [],
            }),
            &mut report,
        );
        assert_eq!((source.name.as_str(), source.nodes.len(), source.branches.len()), ("7", 1, 1));
        let node = &source.nodes[0];
        assert_eq!((node.label.as_str(), node.value("n"), node.delay_s), ("f", "{\"a\":1}", 5));
        assert_eq!(node.variable, "");
        let told: Vec<String> = report.into_findings().into_iter().map(|finding| finding.what).collect();
        assert_eq!(told, ["actions[1] is no object", "`triggers` is no list"]);
    }
}
