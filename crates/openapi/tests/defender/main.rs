//! The built-in document of Microsoft 365 Defender: it is whole, it is what the reference says, and its links lead
//! somewhere. What is compared with the reference is skipped, visibly, where that is not beside the workspace.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "what is skipped must be visible")]

mod reference;
mod samples;
mod schema;

use std::{collections::BTreeSet, fs, path::PathBuf, sync::LazyLock};

use serde_json::{Map, Value};
use sortie_openapi::{
    Description, EffectClass, Format, Import, LinkedCall, NoSources, Operation, Options, SchemeKind, export, import,
};

use schema::{Members, Schemas};

static IMPORT: LazyLock<Import> = LazyLock::new(|| {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../connector/builtin/microsoft-365-defender.yaml");
    import(&fs::read(path).unwrap(), &NoSources, &Options::default()).unwrap()
});

fn description() -> &'static Description {
    &IMPORT.description
}

fn schemas() -> Schemas<'static> {
    Schemas { table: &description().schemas }
}

#[track_caller]
fn operation(id: &str) -> &'static Operation {
    description().operation(id).unwrap_or_else(|| panic!("there is no operation `{id}`"))
}

/// Fails with all of the findings at once.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{}\n{} findings", findings.join("\n"), findings.len());
}

#[test]
fn it_is_imported_whole_and_without_a_repair() {
    let report = &IMPORT.report;
    assert_eq!(description().title, "Microsoft 365 Defender");
    assert_eq!((report.format, report.shuffle), (Format::OpenApi31, false));
    assert_eq!(report.quarantined, []);
    assert_eq!((report.notes.as_slice(), report.more_notes), ([].as_slice(), 0));
    assert_eq!(report.callable, report.seen);

    let exported = export(description()).to_string();
    let again = import(exported.as_bytes(), &NoSources, &Options::default()).unwrap();
    assert_eq!(again.description.content_hash(), description().content_hash(), "its export is another description");
}

#[test]
fn every_operation_says_what_a_caller_must_know() {
    let mut findings = Vec::new();
    let mut titles = BTreeSet::new();
    let tags: BTreeSet<&str> = description().tags.iter().map(|tag| tag.name.as_str()).collect();
    for operation in &description().operations {
        let mut find = |what: &str| findings.push(format!("{}: {what}", operation.id));
        let audience = operation.guidance.audience.as_deref().unwrap_or_default();
        let servers = if operation.servers.is_empty() { &description().servers } else { &operation.servers };
        let servers: Vec<&str> = servers.iter().map(|server| server.url.as_str()).collect();
        match AUDIENCES.iter().find(|(name, _)| *name == audience) {
            None => find("its audience is not one of the four"),
            Some((_, host)) if servers != [*host] => find("its server is not that of its audience"),
            Some(_) => {}
        }
        if operation.servers.iter().flat_map(|server| server.variables.values()).any(|one| one.default.is_some()) {
            find("a token could go to a host that nobody chose");
        }
        let schemes = operation.security.iter().flat_map(|one| one.0.keys()).collect::<Vec<_>>();
        if schemes != [audience] {
            find("its security scheme is not that of its audience");
        }
        if operation.guidance.roles.is_empty() {
            find("it names no roles");
        }
        if !operation.effect.stated {
            find("its effect is not stated");
        }
        if operation.title.is_empty() || operation.title.len() > TITLE_BYTES_MAX || operation.title.ends_with('.') {
            find("its title is no title");
        }
        if !titles.insert(operation.title.as_str()) {
            find("another one has the same title");
        }
        let sentence = operation.description.as_deref().unwrap_or_default();
        if !is_sentence(sentence) {
            find("its description is not one sentence");
        }
        if operation.tags.len() != 1 || !tags.contains(operation.tags[0].as_str()) {
            find("it has no tag of the document");
        }
        if !operation.outputs.contains_key("429") || operation.successes().count() == 0 {
            find("it does not say how it is answered");
        }
        if operation.method.as_str() == "GET" && operation.effect.class != EffectClass::Safe {
            find("it reads, and yet has an effect");
        }
    }
    none(&findings);
}

fn is_sentence(text: &str) -> bool {
    text.starts_with(char::is_uppercase)
        && text.ends_with('.')
        && !text.contains(". ")
        && text.matches('.').count() == 1
}

