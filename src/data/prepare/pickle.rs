//! [`Pickle`]: what numpy's object arrays are saved as, read without running anything.
//!
//! A pickle is a program for a small stack machine, and its `REDUCE` calls what the file names. Here the
//! machine knows the instructions that build plain values, and seven names that numpy's arrays need, which
//! build values of ours; whatever else it meets is refused by its name. Values lie in one list and know each
//! other by index, so that what is shared is there once and nothing is read by recursion.
//! Not here: the machine (`machine`), what arrays hold ([`super::numpy`]).

mod machine;

use machine::Machine;
use std::ops::Range;

/// The values of a pickle, and the bytes that their texts and numbers lie in.
#[derive(Debug)]
pub struct Pickle {
    bytes: Vec<u8>,
    nodes: Vec<Node>,
    root: usize,
}

/// One value of a pickle.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pickle: &'a Pickle,
    at: usize,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `None`
    None,
    /// A whole number, or a truth value.
    Int(i64),
    /// A float.
    Float(f64),
    /// Bytes, and texts of Python 2.
    Bytes(Vec<u8>),
    /// A text.
    Text(&'a str),
    /// The lengths of a list, a tuple and, in pairs, a dictionary.
    Items(usize),
    /// An array of numbers, or of Python's values if `dtype` is `O`.
    Array {
        /// As `f4`, little-endian.
        dtype: &'a str,
        /// Axes.
        shape: &'a [u64],
        /// Whether the first axis runs fastest.
        fortran: bool,
    },
    /// What only serves to build others.
    Part,
}

/// A value as the machine keeps it. Ranges are of the pickle's bytes, other numbers are indices of nodes.
#[derive(Clone, Debug)]
enum Node {
    None,
    Int(i64),
    Float(f64),
    Bytes(Range<usize>),
    /// UTF-8, whose characters stand for bytes: how Python 3 wrote bytes for Python 2.
    Latin1(Range<usize>),
    Text(Range<usize>),
    Items(Vec<u32>),
    Function(Function),
    Dtype(Range<usize>),
    Array(Box<Array>),
}

#[derive(Clone, Debug, Default)]
struct Array {
    dtype: Range<usize>,
    shape: Vec<u64>,
    fortran: bool,
    /// The node with the numbers or the list.
    data: u32,
}

/// The names that may be called, and what they make.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Reconstruct,
    FromBuffer,
    Scalar,
    Ndarray,
    Dtype,
    Encode,
    Bytes,
}

/// How deep values may lie in each other; numpy's are four deep.
const DEEPEST: usize = 64;

impl Pickle {
    /// Reads a pickle of up to `most` instructions; the error says in a few words what was met. Memory grows with the
    /// instructions, and with the bytes alone, at most 160 for each.
    pub fn read(bytes: Vec<u8>, most: usize) -> Result<Self, String> {
        let (root, nodes) = Machine::run_all(&bytes, most)?;
        let pickle = Self { bytes, nodes, root };
        pickle.check_shape()?;
        Ok(pickle)
    }

    /// The value that all others are in.
    pub fn root(&self) -> Item<'_> {
        Item { pickle: self, at: self.root }
    }

    /// How many bytes it was read from.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn children(&self, at: usize) -> &[u32] {
        match &self.nodes[at] {
            Node::Items(items) => items,
            Node::Array(array) => std::slice::from_ref(&array.data),
            _ => &[],
        }
    }

    /// Nothing lies in itself, and nothing too deep in others.
    fn check_shape(&self) -> Result<(), String> {
        let (mut open, mut met) = (vec![false; self.nodes.len()], vec![false; self.nodes.len()]);
        let mut path = vec![(self.root, 0)];
        while let Some((at, next)) = path.last_mut() {
            let at = *at;
            open[at] = true;
            match self.children(at).get(*next) {
                None => {
                    (open[at], met[at]) = (false, true);
                    path.pop();
                }
                Some(&child) => {
                    *next += 1;
                    let child = child as usize;
                    if open[child] {
                        return Err("a value that holds itself".into());
                    }
                    if path.len() == DEEPEST {
                        return Err(format!("values more than {DEEPEST} deep in each other"));
                    }
                    if !met[child] {
                        path.push((child, 0));
                    }
                }
            }
        }
        Ok(())
    }

    fn text(&self, range: &Range<usize>) -> &str {
        str::from_utf8(&self.bytes[range.clone()]).expect("checked when it was met")
    }
}

impl<'a> Item<'a> {
    fn node(self) -> &'a Node {
        &self.pickle.nodes[self.at]
    }

    /// What it is. Bytes are copied; an array's are the value of its only item.
    pub fn value(self) -> Value<'a> {
        match self.node() {
            Node::None => Value::None,
            Node::Int(n) => Value::Int(*n),
            Node::Float(x) => Value::Float(*x),
            Node::Bytes(range) => Value::Bytes(self.pickle.bytes[range.clone()].to_vec()),
            Node::Latin1(range) => {
                Value::Bytes(self.pickle.text(range).chars().map(|c| c as u8).collect())
            }
            Node::Text(range) => Value::Text(self.pickle.text(range)),
            Node::Items(items) => Value::Items(items.len()),
            Node::Array(array) => Value::Array {
                dtype: self.pickle.text(&array.dtype),
                shape: &array.shape,
                fortran: array.fortran,
            },
            Node::Function(_) | Node::Dtype(_) => Value::Part,
        }
    }

    /// How many bytes its text, or its own and its array's bytes lie in; none for what has neither.
    pub fn size(self) -> usize {
        match self.node() {
            Node::Bytes(range) | Node::Latin1(range) | Node::Text(range) => range.len(),
            Node::Array(_) => self.items().next().map_or(0, |data| match data.node() {
                Node::Array(_) => 0,
                _ => data.size(),
            }),
            _ => 0,
        }
    }

    /// The items of a list, a tuple or a dictionary, keys and values in turn; the only one of an array,
    /// which is its bytes or the list of its objects.
    pub fn items(self) -> impl ExactSizeIterator<Item = Item<'a>> {
        let children = self.pickle.children(self.at);
        children.iter().map(move |&at| Item { pickle: self.pickle, at: at as usize })
    }
}
