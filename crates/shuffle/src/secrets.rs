//! What never leaves this crate: passwords, keys and tokens that stand in a workflow. They are taken out of the whole document
//! before anything else looks at it, so that nothing that is written later can hold one.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What stands where a secret stood.
pub(crate) const LEFT_OUT: &str = "(secret left out)";

/// A place where something was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The list of the workflow that it stands in, such as `actions`, with the number of its item.
    pub(crate) item: Option<(String, usize)>,
    /// The whole path.
    pub(crate) path: String,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Secret,
    TooLong,
    TooDeep,
    TooMany,
}

/// The document without secrets, pictures, and what is too large to be read by anybody.
pub(crate) fn cleanse(root: &Value) -> (Value, Vec<Place>) {
    let mut cleaner = Cleaner { places: Vec::new(), path: Vec::new() };
    let value = cleaner.value(root, false);
    (value, cleaner.places)
}

struct Cleaner {
    places: Vec<Place>,
    path: Vec<Step>,
}

enum Step {
    Key(String),
    Item(usize),
}

impl Cleaner {
    /// `is_secret` where the name of the value says that it is one.
    fn value(&mut self, value: &Value, is_secret: bool) -> Value {
        if self.path.len() > DEPTH_MAX {
            self.note(Why::TooDeep);
            return Value::Null;
        }
        match value {
            Value::String(text) => Value::String(self.text(text, is_secret)),
            Value::Number(_) if is_secret => {
                self.note(Why::Secret);
                LEFT_OUT.into()
            }
            Value::Array(items) => {
                if items.len() > ITEMS_MAX {
                    self.note(Why::TooMany);
                }
                let mut cleansed = Vec::with_capacity(items.len().min(ITEMS_MAX));
                for (at, item) in items.iter().take(ITEMS_MAX).enumerate() {
                    self.path.push(Step::Item(at));
                    cleansed.push(self.value(item, is_secret));
                    self.path.pop();
                }
                Value::Array(cleansed)
            }
            Value::Object(members) => Value::Object(self.members(members, is_secret)),
            other => other.clone(),
        }
    }

    fn members(&mut self, members: &Map<String, Value>, is_secret: bool) -> Map<String, Value> {
        // A parameter or a variable: its name says what its value is.
        let named = ["name", "key"].iter().find_map(|key| members.get(*key)).and_then(Value::as_str);
        let is_named_secret = named.is_some_and(names_secret);
        let mut cleansed = Map::new();
        for (key, member) in members {
            if NEVER_READ.contains(&key.as_str()) {
                continue;
            }
            let is_value = is_named_secret && key == "value";
            self.path.push(Step::Key(key.clone()));
            let member = self.value(member, is_secret || is_value || names_secret(key));
            self.path.pop();
            cleansed.insert(self.text(key, false), member);
        }
        cleansed
    }

    fn text(&mut self, text: &str, is_secret: bool) -> String {
        if text.is_empty() || text == PLACEHOLDER {
            return text.to_owned();
        }
        if is_secret && !is_reference(text) {
            self.note(Why::Secret);
            return LEFT_OUT.to_owned();
        }
        let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= TEXT_BYTES_MAX).last().unwrap_or(0);
        let text = match text.len() > TEXT_BYTES_MAX {
            true => {
                self.note(Why::TooLong);
                &text[..cut]
            }
            false => text,
        };
        let scrubbed = scrub(text);
        if scrubbed != text {
            self.note(Why::Secret);
        }
        scrubbed
    }

    fn note(&mut self, why: Why) {
        let item = match &self.path[..] {
            [Step::Key(list), Step::Item(at), ..] => Some((list.clone(), *at)),
            _ => None,
        };
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Item(at) => path.push_str(&format!("[{at}]")),
                Step::Key(key) if is_word(key) => {
                    path.push_str(if path.is_empty() { "" } else { "." });
                    path.push_str(key);
                }
                // A key may be the secret itself.
                Step::Key(_) => path.push_str(".…"),
            }
        }
        self.places.push(Place { item, path, why });
    }
}

fn is_word(key: &str) -> bool {
    key.len() <= 30 && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

/// A reference is no secret: it says where one comes from.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    text.len() > 1 && text.starts_with('$') && text[1..].chars().all(|c| c.is_alphanumeric() || "_@-.# ".contains(c))
}

/// Whether what is called so is a secret.
pub(crate) fn names_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_PARTS.iter().any(|part| name.contains(part))
        || SECRET_NAMES.contains(&name.as_str())
        || name.ends_with("token")
}

/// The text without what looks like a secret in it.
fn scrub(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in PATTERNS.iter() {
        if pattern.is_match(&text) {
            text = pattern.replace_all(&text, *with).into_owned();
        }
    }
    let text = NAMED.replace_all(&text, |found: &Captures<'_>| {
        let value = found[2].trim_matches(['"', '\'', '\\']);
        let is_open = value.is_empty()
            || value.starts_with(['$', '{', '('])
            || SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme));
        if is_open { found[0].to_owned() } else { format!("{}{LEFT_OUT}{}", &found[1], &found[3]) }
    });
    RANDOM
        .replace_all(
            &text,
            |found: &Captures<'_>| {
                if is_random(&found[0]) { LEFT_OUT.to_owned() } else { found[0].to_owned() }
            },
        )
        .into_owned()
}

