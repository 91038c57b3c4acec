//! Signatures from the server's side: what is taken, what is refused, in which order and words.

use hyper::Request;
use strongroom_seal::secret::SecretBytes;

use super::*;
use crate::auth::{SecretAccessKey, Session, Signer};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
// 2026-11-22T12:00:00Z
const NOW_MILLIS: i64 = 1_795_348_800_000;
const MINUTE_MILLIS: i64 = 60_000;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_millis(&self) -> i64 {
        NOW_MILLIS
    }
}

fn secret() -> SecretAccessKey {
    SecretAccessKey::new(SECRET.to_owned())
}

fn verifier() -> Verifier {
    let credentials = Credentials::new();
    credentials.insert(KEY_ID, Credential::root("000000000000", KEY_ID, secret()));
    Verifier::new(Arc::new(credentials), Arc::new(StoppedClock))
}

/// A request under construction; signed as our client signs.
#[derive(Clone)]
struct Call {
    target: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
}

impl Call {
    fn new() -> Self {
        let headers = [("host", "localhost:8000"), ("x-amz-target", "DynamoDB_20120810.ListTables")];
        Self {
            target: "/",
            headers: headers.map(|(name, value)| (name, value.to_owned())).into(),
            body: "{}",
        }
    }

    fn signed_at(mut self, millis: i64) -> Self {
        let signer = Signer::new(KEY_ID, secret(), "eu-west-1", "dynamodb");
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let added = signer.sign("POST", self.target, &headers, self.body.as_bytes(), millis).unwrap();
        self.headers.extend(added);
        self
    }

    fn signed() -> Self {
        Self::new().signed_at(NOW_MILLIS)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn changed(mut self, name: &str, change: impl Fn(&str) -> String) -> Self {
        let (_, value) = self.headers.iter_mut().find(|(found, _)| *found == name).unwrap();
        *value = change(value);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| *found != name);
        self
    }

