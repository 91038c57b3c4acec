//! Checks a request's signature against the credentials, in the services' order and words.

use std::sync::Arc;

use hyper::http::request::Parts;
use quick_cache::sync::Cache;
use strongroom_model::clock::Clock;
use strongroom_model::shape::Service;
use strongroom_seal::primitive::{HmacSha256, constant_time_eq, hex, sha256};

use super::Sender;
use super::credentials::{Credential, Credentials};
use super::sigv4::canonical::{Path, Signed, string_to_sign};
use super::sigv4::claim::{Claim, incomplete};
use super::sigv4::{TERMINATOR, date, key};
use crate::wire::ApiError;

/// Checks signatures.
pub(super) struct Verifier {
    credentials: Arc<Credentials>,
    clock: Arc<dyn Clock>,
    /// By the text of the credential, so for one key, day, region and service; bounded.
    known: Cache<String, Known>,
}

/// What follows from a credential whose signature was right once.
#[derive(Clone)]
struct Known {
    credential: Arc<Credential>,
    signing_key: Arc<HmacSha256>,
    region: Arc<str>,
    /// The credentials' version when this was made: a changed secret makes it void.
    version: u64,
}

impl Verifier {
    pub(super) fn new(credentials: Arc<Credentials>, clock: Arc<dyn Clock>) -> Self {
        Self { credentials, clock, known: Cache::new(KNOWN_MAX) }
    }

    /// The sender of a request whose signature is right; `body` is as it was sent.
    pub(super) fn sender(&self, head: &Parts, body: &[u8], service: Service) -> Result<Sender, ApiError> {
        let (claim, known, is_new) = self.claimed(head, service)?;
        let payload_hash = sha256(body);
        if !self.signature_is_right(head, &claim, &known, &payload_hash)
            || !content_hash_is_right(head, &payload_hash)
        {
            return Err(ApiError::new("InvalidSignatureException", WRONG_SIGNATURE));
        }
        known.credential.check_token(claim.token.as_deref(), self.clock.now_millis())?;
        let sender =
            Sender { principal: Arc::clone(&known.credential.principal), region: Arc::clone(&known.region) };
        if is_new {
            self.known.insert(claim.credential.into_owned(), known);
        }
        Ok(sender)
    }

    /// Refuses a request that cannot be right, whatever its body is: above all, that nobody here sent.
    pub(super) fn check_head(&self, head: &Parts, service: Service) -> Result<(), ApiError> {
        self.claimed(head, service).map(|_| ())
    }

    // What a head claims, the credential behind it, and whether that was not seen before.
    fn claimed<'a>(&self, head: &'a Parts, service: Service) -> Result<(Claim<'a>, Known, bool), ApiError> {
        let claim = Claim::of(head)?;
        self.check_date(&claim)?;
        check_signed_headers(head, &claim)?;
        claim.check_algorithm()?;
        let (known, is_new) = match self.known.get(&*claim.credential) {
            Some(known) if known.version == self.credentials.version() => {
                check_scope_date(&claim)?;
                check_scope_service(&claim, service)?;
                (known, false)
            }
            _ => (self.known_from(&claim, service)?, true),
        };
        Ok((claim, known, is_new))
    }

    fn check_date(&self, claim: &Claim<'_>) -> Result<(), ApiError> {
        let Some(signed_millis) = date::parse(&claim.date) else {
            return Err(incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
                claim.date
            )));
        };
        // A client's clock is compared with this machine's, also where that was wrong for a while.
        let now = self.clock.wall_millis();
        let text = date::format;
        let not_yet = || {
            let latest = text(now + SKEW_MILLIS_MAX);
            invalid(format!(
                "Signature not yet current: {} is still later than {latest} ({} + 15 min.)",
                claim.date,
                text(now)
            ))
        };
        if signed_millis > now + SKEW_MILLIS_MAX {
            return Err(not_yet());
        }
        let Some(expires) = &claim.expires else {
            if signed_millis < now - SKEW_MILLIS_MAX {
                let earliest = text(now - SKEW_MILLIS_MAX);
                return Err(invalid(format!(
                    "Signature expired: {} is now earlier than {earliest} ({} - 15 min.)",
                    claim.date,
                    text(now)
                )));
            }
            return Ok(());
        };
        let good_for = expires.parse().ok().filter(|secs| (1..=EXPIRES_SECS_MAX).contains(secs));
        let Some(good_for) = good_for else {
            return Err(incomplete(format!(
                "X-Amz-Expires must be a number of seconds between 1 and {EXPIRES_SECS_MAX}. Got '{expires}'."
            )));
        };
        let end = signed_millis + good_for * 1000;
        if end < now {
            return Err(invalid(format!(
                "Signature expired: {} is now earlier than {}",
                text(end),
                text(now)
            )));
        }
        Ok(())
    }

    // Everything that follows from a credential seen for the first time, with the scope's checks.
    fn known_from(&self, claim: &Claim<'_>, service: Service) -> Result<Known, ApiError> {
        let credential = claim.credential.trim_end_matches('/');
        let parts: Vec<&str> = credential.split('/').collect();
        let [key_id, day, region, signing_name, terminator] = parts[..] else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                claim.credential
            )));
        };
        let mut wrong = String::new();
        if !is_region(region) {
            wrong.push_str(&format!("Credential should be scoped to a valid region, not '{region}'. "));
        }
        if signing_name != service.signing_name() {
            wrong.push_str(&wrong_service(service));
        }
        if terminator != TERMINATOR {
            wrong.push_str(&format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
            ));
        }
        if !claim.date.starts_with(day) || day.len() != DAY_BYTES {
            wrong.push_str(&wrong_day(day, &claim.date));
        }
        if !wrong.is_empty() {
            return Err(invalid(wrong));
        }
        let version = self.credentials.version();
        let Some(credential) = self.credentials.find(key_id) else {
            return Err(ApiError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ));
        };
        let scope = format!("{day}/{region}/{signing_name}");
        let signing_key = Arc::new(key::signing_key(credential.secret.expose(), &scope));
        Ok(Known { credential, signing_key, region: region.into(), version })
    }

    fn signature_is_right(
        &self,
        head: &Parts,
        claim: &Claim<'_>,
        known: &Known,
        payload_hash: &[u8; 32],
    ) -> bool {
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let signed = Signed {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            signed_headers: &claim.signed_headers,
            header_values: |name: &str, with: &mut dyn FnMut(&[u8])| {
                let mut values = head.headers.get_all(name).iter().peekable();
                // HTTP/2 carries the host in the URL instead.
                if let (None, "host", Some(authority)) = (values.peek(), name, authority) {
                    with(authority.as_bytes());
                }
                values.for_each(|value| with(value.as_bytes()));
            },
            payload_hash,
        };
        let scope = scope(&claim.credential);
        let to_sign = string_to_sign(&claim.date, scope, &signed.canonical_request(Path::Normalised));
        signature_bytes(&claim.signature)
            .is_some_and(|signature| known.signing_key.verify(&to_sign, &signature))
    }
}

