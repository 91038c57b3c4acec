//! Grants: making, listing, retiring and revoking them.

use serde_json::{Value, json};

use crate::kms::KeyEvent;
use crate::kms::testing::{ACCOUNT, World};

const ALICE: &str = "arn:aws:iam::111122223333:user/Alice";

fn grant(key: &str, more: Value) -> Value {
    let mut input = json!({ "KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Decrypt", "Encrypt"] });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn a_grant_is_listed_as_it_was_made() {
    let world = World::new().await;
    let key = world.new_key().await;
    let constraints = json!({ "EncryptionContextSubset": { "a": "b" } });
    let more = json!({ "RetiringPrincipal": ACCOUNT, "Constraints": constraints, "Name": "books" });
    let made = world.ok("CreateGrant", grant(&key, more.clone())).await;
    let id = made["GrantId"].as_str().unwrap();
    assert_eq!(id.len(), 64);
    let listed = world.ok("ListGrants", json!({ "KeyId": key })).await;
    assert_eq!(
        listed["Grants"],
        json!([{
            "KeyId": key,
            "GrantId": id,
            "Name": "books",
            "CreationDate": 1_700_000_000.123,
            "GranteePrincipal": ALICE,
            "RetiringPrincipal": ACCOUNT,
            "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"),
            "Operations": ["Decrypt", "Encrypt"],
            "Constraints": constraints,
        }])
    );
    // The same request with the same name is the same grant; each answer has its own token.
    let again = world.ok("CreateGrant", grant(&key, more)).await;
    assert_eq!(again["GrantId"], made["GrantId"]);
    assert_ne!(again["GrantToken"], made["GrantToken"]);
    let other = world.ok("CreateGrant", grant(&key, json!({ "Name": "books" }))).await;
    assert_ne!(other["GrantId"], made["GrantId"]);
    let unnamed = world.ok("CreateGrant", grant(&key, json!({}))).await;
    assert_ne!(world.ok("CreateGrant", grant(&key, json!({}))).await["GrantId"], unnamed["GrantId"]);
    let count = |listed: Value| listed["Grants"].as_array().unwrap().len();
    assert_eq!(count(world.ok("ListGrants", json!({ "KeyId": key })).await), 4);
    assert_eq!(count(world.ok("ListGrants", json!({ "KeyId": key, "GrantId": id })).await), 1);
    let by_grantee = json!({ "KeyId": key, "GranteePrincipal": "nobody" });
    assert_eq!(count(world.ok("ListGrants", by_grantee).await), 0);
    assert_eq!(count(world.ok("ListRetirableGrants", json!({ "RetiringPrincipal": ACCOUNT })).await), 1);
    // A token that the service gave is accepted with a call.
    let input = json!({ "KeyId": key, "KeySpec": "AES_256", "GrantTokens": [made["GrantToken"]] });
    world.ok("GenerateDataKey", input).await;
}

#[tokio::test]
async fn grants_that_cannot_be_honoured_are_refused() {
    let world = World::new().await;
    let key = world.new_key().await;
    let long: Value =
        (0..9).map(|number| (number.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    for (more, code) in [
        (json!({ "Operations": ["Sign"] }), "ValidationException"),
        (json!({ "Operations": [] }), "ValidationException"),
        (json!({ "GranteePrincipal": null }), "ValidationException"),
        (json!({ "GranteePrincipal": "somebody" }), "InvalidArnException"),
        (json!({ "GranteeServicePrincipal": "dynamodb.amazonaws.com" }), "UnsupportedOperationException"),
        (json!({ "Constraints": { "SourceArn": "arn:aws:s3:::x" } }), "UnsupportedOperationException"),
        (json!({ "Constraints": { "EncryptionContextEquals": long } }), "ValidationException"),
        (
            json!({ "Constraints": { "EncryptionContextSubset": { "a": "x".repeat(385) } } }),
            "ValidationException",
        ),
        (json!({ "DryRun": true }), "DryRunOperationException"),
        (json!({ "KeyId": "alias/x" }), "NotFoundException"),
    ] {
        assert_eq!(world.refusal("CreateGrant", grant(&key, more.clone())).await.0, code, "{more}");
    }
    assert_eq!(world.ok("ListGrants", json!({ "KeyId": key })).await["Grants"], json!([]));
}

#[tokio::test]
async fn a_grant_ends_by_token_by_id_or_by_revocation() {
    let world = World::new().await;
    let key = world.new_key().await;
    let mut news = world.kms.subscribe();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.ok("CreateGrant", grant(&key, json!({}))).await);
    }
    let id = |number: usize| made[number]["GrantId"].as_str().unwrap().to_owned();
    let dry = json!({ "KeyId": key, "GrantId": id(2), "DryRun": true });
    assert_eq!(world.refusal("RevokeGrant", dry).await.0, "DryRunOperationException");
    world.ok("RetireGrant", json!({ "GrantToken": made[0]["GrantToken"] })).await;
    world.ok("RetireGrant", json!({ "KeyId": key, "GrantId": id(1) })).await;
    world.ok("RevokeGrant", json!({ "KeyId": key, "GrantId": id(2) })).await;
    assert_eq!(world.ok("ListGrants", json!({ "KeyId": key })).await["Grants"], json!([]));
    let events: Vec<KeyEvent> =
        std::iter::from_fn(|| news.try_recv().ok()).map(|change| change.event).collect();
    assert_eq!(
        events,
        [
            KeyEvent::GrantRetired { grant_id: id(0) },
            KeyEvent::GrantRetired { grant_id: id(1) },
            KeyEvent::GrantRevoked { grant_id: id(2) },
        ]
    );
    let missing = ("NotFoundException".to_owned(), format!("Grant ID {} not found", id(2)));
    assert_eq!(world.refusal("RevokeGrant", json!({ "KeyId": key, "GrantId": id(2) })).await, missing);
    assert_eq!(
        world.refusal("RetireGrant", json!({ "GrantToken": "x" })).await.0,
        "InvalidGrantTokenException"
    );
    assert_eq!(world.refusal("RetireGrant", json!({ "KeyId": key })).await.0, "ValidationException");
    let event = world.event("RevokeGrant").await;
    assert_eq!(event["errorCode"], "NotFoundException");
}

#[tokio::test]
async fn lists_of_grants_come_in_pages() {
    let world = World::new().await;
    let keys = [world.new_key().await, world.new_key().await];
    for number in 0..60 {
        world.ok("CreateGrant", grant(&keys[number % 2], json!({ "RetiringPrincipal": ALICE }))).await;
    }
    for (operation, mut input, total) in [
        ("ListGrants", json!({ "KeyId": keys[0] }), 30),
        ("ListRetirableGrants", json!({ "RetiringPrincipal": ALICE }), 60),
    ] {
        let mut seen = std::collections::BTreeSet::new();
        loop {
            input["Limit"] = json!(7);
            let page = world.ok(operation, input.clone()).await;
            for grant in page["Grants"].as_array().unwrap() {
                assert!(seen.insert(grant["GrantId"].to_string()), "twice");
            }
            if page["Truncated"] == json!(false) {
                break;
            }
            input["Marker"] = page["NextMarker"].clone();
        }
        assert_eq!(seen.len(), total, "{operation}");
    }
}
