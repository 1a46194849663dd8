//! The live response library.

use serde_json::{Value, json};

use super::call::{Answer, Door, Head, usual};
use crate::world::LibraryFile;

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let files = call.with_world(|world| world.library().iter().map(file_json).collect());
    Ok(call.collection("LibraryFiles", files))
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
const LIST: Door = Door { roles: ROLES, limit: usual("mde library") };
