//! By what a device or a user may be protected, asked from the service itself through the connection of the call. What
//! cannot be found out counts as protected: nothing is sent.

use serde_json::{Map, Value};
use sortie_connector::{AnswerBody, BuiltRequest, Caller, Credential, Met, MetKind};
use sortie_openapi::EffectClass;
use sortie_store::{KnownAs, ProtectedBy};
use url::Url;

use crate::exit::{Exit, Problem, sentence};

/// Everything of `wanted` that is known of whom the request meets.
pub(crate) async fn names(
    caller: &Caller,
    credential: &Credential,
    met: &[Met],
    wanted: &[ProtectedBy],
) -> anyhow::Result<Vec<KnownAs>> {
    let mut names = Vec::new();
    for one in met {
        let found = of_one(caller, credential, one, wanted).await.map_err(|error| {
            let what =
                format!("it cannot be told whether {} is protected: {}; nothing was sent", one.id, sentence(&error));
            let next = match one.kind {
                MetKind::Device => "Let the connection's application read devices (Machine.Read.All).",
                MetKind::User if wanted.contains(&ProtectedBy::UserRole) => {
                    "Let the connection's application read users and their roles (Directory.Read.All)."
                }
                MetKind::User => "Let the connection's application read users (User.ReadBasic.All).",
            };
            Problem { exit: Exit::Guarded, what, next: next.to_owned() }
        })?;
        names.extend(found);
    }
    Ok(names)
}

async fn of_one(
    caller: &Caller,
    credential: &Credential,
    met: &Met,
    wanted: &[ProtectedBy],
) -> anyhow::Result<Vec<KnownAs>> {
    match met.kind {
        MetKind::Device => of_device(&read(caller, credential, met.url.clone()).await?),
        MetKind::User => {
            let mut url = met.url.clone();
            url.query_pairs_mut().append_pair("$select", "id,userPrincipalName,mail");
            let mut names = of_user(&read(caller, credential, url).await?)?;
            if wanted.contains(&ProtectedBy::UserRole) {
                names.extend(roles(caller, credential, &met.url).await?);
            }
            Ok(names)
        }
    }
}

async fn roles(caller: &Caller, credential: &Credential, user: &Url) -> anyhow::Result<Vec<KnownAs>> {
    let mut next = user.clone();
    if let Ok(mut segments) = next.path_segments_mut() {
        segments.push("transitiveMemberOf");
    }
    let mut names = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = read(caller, credential, next.clone()).await?;
        names.extend(of_memberships(&page)?);
        let Some(link) = page.get("@odata.nextLink").and_then(Value::as_str) else { return Ok(names) };
        let link: Url = link.parse()?;
        if link.origin() != user.origin() {
            anyhow::bail!("the list of the user's groups goes on at another host");
        }
        next = link;
    }
    anyhow::bail!("the user is in more groups than {PAGES_MAX} pages hold")
}

async fn read(caller: &Caller, credential: &Credential, url: Url) -> anyhow::Result<Map<String, Value>> {
    let headers = vec![("accept".to_owned(), "application/json".to_owned())];
    let request = BuiltRequest { method: "GET", url, headers, body: None };
    match caller.send(&request, EffectClass::Safe, credential).await?.body {
        AnswerBody::Json(Value::Object(object)) => Ok(object),
        _ => anyhow::bail!("the service's answer is no JSON object"),
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty())
}

fn of_device(device: &Map<String, Value>) -> anyhow::Result<Vec<KnownAs>> {
    let mut names =
        vec![KnownAs { by: ProtectedBy::DeviceId, text: text(device, "id").ok_or_else(|| unread("device"))? }];
    names.extend(text(device, "computerDnsName").map(|text| KnownAs { by: ProtectedBy::DeviceName, text }));
    let tags = device.get("machineTags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    names.extend(tags.map(|tag| KnownAs { by: ProtectedBy::DeviceTag, text: tag.to_owned() }));
    Ok(names)
}

fn of_user(user: &Map<String, Value>) -> anyhow::Result<Vec<KnownAs>> {
    let mut names = vec![KnownAs { by: ProtectedBy::UserId, text: text(user, "id").ok_or_else(|| unread("user"))? }];
    for name in ["userPrincipalName", "mail"] {
        names.extend(text(user, name).map(|text| KnownAs { by: ProtectedBy::UserName, text }));
    }
    Ok(names)
}

/// The directory roles among what a user is a member of. Without the right to read them their names are empty: such a role
/// could be any.
fn of_memberships(page: &Map<String, Value>) -> anyhow::Result<Vec<KnownAs>> {
    let list = page.get("value").and_then(Value::as_array).ok_or_else(|| unread("list of memberships"))?;
    let is_role = |one: &&Value| one["@odata.type"].as_str().is_some_and(|kind| kind.ends_with("directoryRole"));
    let mut names = Vec::new();
    for role in list.iter().filter(is_role).filter_map(Value::as_object) {
        let name = text(role, "displayName").ok_or_else(|| unread("name of a role"))?;
        for text in [Some(name), text(role, "roleTemplateId")].into_iter().flatten() {
            names.push(KnownAs { by: ProtectedBy::UserRole, text });
        }
    }
    Ok(names)
}

/// The service's answer lacks what has to be known.
fn unread(what: &str) -> anyhow::Error {
    anyhow::anyhow!("the service's answer holds no {what}")
}

const PAGES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn written(names: anyhow::Result<Vec<KnownAs>>) -> Result<Vec<String>, String> {
        let names = names.map_err(|error| error.to_string().replace("the service's answer holds no ", ""))?;
        Ok(names.into_iter().map(|known| format!("{}:{}", known.by.as_str(), known.text)).collect())
    }

    #[test]
    fn what_is_known_is_read_and_what_is_not_is_an_error() {
        let device = json!({ "id": "d1", "computerDnsName": "dc-01", "machineTags": ["tier0"] });
        assert_eq!(
            written(of_device(&object(device))).unwrap(),
            ["device-id:d1", "device-name:dc-01", "device-tag:tier0"]
        );
        let bare = json!({ "id": "d1", "computerDnsName": null, "machineTags": null });
        assert_eq!(written(of_device(&object(bare))).unwrap(), ["device-id:d1"]);
        assert_eq!(written(of_device(&object(json!({})))), Err("device".to_owned()));
        let user = json!({ "id": "u1", "userPrincipalName": "a@b.example", "mail": null });
        assert_eq!(written(of_user(&object(user))).unwrap(), ["user-id:u1", "user-name:a@b.example"]);
        let role = |name: Value| {
            json!({ "value": [
            { "@odata.type": "#microsoft.graph.group", "displayName": "Staff" },
            { "@odata.type": "#microsoft.graph.directoryRole", "displayName": name, "roleTemplateId": "62e9" },
        ] })
        };
        let roles = written(of_memberships(&object(role("Global Administrator".into()))));
        assert_eq!(roles.unwrap(), ["user-role:Global Administrator", "user-role:62e9"]);
        assert_eq!(written(of_memberships(&object(role(Value::Null)))), Err("name of a role".to_owned()));
        assert_eq!(written(of_memberships(&object(json!({})))), Err("list of memberships".to_owned()));
    }
}
