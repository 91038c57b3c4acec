//! Attribute values as the wire's JSON, straight into a byte buffer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::attribute::{AttributeValue, Item};
use crate::number::Number;

/// Appends the value as JSON.
pub fn write_json(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::S(text) => {
            out.extend_from_slice(b"{\"S\":");
            write_string(text, out);
        }
        AttributeValue::N(number) => {
            out.extend_from_slice(b"{\"N\":");
            write_number(*number, out);
        }
        AttributeValue::B(bytes) => {
            out.extend_from_slice(b"{\"B\":");
            write_binary(bytes, out);
        }
        AttributeValue::Bool(true) => out.extend_from_slice(b"{\"BOOL\":true"),
        AttributeValue::Bool(false) => out.extend_from_slice(b"{\"BOOL\":false"),
        AttributeValue::Null => out.extend_from_slice(b"{\"NULL\":true"),
        AttributeValue::L(values) => {
            out.extend_from_slice(b"{\"L\":");
            write_array(values, out, write_json);
        }
        AttributeValue::M(members) => {
            out.extend_from_slice(b"{\"M\":");
            write_item_json(members, out);
        }
        AttributeValue::Ss(texts) => {
            out.extend_from_slice(b"{\"SS\":");
            write_array(texts, out, |text, out| write_string(text, out));
        }
        AttributeValue::Ns(numbers) => {
            out.extend_from_slice(b"{\"NS\":");
            write_array(numbers, out, |number, out| write_number(*number, out));
        }
        AttributeValue::Bs(blobs) => {
            out.extend_from_slice(b"{\"BS\":");
            write_array(blobs, out, |bytes, out| write_binary(bytes, out));
        }
    }
    out.push(b'}');
}

/// Appends the item as JSON.
pub fn write_item_json(item: &Item, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in item.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write_json(value, out);
    }
    out.push(b'}');
}

/// Appends a JSON string: quotes, backslashes and control characters escaped,
/// everything else as it is.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    while let Some(place) = first_to_escape(rest) {
        out.extend_from_slice(&rest[..place]);
        match rest[place] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 0xf)]);
            }
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte stands that a JSON string cannot hold as it is.
fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    // Eight bytes at a time: most text has nothing to escape.
    let words = bytes.chunks_exact(8);
    let mut clean = 0;
    for word in words {
        let word = u64::from_le_bytes(word.try_into().expect("a chunk of eight has eight bytes"));
        if has_byte_below(word, 0x20)
            || has_byte_below(word ^ (EACH_BYTE * u64::from(b'"')), 1)
            || has_byte_below(word ^ (EACH_BYTE * u64::from(b'\\')), 1)
        {
            break;
        }
        clean += 8;
    }
    let rest = &bytes[clean..];
    let needs_escape = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    rest.iter().position(needs_escape).map(|place| clean + place)
}

/// Whether one of the word's eight bytes is below `limit`, which is at most 128.
fn has_byte_below(word: u64, limit: u64) -> bool {
    word.wrapping_sub(EACH_BYTE * limit) & !word & (EACH_BYTE * 0x80) != 0
}

pub(crate) fn write_number(number: Number, out: &mut Vec<u8>) {
    out.push(b'"');
    number.write_text(out);
    out.push(b'"');
}

pub(crate) fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(bytes, &mut out[start..]).expect("base64 takes four bytes for every three begun");
    out.push(b'"');
}

fn write_array<T>(values: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(value, out);
    }
    out.push(b']');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Times a byte's value, a word of eight such bytes.
const EACH_BYTE: u64 = 0x0101_0101_0101_0101;
