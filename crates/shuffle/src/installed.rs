//! The apps of an installation: its connectors, found by what Shuffle calls an app and its functions.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sortie_openapi::Description;

use crate::{
    apps::{App, Apps, Operation},
    import::parts,
    names::{Taken, kebab},
    secrets::cleanse,
    source::short,
};

/// Connectors and workflows that exist here, by the names that Shuffle has for them.
#[derive(Debug, Default)]
pub struct Installed {
    connectors: Vec<(String, Description)>,
    workflows: HashMap<String, String>,
    called: HashSet<String>,
}

impl Installed {
    /// Of connectors by their ids, and of workflows here by the id that each has in Shuffle.
    pub fn new(connectors: Vec<(String, Description)>, workflows: HashMap<String, String>) -> Self {
        Self { connectors, workflows, called: HashSet::new() }
    }

    /// With workflows that are about to be imported together: each gets an id of its own that is not `taken` either, and those
    /// that one of them runs can be run.
    #[must_use]
    pub fn with<'w>(mut self, workflows: impl Iterator<Item = &'w Value>, taken: impl Iterator<Item = String>) -> Self {
        let known: HashSet<String> = self.workflows.values().cloned().chain(taken).collect();
        let mut taken = Taken::default();
        for id in known {
            taken.unique(id, '-');
        }
        for workflow in workflows {
            // An id is made of a name, and so of nothing that must not go on.
            let (workflow, _) = cleanse(workflow);
            let text = |key: &str| workflow[key].as_str().unwrap_or_default().to_owned();
            self.called.extend(called(&workflow).map(str::to_owned));
            for (id, name) in std::iter::once((text("id"), text("name"))).chain(parts(&workflow)) {
                if !id.is_empty() && !self.workflows.contains_key(&id) {
                    self.workflows.insert(id, taken.unique(kebab(&short(&name), "workflow"), '-'));
                }
            }
        }
        self
    }
}

/// Shuffle's ids of the workflows that the workflow runs.
fn called(workflow: &Value) -> impl Iterator<Item = &str> {
    let nodes = ["triggers", "actions"].into_iter().flat_map(|list| workflow[list].as_array()).flatten();
    let runs = nodes.filter(|node| node["trigger_type"] == "SUBFLOW" || node["name"] == "run_subflow");
    let parameters = runs.flat_map(|node| node["parameters"].as_array()).flatten();
    let ids = parameters.filter(|parameter| parameter["name"] == "workflow");
    ids.filter_map(|parameter| parameter["value"].as_str()).map(str::trim)
}

/// The apps that exported workflows call, by name: whoever has many connectors need not look at the others.
#[derive(Debug, Default)]
pub struct AppNames(HashSet<String>);

impl AppNames {
    /// Those of these workflows.
    pub fn of<'w>(workflows: impl Iterator<Item = &'w Value>) -> Self {
        let actions = workflows.flat_map(|workflow| workflow["actions"].as_array()).flatten();
        Self(actions.filter_map(|action| action["app_name"].as_str()).map(plain).collect())
    }

    /// Whether one of them is the connector of this id and title.
    pub fn has(&self, id: &str, title: &str) -> bool {
        [id, title].into_iter().any(|name| self.0.contains(&plain(name)))
    }
}

impl Apps for Installed {
    fn operation(&self, app: &App<'_>) -> Option<Operation> {
        let wanted = plain(app.name);
        let is_it = |(id, description): &&(String, Description)| {
            !wanted.is_empty() && (plain(id) == wanted || plain(&description.title) == wanted)
        };
        let mut all: Vec<&(String, Description)> = self.connectors.iter().filter(is_it).collect();
        // What an app is asked changes with its versions.
        all.sort_by_key(|(id, description)| (description.document_version != app.version, id));
        all.into_iter().find_map(|(id, description)| found(id, description, app.function))
    }

    fn workflow(&self, id: &str) -> Option<String> {
        self.workflows.get(id).cloned()
    }

    fn is_called(&self, id: &str) -> bool {
        self.called.contains(id)
    }
}

/// The operation that the function was made of, else the only one that is called so in other words.
fn found(connector: &str, description: &Description, function: &str) -> Option<Operation> {
    let runs = |operation: &&sortie_openapi::Operation| !operation.guidance.more.contains_key("not-runnable");
    let words = words(function);
    let in_words = || {
        let says = |operation: &&sortie_openapi::Operation| {
            [&operation.id, &operation.title].into_iter().any(|text| self::words(text) == words)
        };
        let mut all = description.operations.iter().filter(runs).filter(says);
        all.next().filter(|_| all.next().is_none() && !words.is_empty())
    };
    let made_of_it = description.operations.iter().find(|operation| generated(operation) == function);
    let (operation, is_sure) = match description.operation_called(function).or(made_of_it).filter(runs) {
        Some(operation) => (operation, true),
        None => in_words().map(|operation| (operation, operation.id == function.replace('_', "-")))?,
    };
    let mut inputs = operation.input_schema(0);
    if let Value::Object(schema) = &mut inputs {
        schema.insert("components".to_owned(), json!({ "schemas": description.schemas }));
    }
    Some(Operation { connector: connector.to_owned(), operation: operation.id.clone(), inputs, is_sure })
}

