//! What comes with a request: its body, its signature, and the documents and
//! names within it.

use std::sync::{Arc, LazyLock};

use hyper::Request;
use strongroom_model::arn::{AliasArn, Arn, KeyArn, KeyReference, TableArn, TableReference};
use strongroom_model::clock::Clock;
use strongroom_model::document::Document;
use strongroom_model::json;
use strongroom_model::shape::{Service, model};
use strongroom_server::auth::{Authenticator, Credential, Credentials, SecretAccessKey};
use strongroom_server::kms::policy;

use super::class;
use crate::Outcome;

/// An operation's name on the first line, then a body: judged by the service's model.
pub fn body(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (name, body) = data.split_at(end);
    let name = String::from_utf8_lossy(name);
    let Ok(input) = serde_json::from_slice::<Document>(body) else { return "no json".into() };
    let services = [Service::DynamoDb, Service::Kms, Service::CloudTrail];
    let operation = services.into_iter().find_map(|service| model(service).operation(&name));
    let Some(operation) = operation else { return "no operation".into() };
    match operation.validate(&input) {
        Err(error) => {
            assert!(!error.code().is_empty());
            format!("{name} {}", class(error.message()))
        }
        Ok(()) => {
            let members = ["Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues"];
            let values = members.into_iter().filter_map(|member| input.get(member));
            let judged = values.map(|value| json::item_from_json_owned(value.clone()).is_ok());
            format!("{name} sound {:?}", judged.collect::<Vec<_>>())
        }
    }
}

/// A request's target on the first line, then headers: no noise is a signature.
pub fn signature(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else { return "no text".into() };
    let mut lines = text.lines();
    let mut request = Request::post(lines.next().unwrap_or_default());
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { continue };
        request = request.header(name, value);
    }
    let Ok(request) = request.body(()) else { return "no request".into() };
    let (head, ()) = request.into_parts();
    match CHECKED.sender(&head, b"{}", Service::DynamoDb) {
        Err(error) => class(&error.message),
        Ok(_) => panic!("a request was taken whose signature nobody made"),
    }
}

/// A key policy.
pub fn policy(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else { return "no text".into() };
    match policy::check_policy(text) {
        Ok(()) => "taken".into(),
        Err(error) => class(&error.to_string()),
    }
}

/// Names and ARNs, of tables and of keys.
pub fn names(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else { return "no text".into() };
    let parsed = [
        Arn::parse(text).is_ok(),
        TableArn::parse(text).is_ok(),
        TableReference::parse(text).is_ok(),
        KeyArn::parse(text).is_ok(),
        AliasArn::parse(text).is_ok(),
        KeyReference::parse(text).is_ok(),
    ];
    format!("{parsed:?}")
}

/// Checks signatures against one access key, at one moment.
static CHECKED: LazyLock<Authenticator> = LazyLock::new(|| {
    let credentials = Credentials::new();
    let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned());
    credentials.insert(ACCESS_KEY, Credential::root("000000000000", ACCESS_KEY, secret));
    Authenticator::checked(Arc::new(credentials), Arc::new(Noon))
});

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// 2026-11-22T12:00:00Z, as in the seeds.
#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now_millis(&self) -> i64 {
        1_795_348_800_000
    }
}
