//! Indicators of compromise in a text: addresses, names, URLs, digests, CVE ids; also defanged ones.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::{Value, json};

use crate::{
    inputs::{written, wrong},
    networks::is_public,
    table::{
        Kind::{OneOf, Text},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "iocs",
        title: "Find indicators in a text",
        about: "Addresses, domains, URLs, e-mail addresses, MD5, SHA-1 and SHA-256 digests and CVE ids, each once and in the \
                order of the text; defanged ones are restored, addresses of no public host are marked `private`. As a list, \
                each is an object with `value`, `type` and `private`.",
        inputs: &[
            needed("text", Text, "Any text: a mail, a report, an alert"),
            optional("as", OneOf(&["groups", "list"]), "Whether they come by their kinds, or as one list"),
        ],
        example: r#"{"text":"evil[.]example[.]com resolved to 203.0.113.9"}"#,
        run: |inputs| {
            let found = found(inputs.text("text")?);
            match inputs.text_or("as", "groups")? {
                "groups" => Ok(found.value()),
                "list" => Ok(found.list()),
                other => Err(wrong("as", format!("is `{other}`; it must be groups or list"))),
            }
        },
    },
    Operation {
        id: "refang",
        title: "Restore defanged indicators",
        about: "The text with `hxxp`, `[.]`, `(.)`, `[dot]`, `[at]`, `[:]` and the like written as they are meant.",
        inputs: &[needed("text", Text, "A text with defanged indicators")],
        example: r#"{"text":"hxxps[:]//evil[.]example"}"#,
        run: |inputs| written(refang(inputs.text("text")?)),
    },
    Operation {
        id: "defang",
        title: "Defang indicators",
        about: "The text with its URLs, addresses and names written so that no program makes links of them.",
        inputs: &[needed("text", Text, "A text with indicators")],
        example: r#"{"text":"https://evil.example/a"}"#,
        run: |inputs| written(defang(inputs.text("text")?)),
    },
];

/// Indicators as they are meant, whatever way they were defanged.
fn refang(text: &str) -> String {
    let text = DEFANGED_SCHEME.replace_all(text, |found: &Captures<'_>| {
        let is_secure = found[1].eq_ignore_ascii_case("s");
        format!("http{}://", if is_secure { "s" } else { "" })
    });
    let text = DEFANGED_DOT.replace_all(&text, ".");
    DEFANGED_AT.replace_all(&text, "@").into_owned()
}

fn defang(text: &str) -> String {
    let text = SCHEME.replace_all(text, |found: &Captures<'_>| {
        let scheme = found[1].to_ascii_lowercase();
        format!("{}[:]//", scheme.replacen("http", "hxxp", 1))
    });
    // Dots between letters or digits: those of names and addresses.
    INNER_DOT.replace_all(&INNER_DOT.replace_all(&text, "$1[.]$2"), "$1[.]$2").into_owned()
}

fn found(text: &str) -> Found {
    let text = refang(text);
    let mut found = Found::default();
    // URLs and mail addresses go first; what they are made of is not looked at again, apart from their hosts.
    let mut rest = String::with_capacity(text.len());
    let mut last = 0;
    for url in URL.find_iter(&text) {
        let trimmed = without_tail(url.as_str());
        found.url(trimmed);
        rest.push_str(&text[last..url.start()]);
        rest.push(' ');
        last = url.start() + trimmed.len();
    }
    rest.push_str(&text[last..]);
    for mail in MAIL.find_iter(&rest) {
        let mail = mail.as_str().trim_matches('.').to_ascii_lowercase();
        let domain = mail.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        if is_domain(&domain, true) && mail.len() <= MAIL_BYTES_MAX {
            found.emails.add(mail.as_str().into(), &mail);
            found.domain(&domain);
        }
    }
    let rest = MAIL.replace_all(&rest, " ");
    for id in CVE.find_iter(&rest) {
        let id = id.as_str().to_ascii_uppercase();
        found.cves.add(id.as_str().into(), &id);
    }
    for token in rest.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '/' | '%'))) {
        if token.len() <= TOKEN_BYTES_MAX {
            found.token(token);
        }
    }
    found
}

