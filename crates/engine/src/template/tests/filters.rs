//! What each filter and test gives.

use super::*;

#[test]
fn texts() {
    is("'  a b ' | trim", "a b");
    is("'xxaxx' | trim('x')", "a");
    is("'aBc' | upper ~ 'aBc' | lower", "ABCabc");
    is("'eLAN vital' | capitalize", "Elan vital");
    is("\"it's a dog-eat-dog\" | title", "It's A Dog-Eat-Dog");
    is("'aXbXc' | replace('X', '-')", "a-b-c");
    is("'aXbXc' | replace('X', '', 1)", "abXc");
    is("'a, b,c' | split(',')", json!(["a", " b", "c"]));
    is("' a  b ' | split", json!(["a", "b"]));
    is("'a=b=c' | split('=', 1)", json!(["a", "b=c"]));
    is("'a\\r\\nb\\n\\nc' | split_lines", json!(["a", "b", "", "c"]));
    is("'añ😀' | length", 3);
    is("'añ😀' | reverse", "😀ña");
    is("'añ😀'[1:]", "ñ😀");
    is("'abc'[::-1] ~ 'abc'[-2:] ~ 'abc'[:-1] ~ 'abc'[5:]", "cbabcab");
    is("'ab' * 3 ~ 2 * 'x' ~ 'y' * 0 ~ 'z' * -1", "abababxx");
    is("'a' + 'b'", "ab");
}

#[test]
fn numbers() {
    is("7 // 2", 3);
    is("-7 // 2", -4);
    is("-7 % 3", 2);
    is("7 / 2", 3.5);
    is("2 ** 10", 1024);
    is("2 ** -1", 0.5);
    is("-2 | abs", 2);
    is("1 + 2 * 3 - 4 / 2", 5.0);
    is("(1 + 2) * 3", 9);
    is("18446744073709551614 + 1", u64::MAX);
    is("'42' | int + ' 7.9 ' | int", 49);
    is("'x' | int(0)", 0);
    is("7.9 | int", 7);
    is("true | int", 1);
    is("'1.5' | float", 1.5);
    is("3 | float", 3.0);
    is("2.5 | round", 3.0);
    is("2.345 | round(2)", 2.35);
    is("2.1 | round(method='ceil') | int", 3);
    is("[1, 2, 3.5] | sum", 6.5);
    is("[] | sum", 0);
    is("trigger.incident.devices | sum(attribute='score', start=10)", 14);
    is("[3, 1, 2] | min ~ [3, 1, 2] | max", "13");
    is("(trigger.incident.devices | max(attribute='score')).name", "ws-1");
    for wrong in ["1 / 0", "1 // 0", "1 % 0", "1.5 / 0.0"] {
        errs(wrong, wrong, &["a division by 0"]);
    }
    for wrong in ["18446744073709551615 + 1", "2 ** 64", "2 ** 999999999999", "1e308 * 10", "-18446744073709551615"] {
        assert!(value(&format!("{{{{ {wrong} }}}}")).unwrap_err().to_string().contains("does not fit"), "{wrong}");
    }
    errs("'x' | int", "'x' | int", &["the text is not a whole number", "`int(0)`"]);
    errs("none | float", "none | float", &["null is not a number"]);
    errs("['a'] | sum", "['a'] | sum", &["item 0: a number is needed"]);
}

