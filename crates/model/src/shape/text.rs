//! How the services word a failed constraint: paths, values, sets of values.

use std::fmt::Write;

use super::model::{Kind, Limits, Model, Shape, Structure};
use crate::document::{Document, Object};

/// A value echoed in an error is cut after this many bytes; the services echo all of it.
const SHOWN_BYTES_MAX: usize = 16 * 1024;

/// Where a value stands in the body, as the services write it.
pub(super) enum Path<'a> {
    /// The body itself.
    Body,
    /// A member of a structure.
    Member(&'a Path<'a>, &'a str),
    /// An element of a list, counted from nought.
    Element(&'a Path<'a>, usize),
    /// An entry of a map.
    Entry(&'a Path<'a>, &'a str),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Body => {}
            Self::Member(parent, name) => {
                parent.write(out);
                if !out.is_empty() {
                    out.push('.');
                }
                push_lower_first(out, name);
            }
            Self::Element(parent, index) => {
                parent.write(out);
                let _ = write!(out, ".{}.member", index + 1);
            }
            Self::Entry(parent, key) => {
                parent.write(out);
                out.push('.');
                out.push_str(cut(key));
                out.push_str(".member");
            }
        }
    }
}

/// `<value> at '<path>' failed to satisfy constraint: <constraint>`.
pub(super) fn failed(value: &str, path: &Path<'_>, constraint: &str) -> String {
    let mut place = String::new();
    path.write(&mut place);
    format!("{value} at '{place}' failed to satisfy constraint: {constraint}")
}

/// `N validation errors detected: ...; ...`.
pub(super) fn envelope(errors: &[String]) -> String {
    let plural = if errors.len() == 1 { "" } else { "s" };
    format!("{} validation error{plural} detected: {}", errors.len(), errors.join("; "))
}

/// `Value '<value>'`, or `Value` alone for a shape that is sensitive.
pub(super) fn shown(model: &Model, shape: &Shape, value: &Document) -> String {
    if shape.sensitive {
        return "Value".to_owned();
    }
    let mut out = String::from("Value '");
    if shape.limits.shown_as_json {
        out.push_str(cut(&value.to_string()));
    } else {
        push_value(model, shape, value, &mut out);
    }
    out.push('\'');
    out
}

/// `name` with its first letter in lower case, as the services name members in texts.
pub(super) fn push_lower_first(out: &mut String, name: &str) {
    let mut letters = name.chars();
    if let Some(first) = letters.next() {
        out.push(first.to_ascii_lowercase());
        out.push_str(letters.as_str());
    }
}

/// At most [`SHOWN_BYTES_MAX`] bytes of `text`.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)]
}

/// The values of a set in the order in which the services print it.
///
/// Their sets hash into 32 buckets by Java's `String.hashCode` and put what comes later in the
/// model at the front of its bucket. Published texts of DynamoDB, KMS, API Gateway, Transcribe
/// and Lambda, with sets of up to 56 values, all follow from this rule.
pub(super) fn value_set(limits: &Limits) -> Vec<&'static str> {
    if let Some(shown) = limits.values_shown {
        return shown.to_vec();
    }
    let mut values: Vec<_> = limits.values.iter().rev().copied().collect();
    values.sort_by_key(|value| java_hash(value) & 31);
    values
}