/// A URL as a sentence holds it: the marks of the sentence around it are not part of it.
fn without_tail(url: &str) -> &str {
    // Brackets that were opened outside. Counted once: a text may end with thousands.
    let unpaired = |open: char, close: char| url.matches(close).count().saturating_sub(url.matches(open).count());
    let (mut round, mut square) = (unpaired('(', ')'), unpaired('[', ']'));
    let mut url = url;
    loop {
        url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~']);
        let left = match url.as_bytes().last() {
            Some(b')') => &mut round,
            Some(b']') => &mut square,
            _ => return url,
        };
        if *left == 0 {
            return url;
        }
        *left -= 1;
        url = &url[..url.len() - 1];
    }
}

#[derive(Default)]
struct Found {
    ipv4: Unique,
    ipv6: Unique,
    domains: Unique,
    urls: Unique,
    emails: Unique,
    md5: Unique,
    sha1: Unique,
    sha256: Unique,
    cves: Unique,
}

/// Values in the order of the text, each once.
#[derive(Default)]
struct Unique {
    seen: BTreeSet<String>,
    values: Vec<Value>,
    is_cut: bool,
}

impl Unique {
    fn add(&mut self, value: Value, key: &str) {
        if self.values.len() >= FOUND_COUNT_MAX {
            self.is_cut |= !self.seen.contains(key);
        } else if self.seen.insert(key.to_owned()) {
            self.values.push(value);
        }
    }
}

impl Found {
    fn url(&mut self, url: &str) {
        let Some((scheme, rest)) = url.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, bracketed) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((host, _)) => (host, true),
            None => (host.split(':').next().unwrap_or_default(), false),
        };
        let is_name = !bracketed && is_domain(host, true);
        let ip: Option<IpAddr> = host.parse().ok();
        if !is_name && ip.is_none() && !host.eq_ignore_ascii_case("localhost") && !is_reserved_name(host) {
            return;
        }
        if url.len() > URL_BYTES_MAX {
            // Too long to be told whole; its host is told, and that something is missing.
            self.urls.is_cut = true;
        } else {
            let written = format!("{}://{rest}", scheme.to_ascii_lowercase());
            self.urls.add(written.as_str().into(), &written);
        }
        match ip {
            Some(ip) => self.ip(ip),
            None if is_name => self.domain(host),
            None => {}
        }
    }

    fn domain(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_lowercase();
        self.domains.add(name.as_str().into(), &name);
    }

    fn ip(&mut self, ip: IpAddr) {
        let list = if ip.is_ipv4() { &mut self.ipv4 } else { &mut self.ipv6 };
        let text = ip.to_string();
        list.add(json!({ "value": text, "private": !is_public(ip) }), &text);
    }

    /// A word between blanks: an address, a digest, a name, with a port or a path behind it.
    fn token(&mut self, token: &str) {
        let whole = token.trim_matches(['.', '-', '/', '%', '_']);
        let token = token.trim_matches(['.', ':', '-', '/', '%']).trim_start_matches('_');
        if let Some(ip) = ipv6(whole).or_else(|| ipv6(token)) {
            return self.ip(ip.into());
        }
        for part in token.split(['/', ':', '%', '_']) {
            if let Ok(ip) = part.parse::<Ipv4Addr>() {
                self.ip(ip.into());
            }
            let is_hex = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digest = match part.len() {
                32 => &mut self.md5,
                40 => &mut self.sha1,
                64 => &mut self.sha256,
                _ => continue,
            };
            if is_hex {
                let part = part.to_ascii_lowercase();
                digest.add(part.as_str().into(), &part);
            }
        }
        // A path before a name makes it a file; behind a name it is the name's.
        let is_path = token.contains("..") || token.contains('_');
        let name = token.split(['/', ':', '%']).next().unwrap_or_default();
        if !is_path && is_domain(name, false) {
            self.domain(name);
        }
    }

    fn value(self) -> Value {
        let lists = [
            ("ipv4", self.ipv4),
            ("ipv6", self.ipv6),
            ("domains", self.domains),
            ("urls", self.urls),
            ("emails", self.emails),
            ("md5", self.md5),
            ("sha1", self.sha1),
            ("sha256", self.sha256),
            ("cves", self.cves),
        ];
        let is_cut = lists.iter().any(|(_, list)| list.is_cut);
        let mut value: serde_json::Map<String, Value> =
            lists.into_iter().map(|(name, list)| (name.to_owned(), Value::Array(list.values))).collect();
        value.insert("truncated".to_owned(), is_cut.into());
        Value::Object(value)
    }
}

