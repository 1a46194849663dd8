//! A path as people write it: placeholders in a dozen notations, queries, fragments, whole addresses.

use crate::report::Reason;

/// A path that a request can be built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathTemplate {
    /// Begins with `/`; placeholders are `{name}`.
    pub(super) path: String,
    /// The placeholders' names in order, each once.
    pub(super) names: Vec<String>,
    /// Names whose values may hold slashes (`{+name}`, `{name*}`).
    pub(super) reserved: Vec<String>,
    /// Query parameters that always have the same value.
    pub(super) fixed_query: Vec<(String, String)>,
    /// Query parameters that the path has placeholders for: name on the wire, name in braces.
    pub(super) query: Vec<(String, String)>,
    /// Address of the server, when the path is a whole address.
    pub(super) server: Option<String>,
    /// What was repaired, as sentences.
    pub(super) repairs: Vec<&'static str>,
}

/// Reads a path.
pub(super) fn parse(written: &str) -> Result<PathTemplate, Reason> {
    if is_placeholder(written) {
        return Err(Reason::Placeholder(written.to_owned()));
    }
    let mut template = PathTemplate::default();
    let mut text = written.trim();
    if text.len() != written.len() {
        template.repairs.push("a path has blanks around it; they are cut off");
    }
    // Shuffle's way to use the same method and path twice.
    while let Some((path, number)) = text.rsplit_once("_shuffle_replace_")
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = path.trim_end();
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        template.repairs.push("a path is a whole address; its host serves that operation alone");
        let host_at = text.find("://").expect("it was just seen") + 3;
        let path_at = text[host_at..].find('/').map_or(text.len(), |at| host_at + at);
        template.server = Some(text[..path_at].trim_end().to_owned());
        text = &text[path_at..];
    }
    if let Some(at) = outside_braces(text, '#') {
        template.repairs.push("a path has a fragment, which is never sent; it is cut off");
        text = text[..at].trim_end();
    }
    let (path, query) = match outside_braces(text, '?') {
        Some(at) => (text[..at].trim_end(), &text[at + 1..]),
        None => (text, ""),
    };
    if !path.starts_with('/') {
        template.path.push('/');
        if !path.is_empty() {
            template.repairs.push("a path does not begin with `/`; it is put in front");
        }
    }
    for (at, segment) in split_outside_braces(path, '/').into_iter().enumerate() {
        if at > 0 {
            template.path.push('/');
        }
        segment_into(&mut template, segment)?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        template.pair(pair)?;
    }
    if is_placeholder(&template.path) {
        return Err(Reason::Placeholder(written.to_owned()));
    }
    Ok(template)
}

/// `tmp3`: an entry of Shuffle's catalogue that nobody filled in.
fn is_placeholder(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.strip_prefix("tmp")
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn segment_into(template: &mut PathTemplate, segment: &str) -> Result<(), Reason> {
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if let Some(name) = segment.strip_prefix(':').filter(|name| is_word(name)) {
        template.repairs.push("a path has placeholders of the form `:name`");
        return template.placeholder(name);
    }
    if let Some(inner) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        template.repairs.push("a path has placeholders of the form `<name>`");
        return template.placeholder(inner.rsplit(':').next().unwrap_or(inner));
    }
    let mut rest = segment;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        if from.starts_with('}') {
            return Err(Reason::Path("a `}` closes nothing"));
        }
        let before = match before.strip_suffix('$') {
            Some(before) => {
                template.repairs.push("a path has placeholders of the form `${name}`");
                before
            }
            None => before,
        };
        template.path.push_str(before);
        let doubled = from.starts_with("{{");
        let (open, close) = if doubled { ("{{", "}}") } else { ("{", "}") };
        let end = from.find(close).ok_or(Reason::Path("a `{` is never closed"))?;
        let name = &from[open.len()..end];
        if name.contains('{') {
            return Err(Reason::Path("a `{` stands inside of a placeholder"));
        }
        if doubled {
            template.repairs.push("a path has placeholders of the form `{{name}}`");
        }
        template.expression(name)?;
        rest = &from[end + close.len()..];
    }
    template.path.push_str(rest);
    Ok(())
}

