//! What a request does to whom, told from the request itself: by whatever connector it was made, an isolation is one.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use crate::BuiltRequest;

/// What is known of a request that changes something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The operation of the connector that comes along, where it is one of those to devices or users.
    pub operation: Option<&'static str>,
    /// Whom it meets.
    pub met: Vec<Met>,
    /// It gives back what another request took away.
    pub undoes: bool,
}

/// A device or a user of Microsoft's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Which of the two.
    pub kind: MetKind,
    /// As the request names it.
    pub id: String,
    /// Where more of it can be read.
    pub url: Url,
}

/// What is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetKind {
    /// A device of Defender for Endpoint.
    Device,
    /// A user of Entra's.
    User,
}

impl Subject {
    /// Reads the path and, where it matters, the body. The host does not count: proxies and regions have others.
    pub fn of(request: &BuiltRequest) -> Self {
        let path = segments(request.url.path());
        let is = |at: usize, names: &[&str]| {
            path.get(at).is_some_and(|own| names.iter().any(|name| own.eq_ignore_ascii_case(name)))
        };
        let after = |names: &[&str], before: &[&str]| {
            (1..path.len()).rev().find(|at| is(*at, names) && is(at - 1, before)).map(|at| at + 1)
        };
        if let Some(at) = after(&["machines"], &["api"]) {
            return device(request, &path, at);
        }
        match after(&["users"], &["v1.0", "beta"]) {
            Some(at) => user(request, &path, at),
            None => Self::default(),
        }
    }
}

fn device(request: &BuiltRequest, path: &[String], at: usize) -> Subject {
    let met = |id: &String| Met { kind: MetKind::Device, id: id.clone(), url: place(&request.url, &path[..at], id) };
    match &path[at..] {
        [all] if all.eq_ignore_ascii_case("AddOrRemoveTagForMultipleMachines") => {
            let ids = body(request).and_then(|body| body.get("MachineIds").and_then(Value::as_array).cloned());
            let ids = ids.unwrap_or_default();
            let ids = ids.iter().filter_map(Value::as_str).map(str::to_owned);
            Subject { operation: Some("tag-devices"), met: ids.map(|id| met(&id)).collect(), undoes: false }
        }
        [id, verb, ..] => {
            let known = DEVICE_ORDERS.iter().find(|(known, ..)| verb.eq_ignore_ascii_case(known));
            let known = known.filter(|_| request.method == "POST");
            let (operation, undoes) = known.map_or((None, false), |(_, operation, undoes)| (Some(*operation), *undoes));
            Subject { operation, met: vec![met(id)], undoes }
        }
        [id] => Subject { operation: None, met: vec![met(id)], undoes: false },
        [] => Subject::default(),
    }
}

fn user(request: &BuiltRequest, path: &[String], at: usize) -> Subject {
    let Some(id) = path.get(at) else { return Subject::default() };
    let met = vec![Met { kind: MetKind::User, id: id.clone(), url: place(&request.url, &path[..at], id) }];
    let verb = path.get(at + 1).map(|verb| verb.to_ascii_lowercase());
    match (request.method, verb.as_deref()) {
        ("PATCH", None) => {
            let body = body(request).unwrap_or_default();
            let switches = body.get("accountEnabled").is_some();
            // Whatever else is changed with it is no undoing.
            let undoes = body == serde_json::json!({ "accountEnabled": true });
            Subject { operation: switches.then_some("enable-or-disable-user"), met, undoes }
        }
        ("POST", Some("revokesigninsessions" | "microsoft.graph.revokesigninsessions")) => {
            Subject { operation: Some("revoke-user-sessions"), met, undoes: false }
        }
        _ => Subject { operation: None, met, undoes: false },
    }
}

/// Decoded as the service decodes them; `users('a')` and `users(name='a')` are `users/a`.
fn segments(path: &str) -> Vec<String> {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let inner = segment.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
        match inner.filter(|(name, _)| ["users", "machines"].iter().any(|known| name.eq_ignore_ascii_case(known))) {
            Some((name, key)) => {
                let value = key.split_once('=').map_or(key, |(_, value)| value);
                segments.extend([name.to_owned(), value.trim_matches('\'').replace("''", "'")]);
            }
            None => segments.push(segment.to_owned()),
        }
    }
    segments
}

/// The address of one object below this path.
fn place(url: &Url, path: &[String], id: &str) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(path).push(id);
    }
    url
}

fn body(request: &BuiltRequest) -> Option<Value> {
    serde_json::from_slice(request.body.as_ref()?).ok()
}

