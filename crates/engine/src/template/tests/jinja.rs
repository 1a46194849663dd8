//! The language as users of Jinja know it: whatever has a value here has the same value in another implementation of it.

use minijinja::value::Serde;
use proptest::prelude::*;

use super::*;

fn theirs(template: &str) -> Option<String> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let context = minijinja::Value::from(Serde(values()));
    environment.render_str(template, context).ok()
}

fn theirs_alone(expression: &str) -> Option<Value> {
    let environment = minijinja::Environment::new();
    let expression = environment.compile_expression(expression).ok()?;
    let value = expression.eval(minijinja::Value::from(Serde(values()))).ok()?;
    serde_json::to_value(&value).ok()
}

#[test]
fn texts_with_blocks_are_rendered_as_in_jinja() {
    for template in [
        "a {# b #} c",
        "a {#- b -#} c",
        "{% for x in [1, 2, 3] %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ', ' if not loop.last else '' }}{% endfor %}",
        "{% for x in [] %}a{% else %}none{% endfor %}",
        "{% for x in [1, 2, 3, 4] if x % 2 == 0 %}{{ loop.index0 }}{{ x }}{% else %}no{% endfor %}",
        "{% for x in [1] if x > 1 %}a{% else %}no{% endfor %}",
        "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}-{{ b }};{% endfor %}",
        "{% for x in [1, 2] %}{% for y in [3, 4] %}{{ x * y }}{{ loop.first }}{% endfor %}{{ loop.last }}{% endfor %}",
        "{% if trigger.incident.score > 5 %}high{% elif true %}mid{% else %}low{% endif %}",
        "{% if false %}a{% elif trigger.incident.open %}b{% else %}c{% endif %}",
        "{% if false %}a{% else %}c{% endif %}!",
        "{% set x = 1 %}{% if true %}{% set x = x + 1 %}{% endif %}{{ x }}",
        "{% set x = 1 %}{% for x in [5] %}{{ x }}{% endfor %}{{ x }}",
        " {%- if true -%} a {%- endif -%} b",
        "x\n{%- for y in [1] %}\n  {{ y }}\n{%- endfor %}\nz\n",
        "{{- 1 -}} b {{ 2 -}}\n c",
        "{% raw %}{{ x }} {% if %}{% endraw %}!",
        "}} %} #} { % { {",
        "{{ '}}' }} {{ {'a': {'b': 1}}.a.b }}",
        "{{ 'a\\n\\t\\\\\\'' }}",
    ] {
        let template = template.replace("{{ loop.first }}", "{{ 1 if loop.first else 0 }}");
        let template = template.replace("{{ loop.last }}", "{{ 1 if loop.last else 0 }}");
        // With something behind it, so that it is a text here and keeps its last line end there.
        let template = template + ".";
        let theirs = theirs(&template).unwrap_or_else(|| panic!("{template} is no Jinja"));
        let ours = value(&template).unwrap_or_else(|error| panic!("{template}: {error}"));
        assert_eq!(ours, theirs, "{template}");
    }
}

fn number() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-20_i64..20).prop_map(|n| n.to_string()),
        Just("trigger.incident.score".to_owned()),
        Just("inputs.limit".to_owned()),
        Just("1.5".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*]", inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), "//|%|/", 1..5).prop_map(|(a, op, b)| format!("({a}) {op} {b}")),
            (inner.clone(), 0..3).prop_map(|(a, b)| format!("({a}) ** {b}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("({a}) | abs")),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| format!("([{}] | max)", all.join(", "))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("([{}] | length)", all.join(", "))),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} if {b} < {c} else {b})")),
        ]
    })
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        "[a-cA-C ,]{0,6}".prop_map(|text| format!("'{text}'")),
        Just("trigger.incident.title".to_owned()),
        Just("vars.team".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[~+]", inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), "upper|lower|trim|capitalize|title|reverse|string")
                .prop_map(|(a, f)| format!("({a} | {f})")),
            (inner.clone(), -4_i64..4, -4_i64..4).prop_map(|(a, from, to)| format!("{a}[{from}:{to}]")),
            (inner.clone(), 0..3).prop_map(|(a, n)| format!("({a} * {n})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} | replace('a', {b}))")),
            (prop::collection::vec(inner.clone(), 0..4), inner)
                .prop_map(|(all, by)| format!("([{}] | join({by}))", all.join(", "))),
        ]
    })
    .boxed()
}

fn truth() -> BoxedStrategy<String> {
    let compared = "==|!=|<|<=|>|>=";
    let leaf = prop_oneof![
        (number(), compared, number()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
        (text(), compared, text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), text()).prop_map(|(a, b)| format!("{a} in {b}")),
        (number(), prop::collection::vec(number(), 0..4))
            .prop_map(|(a, all)| format!("({a}) not in [{}]", all.join(", "))),
        (text(), "none|string|number|mapping|defined").prop_map(|(a, test)| format!("{a} is not {test}")),
        Just("trigger.incident.open".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), "and|or", inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
    .boxed()
}

fn list() -> BoxedStrategy<String> {
    let numbers = prop::collection::vec(number(), 0..5).prop_map(|all| format!("[{}]", all.join(", ")));
    numbers
        .prop_recursive(3, 12, 2, |inner| {
            prop_oneof![
                (inner.clone(), -4_i64..4, -4_i64..4).prop_map(|(a, from, to)| format!("{a}[{from}:{to}]")),
                (
                    inner.clone(),
                    r"sort|reverse|unique|list|map\('abs'\)|select\('gt', 1\)|reject\('lt', 3\)|sort\(reverse=true\)"
                )
                    .prop_map(|(a, f)| format!("({a} | {f})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
                (inner, 1..4).prop_map(|(a, n)| format!("({a} | batch({n}) | map('first'))")),
            ]
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_has_a_value_has_the_one_of_jinja(expression in prop_oneof![number(), text(), truth(), list()]) {
        let ours = value(&format!("{{{{ {expression} }}}}"));
        match (ours, theirs_alone(&expression)) {
            (Ok(ours), Some(theirs)) => prop_assert_eq!(ours, theirs, "{}", expression),
            (Ok(ours), None) => prop_assert!(false, "{} is {} here alone", expression, ours),
            // Numbers beyond 64 bits, and trees that are too deep.
            (Err(error), _) => prop_assert!(
                ["does not fit", "nested too deeply", "more than", "with what is"].iter().any(|part| error.to_string().contains(part)),
                "{}: {}", expression, error
            ),
        }
    }
}
