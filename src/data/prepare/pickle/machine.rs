//! The stack machine of a pickle: supports a few instructions and functions, and refuses all others.
//!
//! It builds a node for each value and runs no code. Not here: what the values are ([`super`]).
//! Instructions: Python's `pickletools`, protocols 2 to 5.

use super::{Array, Function, Node};
use std::collections::BTreeMap;
use std::ops::Range;

/// Names of unsupported instructions, for the error message.
const REFUSED: [(u8, &str); 25] = [
    (b'0', "POP"),
    (b'1', "POP_MARK"),
    (b'2', "DUP"),
    (b'F', "FLOAT"),
    (b'I', "INT"),
    (b'L', "LONG"),
    (b'P', "PERSID"),
    (b'Q', "BINPERSID"),
    (b'S', "STRING"),
    (b'V', "UNICODE"),
    (b'd', "DICT"),
    (b'g', "GET"),
    (b'i', "INST"),
    (b'l', "LIST"),
    (b'o', "OBJ"),
    (b'p', "PUT"),
    (0x81, "NEWOBJ"),
    (0x82, "EXT1"),
    (0x83, "EXT2"),
    (0x84, "EXT4"),
    (0x8b, "LONG4"),
    (0x8f, "EMPTY_SET"),
    (0x90, "ADDITEMS"),
    (0x91, "FROZENSET"),
    (0x92, "NEWOBJ_EX"),
];

/// The state of the machine.
#[derive(Default)]
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<u32>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, u32>,
    /// Total length of strings that were decoded as bytes.
    encoded: usize,
}

impl<'a> Machine<'a> {
    /// Runs a pickle of at most `most` instructions; returns the index of the final value, and all values.
    pub fn run_all(bytes: &'a [u8], most: usize) -> Result<(usize, Vec<Node>), String> {
        let mut machine = Self { bytes, ..Self::default() };
        let root = machine.run(most)? as usize;
        Ok((root, machine.nodes))
    }

