//! The canonical request and the string to sign.

use strongroom_seal::primitive::sha256;

use super::{ALGORITHM, TERMINATOR};

/// The parts of a request that a signature covers.
pub(in crate::auth) struct Signed<'a, H> {
    /// The method, such as `POST`.
    pub method: &'a str,
    /// The path as it is sent.
    pub path: &'a str,
    /// The query as it is sent, without its question mark; empty when there is none.
    pub query: &'a str,
    /// Names of the signed headers, lower case, joined with `;`.
    pub signed_headers: &'a str,
    /// Calls its second argument with each value of a header, in order.
    pub header_values: H,
    /// The body as it is sent.
    pub payload_hash: &'a [u8; 32],
}

/// Normalise the path, as every service but S3 does; vectors have it both ways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Path {
    /// Without empty, `.` and `..` segments.
    Normalised,
    /// As it is.
    AsSent,
}

impl<H: Fn(&str, &mut dyn FnMut(&[u8]))> Signed<'_, H> {
    /// The canonical request.
    pub(in crate::auth) fn canonical_request(&self, path: Path) -> Vec<u8> {
        let mut text = Vec::with_capacity(512);
        text.extend_from_slice(self.method.as_bytes());
        text.push(b'\n');
        write_path(&mut text, self.path, path);
        text.push(b'\n');
        write_query(&mut text, self.query);
        text.push(b'\n');
        for name in self.signed_headers.split(';') {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            let mut first = true;
            (self.header_values)(name, &mut |value| {
                if !first {
                    text.push(b',');
                }
                first = false;
                write_value(&mut text, value);
            });
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(self.signed_headers.as_bytes());
        text.push(b'\n');
        write_hex(&mut text, self.payload_hash);
        text
    }
}

/// The text that the signing key signs; `scope` is `date/region/service`.
pub(in crate::auth) fn string_to_sign(date: &str, scope: &str, canonical_request: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(192);
    for part in [ALGORITHM, "\n", date, "\n", scope, "/", TERMINATOR, "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    write_hex(&mut text, &sha256(canonical_request));
    text
}

fn write_path(text: &mut Vec<u8>, path: &str, rule: Path) {
    if path.is_empty() || path == "/" {
        text.push(b'/');
        return;
    }
    if rule == Path::AsSent {
        write_encoded(text, path.as_bytes(), b"/");
        return;
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    for segment in &segments {
        text.push(b'/');
        write_encoded(text, segment.as_bytes(), b"");
    }
    // A path that ends in a slash, or in a segment that vanished, keeps its slash.
    if segments.is_empty() || matches!(path.rsplit('/').next(), Some("" | "." | "..")) {
        text.push(b'/');
    }
}

fn write_query(text: &mut Vec<u8>, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encoded_anew(name), encoded_anew(value)))
        .collect();
    pairs.sort();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if place > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
}

// Clients differ in what they encode; the canonical form encodes everything but the unreserved characters.
fn encoded_anew(part: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(part.len());
    write_encoded(&mut text, &percent_decoded(part), b"");
    text
}

/// The bytes behind percent-encoded text; a `%` without two digits stands for itself.
pub(in crate::auth) fn percent_decoded(part: &str) -> Vec<u8> {
    let digit = |place: usize| {
        let byte = part.as_bytes().get(place)?;
        char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
    };
    let mut bytes = Vec::with_capacity(part.len());
    let mut place = 0;
    while let Some(byte) = part.as_bytes().get(place) {
        match (byte, digit(place + 1), digit(place + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                place += 3;
            }
            _ => {
                bytes.push(*byte);
                place += 1;
            }
        }
    }
    bytes
}

/// Appends percent-encoded bytes; unreserved characters and those in `kept` stay.
pub(in crate::auth) fn write_encoded(text: &mut Vec<u8>, bytes: &[u8], kept: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || kept.contains(byte) {
            text.push(*byte);
        } else {
            text.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

// Trimmed, and every run of spaces as one.
fn write_value(text: &mut Vec<u8>, value: &[u8]) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|pair| pair == b"  ") {
        text.extend_from_slice(value);
        return;
    }
    let mut last = 0;
    for byte in value {
        if *byte != b' ' || last != b' ' {
            text.push(*byte);
        }
        last = *byte;
    }
}

/// Appends lower-case hexadecimal.
pub(in crate::auth) fn write_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}