#[test]
fn ids_are_unique_and_speakable() {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for operation in &description().operations {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        for name in [&operation.id].into_iter().chain(&operation.aliases) {
            if !name.split('-').all(word) || !name.contains('-') {
                findings.push(format!("{name}: it is not kebab-case"));
            }
            if !names.insert(name) {
                findings.push(format!("{name}: two operations have this name"));
            }
        }
        if operation.id.split('-').any(|word| ["machine", "machines", "unisolate"].contains(&word)) {
            findings.push(format!("{}: the command line says device and release", operation.id));
        }
    }
    none(&findings);
}

#[test]
fn every_audience_has_a_token_of_its_own_and_one_harmless_test() {
    let mut findings = Vec::new();
    let mut scopes = BTreeSet::new();
    for (audience, _) in AUDIENCES {
        let SchemeKind::OAuth2 { flows } = &description().security_schemes[*audience].kind else {
            panic!("{audience}: no OAuth 2.0");
        };
        let [flow] = flows.as_slice() else { panic!("{audience}: {} flows", flows.len()) };
        assert_eq!(flow.obstacle(), None, "{audience}");
        assert_eq!(flow.token_url.as_deref(), Some("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"));
        let scope = flow.scopes.keys().next().unwrap();
        assert!(scope.ends_with("/.default") && scopes.insert(scope.clone()), "{audience}: {scope}");

        let tests: Vec<&Operation> = description()
            .operations
            .iter()
            .filter(|one| one.guidance.audience.as_deref() == Some(audience) && one.guidance.test.is_some())
            .collect();
        let [test] = tests.as_slice() else { panic!("{audience}: {} test calls", tests.len()) };
        assert_eq!(test.effect.class, EffectClass::Safe, "{}", test.id);
        let inputs = test.guidance.test.as_ref().unwrap().as_object().unwrap();
        findings.extend(misfits(test, inputs));
    }
    none(&findings);
}

#[test]
fn a_call_in_doubt_can_be_settled_as_its_effect_says() {
    let mut findings = Vec::new();
    for operation in &description().operations {
        let mut find = |what: &str| findings.push(format!("{}: {what}", operation.id));
        match (operation.effect.class, &operation.guidance.probe) {
            (EffectClass::Probed, None) => find("it is probed, and nothing says how"),
            (EffectClass::Probed, Some(probe)) => {
                let carry = probe.settings["carry"].as_str().unwrap();
                if !input_keys(operation).contains(carry) {
                    find("the input that carries the key does not exist");
                }
                let Some(found) = description().operation(&probe.operation) else { continue };
                let items = probe.settings["items"].as_str().unwrap();
                let item =
                    answer(found).and_then(|answer| schemas().at(answer, items)).and_then(|list| list.get("items"));
                let key = probe.settings["key"].as_str().unwrap();
                if item.and_then(|item| schemas().at(item, key)).is_none() {
                    find("the place of the key does not exist");
                }
                let wanted = probe.settings.get("where").and_then(Value::as_object);
                for (pointer, word) in wanted.into_iter().flatten() {
                    let known = item.and_then(|item| schemas().at(item, pointer)).map(|kind| &kind["anyOf"][0]["enum"]);
                    if !known.and_then(Value::as_array).is_some_and(|known| known.contains(word)) {
                        find("what it looks for is no word of that place");
                    }
                }
            }
            (_, Some(_)) => find("it has a probe, and is not probed"),
            (_, None) => {}
        }
        if let Some(reader) = &operation.effect.read_by {
            match description().operation(reader) {
                Some(reader) if reader.effect.class == EffectClass::Safe => {}
                _ => find("what would read it does not exist or does not read"),
            }
        }
    }
    none(&findings);
}

#[test]
fn links_lead_to_operations_and_inputs_that_exist() {
    let mut findings = Vec::new();
    for operation in &description().operations {
        let guidance = &operation.guidance;
        for (kind, link) in [("probe", &guidance.probe), ("await", &guidance.awaits), ("undo", &guidance.undo)] {
            let Some(link) = link else { continue };
            findings.extend(broken(operation, link).into_iter().map(|what| format!("{} {kind}: {what}", operation.id)));
        }
        // Whatever takes a call back is itself taken back by it.
        let back = guidance.undo.as_ref().and_then(|undo| description().operation(&undo.operation));
        if back.is_some_and(|back| back.guidance.undo.as_ref().is_none_or(|undo| undo.operation != operation.id)) {
            findings.push(format!("{} undo: it is not mutual", operation.id));
        }
        if let Some(awaits) = &guidance.awaits {
            findings.extend(states(operation, awaits));
        }
    }
    none(&findings);
}