    /// Runs to the end; returns the final value.
    fn run(&mut self, most: usize) -> Result<u32, String> {
        for _ in 0..most {
            let op = self.number(1)? as u8;
            let node = match op {
                b'.' => return self.pop(),
                0x80 => match self.number(1)? {
                    2..=5 => continue,
                    version => {
                        return Err(format!("protocol {version}, where numpy writes 2 to 5"));
                    }
                },
                0x95 => {
                    self.take(8)?; // FRAME: its length is a hint for buffering
                    continue;
                }
                b'(' => {
                    self.marks.push(self.stack.len());
                    continue;
                }
                b'q' | b'r' | 0x94 => {
                    let place = match op {
                        b'q' => self.number(1)? as u32,
                        b'r' => self.number(4)? as u32,
                        _ => self.memo.len() as u32,
                    };
                    let top = *self.stack.last().ok_or("an empty stack")?;
                    self.memo.insert(place, top);
                    continue;
                }
                b'h' | b'j' => {
                    let place = self.number(if op == b'h' { 1 } else { 4 })? as u32;
                    let known = self.memo.get(&place);
                    self.stack.push(*known.ok_or("a memo that was not set")?);
                    continue;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(&[item])?;
                    continue;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend(&[key, value])?;
                    continue;
                }
                b'e' | b'u' => {
                    let items = self.since_mark()?;
                    self.extend(&items)?;
                    continue;
                }
                b'b' => {
                    self.build()?;
                    continue;
                }
                b'N' => Node::None,
                0x88 | 0x89 => Node::Int(i64::from(op == 0x88)),
                b'K' => Node::Int(self.number(1)? as i64),
                b'M' => Node::Int(self.number(2)? as i64),
                b'J' => Node::Int(i64::from(self.number(4)? as i32)),
                0x8a => {
                    let width = self.number(1)? as usize;
                    if width > 8 {
                        return Err(format!("an integer of {width} bytes"));
                    }
                    let unused = 64 - 8 * width as u32;
                    let bits = self.number(width)?.checked_shl(unused).unwrap_or(0);
                    Node::Int((bits as i64).checked_shr(unused).unwrap_or(0))
                }
                b'G' => Node::Float(f64::from_bits(self.number(8)?.swap_bytes())),
                b'U' | b'C' => Node::Bytes(self.counted(1)?),
                b'T' | b'B' => Node::Bytes(self.counted(4)?),
                0x8e | 0x96 => Node::Bytes(self.counted(8)?),
                0x8c => self.text(1)?,
                b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b']' | b'}' | b')' => Node::Items(vec![]),
                b't' => Node::Items(self.since_mark()?),
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(op - 0x84));
                    Node::Items(self.since(from.ok_or("an empty stack")?)?)
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    Node::Function(function(&module, &name)?)
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    Node::Function(function(self.str(module)?, self.str(name)?)?)
                }
                b'R' => {
                    let (arguments, called) = (self.pop()?, self.pop()?);
                    let made = self.call(called, arguments)?;
                    // numpy writes each string once; a hostile file could decode a long one many times.
                    if let Node::Latin1(range) = &made {
                        self.encoded += range.len();
                        if self.encoded > self.bytes.len() {
                            return Err("the same string decoded as bytes many times".into());
                        }
                    }
                    made
                }
                other => return Err(refused(other)),
            };
            let at = u32::try_from(self.nodes.len()).map_err(|_| "more than 2³² values")?;
            self.nodes.push(node);
            self.stack.push(at);
        }
        Err(format!("more than {most} instructions"))
    }

    fn take(&mut self, n: usize) -> Result<Range<usize>, String> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let range = self.at..end.ok_or("an unexpected end")?;
        self.at = range.end;
        Ok(range)
    }

    /// A little-endian number of up to 8 bytes.
    fn number(&mut self, width: usize) -> Result<u64, String> {
        let range = self.take(width)?;
        Ok(self.bytes[range].iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    /// Bytes preceded by their length.
    fn counted(&mut self, width: usize) -> Result<Range<usize>, String> {
        let n = self.number(width)?;
        self.take(usize::try_from(n).map_err(|_| "an unexpected end")?)
    }

    fn text(&mut self, width: usize) -> Result<Node, String> {
        let range = self.counted(width)?;
        str::from_utf8(&self.bytes[range.clone()]).map_err(|_| "text that is not UTF-8")?;
        Ok(Node::Text(range))
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("an unexpected end")?;
        let range = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&self.bytes[range.start..range.end - 1]).into_owned())
    }

    /// Pops the stack, down to the last mark at most.
    fn pop(&mut self) -> Result<u32, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => Ok(self.stack.pop().expect("not empty")),
            false => Err("an empty stack".into()),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<u32>, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        self.since(mark)
    }

    /// Takes everything from `place` upwards off the stack; `place` must be above the last mark.
    fn since(&mut self, place: usize) -> Result<Vec<u32>, String> {
        if place < self.marks.last().copied().unwrap_or(0) {
            return Err("an empty stack".into());
        }
        let items = self.stack[place..].to_vec();
        self.stack.truncate(place);
        Ok(items)
    }

    /// Appends to the list or dictionary on top.
    fn extend(&mut self, more: &[u32]) -> Result<(), String> {
        let top = *self.stack.last().ok_or("an empty stack")?;
        match &mut self.nodes[top as usize] {
            Node::Items(items) => items.extend_from_slice(more),
            _ => return Err("items for something that is not a list".into()),
        }
        Ok(())
    }

    fn items(&self, at: u32) -> &[u32] {
        match &self.nodes[at as usize] {
            Node::Items(items) => items,
            _ => &[],
        }
    }

    /// The position of a string, or of a short Python 2 string in UTF-8.
    fn text_range(&self, at: u32) -> Option<Range<usize>> {
        match &self.nodes[at as usize] {
            Node::Text(range) => Some(range.clone()),
            Node::Bytes(range) if range.len() <= 64 => {
                str::from_utf8(&self.bytes[range.clone()]).ok().map(|_| range.clone())
            }
            _ => None,
        }
    }

    fn str(&self, at: u32) -> Result<&str, String> {
        let range = self.text_range(at).ok_or("a name that is not a string")?;
        Ok(str::from_utf8(&self.bytes[range]).expect("checked"))
    }

    fn int(&self, at: u32) -> Option<i64> {
        match self.nodes[at as usize] {
            Node::Int(n) => Some(n),
            _ => None,
        }
    }

    /// A shape of at most 64 axes, numpy's limit; a hostile file could refer to a longer tuple many times.
    fn shape(&self, at: u32) -> Option<Vec<u64>> {
        let axes = Some(self.items(at)).filter(|axes| axes.len() <= 64)?;
        axes.iter().map(|&n| u64::try_from(self.int(n)?).ok()).collect()
    }

    fn dtype(&self, at: u32) -> Option<Range<usize>> {
        match &self.nodes[at as usize] {
            Node::Dtype(range) => Some(range.clone()),
            _ => None,
        }
    }

    /// The result of calling a function.
    fn call(&self, called: u32, arguments: u32) -> Result<Node, String> {
        let Node::Function(function) = self.nodes[called as usize] else {
            return Err("a call of something that is not a function".into());
        };
        let arguments = self.items(arguments);
        let made = match (function, arguments) {
            (Function::Reconstruct, &[_, _, _]) => Some(Node::Array(Box::default())),
            (Function::FromBuffer, &[data, dtype, shape, order]) => {
                let fortran = self.str(order)? == "F";
                self.array(dtype, shape, fortran, data)
            }
            (Function::Scalar, &[dtype, data]) => {
                let dtype = self.dtype(dtype);
                let array = |dtype| Array { dtype, shape: vec![], fortran: false, data };
                dtype.map(|dtype| Node::Array(Box::new(array(dtype))))
            }
            // Such as `f4`; a hostile file could refer to a longer one many times.
            (Function::Dtype, &[code, ..]) => {
                self.text_range(code).filter(|code| code.len() <= 64).map(Node::Dtype)
            }
            (Function::Encode, &[text, coding]) => self.encode(text, coding)?,
            (Function::Bytes, &[]) => Some(Node::Bytes(0..0)),
            _ => None,
        };
        let count = arguments.len();
        made.ok_or_else(|| format!("a call of {function:?} with {count} unsuitable arguments"))
    }

    fn encode(&self, text: u32, coding: u32) -> Result<Option<Node>, String> {
        let coding = self.str(coding)?;
        if !matches!(coding, "latin1" | "latin-1" | "iso-8859-1") {
            return Err(format!("bytes in the encoding {:.40}", coding.escape_debug().to_string()));
        }
        let Node::Text(range) = &self.nodes[text as usize] else { return Ok(None) };
        let text = str::from_utf8(&self.bytes[range.clone()]).expect("checked when it was read");
        let narrow = text.chars().all(|c| u32::from(c) < 256);
        Ok(narrow.then(|| Node::Latin1(range.clone())))
    }

    fn array(&self, dtype: u32, shape: u32, fortran: bool, data: u32) -> Option<Node> {
        let (dtype, shape) = (self.dtype(dtype)?, self.shape(shape)?);
        Some(Node::Array(Box::new(Array { dtype, shape, fortran, data })))
    }

    /// Pops a state and applies it to the array or dtype below it.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let top = *self.stack.last().ok_or("an empty stack")?;
        let state = self.items(state);
        let built = match (&self.nodes[top as usize], state) {
            // Version, byte order, and what only structured dtypes have.
            (Node::Dtype(_), &[_, order, ..]) => match self.str(order)? {
                "<" | "|" => return Ok(()),
                order => return Err(format!("numbers in byte order {order:.1}")),
            },
            (Node::Array(_), &[_, shape, dtype, fortran, data]) => {
                self.array(dtype, shape, self.int(fortran) == Some(1), data)
            }
            _ => None,
        };
        self.nodes[top as usize] = built.ok_or("a state for something that is not an array")?;
        Ok(())
    }
}

/// The function of that name, if it is supported.
fn function(module: &str, name: &str) -> Result<Function, String> {
    match (module, name) {
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
            Ok(Function::Reconstruct)
        }
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Ok(Function::Scalar),
        ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Ok(Function::FromBuffer),
        ("numpy", "ndarray") => Ok(Function::Ndarray),
        ("numpy", "dtype") => Ok(Function::Dtype),
        ("_codecs", "encode") => Ok(Function::Encode),
        ("__builtin__" | "builtins", "bytes") => Ok(Function::Bytes),
        _ => {
            let name: String = format!("{module}.{name}").chars().take(80).collect();
            Err(format!("the function {name}, which numbers and strings do not need"))
        }
    }
}

fn refused(op: u8) -> String {
    match REFUSED.iter().find(|(code, _)| *code == op) {
        Some((_, name)) => format!("the instruction {name}, which numbers and strings do not need"),
        None => format!("byte {op:#04x} where an instruction was expected"),
    }
}