/// Last segment, operation, whether it gives something back.
const DEVICE_ORDERS: &[(&str, &str, bool)] = &[
    ("isolate", "isolate-device", false),
    ("unisolate", "release-device", true),
    ("restrictCodeExecution", "restrict-device", false),
    ("unrestrictCodeExecution", "unrestrict-device", true),
    ("runAntiVirusScan", "scan-device", false),
    ("collectInvestigationPackage", "collect-device-package", false),
    ("offboard", "offboard-device", false),
    ("StopAndQuarantineFile", "quarantine-file", false),
    ("runliveresponse", "run-live-response", false),
    ("tags", "tag-device", false),
];

#[cfg(test)]
mod tests {
    use sortie_transport::Bytes;

    use super::*;

    fn told(method: &'static str, url: &str, body: Option<&str>) -> Subject {
        let body = body.map(|body| Bytes::from(body.to_owned()));
        Subject::of(&BuiltRequest { method, url: url.parse().unwrap(), headers: vec![], body })
    }

    #[track_caller]
    fn check(
        method: &'static str,
        path: &str,
        body: Option<&str>,
        operation: Option<&str>,
        met: &[&str],
        undoes: bool,
    ) {
        let subject = told(method, &format!("https://proxy.example{path}"), body);
        let ids: Vec<&str> = subject.met.iter().map(|met| met.id.as_str()).collect();
        assert_eq!((subject.operation, &ids[..], subject.undoes), (operation, met, undoes), "{method} {path}");
    }

    #[test]
    fn an_order_is_known_by_its_address_however_it_is_written() {
        for path in [
            "/api/machines/d1/isolate",
            "/mde/API/Machines/d1/ISOLATE?x=1",
            "/api/machines/d1/isol%61te/",
            "/api/machines%2Fd1%2Fisolate",
            "/api//machines('d1')/isolate",
            "/api/machines/x/api/machines/d1/isolate",
        ] {
            check("POST", path, None, Some("isolate-device"), &["d1"], false);
        }
        check("POST", "/api/machines/d1/unisolate", None, Some("release-device"), &["d1"], true);
        check("GET", "/api/machines/d1/unisolate", None, None, &["d1"], false);
        check("POST", "/api/machines/d1/somethingNew", None, None, &["d1"], false);
        check("POST", "/rest/machines/d1/isolate", None, None, &[], false);
        let many = r#"{"Value":"x","Action":"Add","MachineIds":["d1","d2"]}"#;
        check(
            "POST",
            "/api/machines/AddOrRemoveTagForMultipleMachines",
            Some(many),
            Some("tag-devices"),
            &["d1", "d2"],
            false,
        );
    }

    #[test]
    fn every_order_of_the_document_that_comes_along_is_known() {
        let document = crate::BuiltIn::of("microsoft-365-defender").unwrap().description();
        let mut known = 0;
        for operation in
            document.operations.iter().filter(|one| one.path.to_lowercase().starts_with("/api/machines/{id}/"))
        {
            let url = format!("https://a.example{}", operation.path.replace("{id}", "d1"));
            let subject = told(operation.method.as_str(), &url, None);
            assert_eq!(subject.met.len(), 1, "{}", operation.id);
            if let Some(found) = subject.operation {
                assert_eq!(found, operation.id);
                known += 1;
            }
        }
        assert_eq!(known, DEVICE_ORDERS.len());
    }

    #[test]
    fn an_account_is_known_and_only_switching_it_on_gives_something_back() {
        let switch = Some("enable-or-disable-user");
        let on = Some(r#"{"accountEnabled":true}"#);
        for path in
            ["/v1.0/users/a@b.example", "/beta/users('a@b.example')", "/v1.0/users(userPrincipalName='a%40b.example')"]
        {
            check("PATCH", path, on, switch, &["a@b.example"], true);
        }
        check("PATCH", "/v1.0/users/a", Some(r#"{"accountEnabled":false}"#), switch, &["a"], false);
        let more = Some(r#"{"accountEnabled":true,"mail":"x"}"#);
        check("PATCH", "/v1.0/users/a", more, switch, &["a"], false);
        check("PATCH", "/v1.0/users/a", None, None, &["a"], false);
        check("POST", "/v1.0/users/a/revokeSignInSessions", None, Some("revoke-user-sessions"), &["a"], false);
        check(
            "POST",
            "/v1.0/users/a/microsoft.graph.revokeSignInSessions",
            None,
            Some("revoke-user-sessions"),
            &["a"],
            false,
        );
        check("POST", "/v1.0/users", None, None, &[], false);
    }

    #[test]
    fn where_more_can_be_read_is_the_object_and_no_verb() {
        let place = |url: &str| told("POST", url, None).met[0].url.to_string();
        assert_eq!(place("https://a.example/x/api/machines/d1/isolate?y=1"), "https://a.example/x/api/machines/d1");
        assert_eq!(
            place("https://a.example/beta/users('a b')/revokeSignInSessions"),
            "https://a.example/beta/users/a%20b"
        );
    }
}
