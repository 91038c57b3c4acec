//! AWS's published test cases for Signature Version 4.
//!
//! Each folder holds a request, and for signing by header and by query what
//! must come out on the way. They are read from `../shared/vectors/sigv4` beside
//! the repository and skipped, with a message, where that is absent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use strongroom_seal::primitive::{hex, sha256};

use super::canonical::{Path, Signed, string_to_sign};
use super::sign::Signer;
use super::{date, key};
use crate::auth::SecretAccessKey;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20150830T123600Z";
const SCOPE: &str = "20150830/us-east-1/service";
const CASES: usize = 38;

struct Case {
    name: String,
    folder: PathBuf,
    normalise: bool,
}

/// A request as the files write it: what a server would read from the socket.
struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn cases() -> Vec<Case> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A worktree lies one folder deeper than the repository.
    let places = [root.join("../shared/vectors/sigv4"), root.join("../../shared/vectors/sigv4")];
    let Some(place) = places.iter().find(|place| place.is_dir()) else {
        eprintln!("SKIPPED: no vectors in ../shared/vectors/sigv4");
        return Vec::new();
    };
    let case = |folder: PathBuf| {
        let context: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("context.json")).unwrap()).unwrap();
        assert_eq!(context["credentials"]["access_key_id"], ACCESS_KEY_ID);
        assert_eq!(context["credentials"]["secret_access_key"], SECRET);
        Case {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            normalise: context["normalize"] == true,
            folder,
        }
    };
    let all: Vec<Case> = fs::read_dir(place).unwrap().map(|entry| case(entry.unwrap().path())).collect();
    assert_eq!(all.len(), CASES);
    all
}

impl Case {
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap().replace("\r\n", "\n")
    }

    fn path_rule(&self) -> Path {
        if self.normalise { Path::Normalised } else { Path::AsSent }
    }
}

impl Sent {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            match line.strip_prefix(' ') {
                // A folded line goes on with the header before it.
                Some(more) => headers.last_mut().unwrap().1.push_str(&format!(" {more}")),
                None => {
                    let (name, value) = line.split_once(':').unwrap();
                    headers.push((name.to_lowercase(), value.to_owned()));
                }
            }
        }
        Self { method: method.to_owned(), target: target.to_owned(), headers, body: body.to_owned() }
    }

    fn canonical_request(&self, signed_headers: &str, rule: Path) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let signed = Signed {
            method: &self.method,
            path,
            query,
            signed_headers,
            header_values: |name: &str, with: &mut dyn FnMut(&[u8])| {
                let values = self.headers.iter().filter(|(found, _)| found == name);
                values.for_each(|(_, value)| with(value.as_bytes()));
            },
            payload_hash: &sha256(self.body.as_bytes()),
        };
        String::from_utf8(signed.canonical_request(rule)).unwrap()
    }
}

/// What a server computes from a signed request must be what its client computed.
#[test]
fn every_signed_request_has_the_published_signature() {
    for case in cases() {
        for way in ["header", "query"] {
            let name = format!("{} by {way}", case.name);
            let sent = Sent::parse(&case.file(&format!("{way}-signed-request.txt")));
            let expected = case.file(&format!("{way}-canonical-request.txt"));
            let signed_headers = expected.lines().rev().nth(1).unwrap();
            let canonical = sent.canonical_request(signed_headers, case.path_rule());
            // Query signing takes the session token out again where it is added after signing.
            let token = case.file("context.json").contains("\"omit_session_token\": true");
            if !(token && way == "query") {
                assert_eq!(canonical, expected.trim_end(), "{name}");
            }
            let to_sign = string_to_sign(DATE, SCOPE, expected.trim_end().as_bytes());
            let expected = case.file(&format!("{way}-string-to-sign.txt"));
            assert_eq!(String::from_utf8(to_sign.clone()).unwrap(), expected.trim_end(), "{name}");
            let signature = key::signing_key(SECRET, SCOPE).sign(&to_sign);
            let expected = case.file(&format!("{way}-signature.txt"));
            assert_eq!(hex::encode(&signature), expected.trim(), "{name}");
        }
    }
}

/// Our own client signs as AWS's clients do.
#[test]
fn our_signer_signs_as_published() {
    let now_millis = date::parse(DATE).unwrap();
    for case in cases().into_iter().filter(|case| case.normalise) {
        let sent = Sent::parse(&case.file("request.txt"));
        let signed = Sent::parse(&case.file("header-signed-request.txt"));
        let value = |name: &str| {
            let found = signed.headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.clone())
        };
        let authorization = value("authorization").unwrap();
        let mut headers = sent.headers.clone();
        if authorization.contains("x-amz-content-sha256") {
            headers.push(("x-amz-content-sha256".to_owned(), value("x-amz-content-sha256").unwrap()));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let secret = SecretAccessKey::new(SECRET.to_owned());
        let mut signer = Signer::new(ACCESS_KEY_ID, secret, "us-east-1", "service");
        if authorization.contains("x-amz-security-token") {
            signer = signer.with_session_token(&value("x-amz-security-token").unwrap());
        }
        let added =
            signer.sign(&sent.method, &sent.target, &headers, sent.body.as_bytes(), now_millis).unwrap();
        let ours = added.iter().find(|(name, _)| *name == "authorization").unwrap();
        assert_eq!(ours.1, authorization.trim(), "{}", case.name);
    }
}