// 32 bytes as the services write them: lower-case hexadecimal.
fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

// `date/region/service` out of a credential of five parts.
fn scope(credential: &str) -> &str {
    let credential = credential.trim_end_matches('/');
    let from = credential.find('/').map_or(0, |slash| slash + 1);
    let to = credential.rfind('/').unwrap_or(credential.len());
    credential.get(from..to).unwrap_or_default()
}

fn check_scope_date(claim: &Claim<'_>) -> Result<(), ApiError> {
    let day = claim.credential.split('/').nth(1).unwrap_or_default();
    if claim.date.starts_with(day) { Ok(()) } else { Err(invalid(wrong_day(day, &claim.date))) }
}

fn check_scope_service(claim: &Claim<'_>, service: Service) -> Result<(), ApiError> {
    if claim.credential.split('/').nth(3) == Some(service.signing_name()) {
        Ok(())
    } else {
        Err(invalid(wrong_service(service)))
    }
}

fn wrong_service(service: Service) -> String {
    format!("Credential should be scoped to correct service: '{}'. ", service.signing_name())
}

fn wrong_day(day: &str, date: &str) -> String {
    let from = date.get(..DAY_BYTES).unwrap_or(date);
    format!(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{from}', from '{date}'."
    )
}

// What decides about the call must be signed, or somebody on the way could change it.
fn check_signed_headers(head: &Parts, claim: &Claim<'_>) -> Result<(), ApiError> {
    let is_signed =
        |name: &str| claim.signed_headers.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    let target = head.headers.contains_key("x-amz-target").then_some("x-amz-target");
    for name in [Some("host"), claim.date_header, target].into_iter().flatten() {
        if !is_signed(name) {
            let shown = match name {
                "host" => "Host",
                "date" => "Date",
                "x-amz-date" => "X-Amz-Date",
                _ => "X-Amz-Target",
            };
            return Err(invalid(format!("'{shown}' must be a 'SignedHeader' in the AWS Authorization.")));
        }
    }
    Ok(())
}

// A client that says what its body hashes to must be right; `UNSIGNED-PAYLOAD` is for S3.
fn content_hash_is_right(head: &Parts, payload_hash: &[u8; 32]) -> bool {
    let mut claimed = head.headers.get_all(X_AMZ_CONTENT_SHA256).iter();
    claimed.all(|claimed| constant_time_eq(claimed.as_bytes(), hex::encode(payload_hash).as_bytes()))
}

fn is_region(text: &str) -> bool {
    (1..=REGION_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn invalid(message: String) -> ApiError {
    ApiError::new("InvalidSignatureException", message)
}

const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
const WRONG_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
const SKEW_MILLIS_MAX: i64 = 15 * 60 * 1000;
const EXPIRES_SECS_MAX: i64 = 604_800;
const DAY_BYTES: usize = 8;
const REGION_BYTES_MAX: usize = 64;
const KNOWN_MAX: usize = 4096;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod oracle;