impl Found {
    /// One list of all, for loops over whatever was found.
    fn list(self) -> Value {
        let lists = [
            ("ip", self.ipv4),
            ("ip", self.ipv6),
            ("domain", self.domains),
            ("url", self.urls),
            ("email", self.emails),
            ("md5", self.md5),
            ("sha1", self.sha1),
            ("sha256", self.sha256),
            ("cve", self.cves),
        ];
        let of = |kind: &str, value: Value| match value {
            Value::Object(ip) => json!({ "type": kind, "value": ip["value"], "private": ip["private"] }),
            value => json!({ "type": kind, "value": value, "private": false }),
        };
        lists.into_iter().flat_map(|(kind, list)| list.values.into_iter().map(move |value| of(kind, value))).collect()
    }
}

fn ipv6(token: &str) -> Option<Ipv6Addr> {
    let address = token.split(['/', '%']).next()?;
    // The shortest that anybody reports; `::` and times such as `12:30` are none.
    let colons = address.bytes().filter(|byte| *byte == b':').count();
    let ip: Ipv6Addr = address.parse().ok().filter(|_| colons >= 2 && address.len() >= 3)?;
    (address.bytes().filter(u8::is_ascii_hexdigit).count() >= 2 || ip.is_loopback()).then_some(ip)
}

