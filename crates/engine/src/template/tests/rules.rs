//! Rules 3 and 6 to 10 of the language.

use super::{super::*, *};

#[test]
fn rule_3_a_bare_expression_has_no_braces() {
    let boolean = |text: &str| bare(text).unwrap().evaluate_bool(&scope(&values()), Budget::default());
    assert_eq!(boolean("trigger.incident.open and steps.machine.output.riskScore == 'High'"), Ok(true));
    let error = bare("{{ trigger.incident.open }}").unwrap_err();
    assert_eq!(error.to_string(), "a bare expression stands here, without braces; write `trigger.incident.open`");
    assert!(bare(" {% if x %}").unwrap_err().to_string().contains("without `{{ }}`"));
    assert!(bare("trigger.incident.open == {{ true }}").unwrap_err().to_string().contains("another pair of braces"));
    assert!(bare("").unwrap_err().to_string().contains("nothing to evaluate"));
    assert!(bare("trigger.incident.open trigger").unwrap_err().to_string().contains("`trigger` stands where"));
    // Braces within a text, and objects in objects, are not those of a template.
    assert_eq!(boolean("'{{ x }}' == '{{ x }}' and {'a': {'b': 1}} == {'a': {'b': 1}}"), Ok(true));
}

#[test]
fn rule_3_anything_but_a_boolean_is_an_error() {
    for (text, word) in [
        ("trigger.incident.score", "a number"),
        ("trigger.incident.title", "a text"),
        ("trigger.incident.owner", "null"),
        ("trigger.incident.tags", "a list"),
        ("trigger.incident", "an object"),
    ] {
        let error = bare(text).unwrap().evaluate_bool(&scope(&values()), Budget::default()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{text}` must be true or false, and it is {word}")), "{error}");
        errs(&format!("true and {text}"), text, &["must be true or false"]);
        errs(&format!("not {text}"), text, &["must be true or false"]);
        errs(&format!("1 if {text} else 2"), text, &["must be true or false"]);
        fails(&format!("{{% if {text} %}}{{% endif %}}"), text, &["must be true or false"]);
        errs(&format!("[1] | select('in', [{text}]) if false or {text} else 2"), text, &["must be true or false"]);
    }
    // What is not looked at is not asked for.
    is("false and trigger.incident.score", false);
    is("true or trigger.incident.score", true);
}

#[test]
fn rule_6_what_is_missing_is_an_error_that_names_it() {
    let titel = "trigger.incident.titel";
    errs(titel, titel, &["`trigger.incident.titel` does not exist", "has no `titel`", "did you mean `title`?"]);
    errs("trigger.incident.xyzzy", "trigger.incident.xyzzy", &["`| default(…)` if it may be missing"]);
    errs("trigger.incident.owner.name", "trigger.incident.owner.name", &["`trigger.incident.owner` is null"]);
    errs("trigger.incident.title.name", "trigger.incident.title.name", &["`trigger.incident.title` is a text"]);
    errs("trigger.incident.tags[2]", "trigger.incident.tags[2]", &["has 2 items"]);
    errs("trigger.incident.tags[-3]", "trigger.incident.tags[-3]", &["has 2 items"]);
    errs("trigger.incident.tags.a", "trigger.incident.tags.a", &["is a list", "map(attribute="]);
    errs("steps.gone.output.id", "steps.gone.output.id", &["`steps.gone.output` is null"]);
    is("steps.gone.error.kind", "refused");
    is("steps.machine.error", Value::Null);
    is("steps.gone.outcome", "failed");
    is("trigger.incident.tags[-1]", "a");
    is("trigger.incident['@odata.type']", "x");
    errs("steps.other.output", "steps.other.output", &["the step `other` has not ended before", "`after`"]);
}

#[test]
fn rule_6_also_deep_inside_of_results_and_through_filters() {
    let missing = "trigger.incident.no";
    for text in [
        "[1, [trigger.incident.no]]",
        "{'a': {'b': trigger.incident.no}}",
        "'a' ~ trigger.incident.no",
        "[trigger.incident.no] | length",
        "trigger.incident.no | upper | default('x')",
        "trigger.incident.no == none",
        "'x' in [trigger.incident.no]",
        "[1] | join(trigger.incident.no)",
        "trigger.incident.no.more | default(1)",
        "trigger.incident.no.more is defined",
        "[1, 2][trigger.incident.no]",
        "trigger.incident.tags[:trigger.incident.no]",
    ] {
        errs(text, missing, &["`trigger.incident.no` does not exist"]);
    }
    fails("a {{ [trigger.incident.no] }}", missing, &["does not exist"]);
    for (filter, parts) in [
        ("map(attribute='ris')", ["item 0: `ris` does not exist", "did you mean `risk`?"]),
        ("map(attribute='owner.mail')", ["item 0: `owner.mail` does not exist", "leave such items out"]),
        ("selectattr('ris', 'eq', 'high')", ["item 0: `ris` does not exist", "`risk`"]),
        ("rejectattr('owner.mail', 'none')", ["item 0: `owner.mail`", "leave such items out"]),
        ("sort(attribute='no')", ["item 0: `no` does not exist", ""]),
        ("unique_by('no')", ["item 0: `no` does not exist", ""]),
        ("groupby('no')", ["item 0: `no` does not exist", ""]),
        ("sum(attribute='no')", ["item 0: `no` does not exist", ""]),
        ("join(',', attribute='no')", ["item 0: `no` does not exist", ""]),
        ("min(attribute='no')", ["item 0: `no` does not exist", ""]),
    ] {
        let text = format!("trigger.incident.devices | {filter}");
        errs(&text, &text, &parts);
    }
    errs("[none] | map(attribute='a')", "[none] | map(attribute='a')", &["item 0", "is null", "reject('none')"]);
    errs("[] | first", "[] | first", &["the list is empty"]);
}

#[test]
fn rule_6_default_covers_one_missing_leaf_or_null() {
    is("trigger.incident.no | default('x')", "x");
    is("(trigger.incident.no) | default('x')", "x");
    is("trigger.incident.owner | default('x')", "x");
    is("trigger.incident.tags[9] | default('x')", "x");
    is("trigger.incident['no'] | default(trigger.incident.nix | default('y'))", "y");
    is("[] | first | default('x')", "x");
    is("[] | max | default('x')", "x");
    is("trigger.incident.title | default('x')", "{{ 7*7 }}");
    is("trigger.incident.empty | default('x')", "");
    is("false | default(true)", false);
    is("trigger.incident.devices | map(attribute='mail', default='-')", json!(["-", "-"]));
    is("[{'a': none}] | map(attribute='a', default=1)", json!([1]));
    errs("trigger.incident.owner.name | default('x')", "trigger.incident.owner.name", &["is null"]);
    is("trigger.incident.no is defined", false);
    is("trigger.incident.no is undefined", true);
    is("trigger.incident.owner is defined", true);
    is("trigger.incident.owner is none", true);
    is("trigger.incident.title is not none", true);
}

#[test]
fn rule_6_different_types_are_not_compared() {
    for (text, parts) in [
        ("1 == true", "a number cannot be compared with a boolean"),
        ("true != 1", "a boolean cannot be compared with a number"),
        ("'High' < 3", "a text cannot be compared with a number; turn the text into a number"),
        ("'1' == 1", "a text cannot be compared with a number"),
        ("[1] == ['1']", "a number cannot be compared with a text"),
        ("{'a': 1} == {'a': '1'}", "a number cannot be compared with a text"),
        ("[] == {}", "a list cannot be compared with an object"),
        ("none < 1", "null cannot be compared with a number; ask `is none` first"),
        ("1 >= none", "a number cannot be compared with null"),
        ("true < false", "a boolean has no order"),
        ("none <= none", "null has no order"),
        ("[1] < [2]", "a list has no order"),
        ("1 in 'a1'", "a number cannot be in a text"),
        ("1 in {'1': 2}", "a number cannot be in an object"),
        ("1 in 2", "nothing can be in a number"),
        ("'a' in none", "nothing can be in null; write `| default([])`"),
        ("1 in [1, 'a']", "a text cannot be compared with a number"),
        ("'1' not in [1, 2]", "a number cannot be compared with a text"),
        ("[1, 'a'] | sort", "a number cannot be compared with a text"),
        ("[1, none, 2] | max", "null cannot be compared with a number"),
        ("['a', 1] | select('eq', 1)", "item 0: a text cannot be compared with a number"),
        ("1 is eq('1')", "a number cannot be compared with a text"),
        ("1 is in 'abc'", "a number cannot be in a text"),
        ("1 + '1'", "a number and a text cannot be counted with; join texts with `~`"),
        ("none + 1", "null and a number cannot be counted with"),
        ("true + 1", "a boolean and a number cannot be counted with"),
        ("-'a'", "a text has no sign"),
    ] {
        errs(text, text, &[parts, &format!("`{text}`: ")]);
    }
}

#[test]
fn rule_6_null_and_numbers_compare() {
    for (text, expected) in [
        ("none == none", true),
        ("none == 1", false),
        ("'' != none", true),
        ("[] == none", false),
        ("1 == 1.0", true),
        ("1 < 1.5 and 2 > 1.5 and -1.5 > -2 and -1 > -1.5", true),
        ("trigger.incident.big == 18446744073709551615", true),
        ("trigger.incident.big > 18446744073709551614", true),
        // As fractions both sides would be equal.
        ("9007199254740993 == 9007199254740992.0", false),
        ("9007199254740993 > 9007199254740992.0", true),
        ("trigger.incident.small < 0.5", true),
        ("'a' < 'b' and 'B' < 'a'", true),
        ("[1, [none, 2.0]] == [1.0, [none, 2]]", true),
        ("[1] == [1, 2]", false),
        ("{'a': 1} != {'b': 1}", true),
        ("none in [1, none]", true),
        ("1 in [none, 1.0]", true),
        ("'a' in {'a': 1} and 'b' not in {'a': 1}", true),
        ("'b' in 'abc' and 'x' not in 'abc'", true),
        ("'high' in trigger.incident.devices | map(attribute='risk')", true),
    ] {
        is(text, expected);
    }
}

#[test]
fn rule_7_one_pair_of_braces_alone_keeps_the_type() {
    let incident = values()["trigger"]["incident"].clone();
    check("{{ trigger.incident }}", incident.clone());
    check("{{trigger.incident.devices}}", incident["devices"].clone());
    check("{{ trigger.incident.score }}", 7);
    check("{{ trigger.incident.big }}", u64::MAX);
    check("{{ trigger.incident.small }}", i64::MIN);
    check("{{ trigger.incident.ratio }}", 0.5);
    check("{{ trigger.incident.open }}", true);
    check("{{ trigger.incident.owner }}", Value::Null);
    check("{{ 2.0 }}", 2.0);
    check("{{ {'a': [1, none]} }}", json!({ "a": [1, null] }));
    check("{{- trigger.incident.score -}}", 7);
    // Anything beside it makes a text of it.
    check(" {{ trigger.incident.score }}", " 7");
    check("{{ trigger.incident.score }}\n", "7\n");
    check("{{ 1 }}{{ 2 }}", "12");
    check("{% if true %}{{ 1 }}{% endif %}", "1");
    check("", "");
}

#[test]
fn rule_7_joined_values_are_spelled_as_json() {
    let spelled = r#"true null 7 0.5 18446744073709551615 ["b","a"] {"limit":3} 2.0"#;
    check(
        "{{ true }} {{ none }} {{ trigger.incident.score }} {{ trigger.incident.ratio }} {{ trigger.incident.big }} \
         {{ trigger.incident.tags }} {{ inputs }} {{ 4 / 2 }}",
        spelled,
    );
    is("'a' ~ true ~ none ~ 1 ~ [none, 'x'] ~ {'k': false}", r#"atruenull1[null,"x"]{"k":false}"#);
    is("[true, none, 1, 'x', ['y']] | join(' ')", r#"true null 1 x ["y"]"#);
    check(
        "{{ 1 == 1 }} {{ not true }} {{ [1 == 1, 2 * 2, trigger.incident.no is defined] }}",
        "true false [true,4,false]",
    );
    is("true | string", "true");
    is("none | string", "null");
    is("['a', none] | string", r#"["a",null]"#);
    is("'a' | string", "a");
    is("'a' | json", r#""a""#);
    check("{% for x in [true, none] %}{{ x }}{% endfor %}", "truenull");
    check("{% set x = none %}{{ x }}.", "null.");
    check(r#"{"body": {{ {'a': "\"\n"} }}}"#, r#"{"body": {"a":"\"\n"}}"#);
}

#[test]
fn rule_7_a_step_is_named_before_the_run() {
    for (text, about, part) in [
        ("steps", "steps", "used whole, or by a computed name"),
        ("steps | length", "steps", "used whole"),
        ("steps[trigger.incident.id].output", "steps", "by a computed name"),
        ("steps['machine' ~ ''].output", "steps", "]"),
        ("steps.machine", "steps.machine", "does not say what of the step is read"),
        ("steps.machine.result", "steps.machine.result", "a step has no `result`"),
        ("steps.machine['output' ~ '']", "steps.machine", ""),
    ] {
        let error = Template::compile(&format!("{{{{ {text} }}}}"), &names()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        let span = &format!("{{{{ {text} }}}}")[error.span()];
        assert!(
            about.starts_with(span) || span.starts_with(about) || part == "]" || part.is_empty(),
            "{span}: {error}"
        );
    }
    is("steps['machine'].output.id", "m1");
    is("steps['machine']['output']['id']", "m1");
    // A dash belongs to the id: nothing can be subtracted from a step.
    is("steps.fetch-it.output.n", 1);
    is("steps['fetch-it'].output.n - 1", 0);
    is("steps.fetch-it.output.n-1", 0);
}

#[test]
fn rule_8_the_names_in_scope() {
    is("inputs.limit", 3);
    is("run.id ~ run.url ~ run.workflow ~ run.version", "r1https://sortie.example/r1wv");
    is("tenant.id ~ vars.team ~ device.mdeDeviceId ~ index", "t1blued10");
    errs("trigegr.x", "trigegr", &["there is no `trigegr` here", "did you mean `trigger`?"]);
    errs("secrets.x", "secrets", &["there is no `secrets` here", "`trigger`", "`vars`"]);
    errs("run.ulr", "run.ulr", &["`run` has no `ulr`", "`run.url`"]);
    errs("env", "env", &["there is no `env` here"]);
    errs("incident.id", "incident", &["there is no `incident` here"]);
    let where_ = Names::only(["incident"]);
    assert!(Expression::compile("incident.severity == 'high'", &where_).is_ok());
    let error = Expression::compile("trigger.x", &where_).unwrap_err();
    assert!(error.to_string().contains("there is no `trigger` here"), "{error}");
    assert_eq!(error.fault(), Fault::Text);
    let absent = Template::compile("{{ device }}", &names()).unwrap();
    let error = absent.evaluate(&Scope::new(now()), Budget::default()).unwrap_err();
    assert_eq!((error.fault(), error.what()), (Fault::Scope, "`device` has no value in this run"));
}

#[test]
fn rule_8_time_is_the_runs_event_time() {
    is("now", "2026-01-02T03:04:05Z");
    is("ago('24h')", "2026-01-01T03:04:05Z");
    is("'7d' | ago", "2025-12-26T03:04:05Z");
    is("ago('1w')", "2025-12-26T03:04:05Z");
    is("ago('2h30m')", "2026-01-02T00:34:05Z");
    is("(now | parse_time) - (ago('1h') | parse_time)", 3600);
    let template = Template::compile("{{ ago('1s') }}", &names()).unwrap();
    let later = Scope::new("2030-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(template.evaluate(&later, Budget::default()), Ok("2029-12-31T23:59:59Z".into()));
    for wrong in ["ago('-1h')", "ago('1h ago')", "ago('')", "ago('soon')", "ago('1mo')", "ago('9999999999h')"] {
        errs(wrong, wrong, &["duration"]);
    }
    errs("now()", "now", &["`now` is a value"]);
}

#[test]
fn rule_9_data_is_never_read_as_a_template() {
    is("trigger.incident.title", "{{ 7*7 }}");
    check("T: {{ trigger.incident.title }}", "T: {{ 7*7 }}");
    is("'{{ 7*7 }}' ~ '{% if %}'", "{{ 7*7 }}{% if %}");
    is("trigger.incident.title | replace('7', '8') | upper | trim", "{{ 8*8 }}");
    is("['{{ 1 }}'] | map('upper') | join", "{{ 1 }}");
    let hostile = "\\ \" ' \t \0 \r\n \u{1f600} \u{202e}abc\u{202c} \u{fffd} \u{feff} \\u0041 {{ x }} ${x} </script>";
    let values = json!({ "trigger": { "x": hostile } });
    let body =
        Template::compile(r#"{"text": {{ trigger.x | json }}, "in": {{ {'a': trigger.x} }}}"#, &names()).unwrap();
    let text = body.evaluate(&scope(&values), Budget::default()).unwrap();
    let read: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(read, json!({ "text": hostile, "in": { "a": hostile } }));
    let plain = Template::compile("<{{ trigger.x }}>", &names()).unwrap();
    assert_eq!(plain.evaluate(&scope(&values), Budget::default()), Ok(format!("<{hostile}>").into()));
}

/// Rule 10, and the list of filters in the documentation is the list of filters.
#[test]
fn rule_10_every_filter_is_documented_and_every_documented_one_exists() {
    let source = include_str!("../mod.rs");
    let table = source.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: Vec<(&str, Vec<&str>)> = table
        .map(|line| {
            let signature = line.split('`').next().unwrap();
            let (name, parameters) = signature.split_once('(').unwrap_or((signature, ""));
            let parameters = parameters.trim_end_matches(')').split(", ").filter(|name| !name.is_empty());
            (name, parameters.collect())
        })
        .collect();
    let mut names: Vec<&str> = documented.iter().map(|(name, _)| *name).collect();
    let is_sorted = names.is_sorted();
    let mut known: Vec<&str> = super::super::filters::names().collect();
    known.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, known);
    assert!(is_sorted, "the table is in order");
    for (name, parameters) in documented {
        if let Some(filter) = super::super::filters::find(name) {
            let taken: Vec<&str> = filter.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(parameters, taken, "{name}");
        }
    }
    for name in
        "json from_json b64encode b64decode url_encode sha256 sha1 md5 hmac regex_find regex_replace split_lines \
                 unique_by cidr_contains is_private_ip defang refang iocs parse_time format_time ago kql_quote"
            .split_whitespace()
    {
        assert!(known.contains(&name), "{name}");
    }
}
