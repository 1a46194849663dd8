//! Base addresses, from `servers` or from Swagger 2.0's `host`, `basePath` and `schemes`.

use serde_json::Value;

use super::Walk;
use crate::{
    description::{Server, ServerVariable},
    documents::{Node, Place, text_of},
};

impl<'a> Walk<'a> {
    /// The servers of the document itself.
    pub(super) fn document_servers(&mut self) -> Vec<Server> {
        let root = self.documents.root();
        let top = Place::root("#");
        let servers = self.servers(root, &top);
        if servers.is_empty() { self.host_servers(root, root, &top) } else { servers }
    }

    /// The servers that a document, a path or an operation lists.
    pub(super) fn servers(&mut self, node: Node<'a>, place: &Place<'_>) -> Vec<Server> {
        let here = place.key("servers");
        let mut servers: Vec<Server> = Vec::new();
        let Some(list) = node.get("servers") else { return servers };
        for (at, item) in list.items().enumerate().take(SERVER_COUNT_MAX) {
            let at = here.index(at);
            let url = text_of(item.value).or_else(|| item.text("url"));
            let found = url.and_then(|url| self.server(&url, Some(item), &at));
            servers.extend(found.filter(|server| !servers.contains(server)));
        }
        servers
    }

    /// Swagger 2.0's way; `op` may have schemes of its own.
    pub(super) fn host_servers(&mut self, op: Node<'a>, root: Node<'a>, place: &Place<'_>) -> Vec<Server> {
        let base = root.text("basePath").unwrap_or_default();
        if let Some(parameterized) = root.get("x-ms-parameterized-host")
            && let Some(template) = parameterized.text("hostTemplate")
        {
            let has_scheme = parameterized.value.get("useSchemePrefix") == Some(&Value::Bool(false));
            let scheme = if has_scheme { "" } else { "https://" };
            return self.server(&format!("{scheme}{template}{base}"), None, place).into_iter().collect();
        }
        let Some(host) = root.text("host") else {
            return self.server(&base, None, place).into_iter().collect();
        };
        let mut schemes = op.texts("schemes");
        if schemes.is_empty() {
            schemes = root.texts("schemes");
        }
        let base = if base.is_empty() || base.starts_with('/') { base } else { format!("/{base}") };
        if host.contains("://") {
            return self.server(&format!("{host}{base}"), None, place).into_iter().collect();
        }
        // Both protocols lead to the same service; only the encrypted one is worth keeping.
        let plain_only =
            schemes.iter().any(|scheme| scheme == "http") && !schemes.iter().any(|scheme| scheme == "https");
        let scheme = if plain_only { "http" } else { "https" };
        self.server(&format!("{scheme}://{host}{base}"), None, place).into_iter().collect()
    }

    /// One address, put right; `None` when it says nothing.
    pub(super) fn server(&mut self, written: &str, node: Option<Node<'a>>, place: &Place<'_>) -> Option<Server> {
        let mut url = written.trim().to_owned();
        for (doubled, single) in [("{{", "{"), ("}}", "}"), ("${", "{")] {
            while url.contains(doubled) {
                url = url.replace(doubled, single);
            }
        }
        if let Some(at) = url.find(['?', '#']) {
            self.notes.add(place, "a server's address has a query or a fragment; it is cut off");
            url.truncate(at);
        }
        if url.starts_with("//") {
            url.insert_str(0, "https:");
        } else if !url.contains("://") && !url.starts_with('/') && looks_like_host(&url) {
            self.notes.add(place, "a server's address names no protocol; https is taken");
            url.insert_str(0, "https://");
        } else if !url.contains("://") && !url.starts_with(['/', '{']) && !url.is_empty() {
            url.insert(0, '/');
        }
        if let Some((scheme, rest)) = url.split_once("://") {
            let is_http =
                scheme.starts_with('{') || scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
            if !is_http {
                self.notes.add(place, format!("a server speaks `{scheme}`, which is not served; it is left out"));
                return None;
            }
            let authority = rest.split('/').next().unwrap_or(rest);
            if let Some((_, host)) = authority.rsplit_once('@') {
                self.notes.add(place, "a server's address holds a name or a password; it is cut out");
                url = format!("{scheme}://{host}{}", &rest[authority.len()..]);
            }
        }
        while url.ends_with('/') || url.ends_with(char::is_whitespace) {
            url.pop();
        }
        if url.is_empty() || url.ends_with(':') {
            return None;
        }
        let mut server =
            Server { url, description: node.and_then(|node| node.text("description")), variables: Default::default() };
        for name in braced(&server.url) {
            let declared = node.and_then(|node| node.get("variables")?.get(&name));
            if declared.is_none() {
                self.notes
                    .add(place, "a server's address has a variable that is not declared; the connection must give it");
            }
            let variable = declared.map_or_else(ServerVariable::default, |node| ServerVariable {
                default: node.text("default"),
                choices: node.texts("enum"),
                description: node.text("description"),
            });
            server.variables.insert(name, variable);
        }
        Some(server)
    }
}

fn looks_like_host(url: &str) -> bool {
    let host = url.split('/').next().unwrap_or(url);
    (host.contains('.') && !host.starts_with(['.', '{'])) || host.split(':').next() == Some("localhost")
}

fn braced(url: &str) -> Vec<String> {
    let parts = url.split('{').skip(1);
    parts.filter_map(|part| Some(part.split_once('}')?.0.to_owned())).filter(|name| !name.is_empty()).collect()
}

/// No product has more; a path's servers are copied into each of its operations.
const SERVER_COUNT_MAX: usize = 64;
