//! Reads the part of Python's pickle format that PyTorch's weights are stored in. It calls nothing
//! that a file names.
//!
//! Opcodes: CPython's `pickletools`.

use std::collections::HashMap;
use std::rc::Rc;

use thiserror::Error;

/// The deepest nesting of values; weights have less than 10.
const DEEPEST: usize = 64;

/// A pickle is damaged, or has more than weights.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PickleError {
    #[error("the pickled part ends too early; expected a whole file")]
    End,
    #[error("expected only what weights need, found opcode 0x{0:02x}")]
    Opcode(u8),
    #[error("the pickled part is damaged: {0}")]
    Damaged(&'static str),
}

/// A pickled value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A number, in the values that are skipped.
    Float,
    Text(String),
    Tuple(Vec<Rc<Value>>),
    List(Vec<Rc<Value>>),
    Dict(Vec<(Rc<Value>, Rc<Value>)>),
    /// A class or function: module and name.
    Global(String, String),
    /// What PyTorch stores outside of the pickle.
    Persistent(Rc<Value>),
    /// The result of a call.
    Call(Rc<Value>, Rc<Value>),
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Returns the elements of a tuple or list.
    pub fn elements(&self) -> Option<&[Rc<Value>]> {
        match self {
            Value::Tuple(elements) | Value::List(elements) => Some(elements),
            _ => None,
        }
    }
}

/// Reads one pickle. Returns its value and the number of bytes read.
///
/// # Errors
/// The bytes are damaged or have more than weights need.
pub fn read(bytes: &[u8]) -> Result<(Rc<Value>, usize), PickleError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while !machine.step()? {}
    let (value, _) = machine.pop()?;
    Ok((value, machine.at))
}

/// A value and the depth of its nesting.
type Nested = (Rc<Value>, usize);

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Nested>,
    marks: Vec<usize>,
    memo: HashMap<u32, Nested>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).ok_or(PickleError::End)?;
        let taken = self.bytes.get(self.at..end).ok_or(PickleError::End)?;
        self.at = end;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| PickleError::End)
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(length.ok_or(PickleError::End)?)?;
        self.at += 1;
        text(line)
    }

    fn pop(&mut self) -> Result<Nested, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(PickleError::Damaged("a value is missing"));
        }
        self.stack.pop().ok_or(PickleError::End)
    }

    fn pop_mark(&mut self) -> Result<Vec<Nested>, PickleError> {
        let mark = self.marks.pop();
        let mark = mark.ok_or(PickleError::Damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn push(&mut self, value: Value, depth: usize) -> Result<(), PickleError> {
        if depth > DEEPEST {
            return Err(PickleError::Damaged("values are nested too deeply"));
        }
        self.stack.push((Rc::new(value), depth));
        Ok(())
    }

    fn push_sequence(
        &mut self,
        elements: Vec<Nested>,
        make: fn(Vec<Rc<Value>>) -> Value,
    ) -> Result<(), PickleError> {
        let depth = deepest(&elements) + 1;
        self.push(
            make(elements.into_iter().map(|(value, _)| value).collect()),
            depth,
        )
    }

    fn push_last(&mut self, count: usize) -> Result<(), PickleError> {
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.pop()?);
        }
        elements.reverse();
        self.push_sequence(elements, Value::Tuple)
    }

    /// Adds keys and values to the dictionary below them.
    fn set_items(&mut self, items: Vec<Nested>) -> Result<(), PickleError> {
        let depth = deepest(&items) + 1;
        let (mut target, before) = self.pop()?;
        let damaged = PickleError::Damaged("keys and values without a dictionary");
        let Value::Dict(entries) = Rc::make_mut(&mut target) else {
            return Err(damaged);
        };
        let mut items = items.into_iter();
        while let (Some((key, _)), Some((value, _))) = (items.next(), items.next()) {
            entries.push((key, value));
        }
        self.push_shared(target, before.max(depth))
    }

    fn append(&mut self, items: Vec<Nested>) -> Result<(), PickleError> {
        let depth = deepest(&items) + 1;
        let (mut target, before) = self.pop()?;
        let Value::List(elements) = Rc::make_mut(&mut target) else {
            return Err(PickleError::Damaged("elements without a list"));
        };
        elements.extend(items.into_iter().map(|(value, _)| value));
        self.push_shared(target, before.max(depth))
    }

    fn push_shared(&mut self, value: Rc<Value>, depth: usize) -> Result<(), PickleError> {
        if depth > DEEPEST {
            return Err(PickleError::Damaged("values are nested too deeply"));
        }
        self.stack.push((value, depth));
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), PickleError> {
        let top = self.stack.last().cloned();
        let top = top.ok_or(PickleError::Damaged("a value is missing"))?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), PickleError> {
        let value = self.memo.get(&index).cloned();
        self.stack
            .push(value.ok_or(PickleError::Damaged("an unknown value is read again"))?);
        Ok(())
    }

    /// Runs one opcode. Returns whether it was the last.
    fn step(&mut self) -> Result<bool, PickleError> {
        let [opcode] = self.number()?;
        match opcode {
            // PROTO, FRAME
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return Ok(true),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None, 0)?,
            0x88 => self.push(Value::Bool(true), 0)?,
            0x89 => self.push(Value::Bool(false), 0)?,
            b'J' => {
                let int = i32::from_le_bytes(self.number()?);
                self.push(Value::Int(int.into()), 0)?;
            }
            b'K' => {
                let [int] = self.number()?;
                self.push(Value::Int(int.into()), 0)?;
            }
            b'M' => {
                let int = u16::from_le_bytes(self.number()?);
                self.push(Value::Int(int.into()), 0)?;
            }
            // LONG1: no number of weights needs more than 8 bytes; the longer magic number is not used
            0x8a => {
                let [length] = self.number()?;
                let bytes = self.take(length.into())?;
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut int = [if negative { 0xff } else { 0 }; 8];
                let length = bytes.len().min(8);
                int[..length].copy_from_slice(&bytes[..length]);
                self.push(Value::Int(i64::from_le_bytes(int)), 0)?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Float, 0)?;
            }
            // BINUNICODE, SHORT_BINUNICODE, and Python 2's SHORT_BINSTRING, BINSTRING
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.number()?);
                let text = text(self.take(length as usize)?)?;
                self.push(Value::Text(text), 0)?;
            }
            0x8c | b'U' => {
                let [length] = self.number()?;
                let text = text(self.take(length.into())?)?;
                self.push(Value::Text(text), 0)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name), 0)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?.0, self.pop()?.0);
                match (module.text(), name.text()) {
                    (Some(module), Some(name)) => {
                        let global = Value::Global(module.to_owned(), name.to_owned());
                        self.push(global, 0)?;
                    }
                    _ => return Err(PickleError::Damaged("a class without a name")),
                }
            }
            b')' => self.push(Value::Tuple(Vec::new()), 0)?,
            0x85 => self.push_last(1)?,
            0x86 => self.push_last(2)?,
            0x87 => self.push_last(3)?,
            b't' => {
                let elements = self.pop_mark()?;
                self.push_sequence(elements, Value::Tuple)?;
            }
            b']' => self.push(Value::List(Vec::new()), 0)?,
            b'}' => self.push(Value::Dict(Vec::new()), 0)?,
            b'a' => {
                let element = self.pop()?;
                self.append(vec![element])?;
            }
            b'e' => {
                let elements = self.pop_mark()?;
                self.append(elements)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(items)?;
            }
            b'Q' => {
                let (id, depth) = self.pop()?;
                self.push(Value::Persistent(id), depth + 1)?;
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => {
                let (arguments, depth) = self.pop()?;
                let (callee, other) = self.pop()?;
                let is_dict = matches!(&*callee, Value::Global(module, name) if module == "collections" && name == "OrderedDict");
                let value = if is_dict {
                    Value::Dict(Vec::new())
                } else {
                    Value::Call(callee, arguments)
                };
                self.push(value, depth.max(other) + 1)?;
            }
            // BUILD: attributes, which weights do not need
            b'b' => drop(self.pop()?),
            b'q' => {
                let [index] = self.number()?;
                self.remember(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.number()?);
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let [index] = self.number()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.number()?);
                self.recall(index)?;
            }
            other => return Err(PickleError::Opcode(other)),
        }
        Ok(false)
    }
}