impl PathTemplate {
    /// What stands in braces: a name, or an expression of RFC 6570 or of a web framework around one.
    fn expression(&mut self, text: &str) -> Result<(), Reason> {
        let text = text.trim();
        if let Some(list) = text.strip_prefix(['?', '&']) {
            self.repairs.push("a path lists its query parameters in braces");
            for name in list.split(',').map(|name| name.trim().trim_end_matches('*')).filter(|name| !name.is_empty()) {
                self.query.push((name.to_owned(), name.to_owned()));
            }
            return Ok(());
        }
        // `{id:[0-9]+}` of a web framework; what follows the colon says what may stand there.
        let name = text.split(':').next().unwrap_or(text).trim();
        let bare = name.trim_start_matches(['+', '/']).trim_end_matches(['*', '?', '+']).trim();
        if bare != text {
            self.repairs.push("a path's placeholder says more than a name; the name is taken");
        }
        if bare != name && !name.ends_with('?') {
            self.reserved.push(bare.to_owned());
        }
        if name.starts_with('/') {
            self.path.push('/');
        }
        self.placeholder(bare)
    }

    fn placeholder(&mut self, name: &str) -> Result<(), Reason> {
        if name.is_empty() || name.contains(['{', '}', '<', '>']) {
            return Err(Reason::Path("a placeholder has no name"));
        }
        self.path.push('{');
        self.path.push_str(name);
        self.path.push('}');
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        Ok(())
    }

    fn pair(&mut self, pair: &str) -> Result<(), Reason> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let inner =
            value.strip_prefix("${").or_else(|| value.strip_prefix('{')).and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if !inner.contains(['{', '}']) && !inner.is_empty() => {
                self.repairs.push("a path has query parameters with placeholders; they become inputs");
                self.query.push((name.to_owned(), inner.trim().to_owned()));
            }
            _ if pair.contains(['{', '}']) => return Err(Reason::Path("the query behind the path cannot be read")),
            _ => self.fixed_query.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

fn outside_braces(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if c == wanted && depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn split_outside_braces(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = outside_braces(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len_utf8()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, path: &str, names: &[&str]) {
        let template = parse(written).unwrap();
        assert_eq!((template.path.as_str(), template.names.as_slice()), (path, names.map_to_owned().as_slice()));
        // What was read reads the same again.
        assert_eq!(parse(&template.path).unwrap().path, path);
    }

    trait ToOwnedNames {
        fn map_to_owned(&self) -> Vec<String>;
    }

    impl ToOwnedNames for [&str] {
        fn map_to_owned(&self) -> Vec<String> {
            self.iter().map(|&name| name.to_owned()).collect()
        }
    }

    #[test]
    fn placeholders_are_read_in_every_notation() {
        check("/users/{id}", "/users/{id}", &["id"]);
        check("users/{ id }/x ", "/users/{id}/x", &["id"]);
        check("/a/${id}/{{b}}", "/a/{id}/{b}", &["id", "b"]);
        check("/a/:id/b:cancel", "/a/{id}/b:cancel", &["id"]);
        check("/a/<int:id>", "/a/{id}", &["id"]);
        check("/a/{id:[0-9]/x}/{+rest}/{path*}/{o?}", "/a/{id}/{rest}/{path}/{o}", &["id", "rest", "path", "o"]);
        check("/users('{id}')/{a}-{b}", "/users('{id}')/{a}-{b}", &["id", "a", "b"]);
        check("/x/{id}/y/{id}", "/x/{id}/y/{id}", &["id"]);
        check("/a_shuffle_replace_12", "/a", &[]);
        check("/", "/", &[]);
        check("", "/", &[]);
    }

    #[test]
    fn queries_fragments_and_addresses_are_taken_apart() {
        let template = parse("https://x.example/a?kind=b&id={id}#c{?d,e*}").unwrap();
        assert_eq!(template.server.as_deref(), Some("https://x.example"));
        assert_eq!(template.path, "/a");
        assert_eq!(template.fixed_query, [("kind".to_owned(), "b".to_owned())]);
        assert_eq!(template.query, [("id".to_owned(), "id".to_owned())]);
        let template = parse("/a{?d,e*}").unwrap();
        assert_eq!(template.path, "/a");
        assert_eq!(template.query.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (written, expected) in [
            ("/a/{b", "the path's placeholders cannot be read: a `{` is never closed"),
            ("/a/b}", "the path's placeholders cannot be read: a `}` closes nothing"),
            ("/a/{}", "the path's placeholders cannot be read: a placeholder has no name"),
            ("/a/{b{c}}", "the path's placeholders cannot be read: a `{` stands inside of a placeholder"),
            ("tmp12", "`tmp12` is a placeholder of Shuffle's catalogue, not the path of an API"),
            ("/tmp0", "`/tmp0` is a placeholder of Shuffle's catalogue, not the path of an API"),
        ] {
            assert_eq!(parse(written).unwrap_err().to_string(), expected);
        }
        assert!(parse("/tmp").is_ok());
    }
}
