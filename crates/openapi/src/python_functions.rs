//! Which functions of Shuffle's own apps a built-in operation does, and why others cannot be run: for apps that are imported as
//! connectors, and for workflows that call them.

use serde_json::{Map, Value, json};

/// What is known of a function.
#[derive(Clone, Copy)]
pub enum Function {
    /// A built-in operation does it.
    Runs(Native),
    /// Why it cannot be run.
    Cannot(&'static str),
}

/// The built-in operation that stands for a function.
#[derive(Clone, Copy)]
pub struct Native {
    /// Which operation it is.
    pub call: Call,
    /// Input, parameter, how the parameter's text is read.
    pub inputs: &'static [(&'static str, &'static str, Read)],
    /// The class of its effect.
    pub effect: &'static str,
    /// Parameters that have no meaning here.
    pub ignored: &'static [&'static str],
}

/// Which operation stands for a function.
#[derive(Clone, Copy)]
pub enum Call {
    /// This one, such as `data/iocs`.
    To(&'static str),
    /// By the words of a parameter.
    By(&'static str, &'static [(&'static str, &'static str)]),
}

/// How a parameter's text becomes an input.
#[derive(Clone, Copy)]
pub enum Read {
    /// As it is.
    Text,
    /// As JSON, where it is some.
    Json,
    /// A list in JSON, or parts between commas.
    List,
    /// Lines `Name: value`.
    Pairs,
    /// This value, whatever is given.
    Fixed(&'static str),
    /// By words.
    Words(&'static [(&'static str, &'static str)]),
}

use Read::{Fixed, Json, List, Pairs, Text, Words};

impl Native {
    /// Whether the parameter means something here.
    pub(crate) fn uses(&self, key: &str) -> bool {
        let chooses = matches!(self.call, Call::By(by, _) if by == key);
        chooses || self.inputs.iter().any(|(_, from, _)| *from == key)
    }

    /// As `x-sortie-native` has it.
    pub(crate) fn link(&self) -> Value {
        let mut inputs = Map::new();
        for (key, from, read) in self.inputs {
            let words = |words: &[(&str, &str)]| {
                words.iter().map(|(word, value)| ((*word).to_owned(), value_of(value))).collect::<Map<_, _>>()
            };
            let rule = match read {
                Text => json!({ "from": from, "as": "text" }),
                Json => json!({ "from": from, "as": "json" }),
                List => json!({ "from": from, "as": "list" }),
                Pairs => json!({ "from": from, "as": "pairs" }),
                Fixed(value) => json!({ "value": value_of(value) }),
                Words(table) => json!({ "from": from, "words": words(table) }),
            };
            inputs.insert((*key).to_owned(), rule);
        }
        match self.call {
            Call::To(call) => json!({ "call": call, "inputs": inputs, "ignored": self.ignored }),
            Call::By(key, calls) => {
                let calls: Map<String, Value> =
                    calls.iter().map(|(word, call)| ((*word).to_owned(), (*call).into())).collect();
                json!({ "choose": { "by": key, "calls": calls }, "inputs": inputs, "ignored": self.ignored })
            }
        }
    }
}

/// `true` and `false` are no words.
fn value_of(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        other => other.into(),
    }
}

/// What is known of the function of the app, by the names of both.
pub fn function(app: &str, name: &str) -> Function {
    let app = app.trim().to_lowercase().replace(['_', '-'], " ").replace("soar", "shuffle");
    match app.as_str() {
        "shuffle tools" | "shuffle tools fork" => tools(name),
        "http" => http(name),
        "email" => email(name),
        "shuffle subflow" => Function::Cannot("a workflow runs another one by a step of its own"),
        _ => Function::Cannot("the app is a program in Python, and Sortie runs none"),
    }
}

const fn data(call: &'static str, inputs: &'static [(&'static str, &'static str, Read)]) -> Function {
    Function::Runs(Native { call: Call::To(call), inputs, effect: "safe", ignored: &[] })
}

const fn keeps(
    call: &'static str,
    inputs: &'static [(&'static str, &'static str, Read)],
    effect: &'static str,
) -> Function {
    // A category would keep equal names apart; here it is refused instead.
    Function::Runs(Native { call: Call::To(call), inputs, effect, ignored: &[] })
}

fn tools(name: &str) -> Function {
    match name {
        "repeat_back_to_me" => data("data/echo", &[("value", "call", Json)]),
        "filter_list" => data("data/list-filter", FILTER),
        "parse_ioc" => Function::Runs(Native {
            call: Call::To("data/iocs"),
            inputs: &[("text", "input_string", Text)],
            effect: "safe",
            ignored: &["input_type"],
        }),
        "regex_capture_group" => {
            data("data/regex-extract", &[("text", "input_data", Text), ("pattern", "regex", Text)])
        }
        "regex_replace" => data(
            "data/regex-replace",
            &[
                ("text", "input_data", Text),
                ("pattern", "regex", Text),
                ("with", "replace_string", Text),
                ("ignore_case", "ignore_case", Words(TRUTH)),
            ],
        ),
        "parse_list" => {
            data("data/text-split", &[("text", "items", Text), ("at", "splitter", Text), ("trim", "", Fixed("true"))])
        }
        "map_value" | "replace_value_from_dictionary" => data(
            "data/text-lookup",
            &[("text", "input_data", Text), ("table", "mapping", Json), ("inside", "", Fixed("true"))],
        ),
        "xml_json_convertor" => Function::Runs(Native {
            call: Call::By("convertto", &[("json", "data/xml-parse"), ("xml", "data/xml-write")]),
            inputs: &[("text", "data", Text), ("value", "data", Json)],
            effect: "safe",
            ignored: &[],
        }),
        "date_to_epoch" => data("data/date-parse", &[("date", "input_data", Text), ("format", "date_format", Text)]),
        "get_timestamp" => Function::Runs(Native {
            call: Call::To("data/date-now"),
            inputs: &[],
            effect: "safe",
            ignored: &["time_format"],
        }),
        "add_list_to_list" | "merge_lists" | "merge_json_objects" | "diff_lists" => lists(name),
        "set_json_key" => {
            data("data/json-set", &[("value", "json_object", Json), ("path", "key", Text), ("to", "value", Json)])
        }
        "delete_json_keys" => data("data/json-remove", &[("value", "json_object", Json), ("paths", "keys", Text)]),
        "escape_html" => Function::Runs(Native {
            call: Call::To("data/html-escape"),
            inputs: &[("text", "input_data", Text)],
            effect: "safe",
            ignored: &["field_name"],
        }),
        "base64_conversion" => Function::Runs(Native {
            call: Call::By("operation", &[("encode", "data/base64-encode"), ("decode", "data/base64-decode")]),
            inputs: &[("text", "string", Text)],
            effect: "safe",
            ignored: &[],
        }),
        "get_hash_sum" => data("data/hash", &[("text", "value", Text)]),
        "cidr_ip_match" => data("data/cidr-contains", &[("address", "ip", Text), ("networks", "networks", List)]),
        "list_cidr_ips" => {
            Function::Cannot("it lists addresses alone; data/cidr-subnets with the prefix 32 gives networks")
        }
        "download_remote_file" => data("http/get", &[("url", "url", Text)]),
        _ => kept(name),
    }
}

/// The functions over two lists.
fn lists(name: &str) -> Function {
    match name {
        "add_list_to_list" => data("data/list-concat", &[("items", "list_one", List), ("other", "list_two", List)]),
        "diff_lists" => data("data/list-difference", &[("items", "list_one", List), ("other", "list_two", List)]),
        _ => data(
            "data/list-merge",
            &[("items", "list_one", List), ("other", "list_two", List), ("field", "set_field", Text)],
        ),
    }
}

/// The functions over kept values.
fn kept(name: &str) -> Function {
    match name {
        "get_cache_value" | "get_datastore_value" => keeps("kv/get", &[("name", "key", Text)], "safe"),
        "set_cache_value" | "set_datastore_value" => {
            keeps("kv/set", &[("name", "key", Text), ("value", "value", Json)], "overwrite")
        }
        "delete_cache_value" | "delete_datastore_value" => keeps("kv/delete", &[("name", "key", Text)], "overwrite"),
        _ => Function::Cannot(reason(name)),
    }
}

/// Why no built-in operation does it.
fn reason(name: &str) -> &'static str {
    match name {
        "execute_python" | "execute_bash" => "it runs code that the workflow holds; a `code` step does that",
        "router" | "if_else_routing" | "merge_incoming_branches" => "a workflow's own steps decide where it goes on",
        "check_cache_contains" | "check_datastore_contains" => {
            "it reads and appends in one; use kv/get and kv/compare-and-set"
        }
        "search_datastore_category" | "list_datastore_category" => {
            "kept values have no categories; use kv/list with a prefix"
        }
        "send_sms_shuffle" | "send_email_shuffle" => "it goes through the vendor's own service",
        "run_ssh_command" => "Sortie opens no shells",
        "generate_random_string" => "a run must give the same when it is repeated",
        "run_math_operation" => "a `set` step computes",
        "create_file"
        | "get_file_value"
        | "get_file_meta"
        | "delete_file"
        | "extract_archive"
        | "inflate_archive"
        | "create_archive"
        | "list_file_category_ids"
        | "parse_file_ioc"
        | "get_jwt_from_file" => "it works on files of Shuffle's own store",
        _ => "no built-in operation does that",
    }
}

fn http(name: &str) -> Function {
    let (call, effect) = match name.to_ascii_uppercase().as_str() {
        "GET" => ("http/get", "safe"),
        "HEAD" => ("http/head", "safe"),
        "POST" => ("http/post", "unsafe"),
        "PUT" => ("http/put", "overwrite"),
        "PATCH" => ("http/patch", "unsafe"),
        "DELETE" => ("http/delete", "overwrite"),
        "OPTIONS" => ("http/request", "unsafe"),
        "CURL" => return Function::Cannot("a command line is not run; write it as a request of http"),
        _ => return Function::Cannot("no built-in operation does that"),
    };
    let inputs: &[_] = match call {
        "http/get" | "http/head" => &[
            ("url", "url", Text),
            ("headers", "headers", Pairs),
            ("timeout_s", "timeout", Json),
            ("any_status", "", Fixed("true")),
        ],
        "http/request" => &[
            ("method", "", Fixed("OPTIONS")),
            ("url", "url", Text),
            ("headers", "headers", Pairs),
            ("timeout_s", "timeout", Json),
            ("any_status", "", Fixed("true")),
        ],
        _ => &[
            ("url", "url", Text),
            ("headers", "headers", Pairs),
            ("text", "body", Text),
            ("timeout_s", "timeout", Json),
            ("any_status", "", Fixed("true")),
        ],
    };
    let ignored = &["username", "password", "verify", "http_proxy", "https_proxy", "to_file"];
    Function::Runs(Native { call: Call::To(call), inputs, effect, ignored })
}

fn email(name: &str) -> Function {
    match name {
        "send_email_smtp" | "send_email" => {}
        "send_email_shuffle" | "send_email_soar" | "send_sms_shuffle" | "send_sms_soar" => {
            return Function::Cannot("it goes through the vendor's own service; use email/send");
        }
        "get_emails_imap" => return Function::Cannot("Sortie reads no mailboxes by IMAP; use Microsoft Graph"),
        _ => return Function::Cannot("no built-in operation reads mail"),
    }
    let inputs =
        &[("to", "recipient", List), ("cc", "cc_emails", List), ("subject", "subject", Text), ("html", "body", Text)];
    // An attachment is no such: a mail without it would not be the one that was meant.
    let ignored = &["username", "password", "smtp_host", "smtp_port", "ssl_verify", "body_type"];
    Function::Runs(Native { call: Call::To("email/send"), inputs, effect: "unsafe", ignored })
}

const FILTER: &[(&str, &str, Read)] = &[
    ("items", "input_list", Json),
    ("by", "field", Text),
    ("test", "check", Words(CHECKS)),
    ("value", "value", Text),
    ("opposite", "opposite", Words(TRUTH)),
];
const CHECKS: &[(&str, &str)] = &[
    ("equals", "equals"),
    ("equal", "equals"),
    ("equals any of", "one_of"),
    ("larger than", "larger"),
    ("less than", "smaller"),
    ("is empty", "empty"),
    ("contains", "contains"),
    ("starts with", "starts_with"),
    ("ends with", "ends_with"),
    ("matches regex", "matches"),
];
const TRUTH: &[(&str, &str)] = &[("true", "true"), ("false", "false")];
