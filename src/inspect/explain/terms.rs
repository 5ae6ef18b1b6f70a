//! The terms of the chain rule at a node, one from each op that reads it, and the share of its gradient that each makes up.

use super::{Pass, Target};
use crate::inspect::figures::{bar, digits, percent};
use crate::inspect::place::Place;
use crate::tape::Term;
use crate::tensor::Tensor;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The most terms of a gradient that are printed, and the most of a term that is followed further.
pub(super) const MOST_TERMS: [usize; 2] = [12, 3];

/// What one op adds to a gradient: at one node, or at the same op of every step.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Group {
    name: String,
    nodes: Vec<usize>,
    op: &'static str,
    vjp: &'static str,
    norm: f64,
    share: f64,
    /// Step, counted from 1, and its share; the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<(usize, f64)>,
    /// Where the gradient of this op comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) terms: Vec<Group>,
}

impl Group {
    /// Its rows in the table of terms, those that it is followed to below it.
    fn rows(&self, level: usize, rows: &mut Vec<[String; 6]>) {
        let mut nodes = distinct(&self.nodes);
        let mut name = format!("{}→ {}", "  ".repeat(level), self.name);
        let node = match nodes[..] {
            [one] => format!("{}, node {one}", self.op),
            _ => {
                nodes.truncate(1);
                let at: Vec<String> = self
                    .steps
                    .iter()
                    .take(2)
                    .map(|(step, share)| format!("{step} ({})", percent(*share)))
                    .collect();
                name += &format!(" at {} steps", self.steps.len());
                format!("{}, most at step {}", self.op, at.join(" and "))
            }
        };
        rows.push([
            name,
            percent(self.share),
            bar(self.share),
            digits(self.norm),
            node,
            self.vjp.into(),
        ]);
        push_rows(&self.terms, level + 1, MOST_TERMS[1], rows);
    }
}

pub(super) fn push_rows(groups: &[Group], level: usize, most: usize, rows: &mut Vec<[String; 6]>) {
    groups.iter().take(most).for_each(|group| group.rows(level, rows));
    if groups.len() > most {
        let others = &groups[most..];
        let share = others.iter().fold(0., |sum, group| sum + group.share);
        let name = format!("{}{} others", "  ".repeat(level), others.len());
        rows.push([name, percent(share), bar(share), String::new(), String::new(), String::new()]);
    }
}

impl Pass<'_> {
    /// The terms of the chain rule at a target, largest first, and by how much they miss its gradient, relative to its
    /// norm. Terms of one op that runs at every step stand together. The first `most` are followed on.
    pub(super) fn terms(
        &self,
        target: &Target,
        depth: usize,
        most: usize,
    ) -> (Vec<Group>, Option<f64>) {
        let size = self.size(target);
        let mut groups: Vec<(Key, Group, BTreeMap<usize, Tensor>)> = vec![];
        let (mut missed, mut any) = (0., false);
        for &member in &target.members {
            let Some(total) = self.gradient(member) else { continue };
            let mut sum = vec![0.; total.len()];
            let terms = self.tape.explain(self.grads, self.vars[member]);
            for Term { consumer, rule, grad } in terms {
                any = true;
                sum.iter_mut().zip(grad.data()).for_each(|(sum, &x)| *sum += f64::from(x));
                let share = part(&grad, total, size);
                let i = consumer.id().index();
                let key = self.key(i);
                let at = groups.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
                    let group = Group {
                        name: self.name(i),
                        nodes: vec![],
                        op: rule.name,
                        vjp: rule.vjp,
                        norm: 0.,
                        share: 0.,
                        steps: vec![],
                        terms: vec![],
                    };
                    groups.push((key, group, BTreeMap::new()));
                    groups.len() - 1
                });
                let (_, group, sums) = &mut groups[at];
                group.share += share;
                group.nodes.push(i);
                if let Some((_, step)) = &self.nodes[i].place.step {
                    group.steps.push((step + 1, share));
                }
                match sums.get_mut(&member) {
                    Some(sum) => sum.add_assign(&grad),
                    None => drop(sums.insert(member, grad)),
                }
            }
            let misses = sum.iter().zip(total.data()).map(|(sum, &total)| sum - f64::from(total));
            missed += misses.fold(0., |sum, miss| sum + miss * miss);
        }
        let finish = |(_, mut group, sums): (Key, Group, BTreeMap<usize, Tensor>)| {
            group.norm = sums.values().fold(0., |sum, x| sum + x.squared_norm()).sqrt();
            group.steps.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            group
        };
        let mut groups: Vec<Group> = groups.into_iter().map(finish).collect();
        groups.sort_by(|a, b| b.share.abs().total_cmp(&a.share.abs()));
        if depth > 1 {
            for group in groups.iter_mut().take(most) {
                let name = group.name.clone();
                let next = Target { name, shown: group.nodes[0], members: distinct(&group.nodes) };
                (group.terms, _) = self.terms(&next, depth - 1, MOST_TERMS[1]);
            }
        }
        let miss = if size > 0. { (missed / size).sqrt() } else { missed.sqrt() };
        (groups, any.then_some(miss))
    }

    /// What terms have in common that stand together: an op at every step, or else one node.
    fn key(&self, i: usize) -> Key {
        match &self.nodes[i].place {
            Place { path, step: Some((series, _)) } => (path.clone(), series.clone(), None),
            Place { path, step: None } => (path.clone(), String::new(), Some(i)),
        }
    }
}

/// Place, op of its layer, and node where that is but one.
type Key = (String, String, Option<usize>);

fn distinct(nodes: &[usize]) -> Vec<usize> {
    nodes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `⟨term, gradient⟩ / ‖gradient‖²`: the part of a gradient that one of its terms makes up. Shares sum to 1, and a term
/// that works against the sum has a negative one. 0 where the gradient is 0 or not finite.
pub(in crate::inspect) fn share(term: &Tensor, gradient: &Tensor) -> f64 {
    part(term, gradient, gradient.squared_norm())
}

/// The same of several gradients taken together, `size` the sum of their ‖gradient‖².
fn part(term: &Tensor, gradient: &Tensor, size: f64) -> f64 {
    let part = dot(term, gradient) / size;
    if part.is_finite() { part } else { 0. }
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.data().iter().zip(b.data()).fold(0., |sum, (&a, &b)| sum + f64::from(a) * f64::from(b))
}
