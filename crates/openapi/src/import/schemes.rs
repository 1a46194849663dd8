//! Security schemes and requirements, with the magic names of Shuffle's apps.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Walk;
use crate::{
    documents::{Node, Place, text_of},
    security::{KeyPlace, OAuthFlow, OAuthGrant, Requirement, SchemeKind, SecurityScheme},
};

/// The schemes while operations are read, because some appear only there.
#[derive(Default)]
pub(super) struct Schemes {
    pub(super) found: BTreeMap<String, SecurityScheme>,
    /// The document's names, where they differ from ours.
    renamed: HashMap<String, String>,
    /// What operations without a requirement of their own need.
    usual: Vec<Requirement>,
}

impl<'a> Walk<'a> {
    pub(super) fn read_schemes(&mut self) {
        let root = self.documents.root();
        let places =
            [root.get("components").and_then(|node| node.get("securitySchemes")), root.get("securityDefinitions")];
        let mut magic = Vec::new();
        for (name, node) in places.into_iter().flatten().flat_map(Node::entries) {
            let top = Place::root("#/components/securitySchemes");
            let place = top.key(name);
            let node = match self.documents.follow(node) {
                Ok(node) if node.value.is_object() => node,
                Ok(_) => continue,
                Err(error) => {
                    self.notes.add(place, format!("a security scheme cannot be found: {error}"));
                    continue;
                }
            };
            let scheme = self.scheme(name, node, &place);
            if let Some(obstacle) = scheme.obstacle() {
                self.notes.add(place, format!("the scheme `{name}` cannot be served: {obstacle}"));
            }
            let ours = self.schemes.name(name);
            magic.extend(MAGIC.iter().position(|magic| *magic == name).map(|rank| (rank, ours.clone())));
            self.schemes.found.insert(ours, scheme);
        }
        magic.sort();
        self.schemes.usual = match root.get("security") {
            Some(node) => self.requirements(node, &Place::root("#/security")),
            None if self.states_security() => Vec::new(),
            None => self.assumed(magic.first().map(|(_, name)| name.clone())),
        };
    }

    /// The alternatives of one operation.
    pub(super) fn security(&mut self, op: Node<'a>, place: &Place<'_>) -> Vec<Requirement> {
        match op.get("security").filter(|node| !node.value.is_null()) {
            Some(node) => self.requirements(node, &place.key("security")),
            None => {
                let usual = &self.schemes.usual;
                self.weight += usual.iter().map(|requirement| 1 + requirement.0.len()).sum::<usize>();
                usual.clone()
            }
        }
    }

    /// An `Authorization` header that is declared as a parameter, where nothing else says how calls are authenticated.
    pub(super) fn authorization_header(&mut self) -> Vec<Requirement> {
        let kind = SchemeKind::ApiKey { place: KeyPlace::Header, name: "Authorization".to_owned(), prefix: None };
        let description = Some("The whole value of the Authorization header.".to_owned());
        self.schemes.found.entry(AUTHORIZATION.to_owned()).or_insert(SecurityScheme { kind, description });
        vec![Requirement(BTreeMap::from([(AUTHORIZATION.to_owned(), Vec::new())]))]
    }

    fn states_security(&self) -> bool {
        let paths = self.documents.root().get("paths").map(Node::entries).unwrap_or_default();
        paths.into_iter().any(|(_, item)| item.entries().into_iter().any(|(_, op)| op.get("security").is_some()))
    }

    /// Without a single requirement in the document, its schemes are still there for something.
    fn assumed(&mut self, magic: Option<String>) -> Vec<Requirement> {
        let alone = |name: &String| (name.clone(), Vec::new());
        if self.schemes.found.is_empty() {
            return Vec::new();
        }
        if self.shuffle {
            // Shuffle sends the first of its magic schemes and, besides, every other one.
            let others = self.schemes.found.keys().filter(|name| !MAGIC.contains(&name.as_str()));
            return vec![Requirement(others.chain(magic.as_ref()).map(alone).collect())];
        }
        self.notes.add(
            "#/security",
            "the document declares security schemes and asks for none; any of them is taken as enough",
        );
        self.schemes.found.keys().map(|name| Requirement(BTreeMap::from([alone(name)]))).collect()
    }