#[test]
fn lists() {
    is("[3, 1, 2] | sort", json!([1, 2, 3]));
    is("['b', 'A', 'a'] | sort", json!(["A", "a", "b"]));
    is("['b', 'A', 'a'] | sort(case_sensitive=false)", json!(["A", "a", "b"]));
    is("['b', 'C', 'a'] | sort(case_sensitive=false, reverse=true)", json!(["C", "b", "a"]));
    is("trigger.incident.devices | sort(attribute='score') | map(attribute='name')", json!(["ws-2", "ws-1"]));
    is("[1, 2, 1.0, '1'] | unique", json!([1, 2, "1"]));
    is("['a', 'A'] | unique", json!(["a", "A"]));
    is("['a', 'A'] | unique(case_sensitive=false)", json!(["a"]));
    is("[{'a': 1, 'b': 1}, {'a': 1, 'b': 2}] | unique_by('a')", json!([{ "a": 1, "b": 1 }]));
    is("[1, 2, 3] | first ~ [1, 2, 3] | last", "13");
    is("[1, 2, 3] | reverse", json!([3, 2, 1]));
    is("[1, 2, 3] | batch(2)", json!([[1, 2], [3]]));
    is("[1, 2, 3] | batch(2, 0)", json!([[1, 2], [3, 0]]));
    is("[1, 2, 3, 4, 5] | slice(2)", json!([[1, 2, 3], [4, 5]]));
    is("[1, 2, 3, 4, 5] | slice(2, 0)", json!([[1, 2, 3], [4, 5, 0]]));
    is("[[1], [2, 3]] | map('length')", json!([1, 2]));
    is("['a'] | map('replace', 'a', 'b')", json!(["b"]));
    is("[1, 2, 3] | select('gt', 1)", json!([2, 3]));
    is("[1, 2, 3] | reject('odd')", json!([2]));
    is("[1, none] | reject('none')", json!([1]));
    is("[true, false] | select", json!([true]));
    is("trigger.incident.devices | selectattr('risk', 'equalto', 'high') | list | length", 1);
    is(
        "trigger.incident.devices | rejectattr('owner.name', 'in', ['ann']) | map(attribute='owner.name')",
        json!(["bob"]),
    );
    is("[[1, 2], [3, 4]] | map(attribute='1')", json!([2, 4]));
    is("[1, 2] + [3]", json!([1, 2, 3]));
    is("[1, 2, 3, 4][1:3]", json!([2, 3]));
    is("[1, 2, 3, 4][::2]", json!([1, 3]));
    is("[1, 2, 3, 4][::-1]", json!([4, 3, 2, 1]));
    is("[1, 2, 3, 4][-2:]", json!([3, 4]));
    is("[1, 2, 3, 4][3:1:-1]", json!([4, 3]));
    is("range(3)", json!([0, 1, 2]));
    is("range(3, 0, -1)", json!([3, 2, 1]));
    let groups = json!([{ "grouper": "a", "list": [{ "k": "a", "n": 2 }] }, { "grouper": "b", "list": [{ "k": "b", "n": 1 }, { "k": "b", "n": 3 }] }]);
    is("[{'k': 'b', 'n': 1}, {'k': 'a', 'n': 2}, {'k': 'b', 'n': 3}] | groupby('k')", groups);
    is("[1] | list", json!([1]));
    errs("'abc' | list", "'abc' | list", &["a list is needed, and this is a text", "`| split(',')`"]);
    errs("[1] | select", "[1] | select", &["item 0", "name a test"]);
    errs("[1][1:2:0]", "[1][1:2:0]", &["by 0"]);
    errs("[1]['a']", "[1]['a']", &["is a list"]);
    errs("[1][1.5]", "1.5", &["no key or index"]);
}

#[test]
fn objects() {
    is("{'b': 1, 'a': 2} | keys", json!(["a", "b"]));
    is("{'b': 1, 'a': 2} | values", json!([2, 1]));
    is("{'b': 1, 'a': 2} | items", json!([["a", 2], ["b", 1]]));
    is("{'a': 1} | length", 1);
    is("{'a': {'b': [10, 20]}}.a.b[1]", 20);
    is("{'a': 1}['a']", 1);
    errs("{1: 2}", "1", &["must be a text"]);
    errs("[1] | items", "[1] | items", &["an object is needed"]);
}

