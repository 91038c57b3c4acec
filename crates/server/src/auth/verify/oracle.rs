//! AWS's own signer as the oracle: what `aws-sigv4` signs, we accept; what it signed and was changed, we refuse.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::Request;
use proptest::prelude::*;

use super::*;
use crate::auth::SecretAccessKey;

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const NOW_MILLIS: i64 = 1_795_348_800_000;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_millis(&self) -> i64 {
        NOW_MILLIS
    }
}

/// Signs with `aws-sigv4` and puts the signature where its instructions say.
fn signed(
    method: &str,
    path_and_query: &str,
    headers: &[(String, String)],
    body: &[u8],
    secret: &str,
    presign: bool,
) -> Parts {
    let identity = aws_credential_types::Credentials::new(KEY_ID, secret, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if presign {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(900));
    }
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-3")
        .name("dynamodb")
        .time(UNIX_EPOCH + Duration::from_millis(NOW_MILLIS as u64))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://localhost:8000{path_and_query}");
    let mut request = Request::builder().method(method).uri(&url).header("host", "localhost:8000");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(()).unwrap();
    let signable_headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let signable = SignableRequest::new(
        method,
        url,
        signable_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(body),
    )
    .unwrap();
    let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request.into_parts().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any path, query, headers and body, signed in the header or in the query.
    #[test]
    fn what_the_sdk_signs_is_accepted_and_a_change_is_not(
        method in "(GET|POST|PUT|DELETE)",
        path in "/([a-zA-Z0-9._~-]{0,6}(%20|%2F|%C3%A9|:|@|\\+|=|,)?/?){0,4}",
        query in proptest::option::of("([a-zA-Z0-9._~-]{1,5}(%20|%2F|%C3%A9)?=[a-zA-Z0-9._~-]{0,5}(%3D|%26)?)(&[a-z]{1,4}=[a-z0-9]{0,4}){0,3}"),
        headers in proptest::collection::vec(("x-amz-meta-[a-z]{1,4}", "[ -~]{0,20}"), 0..4),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        secret in "[A-Za-z0-9/+]{40}",
        presign in any::<bool>(),
        flipped in any::<prop::sample::Index>(),
    ) {
        let path_and_query = match &query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        // A presigned request covers no body that is not there when it is signed.
        let body = if presign { Vec::new() } else { body };
        let head = signed(&method, &path_and_query, &headers, &body, &secret, presign);
        let credentials = Credentials::new();
        let known = SecretAccessKey::new(secret);
        credentials.insert(KEY_ID, Credential::root("000000000000", KEY_ID, known));
        let verifier = Verifier::new(Arc::new(credentials), Arc::new(StoppedClock));
        let sender = verifier.sender(&head, &body, Service::DynamoDb);
        prop_assert!(sender.is_ok(), "{:?} for {:?}", sender, head);
        let mut changed = body.clone();
        if changed.is_empty() {
            changed.push(0);
        } else {
            let place = flipped.index(changed.len());
            changed[place] ^= 1;
        }
        prop_assert!(verifier.sender(&head, &changed, Service::DynamoDb).is_err());
    }
}

#[test]
fn a_presigned_request_expires() {
    let secret = "x".repeat(40);
    let head = signed("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", &[], b"", &secret, true);
    #[derive(Debug)]
    struct At(i64);
    impl Clock for At {
        fn now_millis(&self) -> i64 {
            self.0
        }
    }
    for (millis, good) in [(0, true), (900_000, true), (900_001, false), (-900_000, true), (-901_000, false)]
    {
        let credentials = Credentials::new();
        let known = SecretAccessKey::new(secret.clone());
        credentials.insert(KEY_ID, Credential::root("000000000000", KEY_ID, known));
        let verifier = Verifier::new(Arc::new(credentials), Arc::new(At(NOW_MILLIS + millis)));
        assert_eq!(verifier.sender(&head, b"", Service::DynamoDb).is_ok(), good, "{millis}");
    }
}