/// Whether it is a name that can be looked up; `is_certain` when its place already says that it is one.
fn is_domain(name: &str, is_certain: bool) -> bool {
    let name = name.trim_end_matches('.');
    if name.is_empty() || name.len() > 253 || !name.contains('.') {
        return false;
    }
    let is_label = |label: &str| {
        let fits = !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
        fits && label.chars().all(|c| c.is_alphanumeric() || c == '-' || (is_certain && c == '_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let is_top = (last.starts_with("xn--") || last.chars().all(char::is_alphabetic)) && last.chars().count() >= 2;
    if !is_top || !name.split('.').all(is_label) || RESERVED_TOPS.contains(&last.as_str()) {
        return false;
    }
    if FILE_ENDINGS.contains(&last.as_str()) {
        return false;
    }
    // Endings of files that are top-level domains as well: a name of two parts is taken for a file.
    is_certain || !(ALSO_FILE_ENDINGS.contains(&last.as_str()) && name.matches('.').count() == 1)
}

/// A host that exists inside of a network only; as a part of a URL it is still worth telling.
fn is_reserved_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default().to_lowercase();
    let is_name = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    !host.is_empty() && is_name && RESERVED_TOPS.contains(&last.as_str())
}

fn expression(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles it")
}

static DEFANGED_SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    expression(r"(?i)(?-u:\b)(?:hxxp|h\*\*p|http|htxp|meow)(s?)\s?(?:\[:\]//|\[://\]|\(:\)//|:\[//\]|://)")
});
// Blanks belong to the words alone: beside a mark they part it from an indicator that stands for itself.
static DEFANGED_DOT: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)\[\.\]|\(\.\)|\{\.\}|\s?(?:\[dot\]|\(dot\)|\{dot\})\s?|\[\.|\\\."));
static DEFANGED_AT: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)\[@\]|\(@\)|\{@\}|\s?(?:\[at\]|\(at\)|\{at\})\s?"));
static SCHEME: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)(?-u:\b)(https?|ftps?)://"));
static INNER_DOT: LazyLock<Regex> = LazyLock::new(|| expression(r"([\p{L}\p{N}])\.([\p{L}\p{N}])"));
static URL: LazyLock<Regex> =
    LazyLock::new(|| expression(r#"(?i)(?-u:\b)(?:https?|ftps?)://[^\s<>"`{}|\\^\x00-\x20]+"#));
static MAIL: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)[a-z0-9._%+'\-]+@[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+"));
static CVE: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)(?-u:\b)cve-(?:19|20)[0-9]{2}-[0-9]{4,7}(?-u:\b)"));

/// RFC 2606, RFC 6761, RFC 6762, RFC 8375, and what networks use inside.
const RESERVED_TOPS: &[&str] =
    &["arpa", "corp", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion", "test"];
/// Endings of files that are no top-level domain.
const FILE_ENDINGS: &[&str] = &[
    "apk", "asp", "aspx", "avi", "bak", "bat", "bin", "bmp", "cfg", "cmd", "conf", "config", "cpl", "css", "csv",
    "dat", "db", "dll", "doc", "docm", "docx", "dmp", "dylib", "elf", "eml", "etl", "evtx", "exe", "gif", "gz", "hta",
    "htm", "html", "ico", "img", "inf", "ini", "iso", "jar", "java", "jpeg", "jpg", "js", "jse", "json", "jsp", "key",
    "lnk", "log", "mp4", "msg", "msi", "msix", "ocx", "odt", "old", "one", "pcap", "pdb", "pdf", "pem", "pfx", "php",
    "png", "ppt", "pptm", "pptx", "psd", "ps1", "psm1", "pst", "rar", "reg", "rtf", "scr", "sct", "sql", "svg", "swf",
    "sys", "tar", "tgz", "tif", "tiff", "tmp", "toml", "ttf", "txt", "vbe", "vbs", "vhd", "vhdx", "wav", "wsf", "xls",
    "xlsb", "xlsm", "xlsx", "xml", "yaml", "yara", "yml",
];
/// Endings of files that are top-level domains, too.
const ALSO_FILE_ENDINGS: &[&str] = &["app", "cab", "cc", "cpp", "md", "mov", "pl", "ps", "py", "rs", "sh", "so", "zip"];
const URL_BYTES_MAX: usize = 4_096;
/// RFC 5321 section 4.5.3.1.
const MAIL_BYTES_MAX: usize = 320;
const TOKEN_BYTES_MAX: usize = 2_048;
const FOUND_COUNT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, kind: &str, expected: &[&str]) {
        let found = super::found(text).value();
        let texts: Vec<&str> = found[kind]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_str().or(value["value"].as_str()).unwrap())
            .collect();
        assert_eq!(texts, expected, "{text}");
    }

    #[test]
    fn as_a_list_each_says_what_it_is() {
        let listed = |inputs: Value| crate::run("iocs", inputs.as_object().unwrap(), Default::default());
        assert_eq!(
            listed(json!({ "text": "10.0.0.1 a@mail.example.com CVE-2024-3094", "as": "list" })).unwrap(),
            json!([
                { "type": "ip", "value": "10.0.0.1", "private": true },
                { "type": "domain", "value": "mail.example.com", "private": false },
                { "type": "email", "value": "a@mail.example.com", "private": false },
                { "type": "cve", "value": "CVE-2024-3094", "private": false },
            ])
        );
        assert!(listed(json!({ "text": "x", "as": "table" })).is_err());
    }

    #[test]
    fn a_report_gives_what_it_names() {
        check("hxxps://evil[.]example[.]com/a?b=1, then", "urls", &["https://evil.example.com/a?b=1"]);
        check(
            "(see http://a.example/x_(y)) and [http://b.example/z].",
            "urls",
            &["http://a.example/x_(y)", "http://b.example/z"],
        );
        check("hxxp[:]//1(.)2(.)3(.)4:8080/x", "ipv4", &["1.2.3.4"]);
        check("evil[dot]example[.]com evil.example.com EVIL.EXAMPLE.COM.", "domains", &["evil.example.com"]);
        check("to Bob[@]Mail.example.org; mailto:bob@mail.example.org", "emails", &["bob@mail.example.org"]);
        check("bob@mail.example.org", "domains", &["mail.example.org"]);
        check("CVE-2024-3094 cve-2021-44228, CVE-99-1", "cves", &["CVE-2024-3094", "CVE-2021-44228"]);
        check("http://bücher.example/ü", "domains", &["bücher.example"]);
        check("http://user:pw@evil.example:99/", "domains", &["evil.example"]);
    }

    #[test]
    fn addresses_are_addresses() {
        check("8.8.8.8:53 10.0.0.1/24 8.8.8.8 1.2.3.4.5 256.1.1.1 1.2.3", "ipv4", &["8.8.8.8", "10.0.0.1"]);
        check("[2606:4700::1111]:443 fe80::1%eth0 ::1 12:30:45 ::", "ipv6", &["2606:4700::1111", "fe80::1", "::1"]);
        let found = super::found("8.8.8.8 10.0.0.1 fe80::1").value();
        assert_eq!(found["ipv4"][0], json!({ "value": "8.8.8.8", "private": false }));
        assert_eq!(found["ipv4"][1], json!({ "value": "10.0.0.1", "private": true }));
        assert_eq!(found["ipv6"][0], json!({ "value": "fe80::1", "private": true }));
    }

    #[test]
    fn a_file_is_no_domain() {
        check("cmd.exe report.pdf build.rs install.sh a.zip x.local srv.corp kernel32.dll", "domains", &[]);
        check(r"C:\Windows\system32\cmd.exe /usr/lib/x.so.1", "domains", &[]);
        check("evil.example.zip https://a.zip/x www.a.rs", "domains", &["a.zip", "evil.example.zip", "www.a.rs"]);
        check("http://dc01.corp/x", "urls", &["http://dc01.corp/x"]);
    }

    #[test]
    fn digests_are_told_apart_by_their_length() {
        let (md5, sha1, sha256) = ("d41d8cd98f00b204e9800998ecf8427e", "a".repeat(40), "B".repeat(64));
        let text = format!("{md5} {sha1}\tsha256:{sha256}, {} 0x{md5}", "c".repeat(33));
        check(&text, "md5", &[md5]);
        check(&text, "sha1", &[&sha1]);
        check(&text, "sha256", &[&sha256.to_lowercase()]);
    }

    #[test]
    fn defanging_can_be_taken_back() {
        for text in ["https://evil.example.com/a.b", "10.0.0.1 and a.b.c.d", "ftp://a.example"] {
            let defanged = defang(text);
            assert!(!defanged.contains("://") && !defanged.contains("a.b"), "{defanged}");
        }
        assert_eq!(defang("https://evil.example/"), "hxxps[:]//evil[.]example/");
        assert_eq!(refang(&defang("https://evil.example.com/a.b 1.2.3.4")), "https://evil.example.com/a.b 1.2.3.4");
    }

    #[test]
    fn a_url_without_an_end_costs_no_time_and_tells_its_host() {
        let started = std::time::Instant::now();
        let found = super::found(&format!("http://a.example.com/{}", ")".repeat(1 << 20))).value();
        assert_eq!(found["urls"], json!(["http://a.example.com/"]));
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
        let found = super::found(&format!("http://a.example.com/{}", "b".repeat(5_000))).value();
        assert_eq!((&found["urls"], &found["domains"]), (&json!([]), &json!(["a.example.com"])));
        assert_eq!(found["truncated"], true);
        check("(see http://a.example.com/x_(y)).", "urls", &["http://a.example.com/x_(y)"]);
    }

    proptest! {
        /// Whatever surrounds it, an indicator is found, once, and the extractor does not trip over anything.
        #[test]
        fn an_indicator_is_found_in_any_text(before in any::<String>(), after in any::<String>()) {
            let text = format!("{before} https://evil.example.com/x?y=1 {after} 198.51.100.7 {before}");
            let found = super::found(&text).value();
            let urls = found["urls"].as_array().unwrap();
            prop_assert_eq!(urls.iter().filter(|url| *url == "https://evil.example.com/x?y=1").count(), 1);
            let ips = found["ipv4"].as_array().unwrap();
            prop_assert_eq!(ips.iter().filter(|ip| ip["value"] == "198.51.100.7").count(), 1);
        }

        #[test]
        fn texts_of_marks_do_not_confuse(text in r"[a-z0-9.:/@\[\]()%_ -]{0,200}") {
            let found = super::found(&text).value();
            for domain in found["domains"].as_array().unwrap() {
                prop_assert!(is_domain(domain.as_str().unwrap(), true));
            }
            prop_assert!(refang(&text).len() <= text.len());
        }
    }
}