fn deepest(values: &[Nested]) -> usize {
    values.iter().map(|(_, depth)| *depth).max().unwrap_or(0)
}

fn text(bytes: &[u8]) -> Result<String, PickleError> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| PickleError::Damaged("a text is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dictionary_is_read_up_to_its_end() {
        // pickle.dumps({"a": (1, [-2, True]), "b": None}, 2) and a byte more
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01]q\x02(J\xfe\xff\xff\xff\x88e\x86q\x03X\x01\x00\x00\x00bq\x04Nu.!";
        let (value, length) = read(bytes).unwrap();
        assert_eq!(length, bytes.len() - 1);
        let Value::Dict(entries) = &*value else {
            panic!("{value:?}")
        };
        assert_eq!(entries[0].0.text(), Some("a"));
        let pair = entries[0].1.elements().unwrap();
        assert_eq!(pair[0].int(), Some(1));
        let expected = [Rc::new(Value::Int(-2)), Rc::new(Value::Bool(true))];
        assert_eq!(pair[1].elements(), Some(&expected[..]));
        assert_eq!(*entries[1].1, Value::None);
    }

    #[test]
    fn nothing_is_called_and_nothing_nests_without_end() {
        let (value, _) = read(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").unwrap();
        assert!(matches!(&*value, Value::Call(..)));
        let mut deep = b"\x80\x02)".to_vec();
        deep.extend([0x85; 100_000]);
        deep.push(b'.');
        let error = read(&deep).unwrap_err();
        assert!(error.to_string().contains("too deeply"), "{error}");
        assert_eq!(read(b"\x80\x02(").unwrap_err(), PickleError::End);
        assert_eq!(read(b"\x80\x02i").unwrap_err(), PickleError::Opcode(b'i'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes);
        }

        #[test]
        fn opcodes_in_any_order_are_read_or_refused(
            picks in prop::collection::vec(prop::sample::select(
                b"\x80\x02(NJK)\x85\x86\x87t]}aesuQRbqhX\x00.".to_vec()), 0..256),
        ) {
            let _ = read(&picks);
        }
    }
}