#[test]
fn encodings_and_digests() {
    is("{'a': [1, none, 'x']} | json", r#"{"a":[1,null,"x"]}"#);
    is("{'a': [1]} | json(2)", "{\n  \"a\": [\n    1\n  ]\n}");
    is("trigger.incident.tags | json", r#"["b","a"]"#);
    is(r#"'{"a": [1, 18446744073709551615]}' | from_json"#, json!({ "a": [1, u64::MAX] }));
    is("('{\"a\": 1}' | from_json).a", 1);
    is("'hi?' | b64encode", "aGk/");
    is("'aGk_' | b64decode", "hi?");
    is("'ä b/&' | url_encode", "%C3%A4%20b%2F%26");
    is("7 | url_encode", "7");
    is("'abc' | md5", "900150983cd24fb0d6963f7d28e17f72");
    is("'abc' | sha1", "a9993e364706816aba3e25717850c26c9cd0d89d");
    is("'abc' | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let rfc_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    is("'what do ya want for nothing?' | hmac('Jefe')", rfc_4231);
    is("'x' | hmac('k', 'sha1') | length", 40);
    errs("'{' | from_json", "'{' | from_json", &["the text is no JSON"]);
    errs("'/w==' | b64decode", "'/w==' | b64decode", &["bytes that are no text"]);
    errs("'x' | hmac(1)", "'x' | hmac(1)", &["its `key` must be a text"]);
    errs("none | sha256", "none | sha256", &["a text is needed, and this is null", "`| default('')`"]);
}

#[test]
fn expressions_find_and_replace() {
    is(r"'user=ann user=bob' | regex_find('user=(\\w+)')", "user=ann");
    is(r"'user=ann user=bob' | regex_find('user=(\\w+)', 1)", "ann");
    is(r"'user=ann user=bob' | regex_find('user=(?<who>\\w+)', 'who', all=true)", json!(["ann", "bob"]));
    is("'abc' | regex_find('x')", Value::Null);
    is("'abc' | regex_find('x') | default('-')", "-");
    is(r"'a1b22' | regex_replace('\\d+', '*')", "a*b*");
    is("'ab' | regex_replace('(a)(b)', '$2$1')", "ba");
    is("['a1', 'b'] | select('matching', '[0-9]')", json!(["a1"]));
    is("'ws-1' is matching('^ws-')", true);
    is("['a', 'b'] | map('regex_replace', '[ab]', 'x') | join", "xx");
    // What stands in the text is refused before any run; what is data is refused when it comes.
    let error = Template::compile("{{ 'a' | regex_find('(') }}", &names()).unwrap_err();
    assert!(error.to_string().contains("this is no regular expression: unclosed group"), "{error}");
    errs("'a' | regex_find('(' ~ '')", "'a' | regex_find('(' ~ '')", &["this is no regular expression"]);
    errs("'a' | regex_find('a', 3)", "'a' | regex_find('a', 3)", &["no such group"]);
}

#[test]
fn indicators_and_networks() {
    is("'hxxps://evil[.]example/a' | refang", "https://evil.example/a");
    is("'https://evil.example/a' | defang", "hxxps[:]//evil[.]example/a");
    is("('see 203.0.113.9 and 10.0.0.1' | iocs).ipv4 | map(attribute='value')", json!(["203.0.113.9", "10.0.0.1"]));
    is("'10.0.0.0/8' | cidr_contains('10.1.2.3')", true);
    is("['192.168.0.0/16', 'fd00::/8'] | cidr_contains('fd00::1')", true);
    is("'10.0.0.0/8' | cidr_contains('11.1.2.3')", false);
    is(
        "['10.1.2.3', '8.8.8.8', '::1', '::ffff:10.0.0.1', '127.0.0.1'] | map('is_private_ip')",
        json!([true, false, true, true, true]),
    );
    errs("'x' | is_private_ip", "'x' | is_private_ip", &["no IP address"]);
    errs("'10.0.0.0/8' | is_private_ip", "'10.0.0.0/8' | is_private_ip", &["no IP address"]);
    errs("'x' | cidr_contains('10.1.2.3')", "'x' | cidr_contains('10.1.2.3')", &["no network"]);
    errs("'10.0.0.0/8' | cidr_contains('x')", "'10.0.0.0/8' | cidr_contains('x')", &["no address"]);
}

#[test]
fn times() {
    is("'2024-03-01T12:00:00Z' | parse_time", 1_709_294_400);
    is("'2024-03-01T12:00:00.5Z' | parse_time", 1_709_294_400.5);
    is("'01.03.2024 12:00' | parse_time('%d.%m.%Y %H:%M')", 1_709_294_400);
    is("'2024-03-01T12:00:00.1Z' | parse_time > '2024-03-01T12:00:00Z' | parse_time", true);
    is("1709294400 | format_time", "2024-03-01T12:00:00+00:00");
    is("'2024-03-01T12:00:00Z' | format_time('%d.%m.%Y %H:%M', 'Europe/Berlin')", "01.03.2024 13:00");
    is("now | format_time('%Y')", "2026");
    errs("'now' | parse_time", "'now' | parse_time", &["`now` without quotes"]);
    errs("'x' | parse_time", "'x' | parse_time", &["no date that can be read"]);
    errs("none | parse_time", "none | parse_time", &["this is null"]);
}

#[test]
fn tests_behind_is() {
    for text in [
        "none is none and none is null and 1 is not none",
        "true is boolean and true is true and false is false and 1 is not true",
        "1 is number and 1 is integer and 1.5 is float and 1 is not float and 1.5 is not integer",
        "'a' is string and [1] is sequence and [1] is iterable and {} is mapping and 'a' is not iterable",
        "2 is even and 3 is odd and 9 is divisibleby 3 and 9 is not divisibleby(2)",
        "1 is eq 1 and 1 is equalto(1) and 1 is ne 2 and 1 is lt 2 and 2 is le 2 and 3 is gt 2 and 2 is ge 2",
        "'a' is in ['a'] and 'a' is not in ['b'] and ['a'] is containing 'a'",
        "'abc' is startingwith('a') and 'abc' is endingwith 'c'",
        "'' is empty and [] is empty and {} is empty and 'a' is not empty",
    ] {
        is(text, true);
    }
    errs("none is empty", "none is empty", &["null is neither empty nor full"]);
    errs("'a' is even", "'a' is even", &["a whole number is needed"]);
    errs("1 is odds", "odds", &["there is no test `odds`", "`odd`"]);
    errs("[1] | select('eq')", "'eq'", &["`eq` is not told with what"]);
}

/// A query that a text went into still asks for that text and nothing else.
#[test]
fn a_quoted_text_cannot_leave_its_literal() {
    for text in [
        "a\"b",
        "a\\",
        "a\\\"; drop",
        "a\nb\r\t",
        "' or true",
        "\u{0}\u{7f}\u{85}\u{2028}\u{2029}",
        "```",
        "@\"",
        "h\"x",
        "😀\u{202e}",
        "//",
    ] {
        let values = json!({ "trigger": { "x": text } });
        let template = Template::compile("T | where s == {{ trigger.x | kql_quote }} | count", &names()).unwrap();
        let query = template.evaluate(&scope(&values), Budget::default()).unwrap();
        properties::only_a_literal(query.as_str().unwrap(), text);
    }
}
