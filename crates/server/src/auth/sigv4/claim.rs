//! What a request says about its signature, in a header or in its query.

use std::borrow::Cow;

use hyper::header::{AUTHORIZATION, DATE, HeaderName};
use hyper::http::request::Parts;

use super::canonical::percent_decoded;
use super::{ALGORITHM, date};
use crate::wire::ApiError;

/// The claim of one request; nothing in it is checked yet.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::auth) struct Claim<'a> {
    /// Such as `AWS4-HMAC-SHA256`.
    pub algorithm: Cow<'a, str>,
    /// `keyid/date/region/service/aws4_request`.
    pub credential: Cow<'a, str>,
    /// Lower-case names, joined with `;`.
    pub signed_headers: Cow<'a, str>,
    /// Hexadecimal.
    pub signature: Cow<'a, str>,
    /// When it was signed, as it was sent.
    pub date: Cow<'a, str>,
    /// The header the date came from; none for a presigned request.
    pub date_header: Option<&'static str>,
    /// The session token.
    pub token: Option<Cow<'a, str>>,
    /// How many seconds a presigned request is good for, as it was sent.
    pub expires: Option<Cow<'a, str>>,
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request, with the services' errors for one that is missing or incomplete.
    pub(in crate::auth) fn of(head: &'a Parts) -> Result<Self, ApiError> {
        let query = head.uri.query().unwrap_or_default();
        let presigned = parameter(query, "X-Amz-Algorithm").is_some();
        match (head.headers.get(AUTHORIZATION), presigned) {
            (Some(_), true) => Err(ApiError::new(
                "InvalidSignatureException",
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
            )),
            (None, true) => Self::of_query(query),
            (Some(authorization), false) => {
                let authorization = authorization.to_str().unwrap_or_default().trim();
                if authorization.starts_with("AWS4-") {
                    Self::of_header(head, authorization)
                } else {
                    Err(missing())
                }
            }
            (None, false) => Err(missing()),
        }
    }

    fn of_header(head: &'a Parts, authorization: &'a str) -> Result<Self, ApiError> {
        let (algorithm, parameters) = authorization.split_once(' ').unwrap_or((authorization, ""));
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for pair in parameters.split([',', ' ']).map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(incomplete(format!(
                    "'{pair}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
                )));
            };
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                "Signature" => signature = Some(value),
                _ => {}
            }
        }
        let text = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let date = match (text(&X_AMZ_DATE), text(&DATE)) {
            (Some(date), _) => Some((Cow::Borrowed(date), "x-amz-date")),
            (None, Some(date)) => {
                Some((date::from_http(date).map_or(Cow::Borrowed(date), Cow::Owned), "date"))
            }
            (None, None) => None,
        };
        let (Some(credential), Some(signature), Some(signed_headers), Some((date, date_header))) =
            (credential, signature, signed_headers, date.clone())
        else {
            let mut message = String::new();
            for (name, given) in [
                ("Credential", credential.is_some()),
                ("Signature", signature.is_some()),
                ("SignedHeaders", signed_headers.is_some()),
            ] {
                if !given {
                    message.push_str(&format!("Authorization header requires '{name}' parameter. "));
                }
            }
            if date.is_none() {
                message.push_str(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
                );
            }
            return Err(incomplete(format!("{message}Authorization={authorization}")));
        };
        Ok(Self {
            algorithm: algorithm.into(),
            credential: credential.into(),
            signed_headers: signed_headers.into(),
            signature: signature.into(),
            date,
            date_header: Some(date_header),
            token: text(&X_AMZ_SECURITY_TOKEN).map(Cow::Borrowed),
            expires: None,
        })
    }

    fn of_query(query: &'a str) -> Result<Self, ApiError> {
        let mut missing = String::new();
        let mut needed = |name: &str| {
            parameter(query, name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                missing.push_str(&format!("AWS query-string parameters must include '{name}'. "));
                Cow::Borrowed("")
            })
        };
        let claim = Self {
            algorithm: needed("X-Amz-Algorithm"),
            credential: needed("X-Amz-Credential"),
            signature: needed("X-Amz-Signature"),
            signed_headers: needed("X-Amz-SignedHeaders"),
            date: needed("X-Amz-Date"),
            date_header: None,
            token: parameter(query, "X-Amz-Security-Token"),
            expires: parameter(query, "X-Amz-Expires"),
        };
        if missing.is_empty() {
            Ok(claim)
        } else {
            Err(incomplete(format!("{missing}Re-examine the query-string parameters.")))
        }
    }

    /// `AWS4-HMAC-SHA256` is the only one; anything else is refused with the services' text.
    pub(in crate::auth) fn check_algorithm(&self) -> Result<(), ApiError> {
        if self.algorithm == ALGORITHM {
            return Ok(());
        }
        Err(incomplete(format!(
            "Unsupported AWS 'algorithm': '{}' (only {ALGORITHM} for now). ",
            self.algorithm
        )))
    }
}

/// The name of the service that a request claims to be signed for, as in its credential scope; empty where it claims none.
/// Nothing is checked.
pub fn signed_for(head: &Parts) -> String {
    let claim = Claim::of(head).ok();
    claim.and_then(|claim| claim.credential.split('/').nth(3).map(str::to_owned)).unwrap_or_default()
}

// The first value of a query parameter, decoded.
fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let value = query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((found, value)) => (found == name).then_some(value),
        None => (pair == name).then_some(""),
    })?;
    if !value.contains('%') {
        return Some(value.into());
    }
    String::from_utf8(percent_decoded(value)).ok().map(Cow::Owned)
}

fn missing() -> ApiError {
    ApiError::new("MissingAuthenticationTokenException", "Request is missing Authentication Token")
}

pub(in crate::auth) fn incomplete(message: String) -> ApiError {
    ApiError::new("IncompleteSignatureException", message)
}

static X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
static X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
