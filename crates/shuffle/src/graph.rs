//! The order of the nodes: branches without circles, what comes before what, and what has certainly gone well by then.

use std::collections::{HashMap, HashSet};

use crate::{
    report::{Kind, Report},
    source::{Source, short},
    starts::Starts,
};

#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// By node: nodes that lead to it, each once, with the numbers of the branches.
    pub(crate) parents: Vec<Vec<(usize, Vec<usize>)>>,
    /// By node: nodes that it reads although no branch leads from them.
    pub(crate) reads: Vec<Vec<usize>>,
    /// In an order in which each stands behind those that it waits for.
    pub(crate) order: Vec<usize>,
    before: Vec<Bits>,
    certain: Vec<Bits>,
}

/// Numbers of nodes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Bits(Vec<u64>);

impl Bits {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    fn add(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= other);
    }
}

impl Graph {
    /// The graph of the branches. `wanted` are pairs of a node that is read and the node that reads it.
    pub(crate) fn of(source: &Source, starts: &Starts, wanted: &[(usize, usize)], report: &mut Report) -> Self {
        let edges = edges(source, &starts.is_trigger, report);
        let start = starts.start;
        let count = source.nodes.len();
        let cut = circles(count, start, &edges);
        let mut graph = Self {
            parents: vec![Vec::new(); count],
            reads: vec![Vec::new(); count],
            before: vec![Bits::none(count); count],
            certain: vec![Bits::none(count); count],
            ..Self::default()
        };
        let mut slots: HashMap<(usize, usize), usize> = HashMap::new();
        for (at, (from, to, branch)) in edges.iter().enumerate() {
            if cut.contains(&at) {
                let what = format!(
                    "the branch from `{}` leads back to it; a workflow has no circles",
                    short(&source.nodes[*from].label)
                );
                let next = "Use a loop over a list, or a workflow that is started again.";
                report.add(&source.nodes[*to].named(), Kind::Changed, what, next);
                continue;
            }
            let slot = *slots.entry((*from, *to)).or_insert_with(|| {
                graph.parents[*to].push((*from, Vec::new()));
                graph.parents[*to].len() - 1
            });
            graph.parents[*to][slot].1.push(*branch);
        }
        graph.order();
        graph.add_reads(source, wanted, report);
        graph.order();
        graph.ascertain(start);
        graph
    }

    pub(crate) fn is_before(&self, node: usize, other: usize) -> bool {
        self.before[other].has(node)
    }

    /// Whether it has succeeded whenever the other one begins.
    pub(crate) fn is_certain(&self, node: usize, other: usize) -> bool {
        self.certain[other].has(node)
    }

    /// Sorts the nodes, and sums up what comes before each.
    fn order(&mut self) {
        let count = self.parents.len();
        let mut children = vec![Vec::new(); count];
        let mut open = vec![0_usize; count];
        for (node, open) in open.iter_mut().enumerate() {
            let own = self.parents[node].iter().map(|(parent, _)| parent).chain(&self.reads[node]);
            for parent in own {
                children[*parent].push(node);
                *open += 1;
            }
        }
        let mut ready: std::collections::BTreeSet<usize> = (0..count).filter(|node| open[*node] == 0).collect();
        self.order.clear();
        while let Some(node) = ready.pop_first() {
            self.order.push(node);
            let mut before = Bits::none(count);
            for parent in self.parents[node].iter().map(|(parent, _)| *parent).chain(self.reads[node].iter().copied()) {
                before.add(parent);
                before.extend(&self.before[parent]);
            }
            self.before[node] = before;
            for child in &children[node] {
                open[*child] -= 1;
                if open[*child] == 0 {
                    ready.insert(*child);
                }
            }
        }
    }

    /// Whoever reads a node waits for it, too, unless that would make a circle.
    fn add_reads(&mut self, source: &Source, wanted: &[(usize, usize)], report: &mut Report) {
        for (from, to) in wanted {
            if from == to || self.before[*to].has(*from) || self.before[*from].has(*to) {
                continue;
            }
            self.reads[*to].push(*from);
            let mut gained = self.before[*from].clone();
            gained.add(*from);
            for node in 0..self.before.len() {
                if node == *to || self.before[node].has(*to) {
                    self.before[node].extend(&gained);
                }
            }
            let label = short(&source.nodes[*from].label);
            let what = format!("it reads `{label}` without a branch from there; it waits for it now");
            report.add(&source.nodes[*to].named(), Kind::Changed, what, "Check that it should wait.");
        }
    }

    /// What leads to a node by every way has succeeded; a start leads to it without any.
    fn ascertain(&mut self, start: Option<usize>) {
        let count = self.parents.len();
        for node in self.order.clone() {
            let mut all: Option<Bits> = None;
            for (parent, _) in &self.parents[node] {
                let mut way = self.certain[*parent].clone();
                way.add(*parent);
                match &mut all {
                    Some(all) => all.keep(&way),
                    None => all = Some(way),
                }
            }
            self.certain[node] = all.filter(|_| start != Some(node)).unwrap_or_else(|| Bits::none(count));
        }
    }
}

/// Branches between nodes that are there: from, to, and the branch's number.
fn edges(source: &Source, is_trigger: &[bool], report: &mut Report) -> Vec<(usize, usize, usize)> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (number, node) in source.nodes.iter().enumerate() {
        if !node.id.is_empty() {
            numbers.entry(node.id.as_str()).or_insert(number);
        }
    }
    let mut edges = Vec::new();
    for (at, branch) in source.branches.iter().enumerate() {
        match (numbers.get(branch.from.as_str()), numbers.get(branch.to.as_str())) {
            (Some(_), Some(to)) if is_trigger[*to] => {
                let what = "a branch leads to it; nothing comes before a trigger";
                report.add(&source.nodes[*to].named(), Kind::Changed, what, "");
            }
            (Some(from), Some(to)) => edges.push((*from, *to, at)),
            _ => {
                let what = format!(
                    "the branch from `{}` to `{}` leads from or to a node that is not there",
                    short(&branch.from),
                    short(&branch.to)
                );
                report.add(&source.named(), Kind::Dropped, what, "Draw the branch again if it is needed.");
            }
        }
    }
    edges
}

/// The numbers of the edges that lead back. Ways are walked from the starts, so that a branch back to a start is the one.
fn circles(count: usize, start: Option<usize>, edges: &[(usize, usize, usize)]) -> HashSet<usize> {
    let mut ways: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    for (at, (from, to, _)) in edges.iter().enumerate() {
        ways[*from].push((at, *to));
    }
    let (mut cut, mut marks) = (HashSet::new(), vec![0_u8; count]);
    for start in start.into_iter().chain(0..count) {
        if marks[start] != 0 {
            continue;
        }
        marks[start] = 1;
        let mut path = vec![(start, 0_usize)];
        while let Some((node, next)) = path.last_mut() {
            let Some((at, to)) = ways[*node].get(*next).copied() else {
                marks[*node] = 2;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                0 => {
                    marks[to] = 1;
                    path.push((to, 0));
                }
                1 => {
                    cut.insert(at);
                }
                _ => {}
            }
        }
    }
    cut
}