/// The members of a structure in the order in which the services report what is wrong with them.
///
/// It is the order of a Java `HashMap` that was filled in the model's order. Every published text
/// with several errors of DynamoDB (2026), API Gateway, Lambda, EventBridge, IAM, Cognito, SNS and
/// SWF follows from this rule; dynalite's older lists for Query and Scan do too.
pub(super) fn report_order<'n>(published: &[&'n str]) -> Vec<&'n str> {
    let mut buckets = 16;
    while published.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let mut members = published.to_vec();
    members.sort_by_key(|name| {
        let mut shown = String::with_capacity(name.len());
        push_lower_first(&mut shown, name);
        let hash = java_hash(&shown);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    members
}

/// Java's `String.hashCode`.
pub(super) fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The number of bytes that well-formed base64 stands for.
pub(super) fn decoded_bytes(base64: &str) -> usize {
    let padding = base64.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    base64.len() / 4 * 3 - padding.min(base64.len() / 4 * 3)
}

/// A published pattern, which is Java's, in the dialect of our regular expressions.
pub(super) fn rust_pattern(pattern: &str) -> String {
    /// Pieces of patterns and what they mean in Java.
    const PIECES: [(&str, &str); 6] = [
        (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"),
        (r"\p{Print}", "[ -~]"),
        (r"\w", "[0-9A-Z_a-z]"),
        (r"\d", "[0-9]"),
        (r"\s", r"[ \t\n\x0B\f\r]"),
        // Two hyphens never follow each other.
        ("([a-z0-9]|-(?!-)){1,61}[a-z0-9]", "(?:-?[a-z0-9])+"),
    ];
    PIECES.iter().fold(pattern.to_owned(), |pattern, (java, ours)| pattern.replace(java, ours))
}

fn push_value(model: &Model, shape: &Shape, value: &Document, out: &mut String) {
    if out.len() > SHOWN_BYTES_MAX {
        return;
    }
    match (&shape.kind, value) {
        (_, Document::Null) => out.push_str("null"),
        _ if shape.sensitive => out.push_str("***"),
        (Kind::Blob, Document::String(base64)) => {
            let bytes = decoded_bytes(base64);
            let _ = write!(out, "java.nio.HeapByteBuffer[pos=0 lim={bytes} cap={bytes}]");
        }
        (Kind::List(element), Document::Array(elements)) => {
            out.push('[');
            for (index, value) in elements.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push_value(model, model.shape(*element), value, out);
            }
            out.push(']');
        }
        (Kind::Map { value: element, .. }, Document::Object(entries)) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(cut(key));
                out.push('=');
                push_value(model, model.shape(*element), value, out);
            }
            out.push('}');
        }
        (Kind::Structure(Structure { hashed: Some(hashed), .. }), Document::Object(members)) => {
            let values =
                hashed.iter().map(|name| members.get(name).and_then(Document::as_str).map_or(0, java_hash));
            push_object(model, shape, values, out);
        }
        (Kind::Structure(structure), Document::Object(members)) => {
            push_structure(model, shape, structure, members, out);
        }
        // The services hash the value; that says too much about it.
        (Kind::AttributeValue, _) => push_object(model, shape, [0; ATTRIBUTE_VALUE_FIELDS].into_iter(), out),
        (_, Document::String(text)) => out.push_str(cut(text)),
        (_, value) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// What AWS's own class has: the ten published types and six that are not.
const ATTRIBUTE_VALUE_FIELDS: usize = 16;

/// `Name(member=value, other=null)`.
fn push_structure(model: &Model, shape: &Shape, structure: &Structure, members: &Object, out: &mut String) {
    out.push_str(shape.name);
    out.push('(');
    for (index, member) in structure.published_members().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_lower_first(out, member.name);
        out.push('=');
        let value = members.get(member.name).unwrap_or(&Document::Null);
        push_value(model, model.shape(member.shape), value, out);
    }
    if let Some(hidden) = structure.hidden_member {
        let _ = write!(out, ", {hidden}=null");
    }
    out.push(')');
}

/// `package.Class@hash`, which is Java's default and what `KeySchemaElement` is shown as.
fn push_object(model: &Model, shape: &Shape, values: impl Iterator<Item = u32>, out: &mut String) {
    let start = out.len();
    out.push_str(model.service.java_package());
    out.push_str(shape.name);
    let class = java_hash(&out[start..]);
    let mix = |hash: u32, value: u32| hash.wrapping_mul(31).wrapping_add(value);
    let hash = values.fold(mix(2, class), mix);
    let _ = write!(out, "@{hash:x}");
}
