//! The other side: signs requests, for clients of our own.

use parking_lot::Mutex;
use strongroom_seal::primitive::{HmacSha256, sha256};

use super::canonical::{Path, Signed, string_to_sign, write_hex};
use super::{ALGORITHM, date, key};
use crate::auth::SecretAccessKey;

/// Signs the requests of one access key to one service in one region.
pub struct Signer {
    access_key_id: String,
    secret: SecretAccessKey,
    region: String,
    service: &'static str,
    session_token: Option<String>,
    /// The last day's key and scope: deriving one takes four hashes.
    of_day: Mutex<Option<(String, HmacSha256)>>,
}

/// A request cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The signature of HTTP/1.1 covers the host.
    #[error("a header `host` is needed to sign a request")]
    NoHost,
}

impl Signer {
    /// A signer; `service` is a signing name such as `dynamodb`.
    pub fn new(access_key_id: &str, secret: SecretAccessKey, region: &str, service: &'static str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret,
            region: region.to_owned(),
            service,
            session_token: None,
            of_day: Mutex::new(None),
        }
    }

    /// The same, with the session token of temporary credentials.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// The headers to add to a request so that it is signed at `now_millis`: `x-amz-date`,
    /// `authorization` and, with a session, `x-amz-security-token`.
    ///
    /// `headers` are all that the signature shall cover, names in lower case; `host` must be among them.
    pub fn sign(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        now_millis: i64,
    ) -> Result<Vec<(&'static str, String)>, SigningError> {
        if !headers.iter().any(|(name, _)| *name == "host") {
            return Err(SigningError::NoHost);
        }
        let date = date::format(now_millis);
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.push(("x-amz-date", &date));
        if let Some(token) = &self.session_token {
            all.push(("x-amz-security-token", token));
        }
        // Stable: values of one name keep their order.
        all.sort_by_key(|(name, _)| *name);
        let mut names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let signed_headers = names.join(";");
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let signed = Signed {
            method,
            path,
            query,
            signed_headers: &signed_headers,
            header_values: |name: &str, with: &mut dyn FnMut(&[u8])| {
                all.iter().filter(|(found, _)| *found == name).for_each(|(_, value)| with(value.as_bytes()));
            },
            payload_hash: &sha256(body),
        };
        let canonical_request = signed.canonical_request(Path::Normalised);
        let scope = format!("{}/{}/{}", &date[..8], self.region, self.service);
        let signature = self.signature(&date, &scope, &canonical_request);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}/{}, SignedHeaders={signed_headers}, Signature={signature}",
            self.access_key_id,
            super::TERMINATOR,
        );
        let mut added = vec![("x-amz-date", date), ("authorization", authorization)];
        added.extend(self.session_token.clone().map(|token| ("x-amz-security-token", token)));
        Ok(added)
    }

    fn signature(&self, date: &str, scope: &str, canonical_request: &[u8]) -> String {
        let to_sign = string_to_sign(date, scope, canonical_request);
        let mut of_day = self.of_day.lock();
        let signature = match &*of_day {
            Some((known, key)) if known == scope => key.sign(&to_sign),
            _ => {
                let key = key::signing_key(self.secret.expose(), scope);
                let signature = key.sign(&to_sign);
                *of_day = Some((scope.to_owned(), key));
                signature
            }
        };
        let mut text = Vec::with_capacity(64);
        write_hex(&mut text, &signature);
        String::from_utf8(text).expect("hexadecimal is ASCII")
    }
}