    fn head(&self) -> Parts {
        let mut request = Request::post(self.target);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn sender(&self, verifier: &Verifier) -> Result<Sender, ApiError> {
        verifier.sender(&self.head(), self.body.as_bytes(), Service::DynamoDb)
    }

    fn refusal(&self) -> (String, String) {
        let error = self.sender(&verifier()).unwrap_err();
        assert_eq!(error.status, 400);
        (error.code.into_owned(), error.message)
    }
}

#[test]
fn a_signed_request_has_its_sender_and_region() {
    let verifier = verifier();
    for _ in 0..2 {
        let sender = Call::signed().sender(&verifier).unwrap();
        assert_eq!(sender.principal.arn, "arn:aws:iam::000000000000:root");
        assert_eq!(sender.principal.access_key_id, KEY_ID);
        assert_eq!(&*sender.region, "eu-west-1");
    }
}

/// HTTP/2 has no `host` header; the signature covers the authority of the URL instead.
#[test]
fn the_authority_stands_for_the_host() {
    let mut call = Call::signed().without("host");
    call.target = "http://localhost:8000/";
    assert!(call.sender(&verifier()).is_ok());
    call.target = "http://localhost:8001/";
    assert!(call.sender(&verifier()).is_err());
}

/// Whatever is signed cannot be changed on the way, also when the same key was right before.
#[test]
fn every_change_of_what_is_signed_is_seen() {
    let wrong = ("InvalidSignatureException".to_owned(), WRONG_SIGNATURE.to_owned());
    let signed = Call::signed;
    let changes = [
        signed().changed("x-amz-target", |_| "DynamoDB_20120810.DeleteTable".to_owned()),
        signed().changed("host", |_| "example.com".to_owned()),
        signed().header("x-amz-target", "DynamoDB_20120810.DeleteTable"),
        signed().changed("x-amz-date", |date| date.replace("T120000Z", "T120001Z")),
        signed().changed("authorization", |text| text.replace("eu-west-1", "eu-west-2")),
        signed().changed("authorization", |text| {
            let last = if text.ends_with('0') { "1" } else { "0" };
            format!("{}{last}", &text[..text.len() - 1])
        }),
        signed().changed("authorization", |text| text[..text.len() - 2].to_owned()),
        signed().changed("authorization", |text| format!("{text}00")),
        signed().changed("authorization", |text| {
            text.split("Signature=").next().unwrap().to_owned() + "Signature=zz"
        }),
        Call { body: "{ }", ..signed() },
        Call { target: "/x", ..signed() },
        Call { target: "/?x=y", ..signed() },
        signed().header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        signed().header("x-amz-content-sha256", &hex::encode(&sha256(b"another"))),
    ];
    let verifier = verifier();
    signed().sender(&verifier).unwrap();
    for (place, call) in changes.iter().enumerate() {
        assert_eq!(call.refusal(), wrong, "change {place}");
        let again = call.sender(&verifier).unwrap_err();
        assert_eq!((again.code.into_owned(), again.message), wrong, "change {place} with a known key");
    }
    assert!(signed().header("x-amz-content-sha256", &hex::encode(&sha256(b"{}"))).sender(&verifier).is_ok());
    let mut head = signed().head();
    head.method = hyper::Method::GET;
    assert!(verifier.sender(&head, b"{}", Service::DynamoDb).is_err());
}

#[test]
fn clocks_may_differ_by_a_quarter_of_an_hour() {
    for minutes in [-15, -14, 0, 14, 15] {
        let call = Call::new().signed_at(NOW_MILLIS + minutes * MINUTE_MILLIS);
        assert!(call.sender(&verifier()).is_ok(), "{minutes}");
    }
    let (code, message) = Call::new().signed_at(NOW_MILLIS - 16 * MINUTE_MILLIS).refusal();
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(
        message,
        "Signature expired: 20261122T114400Z is now earlier than 20261122T114500Z (20261122T120000Z - 15 min.)"
    );
    let (code, message) = Call::new().signed_at(NOW_MILLIS + 16 * MINUTE_MILLIS).refusal();
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(
        message,
        "Signature not yet current: 20261122T121600Z is still later than 20261122T121500Z (20261122T120000Z + 15 min.)"
    );
}

/// The texts are the services' own; people search for them.
#[test]
fn what_is_missing_is_named() {
    let missing = ("MissingAuthenticationTokenException", "Request is missing Authentication Token");
    let refused = |call: Call| call.refusal();
    let authorization = |text: &str| Call::signed().without("authorization").header("authorization", text);
    for call in [Call::new(), authorization("Basic dXNlcjpwYXNz"), authorization("")] {
        assert_eq!(refused(call), (missing.0.to_owned(), missing.1.to_owned()));
    }
    for (text, message) in [
        (
            "AWS4-HMAC-SHA256 Credential=a",
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a",
        ),
        (
            "AWS4-HMAC-SHA256 Signature=b Credential=a",
            "Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Signature=b Credential=a",
        ),
        (
            "AWS4-HMAC-SHA256 Signature=b, Credential, SignedHeaders=c",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Signature=b, Credential, SignedHeaders=c'.",
        ),
        (
            "AWS4-HMAC-SHA25 Credential=a, Signature=b, SignedHeaders=host;x-amz-date;x-amz-target",
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). ",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d, Signature=b, SignedHeaders=host;x-amz-date;x-amz-target",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'",
        ),
    ] {
        assert_eq!(
            refused(authorization(text)),
            ("IncompleteSignatureException".to_owned(), message.to_owned())
        );
    }
    let undated = Call::signed().without("x-amz-date");
    assert!(refused(undated).1.starts_with(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4"
    ));
    let wrongly_dated = Call::signed().changed("x-amz-date", |_| "201".to_owned());
    assert_eq!(
        refused(wrongly_dated).1,
        "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"
    );
    let mut both = Call::signed();
    both.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256";
    assert_eq!(
        refused(both).1,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    );
    let mut presigned = Call::new();
    presigned.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-SignedHeaders=host";
    assert_eq!(
        refused(presigned).1,
        "AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
    );
}

