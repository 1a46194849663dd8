//! What is not part of the language says so, and says what to write instead.

use super::*;

#[test]
fn blocks_that_the_language_does_not_have() {
    for name in [
        "include 'a'",
        "import 'a' as b",
        "extends 'a'",
        "macro a()",
        "block a",
        "call a()",
        "autoescape true",
        "filter upper",
        "from 'a' import b",
        "do x",
        "with",
    ] {
        let text = format!("a {{% {name} %}}");
        let word = name.split(' ').next().unwrap();
        fails(&text, word, &["is not part of the language", "there are `if`, `for`, `set` and `raw`"]);
    }
    fails("{% fro x in [] %}{% endfor %}", "fro", &["there is no block `fro`", "did you mean `for`?"]);
    fails("{% endif %}", "endif", &["ends or continues nothing"]);
    fails("{% else %}", "else", &["ends or continues nothing"]);
    fails("{% if true %}{% endfor %}", "endfor", &["stands inside of `if`"]);
    fails("{% if true %}a", "{%", &["the `if` that begins here has no end", "{% endif %}"]);
    fails("{% for x in [] %}a", "{%", &["the `for` that begins here has no end"]);
    fails("{% raw %}a", "{%", &["the `raw` that begins here has no end"]);
    fails("{% set x %}a{% endset %}", "%}", &["`=` is expected", "{% set name = value %}"]);
    fails("{% 1 %}", "1", &["is expected"]);
}

#[test]
fn braces_that_are_not_closed() {
    fails("a {{ trigger", "{{", &["the `{{` that stands here is not closed", "close it with `}}`", "{{ '{{' }}"]);
    fails("a {% set x = 1", "{%", &["the `{%` that stands here is not closed"]);
    fails("a {# b", "{#", &["has no end", "`#}`"]);
    fails("{{ 1 2 }}", "2", &["`2` stands where an operator or `}}` is expected"]);
    fails("{{ 'a }}", "'", &["the text that begins here has no end"]);
    fails("{{ (1 }}", "}", &["`)` closing the bracket"]);
    fails("{{ [1, 2 }}", "}", &["`]` or `,` in the list"]);
    fails("{{ }}", "}", &["a value is expected"]);
    check("{{ '{{' }}", "{{");
}

#[test]
fn what_jinja_would_let_pass() {
    errs("1 < 2 < 3", "1 < 2", &["cannot be compared again", "`a < b and b < c`"]);
    errs("1 if true", "1 if true", &["does not say what holds otherwise", "`else none`"]);
    errs(
        "trigger.incident.title.upper()",
        "trigger.incident.title.upper",
        &["values have no methods", "`value | upper`"],
    );
    errs("trigger.get('a')", "trigger.get", &["`value.key | default(…)`"]);
    errs("'a'.startswith('b')", "'a'.startswith", &["`value is startingwith('…')`"]);
    errs("upper('a')", "upper('a')", &["there is no function `upper`", "`value | upper`"]);
    errs("dict(a=1)", "dict(a=1)", &["there is no function `dict`"]);
    errs("'a' | uper", "uper", &["there is no filter `uper`", "did you mean `upper`?"]);
    errs("'a' | tojson", "tojson", &["write `| json`"]);
    errs("'a' | safe", "safe", &["values are never HTML"]);
    errs("'a' | replace('a')", "replace('a')", &["`replace` is not told its `new`", "takes old, new, count"]);
    errs("'a' | upper(1)", "1", &["`upper` is given too much", "takes nothing in brackets"]);
    errs("'a' | trim(chr='x')", "'x'", &["`trim` has no `chr`"]);
    errs("[1] | map(attribute=vars.team)", "vars.team", &["written out as a text"]);
    errs("[1] | map(vars.team)", "vars.team", &["written out as a text"]);
    errs("[1] | map('default', 1)", "map('default', 1)", &["`map` cannot apply `default`"]);
    errs("[1] | select(vars.team)", "vars.team", &["written out as a text"]);
    errs("[1] | sort(1, reverse=true)", "true", &["has it twice"]);
    errs("trigger.a = 1", "=", &["compare with `==`"]);
    errs("trigger.@a", "@", &["item['@odata.type']"]);
    errs("trigger.a && true", "&", &["write `and`"]);
    errs("!true", "!", &["write `not`"]);
    errs("trigger.a.0", "0", &["`.0` is no key", "[0]"]);
    errs("trigger.incident.first-seen", "seen", &["a key with a dash in brackets", "item['a-seen']"]);
    errs("24h", "24h", &["is neither a number nor a name", "'24h'"]);
    errs("18446744073709551616", "18446744073709551616", &["does not fit into 64 bits"]);
    errs(r"'\q'", r"\q", &["means nothing in a text"]);
    errs(r"'\ud800'", r"\u", &["means nothing in a text"]);
    errs("“a”", "“", &["quote texts with ' or \""]);
    errs("{{ 1 }}", "{{", &["another pair of braces"]);
}

#[test]
fn variables() {
    fails("{{ x }}{% set x = 1 %}", "x", &["there is no `x` here"]);
    fails("{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "x", &["it ended with the block", "before the block"]);
    fails("{% for x in [1] %}{% endfor %}{{ x }}", "x", &["it ended with the block"]);
    fails("{% set n = 0 %}{% for x in [1] %}{% set n = 1 %}{% endfor %}", "n", &["a loop cannot change `n`"]);
    fails("{% set trigger = 1 %}", "trigger", &["has a meaning already"]);
    fails("{% for device in [] %}{% endfor %}", "device", &["has a meaning already"]);
    fails("{% set loop = 1 %}", "loop", &["has a meaning already"]);
    fails("{{ loop.index }}", "loop", &["there is no `loop` here"]);
    fails("{% for x in [1] %}{{ loop }}{% endfor %}", "loop", &["is not known of a loop"]);
    fails("{% for x in [1] %}{{ loop.nr }}{% endfor %}", "loop.nr", &["is not known of a loop"]);
    fails("{% for x in trigger.incident %}{% endfor %}", "trigger.incident", &["a list is needed", "`| items`"]);
    fails("{% for x in 'abc' %}{% endfor %}", "'abc'", &["a list is needed, and this is a text"]);
    fails("{% for a, b in [1] %}{% endfor %}", "[1]", &["is not a list of 2", "`| items`"]);
    check("{% for k, v in {'a': 1} | items %}{{ k }}={{ v }}{% endfor %}", "a=1");
}
