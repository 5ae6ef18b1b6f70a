//! The routes by which a gradient comes from the loss to a node, and the share of it that each carries.
//!
//! The gradient at a node x is a sum of terms, one from each op c that reads x. Term c has the share
//! `s(x, c) = ⟨term, gradient⟩ / ‖gradient‖²`; the shares at one node sum to 1. A path goes from x to an op that reads it, and
//! on from reader to reader up to the loss. Its share is the product of the shares along it, so that the shares of all
//! paths sum to 1 too. A **route** is a list of places, in the order in which paths first come to them; its share is the
//! sum over all of its paths. Shares have signs: below 0, a route works against the others.
//!
//! No path is walked by itself: each residual block doubles their number and each step of a recurrence multiplies it. All
//! paths that begin with the same places are one [`Beginning`], which knows how much of the gradient has come to which
//! node. One sweep in the order of the tape moves that through the places already visited and out to the next ones. Beginnings are
//! taken best first, by a bound on the size of any route that starts like this: `Σ |at node n| r(n)`, where r(n) is the
//! sum of |share| over all paths from n to the loss, found in one sweep. So routes are completed in the order of their
//! size, and the first ten are the largest.

use super::terms::share;
use super::{Pass, Target};
use crate::error::{Error, Result};
use crate::inspect::figures::{bar, percent};
use crate::inspect::place::without_part;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;

/// How many routes are told one by one.
const MOST_ROUTES: usize = 10;

/// How many beginnings are taken up before the search gives up: a few seconds.
const MOST_BEGINNINGS: usize = 3000;

/// Routes from one node to another, the largest first. Displayed as a list; serialised as one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Routes {
    from: String,
    to: String,
    /// How much of the gradient at `to` comes through `from`: 1 where that is the loss.
    share: f64,
    routes: Vec<Route>,
    others: Others,
}

/// One route.
#[derive(Clone, Debug, Serialize)]
struct Route {
    /// From `from` to `to`.
    places: Vec<String>,
    share: f64,
}

/// The routes that are not told.
#[derive(Clone, Debug, Serialize)]
struct Others {
    /// How many were found.
    count: usize,
    /// Whether those are all. If not, the ones told may not be the largest.
    all: bool,
    share: f64,
}

/// All paths from a node that visit the same places in the same order, as far as they have come.
struct Beginning {
    /// No route that begins like this has a larger share, in size.
    bound: f64,
    places: Vec<usize>,
    /// Share of the gradient at nodes of the last of the places, which the others lead to.
    at: BTreeMap<usize, f64>,
}

/// The places of routes: the quantity of the paper that a node belongs to (`z.2`), or its network, which is `prior.1`, or the
/// whole of a stack whose blocks read each other (`tcn`).
struct Areas {
    /// Of every node.
    of: Vec<usize>,
    names: Vec<String>,
    /// Of every node of a stack, its block.
    blocks: Vec<Option<usize>>,
}

impl PartialEq for Beginning {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Beginning {}

impl PartialOrd for Beginning {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Beginning {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound).then_with(|| other.places.cmp(&self.places))
    }
}

