//! One workflow there may begin at several places, each with a trigger of its own: here each is a workflow.

use std::collections::{HashMap, HashSet};

use crate::{
    source::{Node, Source},
    starts::{chosen, of_kind, period, roots, start},
};

/// Which nodes go where.
pub(crate) struct Split {
    /// What stays together; all of them where nothing begins elsewhere.
    pub(crate) main: Vec<usize>,
    pub(crate) parts: Vec<Part>,
}

/// A place where a run begins by triggers of its own.
pub(crate) struct Part {
    /// The first of them.
    pub(crate) trigger: usize,
    /// It and all that it leads to, in the order of the workflow.
    pub(crate) nodes: Vec<usize>,
    /// Where a run begins.
    pub(crate) root: usize,
}

/// Triggers of a kind that begin where the chosen one of that kind does stay with it; so does what both lead to.
pub(crate) fn split(source: &Source) -> Split {
    let start = start(source);
    let roots = roots(source, start);
    let ways = Ways::of(source);
    let mut parts = Vec::new();
    let mut away: HashSet<usize> = HashSet::new();
    for kind in ["WEBHOOK", "SCHEDULE"] {
        let all = of_kind(source, kind);
        let fits: Vec<usize> =
            all.into_iter().filter(|number| kind == "WEBHOOK" || period(&source.nodes[*number]).is_some()).collect();
        let Some(leader) = chosen(&fits, &roots, start) else { continue };
        let begins = |number: usize| (&roots[number], source.nodes[number].value("execution_argument"));
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for number in fits {
            if begins(number) == begins(leader) || roots[number].is_empty() {
                continue;
            }
            match groups.iter_mut().find(|group| begins(group[0]) == begins(number)) {
                Some(group) => group.push(number),
                None => groups.push(vec![number]),
            }
        }
        groups.truncate(PARTS_MAX);
        for group in groups {
            let mut nodes = ways.reached(&roots[group[0]]);
            nodes.extend(&group);
            away.extend(&group);
            nodes.sort_unstable();
            parts.push(Part { trigger: group[0], root: roots[group[0]][0], nodes });
        }
    }
    Split { main: main(source, &roots, start, &ways, &parts, &away), parts }
}

/// Everything but the triggers that begin elsewhere and what they alone lead to.
fn main(
    source: &Source,
    roots: &[Vec<usize>],
    start: Option<usize>,
    ways: &Ways,
    parts: &[Part],
    away: &HashSet<usize>,
) -> Vec<usize> {
    let staying = (0..source.nodes.len()).filter(|number| !away.contains(number));
    let mut begins: Vec<usize> = staying.clone().flat_map(|number| roots[number].iter().copied()).collect();
    begins.extend(start);
    // What nothing leads to may begin a way, too, where a person takes it up again.
    begins.extend(staying.clone().filter(|number| !ways.is_led_to(*number)));
    let stays: HashSet<usize> = ways.reached(&begins).into_iter().collect();
    let moved: HashSet<usize> = parts.iter().flat_map(|part| part.nodes.iter().copied()).collect();
    staying.filter(|number| stays.contains(number) || !moved.contains(number)).collect()
}

/// Where branches lead.
struct Ways {
    to: Vec<Vec<usize>>,
    led: HashSet<usize>,
}

impl Ways {
    fn of(source: &Source) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for (number, node) in source.nodes.iter().enumerate() {
            numbers.entry(node.id.as_str()).or_insert(number);
        }
        let mut ways = Self { to: vec![Vec::new(); source.nodes.len()], led: HashSet::new() };
        for branch in &source.branches {
            if let (Some(from), Some(to)) = (numbers.get(branch.from.as_str()), numbers.get(branch.to.as_str())) {
                ways.to[*from].push(*to);
                ways.led.insert(*to);
            }
        }
        ways
    }

    fn is_led_to(&self, node: usize) -> bool {
        self.led.contains(&node)
    }

    /// These nodes and all behind them; triggers are behind nothing.
    fn reached(&self, from: &[usize]) -> Vec<usize> {
        let mut seen: HashSet<usize> = from.iter().copied().collect();
        let mut open: Vec<usize> = seen.iter().copied().collect();
        while let Some(node) = open.pop() {
            open.extend(self.to[node].iter().filter(|next| seen.insert(**next)));
        }
        seen.into_iter().collect()
    }
}

impl Source {
    /// The workflow of these nodes alone, with the branches between them.
    pub(crate) fn only(&mut self, nodes: &[usize]) {
        let wanted: HashSet<usize> = nodes.iter().copied().collect();
        let gone: HashSet<String> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(number, _)| !wanted.contains(number))
            .map(|(_, node)| node.id.clone())
            .collect();
        let mut number = 0;
        self.nodes.retain(|_: &Node| {
            number += 1;
            wanted.contains(&(number - 1))
        });
        let kept: HashSet<&str> = self.nodes.iter().map(|node| node.id.as_str()).collect();
        let is_gone = |id: &String| gone.contains(id) && !kept.contains(id.as_str());
        self.branches.retain(|branch| !is_gone(&branch.from) && !is_gone(&branch.to));
    }
}

const PARTS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::Report;

    /// Nodes `a`, `b`, …; triggers such as `S`, each with what it hands over; branches such as `Sa`.
    #[track_caller]
    fn check(actions: &str, schedules: &[(&str, &str)], branches: &[&str], main: &str, parts: &[&str]) {
        let actions: Vec<Value> = actions.chars().map(|id| json!({ "id": id, "label": id })).collect();
        let trigger = |(id, argument): &(&str, &str)| {
            json!({ "id": id, "label": id, "trigger_type": "SCHEDULE", "parameters": [
                { "name": "cron", "value": "60" }, { "name": "execution_argument", "value": argument }] })
        };
        let triggers: Vec<Value> = schedules.iter().map(trigger).collect();
        let branches: Vec<Value> =
            branches.iter().map(|pair| json!({ "source_id": pair[..1], "destination_id": pair[1..] })).collect();
        let json = json!({ "start": "a", "actions": actions, "triggers": triggers, "branches": branches });
        let source = Source::read(&json, &mut Report::default());
        let split = split(&source);
        let named = |nodes: &[usize]| nodes.iter().map(|node| source.nodes[*node].id.as_str()).collect::<String>();
        assert_eq!(named(&split.main), main);
        assert_eq!(split.parts.iter().map(|part| named(&part.nodes)).collect::<Vec<_>>(), parts);
    }

    #[test]
    fn what_begins_elsewhere_is_a_workflow_of_its_own() {
        check("ab", &[("S", "")], &["Sa", "ab"], "abS", &[]);
        // What both lead to is in both.
        check("abc", &[("S", ""), ("T", "")], &["Sa", "Tb", "ac", "bc"], "acS", &["bcT"]);
        // The one that leads to the start node is the one that stays, wherever it stands.
        check("ab", &[("S", ""), ("T", "")], &["Sb", "Ta"], "aT", &["bS"]);
        // Another argument is another beginning, though of the same steps.
        check("a", &[("S", "1"), ("T", "2"), ("U", "1")], &["Sa", "Ta", "Ua"], "aSU", &["aT"]);
        // What leads nowhere stays, and so do nodes that nothing leads to.
        check("abc", &[("S", ""), ("T", "")], &["Sa", "Tb"], "acS", &["bT"]);
        // Ways in circles end.
        check("abc", &[("S", ""), ("T", "")], &["Sa", "Tb", "bc", "cb"], "aS", &["bcT"]);
    }
}