/// Letters of both cases and digits that change too often for words.
fn is_random(token: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    };
    let classes: Vec<u8> = token.bytes().map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (0..3).all(|class| classes.contains(&class)) && changes * 100 >= token.len() * 35
}

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles it")
}

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let left_out = LEFT_OUT;
    vec![
        (expression(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"), left_out),
        (expression(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), left_out),
        (expression(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), left_out),
        (expression(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|AIza)[A-Za-z0-9_-]{16,}"), left_out),
        (expression(r"(://)[^/\s:@$]*:[^@\s/$]+@"), "$1(secret left out)@"),
        // An address that is a webhook is as good as its secret.
        (expression(r#"(?i)(://[^\s"'/]*hooks?[^\s"'/]*/)[^\s"'\\(][^\s"'\\]*"#), "$1(secret left out)"),
        (expression(r#"(?i)(://[^\s"'(]*/[^\s"'/(]*hooks?[^\s"'/(]*/)[^\s"'\\(]+"#), "$1(secret left out)"),
        (expression(r"(?i)\bwebhook_[0-9a-f-]{36}"), left_out),
        (
            expression(r"(?i)\b(bearer|basic|token|apikey|splunk)(\s+)[A-Za-z0-9._~+/-]*[0-9=][A-Za-z0-9._~+/=-]*"),
            "$1$2(secret left out)",
        ),
    ]
});
/// `password: x`, `"api_key": "x"`, `&token=x`.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r#"(?i)((?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|token|authorization|x-auth[a-z-]*)[\w-]*\\?["']?\s*[:=]\s*)(\\?"[^"]*"|'[^']*'|[^\s,;&"'{}\[\]<>]+)()"#,
    )
});
static RANDOM: LazyLock<Regex> = LazyLock::new(|| expression(r"\b[A-Za-z0-9]{24,}\b"));

const SECRET_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authorization",
    "cookie",
    "bearer",
    "connectionstring",
    "sessionid",
    "authheader",
];
/// What stands in front of a secret, which was taken out already.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "apikey", "splunk", "auth"];
const SECRET_NAMES: &[&str] = &["pwd", "pass", "jwt", "sid", "passcode", "otp"];
/// What Shuffle's editor puts where the authentication fills in.
pub(crate) const PLACEHOLDER: &str = "auth placeholder (replaced during execution)";
/// Pictures, samples, and what belongs to the installation that it came from.
const NEVER_READ: &[&str] = &[
    "large_image",
    "small_image",
    "image",
    "icon",
    "example",
    "example_response",
    "options",
    "schema",
    "tags",
    "visual_branches",
    "previous_parameters",
    "schedules",
    "org",
    "execution_org",
    "owner",
    "comments",
    "subflows",
];
const TEXT_BYTES_MAX: usize = 16 << 10;
const ITEMS_MAX: usize = 20_000;
const DEPTH_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scrub(text), expected.replace('*', LEFT_OUT), "{text}");
    }

    #[test]
    fn secrets_in_texts_are_taken_out() {
        check("Authorization: Bearer abc1.def", "Authorization: Bearer *");
        check("{\"password\": \"hunter2\", \"user\": \"bob\"}", "{\"password\": *, \"user\": \"bob\"}");
        check("https://a.example/?api_key=abc&x=1", "https://a.example/?api_key=*&x=1");
        check("https://bob:pw@a.example/x", "https://*@a.example/x");
        check("key ShHdNevSUZOt7nW4NZu2z2ywmvNEiYJH!", "key *!");
        check("AKIAIOSFODNN7EXAMPLE", "*");
        check("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- x", "* x");
        check(
            "http://h:3001/api/v1/hooks/webhook_63c9b53b-f42f-41d0-991d-745b949f380f",
            "http://h:3001/api/v1/hooks/*",
        );
        check("https://x.webhook.office.com/webhookb2/abc/def", "https://x.webhook.office.com/*");
        check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.sig", "*");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "-----BEGIN PGP MESSAGE-----",
            "Basic authentication",
            "token: $vars.token",
            "https://example.com/a/b?c=d",
            "MicrosoftDefenderAdvancedThreatProtection2",
            "$Filter_found_IPs.valid.#.key",
            "a59b1d8d-08da-4f5e-8e1b-6d5b8f2b7f3e",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn what_is_called_a_secret_is_one_whatever_it_looks_like() {
        let (value, places) = cleanse(&json!({
            "actions": [{ "parameters": [
                { "name": "apikey", "value": "x" },
                { "name": "password", "value": "$exec.password" },
                { "name": "key", "value": "seen" },
                { "name": "access_token", "value": 7 },
            ] }],
            "workflow_variables": [{ "name": "Virustotal APIkey", "value": "48d2444b64cf88598583cd362a204a02" }],
            "backup_config": { "upload_token": "t", "tokens_encrypted": true },
            "small_image": "data:image/png;base64,AAAA",
        }));
        assert_eq!(value["actions"][0]["parameters"][0]["value"], LEFT_OUT);
        assert_eq!(value["actions"][0]["parameters"][1]["value"], "$exec.password");
        assert_eq!(value["actions"][0]["parameters"][2]["value"], "seen");
        assert_eq!(value["actions"][0]["parameters"][3]["value"], LEFT_OUT);
        assert_eq!(value["backup_config"], json!({ "upload_token": LEFT_OUT, "tokens_encrypted": true }));
        assert_eq!(value.get("small_image"), None);
        let told: Vec<&str> = places.iter().map(|place| place.path.as_str()).collect();
        assert_eq!(
            told,
            [
                "actions[0].parameters[0].value",
                "actions[0].parameters[3].value",
                "backup_config.upload_token",
                "workflow_variables[0].value",
            ]
        );
        assert_eq!(places[0].item, Some(("actions".to_owned(), 0)));
    }

    #[test]
    fn what_nobody_can_read_is_cut_and_told() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        let (_, places) = cleanse(&json!({ "a": deep, "b": "ä".repeat(TEXT_BYTES_MAX) }));
        assert_eq!(places.iter().map(|place| place.why).collect::<Vec<_>>(), [Why::TooDeep, Why::TooLong]);
    }
}
