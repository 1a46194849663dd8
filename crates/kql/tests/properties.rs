//! What holds for every text and every query: tokens tile the text, nothing panics, and rows agree with plain loops.

#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use sortie_kql::{Cell, Database, Limits, Options, Schema, Table, TableBuilder, Type, parse, run, tokens};

struct Numbers(Arc<Table>);

impl Database for Numbers {
    fn schema(&self, table: &str) -> Option<Arc<Schema>> {
        (table == "T").then(|| Arc::clone(self.0.schema()))
    }

    fn table(&self, _: &str) -> Option<Arc<Table>> {
        Some(Arc::clone(&self.0))
    }

    fn table_names(&self) -> Vec<String> {
        vec!["T".to_owned()]
    }
}

fn numbers(rows: &[(Option<i64>, String)]) -> Numbers {
    let mut builder = TableBuilder::new(Arc::new(Schema::new().with("n", Type::Long).with("s", Type::String)));
    for (number, text) in rows {
        builder.push([number.map_or(Cell::Null, Cell::Long), Cell::String(text)]);
    }
    Numbers(Arc::new(builder.finish()))
}

fn options() -> Options {
    let limits = Limits { time_max: Duration::from_secs(5), memory_bytes_max: 64 << 20, ..Limits::default() };
    Options { now: sortie_kql::parse_instant("2026-11-01").unwrap(), window: None, limits }
}

fn rows() -> impl Strategy<Value = Vec<(Option<i64>, String)>> {
    prop::collection::vec((prop::option::of(-5_i64..5), "[abAB .]{0,4}"), 0..60)
}

fn longs(query: &str, database: &Numbers) -> Vec<Option<i64>> {
    let answer = run(query, database, &options()).unwrap();
    answer.table().rows().map(|mut row| row.next().unwrap().as_i64()).collect()
}

/// Words that make texts which come close to queries.
const WORDS: &[&str] = &[
    "T",
    "n",
    "s",
    "|",
    "where",
    "project",
    "summarize",
    "by",
    "count()",
    "extend",
    "x",
    "=",
    "==",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'a'",
    "1",
    "2.5",
    "1d",
    ",",
    ";",
    "let",
    "and",
    "or",
    "not",
    "has",
    "in",
    "join",
    "on",
    "union",
    "take",
    "sort",
    "mv-expand",
    "dynamic([1,2])",
    "-",
    "+",
    "*",
    "..",
    "between",
    "parse",
    "with",
    "datetime(null)",
    "tostring",
    "max",
    "arg_max",
    "make_list",
    "toscalar",
    "range",
    "from",
    "to",
    "step",
    "print",
    "$left",
    ".",
    "top",
    "asc",
    "nulls",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn tokens_tile_the_text(text in "\\PC{0,200}|[\"'@hH`~\\\\a-c0-9.()\n ]{0,60}") {
        let mut end = 0;
        for token in tokens(&text) {
            prop_assert_eq!(token.span.start, end);
            prop_assert!(token.span.end > end && text.is_char_boundary(token.span.end));
            end = token.span.end;
        }
        prop_assert_eq!(end, text.len());
    }

    #[test]
    fn any_text_is_a_query_or_an_error(text in "\\PC{0,200}") {
        parse(&text);
    }

    #[test]
    fn words_in_any_order_run_or_are_refused(words in prop::collection::vec(prop::sample::select(WORDS), 0..25)) {
        let query = words.join(" ");
        let database = numbers(&[(Some(1), "a".to_owned()), (None, String::new())]);
        let refused = !parse(&query).errors.is_empty();
        let answer = run(&query, &database, &options());
        prop_assert!(!refused || answer.is_err(), "{}", query);
    }

    #[test]
    fn a_filter_keeps_what_a_loop_keeps(rows in rows(), bound in -5_i64..5) {
        let database = numbers(&rows);
        let found = longs(&format!("T | where n > {bound} and s != 'a' | project n"), &database);
        let kept = rows.iter().filter(|(number, text)| number.is_some_and(|number| number > bound) && text != "a");
        prop_assert_eq!(found, kept.map(|(number, _)| *number).collect::<Vec<_>>());
    }

    #[test]
    fn a_sort_orders_as_the_library_does(rows in rows()) {
        let mut expected: Vec<_> = rows.iter().map(|(number, _)| *number).collect();
        expected.sort();
        prop_assert_eq!(longs("T | sort by n asc | project n", &numbers(&rows)), expected);
    }

    #[test]
    fn groups_add_up(rows in rows()) {
        let database = numbers(&rows);
        let whole: i64 = rows.iter().filter_map(|(number, _)| *number).sum();
        let query = "T | summarize a = sum(n), c = count() by s | summarize sum(a)";
        prop_assert_eq!(longs(query, &database), vec![Some(whole)]);
        let mut texts: Vec<_> = rows.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts.dedup();
        let distinct = i64::try_from(texts.len()).unwrap();
        prop_assert_eq!(longs("T | distinct s | count", &database), vec![Some(distinct)]);
    }

    #[test]
    fn a_join_pairs_what_two_loops_pair(left in rows(), right in rows()) {
        let datatable = |name: &str, rows: &[(Option<i64>, String)]| {
            let cells: Vec<_> =
                rows.iter().map(|(number, _)| number.map_or("long(null)".to_owned(), |n| format!("long({n})"))).collect();
            format!("let {name} = datatable(k: long)[{}];", cells.join(","))
        };
        let pairs = left.iter().flat_map(|(a, _)| right.iter().filter(move |(b, _)| a.is_some() && a == b)).count();
        let query = format!("{}{}L | join kind=inner R on k | count", datatable("L", &left), datatable("R", &right));
        let database = numbers(&[]);
        prop_assert_eq!(longs(&query, &database), vec![Some(i64::try_from(pairs).unwrap())]);
    }

    #[test]
    fn text_tests_agree_with_plain_ones(rows in rows(), wanted in "[ab]{1,2}") {
        let database = numbers(&rows);
        for (operator, test) in [
            ("contains", (|text: &str, wanted: &str| text.to_lowercase().contains(wanted)) as fn(&str, &str) -> bool),
            ("startswith_cs", |text, wanted| text.starts_with(wanted)),
            ("has", |text, wanted| {
                let lower = text.to_lowercase();
                lower.split(|c: char| !c.is_alphanumeric()).any(|term| term == wanted)
            }),
        ] {
            let expected = rows.iter().filter(|(_, text)| test(text, &wanted)).count();
            let found = longs(&format!("T | where s {operator} '{wanted}' | count"), &database);
            prop_assert_eq!(found, vec![Some(i64::try_from(expected).unwrap())], "{} {}", operator, wanted);
        }
    }
}
