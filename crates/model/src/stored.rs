//! The stored form of an item: compact, canonical, fast to read.
//!
//! `docs/formats/item.md` specifies it. The bytes come from a sealed object,
//! but a reader trusts nothing: every length is checked before it is used,
//! nesting is bounded, and no input makes it panic.

mod attributes;

pub use attributes::{Attributes, KeyScalar};

use bytes::Bytes;

use crate::attribute::{AttributeValue, Item};
use crate::json::{NESTING_MAX, ValueError, nesting_exceeded, write_binary, write_number, write_string};
use crate::number::{MAGNITUDE_MIN, Number};
use crate::size;

/// Why bytes are not a stored item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// The first byte names a version that this release does not know.
    #[error("stored item has unknown version `{0}`")]
    UnknownVersion(u8),
    /// The bytes break the format.
    #[error("stored item is damaged: {0}")]
    Damaged(&'static str),
}

/// The stored form of `item`, or the service's error if it nests too deeply.
pub fn encode(item: &Item) -> Result<Vec<u8>, ValueError> {
    let item_bytes = size::item_bytes(item);
    let mut out = Vec::with_capacity(item_bytes + 4 * item.len() + 16);
    out.push(VERSION);
    write_varint(item_bytes, &mut out);
    encode_members(item, 1, &mut out)?;
    Ok(out)
}

/// The item in `bytes`.
pub fn decode(bytes: &[u8]) -> Result<Item, StoredError> {
    let (_, mut reader) = Reader::open(bytes)?;
    let item = reader.members(1)?;
    reader.finish()?;
    Ok(item)
}

/// The size of the item in `bytes` as the service counts it, without reading the item.
pub fn item_bytes(bytes: &[u8]) -> Result<usize, StoredError> {
    Reader::open(bytes).map(|(item_bytes, _)| item_bytes)
}