    fn requirements(&mut self, node: Node<'a>, place: &Place<'_>) -> Vec<Requirement> {
        let items: Vec<Node<'a>> = match node.value {
            Value::Array(_) => node.items().collect(),
            Value::Object(_) => {
                self.notes.add(place, "`security` is not a list; it is read as a list of one");
                vec![node]
            }
            _ => Vec::new(),
        };
        let mut alternatives = Vec::new();
        for item in items {
            let entries = match item.value {
                Value::String(name) => vec![(name.as_str(), Vec::new())],
                _ => item.entries().into_iter().map(|(name, _)| (name, item.texts(name))).collect(),
            };
            let mut requirement = Requirement::default();
            for (name, scopes) in entries {
                let ours = self.schemes.name(name);
                if !self.schemes.found.contains_key(&ours) {
                    self.notes
                        .add(place, format!("operations ask for the security scheme `{name}`, which is not declared"));
                    let kind = SchemeKind::Unknown { written: None };
                    self.schemes.found.insert(ours.clone(), SecurityScheme { kind, description: None });
                }
                requirement.0.insert(ours, scopes);
            }
            if !alternatives.contains(&requirement) {
                alternatives.push(requirement);
            }
        }
        alternatives
    }

    fn scheme(&mut self, name: &str, node: Node<'a>, place: &Place<'_>) -> SecurityScheme {
        let description = node.text("description");
        let kind = if let Some(written) = node.get("x-sortie-type") {
            SchemeKind::Unknown { written: text_of(written.value) }
        } else if let Some(path) = login_path(name, node) {
            SchemeKind::Login { path }
        } else {
            self.kind(name, node, place)
        };
        SecurityScheme { kind, description }
    }

    fn kind(&mut self, name: &str, node: Node<'a>, place: &Place<'_>) -> SchemeKind {
        let written = node.text("type").unwrap_or_default();
        match written.to_ascii_lowercase().as_str() {
            "apikey" => self.api_key(name, node, place),
            "basic" => SchemeKind::Basic,
            "http" => match node.text("scheme").unwrap_or_default().to_ascii_lowercase().as_str() {
                "basic" => SchemeKind::Basic,
                "bearer" => SchemeKind::Bearer { format: node.text("bearerFormat") },
                "" => SchemeKind::Unknown { written: Some(written) },
                other => SchemeKind::Http { scheme: other.to_owned() },
            },
            "bearer" | "jwt" | "token" => {
                self.notes.add(place, format!("the security type `{written}` was read as a bearer token"));
                SchemeKind::Bearer { format: node.text("bearerFormat") }
            }
            "oauth2" => SchemeKind::OAuth2 { flows: flows(node) },
            "openidconnect" => SchemeKind::OpenIdConnect { url: node.text("openIdConnectUrl").unwrap_or_default() },
            "mutualtls" => SchemeKind::MutualTls,
            _ => SchemeKind::Unknown { written: Some(written).filter(|text| !text.is_empty()) },
        }
    }

    fn api_key(&mut self, key: &str, node: Node<'a>, place: &Place<'_>) -> SchemeKind {
        let written = node.text("x-in").or_else(|| node.text("in")).unwrap_or_default();
        let key_place = match written.to_ascii_lowercase().as_str() {
            "query" => KeyPlace::Query,
            "cookie" => KeyPlace::Cookie,
            "header" => KeyPlace::Header,
            _ => {
                self.notes.add(place, "an API key does not say where it travels; a header is taken");
                KeyPlace::Header
            }
        };
        let name = node.text("name").unwrap_or_else(|| key.to_owned());
        let prefix = match node.value.get("x-sortie-prefix") {
            Some(Value::String(prefix)) if !prefix.is_empty() => Some(prefix.clone()),
            _ if key_place == KeyPlace::Header => {
                let description = node.value.get("description").and_then(Value::as_str).unwrap_or_default();
                // In Shuffle's apps the description of this scheme *is* the prefix.
                if key == "ApiKeyAuth" { bare_prefix(description) } else { None }.or_else(|| told_prefix(description))
            }
            _ => None,
        };
        SchemeKind::ApiKey { place: key_place, name, prefix }
    }
}

impl Schemes {
    /// Our name for the document's: it has to stand in a document again.
    fn name(&mut self, written: &str) -> String {
        if let Some(known) = self.renamed.get(written) {
            return known.clone();
        }
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !written.is_empty() && written.chars().all(is_fine) {
            return written.to_owned();
        }
        let clean: String = written.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
        let clean = if clean.is_empty() { "scheme".to_owned() } else { clean };
        let taken = |name: &String| self.found.contains_key(name) || self.renamed.values().any(|known| known == name);
        let mut name = clean.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{clean}_{count}");
        }
        self.renamed.insert(written.to_owned(), name.clone());
        name
    }
}

fn login_path(name: &str, node: Node<'_>) -> Option<String> {
    let stated = node.text("x-sortie-login");
    stated.or_else(|| node.text("in").filter(|place| name == "jwt" && place.contains('/')))
}

