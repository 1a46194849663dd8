//! Real documents of other people, where they are beside the workspace: what is imported, what is left out, and what
//! holds for every one of them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "what was left out must be visible")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use sortie_openapi::{Import, ImportError, NoSources, Options, diff, export, import};

/// How far the importer has come; the figures may only get better.
struct Ratchet {
    /// Documents that give a description.
    imported: usize,
    /// Operations that can be called.
    callable: usize,
    /// Operations that are left out although they are no placeholders.
    quarantined_max: usize,
}

/// The 24 that are left out are parts of one document whose files are not in the corpus.
const PUBLISHED: Ratchet = Ratchet { imported: 93, callable: 3_308, quarantined_max: 24 };
const SHUFFLE: Ratchet = Ratchet { imported: 236, callable: 4_434, quarantined_max: 0 };

#[test]
fn published_documents_are_imported() {
    check("corpus/openapi", &PUBLISHED);
}

#[test]
fn shuffles_apps_are_imported() {
    check("corpus/shuffle-apps", &SHUFFLE);
}

#[track_caller]
fn check(folder: &str, ratchet: &Ratchet) {
    let Some(files) = files(folder) else { return };
    let (mut imported, mut callable, mut quarantined, mut placeholders) = (0, 0, 0, 0);
    for (name, bytes) in files {
        let import = match import(&bytes, &NoSources, &Options::default()) {
            Ok(import) => import,
            Err(error @ ImportError::NotOpenApi(_)) => {
                eprintln!("{name}: {error}");
                continue;
            }
            Err(error) => {
                eprintln!("{name}: refused: {error}");
                continue;
            }
        };
        imported += 1;
        let report = &import.report;
        callable += report.callable;
        let (empty, left_out): (Vec<_>, Vec<_>) = report.quarantined.iter().partition(|one| one.placeholder);
        placeholders += empty.len();
        quarantined += left_out.len();
        eprintln!(
            "{name}: {} seen, {} callable, {} placeholders, {} notes",
            report.seen,
            report.callable,
            empty.len(),
            report.notes.len()
        );
        for one in left_out {
            eprintln!("    {} {}: {}", one.method.map_or("*", |method| method.as_str()), one.place, one.reason);
        }
        is_sound(&name, &import);
        is_fixed(&name, &import);
    }
    eprintln!(
        "{folder}: {imported} imported, {callable} callable, {quarantined} quarantined, {placeholders} placeholders"
    );
    assert!(imported >= ratchet.imported, "{imported} documents imported, {} before", ratchet.imported);
    assert!(callable >= ratchet.callable, "{callable} operations callable, {} before", ratchet.callable);
    assert!(
        quarantined <= ratchet.quarantined_max,
        "{quarantined} operations left out, {} before",
        ratchet.quarantined_max
    );
    assert!(quarantined * 100 <= callable + quarantined, "more than 1 % is left out");
}

/// What a description promises.
fn is_sound(name: &str, import: &Import) {
    let description = &import.description;
    let ids: BTreeSet<&str> = description.operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids.len(), description.operations.len(), "{name}: ids are not unique");
    let mut references = Vec::new();
    for operation in &description.operations {
        let id = &operation.id;
        assert!(!id.is_empty() && !id.starts_with('-') && !id.ends_with('-') && !id.contains("--"), "{name}: `{id}`");
        assert_eq!(*id, id.to_lowercase(), "{name}");
        assert!(operation.path.starts_with('/'), "{name}: {id}: {}", operation.path);
        for content in 0..operation.body.as_ref().map_or(1, |body| body.contents.len()) {
            let schema = operation.input_schema(content);
            let properties = schema["properties"].as_object().unwrap();
            let body = operation.body.as_ref().map_or(0, |body| 1 + body.contents[content].fields.len());
            assert_eq!(properties.len(), operation.parameters.len() + body, "{name}: {id}: keys are not unique");
        }
        let in_path = operation.parameters.iter().filter(|one| one.location.as_str() == "path");
        for parameter in in_path {
            assert!(operation.path.contains(&format!("{{{}}}", parameter.name)), "{name}: {id}: {}", parameter.name);
        }
        for scheme in operation.security.iter().flat_map(|requirement| requirement.0.keys()) {
            assert!(description.security_schemes.contains_key(scheme), "{name}: {id}: {scheme}");
        }
    }
    gather(&serde_json::to_value(&description.operations).unwrap(), &mut references);
    gather(&serde_json::to_value(&description.schemas).unwrap(), &mut references);
    for reference in references {
        let schema = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(description.schemas.contains_key(schema), "{name}: {reference} leads nowhere");
    }
}

fn gather(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        serde_json::Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(|reference| reference.as_str()) {
                found.push(reference.to_owned());
            }
            // Payloads may hold anything, also what looks like a reference.
            let schemas = map
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "example" | "examples" | "default" | "enum" | "const"));
            schemas.for_each(|(_, item)| gather(item, found));
        }
        _ => {}
    }
}

/// An export gives the same description again, and nothing of it is left out.
fn is_fixed(name: &str, import: &Import) {
    let exported = export(&import.description).to_string();
    let again = sortie_openapi::import(exported.as_bytes(), &NoSources, &Options::default()).unwrap();
    let difference = diff(&import.description, &again.description);
    assert!(difference.is_empty(), "{name}: {difference:#?}\n{:#?}", again.report.quarantined);
    assert_eq!(import.description, again.description, "{name}");
    assert_eq!(import.description.content_hash(), again.description.content_hash(), "{name}");
    let data = serde_json::to_string(&import.description).unwrap();
    assert_eq!(serde_json::from_str::<sortie_openapi::Description>(&data).unwrap(), import.description, "{name}");
}

fn files(folder: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    let Ok(entries) = fs::read_dir(path) else {
        eprintln!("skipped: ../shared/{folder} is not here");
        return None;
    };
    let files =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end != "jsonl"));
    Some(
        files
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
            .collect(),
    )
}