impl Pass<'_> {
    /// The routes from `from`, such as the loss, to `to`.
    ///
    /// # Errors
    /// If `to` has no gradient, or none that comes through `from`.
    pub fn routes(&self, from: &Target, to: &Target) -> Result<Routes> {
        let size = self.size(to);
        if size == 0. || !size.is_finite() {
            let what = match self.gradient(to.members[0]) {
                None => "has no gradient",
                Some(_) if size == 0. => "has a gradient of 0",
                Some(_) => "has a gradient that is not finite",
            };
            return Err(Error::usage(format!(
                "{} {what}, so no route carries a share of it: `stcn explain RUN {0}` says more",
                to.name
            )));
        }
        let Areas { of: areas, mut names, blocks } = self.areas();
        let mut readers: Vec<Vec<(usize, f64)>> = vec![vec![]; self.nodes.len()];
        self.tape.each_term(self.grads, |consumer, input, term| {
            if let Some(total) = self.grads.at(input) {
                readers[input.index()].push((consumer.index(), share(&term, total)));
            }
        });
        let ends: BTreeSet<usize> = from.members.iter().copied().collect();
        // Σ |share| of all paths from a node to an end; and the sum with signs, which is 1 before the loss.
        let mut reach = vec![(0., 0.); self.nodes.len()];
        for i in (0..self.nodes.len()).rev() {
            reach[i] = match ends.contains(&i) {
                true => (1., 1.),
                false => readers[i].iter().fold((0., 0.), |(size, sum), &(reader, share)| {
                    (size + share.abs() * reach[reader].0, sum + share * reach[reader].1)
                }),
            };
        }
        let part = |&i: &usize| (i, self.gradient(i).map_or(0., |grad| grad.squared_norm() / size));
        let at: BTreeMap<usize, f64> = to.members.iter().map(part).collect();
        let total = at.iter().fold(0., |sum, (&i, part)| sum + part * reach[i].1);
        if at.keys().all(|&i| reach[i].0 == 0. || ends.contains(&i)) {
            let what = format!(
                "no gradient comes from {} to {}: name a later node by --from, such as loss",
                from.name, to.name
            );
            return Err(Error::usage(what));
        }
        // Where a stack is left after more than one of its blocks, which block it is has a name in the route.
        let outside = |i: usize, reader: usize| {
            let word = |i: usize| self.nodes[i].place.path.split('.').next();
            areas[i] != areas[reader] && word(i) != word(reader)
        };
        let mut exits: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        for (i, all) in readers.iter().enumerate() {
            if let Some(k) = blocks[i].filter(|_| all.iter().any(|&(reader, _)| outside(i, reader)))
            {
                exits.entry(areas[i]).or_default().entry(k).or_insert(0);
            }
        }
        exits.retain(|_, blocks| blocks.len() > 1);
        for (&area, blocks) in &mut exits {
            for (k, name) in blocks {
                names.push(format!("{}.{k}", names[area]));
                *name = names.len() - 1;
            }
        }
        let exit = |i: usize, reader: usize| {
            let of_stack = exits.get(&areas[i]).filter(|_| outside(i, reader))?;
            of_stack.get(&blocks[i]?).copied()
        };
        // The place of the first end has no name of its own in a route: it is `from`.
        let first = areas[from.shown];
        let (start, end) = (names.len(), names.len() + 1);
        let bound = at.iter().fold(0., |sum, (&i, part)| sum + part * reach[i].0);
        let mut open = BinaryHeap::from([Beginning { bound, places: vec![start], at }]);
        let mut complete: Vec<(Vec<usize>, f64)> = vec![];
        let mut taken = 0;
        while let Some(Beginning { places, at, .. }) = open.pop() {
            if places.ends_with(&[end]) {
                complete.push((places, at.values().fold(0., |sum, share| sum + share)));
                continue;
            }
            if taken == MOST_BEGINNINGS {
                open.push(Beginning { bound: 0., places, at });
                break;
            }
            taken += 1;
            // By the block left, if that has a name, and the place come to.
            let mut next: BTreeMap<(Option<usize>, usize), BTreeMap<usize, f64>> = BTreeMap::new();
            let mut within = at;
            // Readers come later on the tape, so a node has all of its share when its turn comes.
            while let Some((i, here)) = within.pop_first() {
                for &(reader, share) in
                    readers[i].iter().filter(|(reader, _)| reach[*reader].0 > 0.)
                {
                    let area = areas[reader];
                    let to = if ends.contains(&reader) {
                        next.entry((exit(i, reader), end)).or_default()
                    } else if area == first || places.contains(&area) {
                        &mut within
                    } else {
                        next.entry((exit(i, reader), area)).or_default()
                    };
                    *to.entry(reader).or_default() += here * share;
                }
            }
            for ((left, area), at) in next {
                let bound = match area == end {
                    true => at.values().fold(0., |sum, share| sum + share).abs(),
                    false => at.iter().fold(0., |sum, (&i, here)| sum + here.abs() * reach[i].0),
                };
                let places = places.iter().copied().chain(left).chain([area]).collect();
                open.push(Beginning { bound, places, at });
            }
        }
        let all = open.is_empty();
        complete.extend(open.into_iter().filter(|b| b.places.ends_with(&[end])).map(|b| {
            let share = b.at.values().fold(0., |sum, share| sum + share);
            (b.places, share)
        }));
        complete.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let name = |place: usize| match place {
            place if place == start => to.name.clone(),
            place if place == end => from.name.clone(),
            place => names[place].clone(),
        };
        let told = complete.iter().take(MOST_ROUTES).map(|(places, share)| {
            // A block stands for its stack.
            let stacks = places.windows(2).map(|pair| {
                let named = exits
                    .get(&pair[0])
                    .is_some_and(|blocks| blocks.values().any(|&b| b == pair[1]));
                (pair[0], named)
            });
            let mut kept: Vec<usize> = stacks.filter(|(_, named)| !named).map(|(p, _)| p).collect();
            kept.push(end);
            Route { places: kept.into_iter().rev().map(name).collect(), share: *share }
        });
        let routes: Vec<Route> = told.collect();
        let others = complete[routes.len()..].iter().fold(0., |sum, (_, share)| sum + share);
        let told = routes.iter().fold(0., |sum, route| sum + route.share);
        let share = if all { others } else { total - told };
        let others = Others { count: complete.len() - routes.len(), all, share };
        Ok(Routes { from: from.name.clone(), to: to.name.clone(), share: total, routes, others })
    }

    fn areas(&self) -> Areas {
        let item = |i: usize| {
            let mut words = self.nodes[i].place.path.split('.');
            let word = words.next().unwrap_or_default();
            (word, words.next().and_then(|number| number.parse::<usize>().ok()))
        };
        // Of each first word, which numbers follow it, and after which of them the next one reads the last directly.
        let mut lists: BTreeMap<&str, BTreeSet<Option<usize>>> = BTreeMap::new();
        let mut direct: BTreeSet<(&str, usize)> = BTreeSet::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let (word, number) = item(i);
            lists.entry(word).or_default().insert(number);
            for &input in &node.inputs {
                if let ((before, Some(k)), Some(next)) = (item(input), number)
                    && before == word
                    && k + 1 == next
                {
                    direct.insert((word, k));
                }
            }
        }
        let whole = |word: &str| {
            let numbers = &lists[word];
            let follows = |k: Option<usize>| k.is_none_or(|k| direct.contains(&(word, k)));
            let last = numbers.last().copied().flatten();
            numbers.contains(&None)
                || (numbers.len() > 1 && numbers.iter().all(|&k| k == last || follows(k)))
        };
        let mut names: Vec<String> = vec![];
        let areas = self.nodes.iter().enumerate().map(|(i, node)| {
            let (name, block) = match item(i) {
                _ if !node.label.is_empty() && !node.parameter => {
                    (without_part(&node.label).into(), None)
                }
                (word, Some(number)) if !whole(word) => (format!("{word}.{number}"), None),
                (word, number) => (word.to_string(), number),
            };
            let known = names.iter().position(|known| *known == name);
            let area = known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            (area, block)
        });
        let (of, blocks) = areas.unzip();
        Areas { of, names, blocks }
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, share, routes, others } = self;
        let through = match percent(*share) {
            whole if whole == "100 %" => format!("comes from {from}"),
            part => format!("comes, as to {part}, through {from}"),
        };
        writeln!(f, "The gradient at {to} {through} by these routes:")?;
        let mut row = |share: f64, what: &str| {
            writeln!(f, "{:>8}  {:20}  {what}", percent(share), bar(share))
        };
        for Route { places, share } in routes {
            row(*share, &places.join(" → "))?;
        }
        if !others.all {
            row(others.share, "by others")?;
            writeln!(
                f,
                "The search gave up after {MOST_BEGINNINGS} beginnings of routes: there may be larger ones."
            )?;
        } else if others.count > 0 {
            let many = if others.count == 1 { "" } else { "s" };
            row(others.share, &format!("by {} other{many}", others.count))?;
        }
        writeln!(
            f,
            "The share of a path is the product of the shares of the terms along it (as `stcn explain RUN NODE` gives \
             them); that of a route is the sum over all paths through these places. They sum to {}.",
            percent(*share)
        )
    }
}
