//! Reads a decision table and holds it against the rules.

use std::collections::BTreeMap;

/// Rows by their case; each with a result and the rule that gives it.
pub(super) struct Table<'t> {
    rows: BTreeMap<&'t str, (&'t str, &'t str)>,
}

impl<'t> Table<'t> {
    /// Of tab-separated text with a heading: so many columns of a case, its result, its rule.
    pub(super) fn of(text: &'t str, columns: usize) -> Self {
        let mut rows = BTreeMap::new();
        for line in text.lines().skip(1) {
            let end = line.match_indices('\t').nth(columns - 1).expect("a row has all columns of a case").0;
            let (result, rule) = line[end + 1..].split_once('\t').expect("a row has a result and a rule");
            let before = rows.insert(&line[..end], (result, rule));
            assert_eq!(before, None, "one row a case: {line}");
        }
        Self { rows }
    }

    /// Every case has a row, every row a case; the rules give what it says, and without its rule something else. A table with
    /// any of its results changed would not hold.
    pub(super) fn holds<C>(
        &self,
        cases: &[(String, C)],
        decide: impl Fn(&C, Option<&str>) -> (&'static str, &'static str),
    ) {
        assert_eq!(self.rows.len(), cases.len(), "rows and cases");
        for (key, case) in cases {
            let (result, rule) = self.rows.get(key.as_str()).unwrap_or_else(|| panic!("no row for {key}"));
            assert_eq!(decide(case, None), (*rule, *result), "{key}");
            let without = decide(case, Some(rule));
            assert_ne!(without.1, *result, "{key}: the rule {rule} makes no difference, {} says the same", without.0);
        }
    }
}