/// The function that Shuffle would make of the operation: its method, unless the summary says that word, and its summary.
fn generated(operation: &sortie_openapi::Operation) -> String {
    let method = operation.method.as_str().to_ascii_lowercase();
    let said: String =
        operation.title.replace(' ', "_").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let said = said.to_ascii_lowercase();
    if said.contains(&method) { said } else { format!("{method}_{said}") }
}

/// A name without signs and letter case; the fork of Shuffle calls its own apps otherwise.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.strip_prefix("soar") {
        Some(rest) => format!("shuffle{rest}"),
        None => plain,
    }
}

/// What a name says: without articles, and without the method that Shuffle puts in front.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(str::to_ascii_lowercase)
        .filter(|word| !word.is_empty() && !ARTICLES.contains(&word.as_str()))
        .collect();
    // `get` says what is done as well, and `post` seldom does.
    if words.len() > 2 && METHODS.contains(&words[0].as_str()) {
        words.remove(0);
    }
    words
}

const ARTICLES: &[&str] = &["a", "an", "the"];
const METHODS: &[&str] = &["post", "put", "patch"];

#[cfg(test)]
mod tests {
    use sortie_openapi::{NoSources, import};

    use super::*;

    const DESK: &str = r##"
openapi: 3.0.0
info: { title: The Desk, version: "1" }
servers: [{ url: https://desk.example }]
paths:
  /tickets:
    get: { summary: List tickets, responses: {} }
    post:
      summary: Create a ticket
      requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/Ticket" } } } }
      responses: {}
  /tickets/{id}:
    delete: { summary: Close ticket, parameters: [{ name: id, in: path, required: true, schema: { type: string } }], responses: {} }
    put: { summary: Close the ticket, parameters: [{ name: id, in: path, required: true, schema: { type: string } }], responses: {} }
  /code: { post: { summary: Run code, x-sortie-not-runnable: it is a program, responses: {} } }
components: { schemas: { Ticket: { type: object, properties: { title: { type: string } } } } }
"##;

    fn desk() -> Installed {
        let description = import(DESK.as_bytes(), &NoSources, &Default::default()).unwrap().description;
        Installed::new(vec![("desk-2".to_owned(), description)], HashMap::from([("u-1".to_owned(), "here".to_owned())]))
    }

    #[test]
    fn functions_are_found_by_name_or_by_their_words_when_only_one_says_them() {
        #[track_caller]
        fn check(app: &str, function: &str, expected: Option<(&str, bool)>) {
            let found = desk().operation(&App { name: app, version: "1.0.0", id: "", function });
            let found = found.as_ref().map(|found| (found.operation.as_str(), found.is_sure));
            assert_eq!(found, expected, "{app} {function}");
        }
        check("the_desk", "get_list_tickets", Some(("list-tickets", true)));
        check("Desk 2", "list_tickets", Some(("list-tickets", true)));
        check("The Desk", "post_create_a_ticket", Some(("create-a-ticket", true)));
        check("The Desk", "create_ticket", Some(("create-a-ticket", false)));
        check("The Desk", "put_close_the_ticket", Some(("close-the-ticket", true)));
        // Two say it, and one of them deletes.
        check("The Desk", "close_ticket", None);
        check("The Desk", "run_code", None);
        check("Another", "get_list_tickets", None);
        check("", "get_list_tickets", None);
    }

    #[test]
    fn connectors_that_no_workflow_calls_are_not_looked_at() {
        let workflow = json!({ "actions": [{ "app_name": "The_Desk" }, { "app_name": 7 }, null] });
        let names = AppNames::of([&workflow, &json!(null)].into_iter());
        assert!(names.has("desk-2", "The Desk") && names.has("the-desk", "x") && !names.has("desk", "Desk"));
    }

    #[test]
    fn inputs_have_inside_what_they_refer_to() {
        let app = App { name: "The Desk", version: "", id: "", function: "create_ticket" };
        let inputs = desk().operation(&app).unwrap().inputs;
        assert_eq!(inputs["properties"]["title"]["type"], "string");
        assert_eq!(inputs["components"]["schemas"]["Ticket"]["type"], "object");
        assert_eq!(desk().workflow("u-1").as_deref(), Some("here"));
    }

    #[test]
    fn workflows_that_come_together_get_ids_of_their_own_and_know_who_runs_whom() {
        let runs = |id: &str, name: &str, other: &str| {
            json!({ "id": id, "name": name, "triggers": [{ "trigger_type": "SUBFLOW",
                "parameters": [{ "name": "workflow", "value": other }] }] })
        };
        let both = [runs("a", "Here", "b"), runs("b", "here!", ""), json!({ "name": "no id" })];
        let installed = desk().with(both.iter(), std::iter::once("here-3".to_owned()));
        assert_eq!(installed.workflow("a").as_deref(), Some("here-2"), "`here` is there already");
        assert_eq!(installed.workflow("b").as_deref(), Some("here-4"));
        assert!(installed.is_called("b") && !installed.is_called("a"));
        let secret = runs("c", "Key ShHdNevSUZOt7nW4NZu2z2ywmvNEiYJH", "");
        let installed = desk().with(std::iter::once(&secret), std::iter::empty());
        assert_eq!(installed.workflow("c").as_deref(), Some("key-secret-left-out"));
    }

    #[test]
    fn the_forks_names_are_known() {
        assert_eq!(plain("soar-tools"), plain("Shuffle Tools"));
    }
}