#[test]
fn a_wrong_scope_is_explained_at_once_and_in_full() {
    let call = Call::signed().changed("authorization", |text| {
        text.replace("20261122/eu-west-1/dynamodb/aws4_request", "b/C/kms/e")
    });
    let expected = "Credential should be scoped to a valid region, not 'C'. Credential should be scoped to correct service: 'dynamodb'. Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20261122', from '20261122T120000Z'.";
    assert_eq!(call.refusal(), ("InvalidSignatureException".to_owned(), expected.to_owned()));
    // A key that is known from another service's request is not good for this one.
    let verifier = verifier();
    Call::signed().sender(&verifier).unwrap();
    let error = verifier.sender(&Call::signed().head(), b"{}", Service::Kms).unwrap_err();
    assert_eq!(error.message, "Credential should be scoped to correct service: 'kms'. ");
}

#[test]
fn what_decides_must_be_signed() {
    for (header, shown) in [("host", "Host"), ("x-amz-date", "X-Amz-Date"), ("x-amz-target", "X-Amz-Target")]
    {
        let call = Call::signed().changed("authorization", |text| {
            let headers = "host;x-amz-date;x-amz-target";
            let fewer: Vec<_> = headers.split(';').filter(|name| *name != header).collect();
            text.replace(headers, &fewer.join(";"))
        });
        let expected = format!("'{shown}' must be a 'SignedHeader' in the AWS Authorization.");
        assert_eq!(call.refusal(), ("InvalidSignatureException".to_owned(), expected));
    }
    // Others may go unsigned: a proxy adds some.
    assert!(Call::signed().header("user-agent", "any").sender(&verifier()).is_ok());
}

#[test]
fn an_unknown_access_key_and_a_wrong_secret_are_told_apart_as_the_services_do() {
    let unknown =
        Call::signed().changed("authorization", |text| text.replace(KEY_ID, "AKIANOBODY0000000000"));
    assert_eq!(
        unknown.refusal(),
        (
            "UnrecognizedClientException".to_owned(),
            "The security token included in the request is invalid.".to_owned()
        )
    );
    let other = Verifier::new(
        Arc::new({
            let credentials = Credentials::new();
            let secret = SecretAccessKey::new("x".repeat(40));
            credentials.insert(KEY_ID, Credential::root("000000000000", KEY_ID, secret));
            credentials
        }),
        Arc::new(StoppedClock),
    );
    assert_eq!(Call::signed().sender(&other).unwrap_err().message, WRONG_SIGNATURE);
}

/// A derived key is kept, but not beyond its credential.
#[test]
fn a_removed_access_key_is_refused_at_once() {
    let credentials = Arc::new(Credentials::new());
    credentials.insert(KEY_ID, Credential::root("000000000000", KEY_ID, secret()));
    let verifier = Verifier::new(Arc::clone(&credentials), Arc::new(StoppedClock));
    Call::signed().sender(&verifier).unwrap();
    credentials.remove(KEY_ID);
    assert_eq!(Call::signed().sender(&verifier).unwrap_err().code, "UnrecognizedClientException");
}

#[test]
fn a_session_needs_its_token_and_its_time() {
    let session = |expires_millis| {
        let credentials = Credentials::new();
        let session = Session { token: SecretBytes::new(b"the token".to_vec()), expires_millis };
        let credential = Credential::root("000000000000", KEY_ID, secret());
        credentials.insert(KEY_ID, Credential { session: Some(session), ..credential });
        Verifier::new(Arc::new(credentials), Arc::new(StoppedClock))
    };
    let with_token = |token: &str| Call::new().header("x-amz-security-token", token).signed_at(NOW_MILLIS);
    let current = session(NOW_MILLIS + 1);
    assert!(with_token("the token").sender(&current).is_ok());
    for call in [Call::signed(), with_token("another")] {
        let error = call.sender(&current).unwrap_err();
        assert_eq!(error.code, "UnrecognizedClientException");
        assert_eq!(error.message, "The security token included in the request is invalid");
    }
    assert_eq!(
        with_token("the token").sender(&session(NOW_MILLIS)).unwrap_err().code,
        "ExpiredTokenException"
    );
    assert_eq!(with_token("x").sender(&verifier()).unwrap_err().code, "UnrecognizedClientException");
}
