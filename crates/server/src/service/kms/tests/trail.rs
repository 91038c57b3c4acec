//! What KMS calls of users leave in the trail.

use serde_json::{Value, json};

use crate::kms::testing::{ACCOUNT, REGION, World, role, root, user};

#[tokio::test]
async fn an_event_has_the_documented_shape() {
    let world = World::new().await;
    let key = world.new_key().await;
    let input = json!({ "KeyId": key, "Plaintext": "c2VjcmV0", "EncryptionContext": { "Table": "Books" } });
    world.call_as(&role(), "Encrypt", input).await.unwrap();
    let mut event = world.event("Encrypt").await;
    let event_id = event["eventID"].take();
    assert_eq!(event_id.as_str().unwrap().len(), 36);
    let expected = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAADMIN:user01",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/user01"),
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAASSUMEDROLE",
            "sessionContext": {
                "attributes": { "mfaAuthenticated": "false" },
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAADMIN",
                    "arn": format!("arn:aws:iam::{ACCOUNT}:role/Admin"),
                    "accountId": ACCOUNT,
                    "userName": "Admin",
                },
            },
        },
        "eventTime": "2023-11-14T22:13:20Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "requestParameters": { "keyId": key, "encryptionContext": { "Table": "Books" } },
        "responseElements": null,
        "requestID": "11cab293-11a6-11e8-8386-13160d3e5db5",
        "eventID": null,
        "readOnly": true,
        "resources": [{ "ARN": key, "accountId": ACCOUNT, "type": "AWS::KMS::Key" }],
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn users_and_root_are_told_apart() {
    let world = World::new().await;
    world.call_as(&user(), "ListKeys", json!({})).await.unwrap();
    world.call_as(&root(), "ListAliases", json!({})).await.unwrap();
    assert_eq!(
        world.event("ListKeys").await["userIdentity"],
        json!({
            "type": "IAMUser",
            "principalId": "AIDAALICE",
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/Alice"),
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAUSER",
            "userName": "Alice",
        })
    );
    assert_eq!(
        world.event("ListAliases").await["userIdentity"],
        json!({
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": format!("arn:aws:iam::{ACCOUNT}:root"),
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAROOT",
        })
    );
}

#[tokio::test]
async fn changes_tell_what_they_made() {
    let world = World::new().await;
    let tags = json!([{ "TagKey": "Team", "TagValue": "db" }]);
    let created = world.ok("CreateKey", json!({ "Description": "books", "Tags": tags })).await;
    let key = created["KeyMetadata"]["Arn"].as_str().unwrap();
    let event = world.event("CreateKey").await;
    assert_eq!(
        event["requestParameters"],
        json!({ "description": "books", "tags": [{ "tagKey": "Team", "tagValue": "db" }] })
    );
    assert_eq!(event["responseElements"]["keyMetadata"]["arn"], key);
    assert_eq!((&event["readOnly"], &event["resources"][0]["ARN"]), (&json!(false), &json!(key)));

    world.ok("CreateAlias", json!({ "AliasName": "alias/books", "TargetKeyId": key })).await;
    let event = world.event("CreateAlias").await;
    assert_eq!(event["requestParameters"], json!({ "aliasName": "alias/books", "targetKeyId": key }));
    let alias_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/books");
    assert_eq!(event["resources"][0]["ARN"], alias_arn.as_str());
    assert_eq!(event["resources"][1]["ARN"], key);

    let constraints = json!({ "EncryptionContextSubset": { "Table": "Books" } });
    let input = json!({ "KeyId": key, "GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"], "Constraints": constraints });
    let made = world.ok("CreateGrant", input).await;
    let event = world.event("CreateGrant").await;
    assert_eq!(
        event["requestParameters"]["constraints"],
        json!({ "encryptionContextSubset": { "Table": "Books" } })
    );
    assert_eq!(event["responseElements"], json!({ "grantId": made["GrantId"], "keyId": key }));
}

// A refused call is as interesting as one that worked.
#[tokio::test]
async fn refused_calls_are_recorded() {
    let world = World::new().await;
    let key = world.new_key().await;
    world.ok("DisableKey", json!({ "KeyId": key })).await;
    world.refusal("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })).await;
    let event = world.event("GenerateDataKey").await;
    assert_eq!(event["errorCode"], "DisabledException");
    assert_eq!(event["errorMessage"], format!("{key} is disabled."));
    assert_eq!(event["resources"][0]["ARN"], key.as_str());
    assert_eq!(event["responseElements"], Value::Null);
    world.refusal("Decrypt", json!({ "CiphertextBlob": "AAAA" })).await;
    let event = world.event("Decrypt").await;
    assert_eq!(event["errorCode"], "InvalidCiphertextException");
    assert_eq!((event.get("errorMessage"), &event["requestParameters"]), (None, &Value::Null));
}

// R50: the context is shown, secrets never are.
#[tokio::test]
async fn no_event_holds_a_secret() {
    let world = World::new().await;
    let key = world.new_key().await;
    let secret = "dGhlIHBsYWludGV4dA==";
    let sealed = world.ok("Encrypt", json!({ "KeyId": key, "Plaintext": secret })).await;
    let blob = sealed["CiphertextBlob"].as_str().unwrap();
    world.ok("Decrypt", json!({ "CiphertextBlob": blob })).await;
    let data_key = world.ok("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })).await;
    let random = world.ok("GenerateRandom", json!({ "NumberOfBytes": 32 })).await;
    let grant = json!({ "KeyId": key, "GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"] });
    let token = world.ok("CreateGrant", grant).await["GrantToken"].clone();
    world.ok("RetireGrant", json!({ "GrantToken": token })).await;
    let trail = serde_json::to_string(&world.events().await).unwrap();
    let hidden = [secret, blob, "the plaintext"];
    let more = [&data_key["Plaintext"], &data_key["CiphertextBlob"], &random["Plaintext"], &token];
    for text in hidden.into_iter().chain(more.into_iter().map(|value| value.as_str().unwrap())) {
        assert!(!trail.contains(text), "{text}");
    }
    let key = world.kms.key_by_arn(&key).unwrap();
    let material = format!("{key:?}");
    assert!(material.contains("SecretKey(..)"));
    let first_bytes = format!("{:?}", &key.current_material().secret.expose()[..4]);
    assert!(!material.contains(first_bytes.trim_matches(['[', ']'])));
}
