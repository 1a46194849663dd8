//! The live response library: list, upload, delete.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{body::Bytes, extract::Path, response::IntoResponse};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, Refusal, usual},
    multipart::{Part, parts},
};
use crate::world::LibraryFile;

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let files = call.with_world(|world| world.library().iter().map(file_json).collect());
    Ok(call.collection("LibraryFiles", files))
}

pub(super) async fn upload(headers: HeaderMap, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&UPLOAD)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = parts(kind, &body).ok_or_else(|| call.bad("InvalidRequestBody", "Request body is incorrect"))?;
    let form = Form(&form);
    let file = read_file(&call, &form)?;
    let replaces = form.flag("OverrideIfExists");
    let name = file.name.clone();
    let stored = call.with_world(|world| world.store_file(file, replaces).map(file_json));
    // What the service says to a second file of the same name is not documented (G).
    let stored =
        stored.ok_or_else(|| call.bad("BadRequest", &format!("The file '{name}' is already in the library")))?;
    Ok(call.entity(StatusCode::OK, "LibraryFiles/$entity", stored))
}

pub(super) async fn remove(Path(name): Path<String>, head: Head) -> Answer {
    let call = head.admit(&REMOVE)?;
    let removed = call.with_world(|world| world.drop_file(&name));
    if removed { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(call.not_found("File", &name)) }
}

struct Form<'f>(&'f [Part]);

impl Form<'_> {
    /// The table of the page writes `File`, its example `file`: names count in any letter case.
    fn part(&self, name: &str) -> Option<&Part> {
        self.0.iter().find(|part| part.name.eq_ignore_ascii_case(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = self.part(name).map(|part| String::from_utf8_lossy(&part.content).trim().to_owned());
        text.filter(|text| !text.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

fn read_file(call: &Call, form: &Form<'_>) -> Result<LibraryFile, Refusal> {
    let file = form.part("File").ok_or_else(|| call.missing("File"))?;
    let name = file.file_name.clone().filter(|name| !name.is_empty()).ok_or_else(|| call.missing("File"))?;
    if file.content.len() > FILE_BYTES_MAX {
        return Err(call.bad("InvalidInput", "The file is larger than 20 MB"));
    }
    let hash = digest(&SHA256, &file.content);
    let now = call.with_world(|world| world.now());
    let parameters = form.text("ParametersDescription");
    Ok(LibraryFile {
        name,
        sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        description: form.text("Description"),
        created: now,
        updated: now,
        created_by: call.caller.display_name.clone(),
        has_parameters: form.flag("HasParameters") || parameters.is_some(),
        parameters,
    })
}

fn file_json(file: &LibraryFile) -> Value {
    json!({
        "fileName": file.name,
        "sha256": file.sha256,
        "description": file.description,
        "creationTime": file.created.to_string(),
        "lastUpdatedTime": file.updated.to_string(),
        "createdBy": file.created_by,
        "hasParameters": file.has_parameters,
        "parametersDescription": file.parameters,
    })
}

const ROLES: &[&str] = &["Library.Manage"];
const FILE_BYTES_MAX: usize = 20 * 1_048_576;
/// Of the whole form.
pub(super) const FORM_BYTES_MAX: usize = FILE_BYTES_MAX + 1_048_576;
const LIST: Door = Door { roles: ROLES, limit: usual("mde library") };
const UPLOAD: Door = Door { roles: ROLES, limit: usual("mde library upload") };
const REMOVE: Door = Door { roles: ROLES, limit: usual("mde library delete") };
