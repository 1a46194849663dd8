//! Everything has a bound: work, texts, values, depth; and what stays within them is fast and copies nothing.

use std::sync::Arc;

use super::{super::Fault, *};

fn budgeted(text: &str, budget: Budget) -> Result<Value, TemplateError> {
    Template::compile(text, &names())?.evaluate(&scope(&values()), budget)
}

#[track_caller]
fn beyond(text: &str, part: &str) {
    beyond_of(Budget::default(), text, part);
}

#[track_caller]
fn beyond_of(budget: Budget, text: &str, part: &str) {
    let error = budgeted(text, budget).unwrap_err();
    assert_eq!(error.fault(), Fault::Budget, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn work_is_counted() {
    let (work, text) = ("units of work", "the text would have more than 1048576 bytes");
    beyond("{% for a in range(2000) %}{% for b in range(2000) %}{% endfor %}{% endfor %}", work);
    beyond("{{ range(99999999999) }}", work);
    beyond("{{ 'abc' * 99999999999 }}", text);
    beyond("{{ 'a' * 1048577 }}", text);
    beyond("{% for a in range(2000) %}{{ 'b' * 1000 }}{% endfor %}", text);
    let doubled = |value: &str, times| format!("{{% set x = {value} %}}{}", "{% set x = [x, x] %}".repeat(times));
    beyond(&format!("{}{{{{ x }}}}", doubled("1", 30)), text);
    beyond(&format!("{}{{{{ x | json | length }}}}", doubled("1", 30)), text);
    beyond(&format!("{}{{{{ x == x }}}}", doubled("1", 30)), work);
    beyond(&format!("{}{{{{ x | string }}}}", doubled("'a'", 60)), text);
    beyond(
        &"{% set x = [x] %}".repeat(300).replacen('x', "y", 1).replacen("[x]", "[1]", 1).replacen('y', "x", 1),
        "nested more than",
    );
    beyond("{{ ('ab' * 100000) | regex_replace('a', 'b' * 1000) }}", text);
    // A tenth of the usual work: without optimisation a search takes some thirty times as long.
    let tenth = Budget { work_max: 100_000, ..Budget::default() };
    beyond_of(tenth, "{{ ('A' * 100000) | regex_replace('A*[^A]|A', '') }}", work);
    beyond("{{ ('a' * 300000) | regex_find('b') }}", "262144 are searched at most");
    beyond("{{ ('a' * 1000000) | replace('', 'bb') }}", text);
    beyond("{{ ['a' * 1000000, 'b' * 1000000] | join }}", text);
    beyond("{{ ['a' * 1000000, 'b' * 1000000] }}{{ 1 }}", text);
    beyond_of(tenth, "{% for a in range(400) %}{% set z = ('a' * 100000) | iocs %}{% endfor %}", work);
    let slow =
        "{% for a in range(100000) %}{% set z = 'aaaaaaaaaaaaaaaaaaaaaaa' is matching('(a|aa)+$' ~ a) %}{% endfor %}";
    beyond(slow, work);
}

#[test]
fn a_result_that_keeps_its_type_has_a_bound_as_well() {
    let budget = Budget { value_bytes_max: 1_000, ..Budget::default() };
    let error = budgeted("{{ [trigger.incident, trigger.incident, trigger.incident] }}", budget).unwrap_err();
    assert_eq!(error.what(), "the value would have more than 1000 bytes");
    assert!(budgeted("{{ trigger.incident }}", budget).is_ok());
    let doubled = "{% set x = 1 %}".to_owned() + &"{% set x = [x, x] %}".repeat(22);
    let error =
        bare("trigger.incident.tags").unwrap().evaluate(&scope(&values()), Budget { value_bytes_max: 3, ..budget });
    assert!(error.is_err());
    assert!(budgeted(&format!("{doubled}{{{{ x[0][0] | length }}}}"), Budget::default()).is_ok());
}

#[test]
fn depth_is_bounded_before_it_runs() {
    let deep = |open: &str, close: &str, count: usize| {
        let text = format!("{{{{ {}1{} }}}}", open.repeat(count), close.repeat(count));
        Template::compile(&text, &names()).unwrap_err().to_string()
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{'a': ", "}"),
        ("not ", ""),
        ("-", ""),
        ("1 if true else ", ""),
        ("[1] | map('int', ", ")"),
    ] {
        assert!(deep(open, close, 5_000).contains("nested too deeply"), "{open}");
        let fits = format!("{{{{ {}true{} }}}}", open.repeat(15), close.repeat(15));
        let compiled = Template::compile(&fits, &names());
        assert!(compiled.is_ok(), "{open}: {compiled:?}");
    }
    for chain in ["1 + ", "'a' ~ ", "true and ", "1 ** "] {
        let text = format!("{{{{ {}1 }}}}", chain.repeat(20_000));
        assert!(Template::compile(&text, &names()).unwrap_err().to_string().contains("nested too deeply"), "{chain}");
    }
    for chain in [".a", "[0]", " | abs", "[1:]"] {
        let text = format!("{{{{ trigger{} }}}}", chain.repeat(20_000));
        assert!(Template::compile(&text, &names()).unwrap_err().to_string().contains("nested too deeply"), "{chain}");
    }
    let blocks = "{% if true %}".repeat(5_000) + &"{% endif %}".repeat(5_000);
    assert!(Template::compile(&blocks, &names()).unwrap_err().to_string().contains("nested too deeply"));
    let long = "a".repeat(300_000);
    assert!(Template::compile(&long, &names()).unwrap_err().to_string().contains("262144 are allowed"));
    let mut tree = json!("x");
    for _ in 0..100 {
        tree = json!([tree]);
    }
    let errors = super::super::Input::compile(&tree, &names()).unwrap_err();
    assert!(errors[0].to_string().contains("nested more than 64 levels"), "{}", errors[0]);
}

/// Seven kilobytes, as an incident with its evidence has them.
fn incident() -> Value {
    let device = |at: usize| {
        json!({
            "name": format!("ws-{at}"), "mdeDeviceId": format!("{at:040x}"), "riskScore": "high", "tags": ["finance", "laptop"],
            "lastSeen": "2026-01-02T03:04:05.1234567Z", "ips": ["10.0.0.1", "203.0.113.9"], "raw": { "a": { "b": [at, null, true] } },
        })
    };
    json!({ "incident": { "id": "29", "title": "A title", "devices": (0..28).map(device).collect::<Vec<_>>() } })
}

/// What is read is pointed to: a path costs the same work whatever hangs beside it.
#[test]
fn a_path_is_found_without_a_copy_of_what_is_around_it() {
    let trigger = incident();
    let bytes = trigger.to_string().len();
    assert!((6_000..9_000).contains(&bytes), "{bytes}");
    let large = json!({ "incident": { "title": "A title", "more": vec![trigger.clone(); 200] } });
    let template = Template::compile("{{ trigger.incident.title }}", &names()).unwrap();
    let work_for = |trigger: Value| {
        let scope = scope(&values()).with("trigger", Arc::new(trigger));
        let does = |work_max: u64| template.evaluate(&scope, Budget { work_max, ..Budget::default() }).is_ok();
        (0..1_000).find(|work| does(*work)).expect("a path takes little work")
    };
    assert_eq!(work_for(trigger), work_for(large));
}

#[test]
fn a_template_may_be_shared_among_threads() {
    fn check<T: Send + Sync>() {}
    check::<Template>();
    check::<Expression>();
    check::<super::super::Input>();
    check::<Scope>();
}