/// Appends the item in `bytes` to `out` as the wire's JSON, without building
/// the item. On an error `out` is as before.
pub fn write_item_json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StoredError> {
    let start = out.len();
    let written = Reader::open(bytes).and_then(|(_, mut reader)| {
        out.reserve(bytes.len() + bytes.len() / 2);
        reader.members_json(1, out)?;
        reader.finish()
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn encode_members(members: &Item, level: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
    write_varint(members.len(), out);
    for (name, value) in members {
        write_block(name.as_bytes(), out);
        encode_value(value, level, out)?;
    }
    Ok(())
}

fn encode_value(value: &AttributeValue, level: usize, out: &mut Vec<u8>) -> Result<(), ValueError> {
    if level > NESTING_MAX {
        return Err(nesting_exceeded());
    }
    match value {
        AttributeValue::S(text) => {
            out.push(tag::S);
            write_block(text.as_bytes(), out);
        }
        AttributeValue::N(number) => {
            out.push(tag::N);
            encode_number(*number, out);
        }
        AttributeValue::B(bytes) => {
            out.push(tag::B);
            write_block(bytes, out);
        }
        AttributeValue::Bool(false) => out.push(tag::FALSE),
        AttributeValue::Bool(true) => out.push(tag::TRUE),
        AttributeValue::Null => out.push(tag::NULL),
        AttributeValue::L(values) => {
            out.push(tag::L);
            write_varint(values.len(), out);
            for value in values {
                encode_value(value, level + 1, out)?;
            }
        }
        AttributeValue::M(members) => {
            out.push(tag::M);
            encode_members(members, level + 1, out)?;
        }
        AttributeValue::Ss(texts) => {
            out.push(tag::SS);
            write_varint(texts.len(), out);
            texts.iter().for_each(|text| write_block(text.as_bytes(), out));
        }
        AttributeValue::Ns(numbers) => {
            out.push(tag::NS);
            write_varint(numbers.len(), out);
            numbers.iter().for_each(|number| encode_number(*number, out));
        }
        AttributeValue::Bs(blobs) => {
            out.push(tag::BS);
            write_varint(blobs.len(), out);
            blobs.iter().for_each(|bytes| write_block(bytes, out));
        }
    }
    Ok(())
}

fn encode_number(number: Number, out: &mut Vec<u8>) {
    let (negative, digits, magnitude) = number.to_parts();
    if digits == 0 {
        out.push(0);
        return;
    }
    let length = 16 - digits.leading_zeros() as usize / 8;
    out.push(length as u8 | if negative { NEGATIVE } else { 0 });
    out.push((magnitude - MAGNITUDE_MIN) as u8);
    out.extend_from_slice(&digits.to_le_bytes()[..length]);
}

fn write_block(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// `value` is a length or a count within one item, far below 2^32.
fn write_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is still unread of a stored item.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads version and size; the reader stands before the count of attributes.
    fn open(bytes: &'a [u8]) -> Result<(usize, Reader<'a>), StoredError> {
        let mut reader = Reader { rest: bytes };
        match reader.byte()? {
            VERSION => {}
            unknown => return Err(StoredError::UnknownVersion(unknown)),
        }
        let item_bytes = reader.varint()?;
        Ok((item_bytes, reader))
    }

    fn finish(self) -> Result<(), StoredError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(StoredError::Damaged("bytes follow the last attribute"))
        }
    }

    fn byte(&mut self) -> Result<u8, StoredError> {
        let (byte, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], StoredError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<usize, StoredError> {
        // Most lengths and counts take one byte.
        match self.byte()? {
            byte @ ..0x80 => Ok(usize::from(byte)),
            byte => self.long_varint(byte),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self, first: u8) -> Result<usize, StoredError> {
        let mut value = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                if byte == 0 {
                    return Err(StoredError::Damaged("a varint is not minimal"));
                }
                return usize::try_from(value).map_err(|_| TRUNCATED);
            }
        }
        Err(StoredError::Damaged("a varint is too long"))
    }

    /// A count of things that take at least one byte each, so that it also
    /// bounds what may be allocated for them.
    fn count(&mut self) -> Result<usize, StoredError> {
        let count = self.varint()?;
        if count > self.rest.len() {
            return Err(TRUNCATED);
        }
        Ok(count)
    }

    fn set_count(&mut self) -> Result<usize, StoredError> {
        match self.count()? {
            0 => Err(StoredError::Damaged("a set is empty")),
            count => Ok(count),
        }
    }

    fn block(&mut self) -> Result<&'a [u8], StoredError> {
        let length = self.varint()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, StoredError> {
        std::str::from_utf8(self.block()?).map_err(|_| StoredError::Damaged("a text is not UTF-8"))
    }

    fn number(&mut self) -> Result<Number, StoredError> {
        const DAMAGED: StoredError = StoredError::Damaged("a number is not in normal form");
        let head = self.byte()?;
        if head == 0 {
            return Ok(Number::ZERO);
        }
        let length = usize::from(head & !NEGATIVE);
        let magnitude = i16::from(self.byte()?) + MAGNITUDE_MIN;
        let mut digits = [0; 16];
        let taken = self.take(length)?;
        digits.get_mut(..length).ok_or(DAMAGED)?.copy_from_slice(taken);
        if taken.last().is_none_or(|highest| *highest == 0) {
            return Err(DAMAGED);
        }
        Number::from_parts(head & NEGATIVE != 0, u128::from_le_bytes(digits), magnitude).ok_or(DAMAGED)
    }

    /// Reads a set's members with `read`; `out` takes each one.
    fn set<T: Ord + Clone>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, StoredError>,
        mut out: impl FnMut(T),
    ) -> Result<(), StoredError> {
        let mut previous = None;
        for _ in 0..self.set_count()? {
            let member = read(self)?;
            if previous.replace(member.clone()).is_some_and(|previous| previous >= member) {
                return Err(UNORDERED);
            }
            out(member);
        }
        Ok(())
    }

    fn members(&mut self, level: usize) -> Result<Item, StoredError> {
        let count = self.count()?;
        let mut members: Vec<(String, AttributeValue)> = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let name = self.text()?;
            if members.last().is_some_and(|(previous, _)| previous.as_str() >= name) {
                return Err(UNORDERED);
            }
            members.push((name.to_owned(), self.value(level)?));
        }
        // Sorted already, so the tree is built in one go.
        Ok(members.into_iter().collect())
    }

    fn value(&mut self, level: usize) -> Result<AttributeValue, StoredError> {
        Ok(match self.value_tag(level)? {
            tag::S => AttributeValue::S(self.text()?.to_owned()),
            tag::N => AttributeValue::N(self.number()?),
            tag::B => AttributeValue::B(Bytes::copy_from_slice(self.block()?)),
            tag::FALSE => AttributeValue::Bool(false),
            tag::TRUE => AttributeValue::Bool(true),
            tag::NULL => AttributeValue::Null,
            tag::L => {
                let count = self.count()?;
                let mut values = Vec::with_capacity(count.min(64));
                for _ in 0..count {
                    values.push(self.value(level + 1)?);
                }
                AttributeValue::L(values)
            }
            tag::M => AttributeValue::M(self.members(level + 1)?),
            tag::SS => {
                let mut texts = Vec::new();
                self.set(Reader::text, |text| texts.push(text.to_owned()))?;
                AttributeValue::Ss(texts)
            }
            tag::NS => {
                let mut numbers = Vec::new();
                self.set(Reader::number, |number| numbers.push(number))?;
                AttributeValue::Ns(numbers)
            }
            tag::BS => {
                let mut blobs = Vec::new();
                self.set(Reader::block, |bytes| blobs.push(Bytes::copy_from_slice(bytes)))?;
                AttributeValue::Bs(blobs)
            }
            _ => return Err(StoredError::Damaged("a value has an unknown type")),
        })
    }

    fn value_tag(&mut self, level: usize) -> Result<u8, StoredError> {
        if level > NESTING_MAX {
            return Err(StoredError::Damaged("values nest too deeply"));
        }
        self.byte()
    }

    fn members_json(&mut self, level: usize, out: &mut Vec<u8>) -> Result<(), StoredError> {
        out.push(b'{');
        let mut previous = None;
        for _ in 0..self.count()? {
            let name = self.text()?;
            match previous.replace(name) {
                Some(previous) if previous >= name => return Err(UNORDERED),
                Some(_) => out.push(b','),
                None => {}
            }
            write_string(name, out);
            out.push(b':');
            self.value_json(level, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn value_json(&mut self, level: usize, out: &mut Vec<u8>) -> Result<(), StoredError> {
        match self.value_tag(level)? {
            tag::S => {
                out.extend_from_slice(b"{\"S\":");
                write_string(self.text()?, out);
            }
            tag::N => {
                out.extend_from_slice(b"{\"N\":");
                write_number(self.number()?, out);
            }
            tag::B => {
                out.extend_from_slice(b"{\"B\":");
                write_binary(self.block()?, out);
            }
            tag::FALSE => out.extend_from_slice(b"{\"BOOL\":false"),
            tag::TRUE => out.extend_from_slice(b"{\"BOOL\":true"),
            tag::NULL => out.extend_from_slice(b"{\"NULL\":true"),
            tag::L => {
                out.extend_from_slice(b"{\"L\":[");
                for index in 0..self.count()? {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.value_json(level + 1, out)?;
                }
                out.push(b']');
            }
            tag::M => {
                out.extend_from_slice(b"{\"M\":");
                self.members_json(level + 1, out)?;
            }
            tag::SS => self.set_json(b"{\"SS\":[", Reader::text, write_string, out)?,
            tag::NS => self.set_json(b"{\"NS\":[", Reader::number, write_number, out)?,
            tag::BS => self.set_json(b"{\"BS\":[", Reader::block, write_binary, out)?,
            _ => return Err(StoredError::Damaged("a value has an unknown type")),
        }
        out.push(b'}');
        Ok(())
    }

    fn set_json<T: Ord + Clone>(
        &mut self,
        opening: &[u8],
        read: impl Fn(&mut Self) -> Result<T, StoredError>,
        write: impl Fn(T, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), StoredError> {
        out.extend_from_slice(opening);
        self.set(read, |member| {
            if out.last() != Some(&b'[') {
                out.push(b',');
            }
            write(member, out);
        })?;
        out.push(b']');
        Ok(())
    }
}

const VERSION: u8 = 1;

/// In a number's head byte.
const NEGATIVE: u8 = 0x80;

const TRUNCATED: StoredError = StoredError::Damaged("it ends too early");
const UNORDERED: StoredError = StoredError::Damaged("names or set members are out of order");

mod tag {
    pub(super) const S: u8 = 0x01;
    pub(super) const N: u8 = 0x02;
    pub(super) const B: u8 = 0x03;
    pub(super) const FALSE: u8 = 0x04;
    pub(super) const TRUE: u8 = 0x05;
    pub(super) const NULL: u8 = 0x06;
    pub(super) const L: u8 = 0x07;
    pub(super) const M: u8 = 0x08;
    pub(super) const SS: u8 = 0x09;
    pub(super) const NS: u8 = 0x0a;
    pub(super) const BS: u8 = 0x0b;
}

#[cfg(test)]
mod tests;
