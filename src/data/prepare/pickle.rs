//! [`Pickle`]: reads pickled numpy object arrays without running any code.
//!
//! A pickle is a program for a small stack machine whose `REDUCE` instruction calls any function that the file names.
//! Our machine supports the instructions that build plain values, and seven functions that numpy arrays need; it
//! refuses all others. Values are nodes in one list and refer to each other by index, so that shared values are
//! stored once and nothing recurses. Not here: the machine (`machine`), numeric arrays ([`super::numpy`]).

mod machine;

use machine::Machine;
use std::ops::Range;

/// The values of a pickle, and the bytes that hold their text and numbers.
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
    /// An integer or a boolean.
    Int(i64),
    /// A float.
    Float(f64),
    /// Bytes, or a Python 2 string.
    Bytes(Vec<u8>),
    /// A string.
    Text(&'a str),
    /// A list, tuple or dictionary: its number of items; a dictionary has two per entry.
    Items(usize),
    /// An array of numbers, or of Python objects if `dtype` is `O`.
    Array {
        /// Such as `f4`; little-endian.
        dtype: &'a str,
        /// The shape.
        shape: &'a [u64],
        /// Whether it is in Fortran order: the first axis varies fastest.
        fortran: bool,
    },
    /// A function or dtype, needed only to build other values.
    Opaque,
}

/// A value as stored. Ranges are positions in the pickle's bytes; `u32`s are indices of nodes.
#[derive(Clone, Debug)]
enum Node {
    None,
    Int(i64),
    Float(f64),
    Bytes(Range<usize>),
    /// Bytes encoded as characters of a UTF-8 string, as Python 3 writes them in protocol 2.
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

/// The functions that may be called.
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

/// The deepest nesting of values; numpy's is four.
const DEEPEST: usize = 64;

impl Pickle {
    /// Reads a pickle of up to `most` instructions; an error is a short phrase that says what was found. Takes memory in
    /// proportion to the instructions, and at most 160 bytes per byte.
    pub fn read(bytes: Vec<u8>, most: usize) -> Result<Self, String> {
        let (root, nodes) = Machine::run_all(&bytes, most)?;
        let pickle = Self { bytes, nodes, root };
        pickle.check_nesting()?;
        Ok(pickle)
    }

    /// The outermost value.
    pub fn root(&self) -> Item<'_> {
        Item { pickle: self, at: self.root }
    }

    /// The length of the pickle in bytes.
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

    /// Checks that no value contains itself and none is nested too deep.
    fn check_nesting(&self) -> Result<(), String> {
        let (mut open, mut done) = (vec![false; self.nodes.len()], vec![false; self.nodes.len()]);
        let mut path = vec![(self.root, 0)];
        while let Some((at, next)) = path.last_mut() {
            let at = *at;
            open[at] = true;
            match self.children(at).get(*next) {
                None => {
                    (open[at], done[at]) = (false, true);
                    path.pop();
                }
                Some(&child) => {
                    *next += 1;
                    let child = child as usize;
                    if open[child] {
                        return Err("a value that contains itself".into());
                    }
                    if path.len() == DEEPEST {
                        return Err(format!("values nested more than {DEEPEST} deep"));
                    }
                    if !done[child] {
                        path.push((child, 0));
                    }
                }
            }
        }
        Ok(())
    }

    fn text(&self, range: &Range<usize>) -> &str {
        str::from_utf8(&self.bytes[range.clone()]).expect("checked by the machine")
    }
}

impl<'a> Item<'a> {
    fn node(self) -> &'a Node {
        &self.pickle.nodes[self.at]
    }

    /// The value. Bytes are copied; an array's data is its only item.
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
            Node::Function(_) | Node::Dtype(_) => Value::Opaque,
        }
    }

    /// Length in the pickle of its text or bytes, or of an array's data; 0 for other values.
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

    /// The items of a list or tuple; keys and values in turn of a dictionary; of an array its single item, the data:
    /// bytes, or a list of objects.
    pub fn items(self) -> impl ExactSizeIterator<Item = Item<'a>> {
        let children = self.pickle.children(self.at);
        children.iter().map(move |&at| Item { pickle: self.pickle, at: at as usize })
    }
}