/// What is wrong with a link: its operation, the inputs that it gives, or what it takes them from.
fn broken(from: &'static Operation, link: &LinkedCall) -> Vec<String> {
    let Some(target) = description().operation(&link.operation) else {
        return vec![format!("there is no operation `{}`", link.operation)];
    };
    let with = link.settings["with"].as_object().unwrap();
    let mut findings = Vec::new();
    let known = input_keys(target);
    findings.extend(with.keys().filter(|key| !known.contains(key.as_str())).map(|key| format!("no input `{key}`")));
    let needed = needed_keys(target);
    findings.extend(needed.iter().filter(|key| !with.contains_key(**key)).map(|key| format!("`{key}` is not given")));
    for text in with.values().filter_map(Value::as_str) {
        for expression in text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()) {
            let place = expression.trim_start_matches("not ");
            let exists = match place.split_once('.') {
                Some(("inputs", name)) => input_keys(from).contains(name),
                Some(("output", name)) => {
                    answer(from).is_some_and(|answer| schemas().at(answer, &format!("/{name}")).is_some())
                }
                _ => false,
            };
            if !exists {
                findings.push(format!("`{expression}` names nothing"));
            }
        }
    }
    findings
}

/// The words of `pending`, `succeeded` and `failed` are those of the state, each once.
fn states(operation: &Operation, awaits: &LinkedCall) -> Vec<String> {
    let Some(target) = description().operation(&awaits.operation) else { return Vec::new() };
    let pointer = awaits.settings["state"].as_str().unwrap();
    let Some(state) = answer(target).and_then(|answer| schemas().at(answer, pointer)) else {
        return vec![format!("{} await: there is no `{pointer}`", operation.id)];
    };
    let mut known: Vec<&str> = state["anyOf"][0]["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut sorted: Vec<&str> = ["pending", "succeeded", "failed"]
        .iter()
        .flat_map(|key| awaits.settings[*key].as_array().unwrap())
        .filter_map(Value::as_str)
        .collect();
    known.sort_unstable();
    sorted.sort_unstable();
    if known == sorted { Vec::new() } else { vec![format!("{} await: {known:?} are not {sorted:?}", operation.id)] }
}

fn answer(operation: &'static Operation) -> Option<&'static Value> {
    operation.successes().flat_map(|(_, output)| &output.contents).find_map(|content| content.schema.as_ref())
}

fn input_keys(operation: &Operation) -> BTreeSet<&str> {
    let fields = operation.body.iter().flat_map(|body| &body.contents[0].fields).map(|field| field.key.as_str());
    operation.parameters.iter().map(|parameter| parameter.key.as_str()).chain(fields).collect()
}

fn needed_keys(operation: &Operation) -> BTreeSet<&str> {
    let fields = operation.body.iter().flat_map(|body| &body.contents[0].fields).filter(|field| field.required);
    let parameters = operation.parameters.iter().filter(|parameter| parameter.required);
    parameters.map(|parameter| parameter.key.as_str()).chain(fields.map(|field| field.key.as_str())).collect()
}

/// What is wrong with these inputs of an operation.
fn misfits(operation: &Operation, inputs: &Map<String, Value>) -> Vec<String> {
    let mut found = schemas().misfits(&operation.input_schema(0), &Value::Object(inputs.clone()), Members::Closed);
    found
        .extend(needed_keys(operation).iter().filter(|key| !inputs.contains_key(**key)).map(|key| format!("no {key}")));
    found.into_iter().map(|what| format!("{}: {what}", operation.id)).collect()
}

/// By the words of `sortie_identity::Audience`, each with the address that serves it.
const AUDIENCES: &[(&str, &str)] = &[
    ("graph", "https://graph.microsoft.com"),
    ("xdr", "https://api.security.microsoft.com"),
    ("mde", "https://api.security.microsoft.com"),
    ("cloudapps", "https://{tenant}.{region}.portal.cloudappsecurity.com"),
];
const TITLE_BYTES_MAX: usize = 60;
