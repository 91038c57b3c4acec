//! `NextToken`: where a SELECT goes on.
//!
//! A token says a place within what its statement reads, and is only taken by
//! the statement it was given for. It is not secret and needs no seal: whoever
//! makes one up can only begin at another place of what the statement reads
//! anyway, for the place is checked against the statement's plan.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xxhash_rust::xxh3::xxh3_64;

use super::PartiqlError;

/// A place within a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextToken {
    /// Which section to read next, from 0.
    pub section: u16,
    /// The stored key after which to go on in it; none to begin with its first.
    pub after: Option<Vec<u8>>,
}

/// What a token belongs to: a hash of these parts of a request.
pub fn binding(parts: &[&[u8]]) -> u64 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    xxh3_64(&bytes)
}

impl NextToken {
    /// The token's text: version, binding, section, key.
    pub fn encode(&self, binding: u64) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&binding.to_be_bytes());
        bytes.extend_from_slice(&self.section.to_be_bytes());
        bytes.extend_from_slice(self.after.as_deref().unwrap_or_default());
        STANDARD.encode(bytes)
    }

    /// Reads a token that must belong to this binding.
    pub fn decode(text: &str, binding: u64) -> Result<NextToken, PartiqlError> {
        let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
        let (head, key) = bytes.split_first_chunk::<11>().ok_or_else(invalid)?;
        let [version, b0, b1, b2, b3, b4, b5, b6, b7, s0, s1] = *head;
        if version != VERSION {
            return Err(invalid());
        }
        if u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]) != binding {
            return Err(PartiqlError::new("NextToken does not match request"));
        }
        let after = (!key.is_empty()).then(|| key.to_vec());
        Ok(NextToken { section: u16::from_be_bytes([s0, s1]), after })
    }
}

/// The error for a token that was not given out.
pub fn invalid() -> PartiqlError {
    PartiqlError::new("Invalid NextToken")
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_token_comes_back_to_its_own_request_only() {
        let token = NextToken { section: 3, after: Some(vec![0x10, 0, 255]) };
        let first = NextToken { section: 0, after: None };
        let mine = binding(&[b"SELECT", b"a"]);
        for token in [token, first] {
            assert_eq!(NextToken::decode(&token.encode(mine), mine).unwrap(), token);
        }
        let text = NextToken { section: 0, after: None }.encode(mine);
        for other in [binding(&[b"SELECTa", b""]), binding(&[b"SELECT"]), 0] {
            let error = NextToken::decode(&text, other).unwrap_err();
            assert_eq!(error.message(), "NextToken does not match request");
        }
    }

    #[test]
    fn noise_is_no_token() {
        for text in ["", "abc", "!!!!", "AAAA", "AAAAAAAAAAAAAAAA", "\u{e9}"] {
            assert_eq!(NextToken::decode(text, 0).unwrap_err().message(), "Invalid NextToken", "{text}");
        }
    }
}