fn flows(node: Node<'_>) -> Vec<OAuthFlow> {
    let mut flows: Vec<OAuthFlow> = Vec::new();
    // The standard, and Shuffle's dialect with `flow`.
    let lists = [node.get("flows"), node.get("flow").filter(|flow| flow.value.is_object())];
    for (key, flow) in lists.into_iter().flatten().flat_map(Node::entries) {
        if let Some(grant) = grant(key) {
            flows.push(oauth_flow(granted(grant, node, flow), flow));
        }
    }
    // Swagger 2.0: one flow, written into the scheme.
    if let Some(grant) = node.text("flow").and_then(|flow| grant(&flow)) {
        flows.push(oauth_flow(grant, node));
    }
    flows.sort_by_key(|flow| flow.grant);
    flows.dedup_by_key(|flow| flow.grant);
    flows
}

/// Shuffle's application mode says `authorizationCode` and means what `x-grant-type` says.
fn granted(written: OAuthGrant, scheme: Node<'_>, flow: Node<'_>) -> OAuthGrant {
    let stated = scheme.text("x-grant-type").or_else(|| flow.text("x-grant-type"));
    match stated.as_deref() {
        Some("client_credentials") if flow.text("authorizationUrl").is_none() => OAuthGrant::ClientCredentials,
        Some("password") => OAuthGrant::Password,
        _ => written,
    }
}

fn grant(key: &str) -> Option<OAuthGrant> {
    Some(match key {
        "clientCredentials" | "application" | "client_credentials" => OAuthGrant::ClientCredentials,
        "authorizationCode" | "accessCode" | "authorization_code" => OAuthGrant::AuthorizationCode,
        "password" => OAuthGrant::Password,
        "implicit" => OAuthGrant::Implicit,
        "deviceAuthorization" | "deviceCode" | "device_code" => OAuthGrant::DeviceCode,
        _ => return None,
    })
}

fn oauth_flow(grant: OAuthGrant, node: Node<'_>) -> OAuthFlow {
    let scopes = match node.value.get("scopes") {
        Some(Value::Object(map)) => {
            map.iter().map(|(name, text)| (name.clone(), text_of(text).unwrap_or_default())).collect()
        }
        Some(Value::Array(items)) => items.iter().filter_map(text_of).map(|name| (name, String::new())).collect(),
        Some(Value::String(text)) => text
            .split([' ', ','])
            .filter(|name| !name.is_empty())
            .map(|name| (name.to_owned(), String::new()))
            .collect(),
        _ => BTreeMap::new(),
    };
    OAuthFlow {
        grant,
        authorization_url: node.text("authorizationUrl").or_else(|| node.text("deviceAuthorizationUrl")),
        token_url: node.text("tokenUrl"),
        refresh_url: node.text("refreshUrl"),
        scopes,
    }
}

/// `Token `, `Bearer`: one word, with or without the blank behind it.
fn bare_prefix(description: &str) -> Option<String> {
    let word = description.trim();
    let is_word =
        word.len() <= PREFIX_CHARS_MAX && word.bytes().all(|byte| byte.is_ascii_graphic()) && !word.is_empty();
    is_word.then(|| if word.ends_with('=') { word.to_owned() } else { format!("{word} ") })
}

/// From a description such as ``with format `Token token=<API_KEY>` `` the part in front of the secret.
fn told_prefix(description: &str) -> Option<String> {
    for quoted in description.split('`').skip(1).step_by(2) {
        let Some(at) = quoted.find(['<', '{']) else { continue };
        let before = &quoted[..at];
        let before = before.rsplit_once(':').map_or(before, |(_, rest)| rest).trim_start();
        let is_prefix = (before.ends_with(' ') || before.ends_with('='))
            && before.len() <= PREFIX_CHARS_MAX
            && before.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            && before.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_prefix {
            return Some(before.to_owned());
        }
    }
    None
}

/// In the order in which Shuffle looks for them; the first one wins.
const MAGIC: &[&str] = &["BearerAuth", "ApiKeyAuth", "BasicAuth", "Oauth2", "jwt"];
const AUTHORIZATION: &str = "authorization_header";
const PREFIX_CHARS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_from_the_description() {
        let check =
            |description: &str, expected: Option<&str>| assert_eq!(told_prefix(description).as_deref(), expected);
        check("header value prefixed with SSWS: `Authorization: SSWS {API Token}`.", Some("SSWS "));
        check("The API Key with format `Token token=<API_KEY>`", Some("Token token="));
        check("a `{thing}` of ours", None);
        check("no code here", None);
        assert_eq!(bare_prefix("Token ").as_deref(), Some("Token "));
        assert_eq!(bare_prefix("Bearer").as_deref(), Some("Bearer "));
        assert_eq!(bare_prefix("Get it in the settings"), None);
    }
}
