//! Keys: making, finding, changing and ending them.

use serde_json::{Value, json};

use crate::auth::PrincipalKind;
use crate::kms::testing::{ACCOUNT, DAY_MILLIS, REGION, World, caller};

#[tokio::test]
async fn a_new_key_is_described_as_the_service_does() {
    let world = World::new().await;
    let tags = json!([{ "TagKey": "team", "TagValue": "db" }]);
    let created = world.ok("CreateKey", json!({ "Description": "books", "Tags": tags })).await;
    let metadata = &created["KeyMetadata"];
    let id = metadata["KeyId"].as_str().unwrap();
    assert_eq!(metadata["Arn"], format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}"));
    assert_eq!(metadata["CurrentKeyMaterialId"].as_str().unwrap().len(), 64);
    let expected = json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": metadata["Arn"],
        "CreationDate": 1_700_000_000.123,
        "Enabled": true,
        "Description": "books",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": metadata["CurrentKeyMaterialId"],
    });
    assert_eq!(*metadata, expected);
    for identifier in [id, metadata["Arn"].as_str().unwrap()] {
        assert_eq!(world.ok("DescribeKey", json!({ "KeyId": identifier })).await["KeyMetadata"], expected);
    }
    assert_eq!(world.ok("ListResourceTags", json!({ "KeyId": id })).await["Tags"], tags);
}

// A parameter that is not honoured must be refused, never dropped.
#[tokio::test]
async fn kinds_of_keys_that_are_not_there_are_refused() {
    let world = World::new().await;
    let unsupported = "UnsupportedOperationException";
    for (input, code) in [
        (json!({ "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT" }), unsupported),
        (json!({ "KeySpec": "HMAC_256" }), "ValidationException"),
        (json!({ "KeyUsage": "SIGN_VERIFY" }), "ValidationException"),
        (
            json!({ "KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT" }),
            "ValidationException",
        ),
        (json!({ "Origin": "EXTERNAL" }), unsupported),
        (json!({ "MultiRegion": true }), unsupported),
        (json!({ "CustomKeyStoreId": "cks-1" }), unsupported),
        (json!({ "XksKeyId": "x" }), unsupported),
        (json!({ "Policy": "nonsense" }), "MalformedPolicyDocumentException"),
        (json!({ "Tags": [{ "TagKey": "aws:x", "TagValue": "" }] }), "TagException"),
        (json!({ "Tags": [{ "TagKey": "AWS:x", "TagValue": "" }] }), "TagException"),
        (
            json!({ "Tags": [{ "TagKey": "a", "TagValue": "" }, { "TagKey": "a", "TagValue": "" }] }),
            "TagException",
        ),
    ] {
        assert_eq!(world.refusal("CreateKey", input.clone()).await.0, code, "{input}");
    }
    assert_eq!(world.ok("ListKeys", json!({})).await["Keys"], json!([]));
    let plain = json!({ "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS", "MultiRegion": false });
    world.ok("CreateKey", plain).await;
}

#[tokio::test]
async fn a_key_that_is_not_there_is_named_in_the_error() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let id = arn.rsplit('/').next().unwrap();
    let missing = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let missing_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{missing}");
    for (identifier, message) in [
        (missing, format!("Key '{missing_arn}' does not exist")),
        (missing_arn.as_str(), format!("Key '{missing_arn}' does not exist")),
        ("nonsense", "Invalid keyId 'nonsense'".to_owned()),
        ("alias/none", format!("Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found.")),
        (&format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{id}"), "Invalid arn eu-west-1".to_owned()),
    ] {
        let refusal = world.refusal("DescribeKey", json!({ "KeyId": identifier })).await;
        assert_eq!(refusal, ("NotFoundException".to_owned(), message));
    }
    assert_eq!(
        world.refusal("DescribeKey", json!({ "KeyId": "arn:aws:kms" })).await.0,
        "InvalidArnException"
    );
    assert_eq!(
        world.refusal("EnableKey", json!({ "KeyId": "alias/none" })).await,
        ("NotFoundException".to_owned(), "Invalid keyId 'alias/none'".to_owned())
    );
    assert_eq!(
        world.refusal("DescribeKey", json!({})).await.1,
        "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"
    );
}

// Another account learns nothing, not even whether a key exists; another region does not see it.
#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let stranger = caller(PrincipalKind::User, "999999999999", REGION);
    let real = world.call_as(&stranger, "DescribeKey", json!({ "KeyId": arn })).await.unwrap_err();
    let missing_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let missing = world.call_as(&stranger, "DescribeKey", json!({ "KeyId": missing_arn })).await.unwrap_err();
    assert_eq!(real.code, "AccessDeniedException");
    assert!(real.message.starts_with(&format!(
        "User: arn:aws:iam::999999999999:user/Alice is not authorized to perform: kms:DescribeKey on resource: {arn} because"
    )));
    assert_eq!(real.message.replace(&arn, ""), missing.message.replace(&missing_arn, ""));
    assert_eq!(world.call_as(&stranger, "ListKeys", json!({})).await.unwrap()["Keys"], json!([]));
    let elsewhere = caller(PrincipalKind::Root, ACCOUNT, "eu-west-1");
    assert_eq!(world.call_as(&elsewhere, "ListKeys", json!({})).await.unwrap()["Keys"], json!([]));
    let odd = caller(PrincipalKind::Root, ACCOUNT, "eu\0west");
    assert_eq!(world.call_as(&odd, "CreateKey", json!({})).await.unwrap_err().code, "ValidationException");
}

#[tokio::test]
async fn states_allow_what_the_service_documents() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let key = || json!({ "KeyId": arn });
    let with = |name: &str, value: Value| json!({ "KeyId": arn, name: value });
    assert_eq!(
        world.refusal("CancelKeyDeletion", key()).await,
        ("KMSInvalidStateException".to_owned(), format!("{arn} is not pending deletion."))
    );
    world.ok("DisableKey", key()).await;
    world.ok("DisableKey", key()).await;
    let disabled = ("DisabledException".to_owned(), format!("{arn} is disabled."));
    assert_eq!(world.refusal("GenerateDataKey", with("KeySpec", json!("AES_256"))).await, disabled);
    let grant = json!({ "KeyId": arn, "GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"] });
    assert_eq!(world.refusal("CreateGrant", grant.clone()).await, disabled);
    assert_eq!(world.ok("DescribeKey", key()).await["KeyMetadata"]["KeyState"], "Disabled");
    world.ok("UpdateKeyDescription", with("Description", json!("changed"))).await;
    world.ok("EnableKey", key()).await;
    let scheduled = world.ok("ScheduleKeyDeletion", with("PendingWindowInDays", json!(7))).await;
    let deletion = json!(1_700_000_000.123 + 7.0 * 86_400.0);
    assert_eq!(
        scheduled,
        json!({ "KeyId": arn, "KeyState": "PendingDeletion", "DeletionDate": deletion, "PendingWindowInDays": 7 })
    );
    let pending = ("KMSInvalidStateException".to_owned(), format!("{arn} is pending deletion."));
    for (operation, input) in [
        ("EnableKey", key()),
        ("DisableKey", key()),
        ("ScheduleKeyDeletion", key()),
        ("UpdateKeyDescription", with("Description", json!("x"))),
        ("TagResource", with("Tags", json!([]))),
        ("UntagResource", with("TagKeys", json!([]))),
        ("GenerateDataKey", with("KeySpec", json!("AES_256"))),
        ("CreateAlias", json!({ "AliasName": "alias/x", "TargetKeyId": arn })),
        ("CreateGrant", grant),
    ] {
        assert_eq!(world.refusal(operation, input).await, pending, "{operation}");
    }
    world.ok("GetKeyPolicy", key()).await;
    world.ok("ListGrants", key()).await;
    assert_eq!(world.ok("DescribeKey", key()).await["KeyMetadata"]["DeletionDate"], deletion);
    assert_eq!(world.ok("CancelKeyDeletion", key()).await, key());
    let metadata = &world.ok("DescribeKey", key()).await["KeyMetadata"];
    assert_eq!((&metadata["KeyState"], &metadata["DeletionDate"]), (&json!("Disabled"), &Value::Null));
    for days in [6, 31] {
        let refusal = world.refusal("ScheduleKeyDeletion", with("PendingWindowInDays", json!(days))).await;
        assert_eq!(refusal.0, "ValidationException");
    }
}

// After the waiting period nothing of the key is left: not its material, not its aliases, not its grants.
#[tokio::test]
async fn the_end_of_the_waiting_period_destroys_the_key() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let kept = world.new_key().await;
    world.ok("CreateAlias", json!({ "AliasName": "alias/doomed", "TargetKeyId": arn })).await;
    world
        .ok("CreateGrant", json!({ "KeyId": arn, "GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"] }))
        .await;
    let sealed = world.ok("Encrypt", json!({ "KeyId": arn, "Plaintext": "aGk=" })).await;
    let sealed = sealed["CiphertextBlob"].clone();
    world.ok("ScheduleKeyDeletion", json!({ "KeyId": arn, "PendingWindowInDays": 7 })).await;
    let status = world.kms.status(&arn).unwrap();
    let mut news = world.kms.subscribe();
    world.clock.advance_millis(7 * DAY_MILLIS - 1);
    assert_eq!(world.kms.run_due(1_700_000_000_123 + 7 * DAY_MILLIS - 1).await.unwrap(), 0);
    world.ok("DescribeKey", json!({ "KeyId": arn })).await;
    world.clock.advance_millis(1);

    // Gone for DynamoDB before anything has run, and destroyed before the first call is answered.
    assert!(world.kms.status(&arn).is_none());
    let missing = ("NotFoundException".to_owned(), format!("Key '{arn}' does not exist"));
    assert_eq!(world.refusal("DescribeKey", json!({ "KeyId": arn })).await, missing);
    assert_eq!(world.kms.run_due(1_700_000_000_123 + 7 * DAY_MILLIS).await.unwrap(), 0);
    assert_eq!(world.refusal("CancelKeyDeletion", json!({ "KeyId": arn })).await, missing);
    assert_eq!(world.refusal("DescribeKey", json!({ "KeyId": "alias/doomed" })).await.0, "NotFoundException");
    assert_eq!(
        world.refusal("Decrypt", json!({ "CiphertextBlob": sealed })).await.0,
        "AccessDeniedException"
    );
    let change = news.try_recv().unwrap();
    assert_eq!((&*change.key_arn, change.event), (arn.as_str(), crate::kms::KeyEvent::Deleted));
    assert!(!status.is_enabled());
    assert_eq!(world.event("DeleteKey").await["eventType"], "AwsServiceEvent");
    let id = arn.rsplit('/').next().unwrap();
    let mut scan = world
        .store
        .scan(
            crate::storage::prefix_range(b"k"),
            crate::storage::Order::Ascending,
            crate::storage::Visibility::Applied,
        )
        .await
        .unwrap();
    let mut rows = 0;
    while let Some((key, value)) = scan.next().await.unwrap() {
        let row = [key, value].concat();
        assert!(!row.windows(id.len()).any(|window| window == id.as_bytes()));
        rows += 1;
    }
    assert_eq!(rows, 2, "the key that was kept: its record and its material");
    // A clock that is set back brings nothing back.
    world.clock.advance_millis(-DAY_MILLIS);
    let world = world.restarted().await;
    assert_eq!(world.refusal("DescribeKey", json!({ "KeyId": arn })).await, missing);
    world.ok("DescribeKey", json!({ "KeyId": kept })).await;
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let key = || json!({ "KeyId": arn });
    world.ok("TagResource", json!({ "KeyId": arn, "Tags": [{ "TagKey": "a", "TagValue": "1" }] })).await;
    world.ok("UpdateKeyDescription", json!({ "KeyId": arn, "Description": "changed" })).await;
    world.ok("CreateAlias", json!({ "AliasName": "alias/books", "TargetKeyId": arn })).await;
    let grant = json!({
        "KeyId": arn,
        "GranteePrincipal": ACCOUNT,
        "Operations": ["Decrypt"],
        "Constraints": { "EncryptionContextSubset": { "a": "b" } },
    });
    world.ok("CreateGrant", grant).await;
    world.ok("ScheduleKeyDeletion", key()).await;
    world.ok("CancelKeyDeletion", key()).await;
    world.ok("EnableKey", key()).await;
    let context = json!({ "table": "Books" });
    let input = json!({ "KeyId": "alias/books", "Plaintext": "aGk=", "EncryptionContext": context });
    let sealed = world.ok("Encrypt", input).await["CiphertextBlob"].clone();
    let described = world.ok("DescribeKey", key()).await;
    let grants = world.ok("ListGrants", key()).await;
    let aliases = world.ok("ListAliases", json!({})).await;
    world.ok("DescribeKey", json!({ "KeyId": "alias/aws/dynamodb" })).await;

    let world = world.restarted().await;
    assert_eq!(world.ok("DescribeKey", key()).await, described);
    assert_eq!(world.ok("ListGrants", key()).await, grants);
    assert_ne!(world.ok("ListAliases", json!({})).await, aliases, "the managed key's alias has a target now");
    assert_eq!(world.ok("ListResourceTags", key()).await["Tags"][0]["TagKey"], "a");
    let opened = world.ok("Decrypt", json!({ "CiphertextBlob": sealed, "EncryptionContext": context })).await;
    assert_eq!(opened["Plaintext"], "aGk=");
    assert!(world.kms.status(&arn).unwrap().is_enabled());
}

#[tokio::test]
async fn policies_are_kept_as_they_were_given() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let given = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}"#;
    let read = world.ok("GetKeyPolicy", json!({ "KeyId": arn })).await;
    assert_eq!(read["PolicyName"], "default");
    let policy: Value = serde_json::from_str(read["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Id"], "key-default-1");
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:root"));
    world.ok("PutKeyPolicy", json!({ "KeyId": arn, "PolicyName": "default", "Policy": given })).await;
    assert_eq!(
        world.ok("GetKeyPolicy", json!({ "KeyId": arn, "PolicyName": "default" })).await["Policy"],
        given
    );
    let refusal = world.refusal("PutKeyPolicy", json!({ "KeyId": arn, "Policy": "{" })).await;
    assert_eq!(refusal.0, "MalformedPolicyDocumentException");
    let other = json!({ "KeyId": arn, "PolicyName": "other" });
    assert_eq!(
        world.refusal("GetKeyPolicy", other).await,
        ("NotFoundException".into(), "No such policy exists".into())
    );
    let names = world.ok("ListKeyPolicies", json!({ "KeyId": arn })).await;
    assert_eq!(names, json!({ "PolicyNames": ["default"], "Truncated": false }));
}

#[tokio::test]
async fn tags_are_set_changed_and_removed() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let tag = |pairs: &[(&str, &str)]| {
        let tags: Vec<Value> =
            pairs.iter().map(|(key, value)| json!({ "TagKey": key, "TagValue": value })).collect();
        json!({ "KeyId": arn, "Tags": tags })
    };
    world.ok("TagResource", tag(&[("a", "1"), ("b", "2"), ("c", "3")])).await;
    world.ok("TagResource", tag(&[("b", "changed"), ("d", "4")])).await;
    world.ok("UntagResource", json!({ "KeyId": arn, "TagKeys": ["a", "absent"] })).await;
    let listed = world.ok("ListResourceTags", json!({ "KeyId": arn })).await;
    assert_eq!(listed["Tags"], tag(&[("b", "changed"), ("c", "3"), ("d", "4")])["Tags"]);
    let numbers: Vec<String> = (0..48).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|number| (number.as_str(), "")).collect();
    let too_many = ("TagException".to_owned(), "Too many tags".to_owned());
    assert_eq!(world.refusal("TagResource", tag(&many)).await, too_many);
    world.ok("TagResource", tag(&many[..47])).await;
    let page = world.ok("ListResourceTags", json!({ "KeyId": arn, "Limit": 30 })).await;
    assert_eq!((page["Tags"].as_array().unwrap().len(), &page["Truncated"]), (30, &json!(true)));
    let rest = json!({ "KeyId": arn, "Marker": page["NextMarker"] });
    assert_eq!(world.ok("ListResourceTags", rest).await["Tags"].as_array().unwrap().len(), 20);
}

/// What goes between two pages takes no other tag with it.
#[tokio::test]
async fn pages_of_tags_lose_none_while_others_go() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let names = ["k5", "k0", "k3", "k1", "k4", "k2"];
    let tags: Vec<Value> = names.iter().map(|name| json!({ "TagKey": name, "TagValue": "" })).collect();
    world.ok("TagResource", json!({ "KeyId": arn, "Tags": tags })).await;
    let page = world.ok("ListResourceTags", json!({ "KeyId": arn, "Limit": 2 })).await;
    let first: Vec<Value> = page["Tags"].as_array().unwrap().clone();
    world.ok("UntagResource", json!({ "KeyId": arn, "TagKeys": [first[0]["TagKey"]] })).await;
    let rest = json!({ "KeyId": arn, "Marker": page["NextMarker"] });
    let rest = world.ok("ListResourceTags", rest).await;
    let seen = first.iter().chain(rest["Tags"].as_array().unwrap());
    let mut seen: Vec<&str> = seen.map(|tag| tag["TagKey"].as_str().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["k0", "k1", "k2", "k3", "k4", "k5"]);
}

/// Tools ask for it after CreateKey: a clear no, whatever state the key is in.
#[tokio::test]
async fn no_key_is_rotated() {
    let world = World::new().await;
    let arn = world.new_key().await;
    let off = json!({ "KeyId": arn, "KeyRotationEnabled": false });
    for then in [None, Some("DisableKey"), Some("ScheduleKeyDeletion")] {
        if let Some(operation) = then {
            world.ok(operation, json!({ "KeyId": arn })).await;
        }
        assert_eq!(world.ok("GetKeyRotationStatus", json!({ "KeyId": arn })).await, off, "{then:?}");
    }
    let missing = json!({ "KeyId": "11111111-2222-3333-4444-555555555555" });
    assert_eq!(world.refusal("GetKeyRotationStatus", missing).await.0, "NotFoundException");
}

// Every key exactly once, whatever the page size, also while keys come and go.
#[tokio::test]
async fn pages_cover_everything_once() {
    let world = World::new().await;
    let mut arns = Vec::new();
    for _ in 0..25 {
        arns.push(world.new_key().await);
    }
    arns.sort();
    let mut listed = Vec::new();
    let mut marker = Value::Null;
    loop {
        let page = world.ok("ListKeys", json!({ "Limit": 7, "Marker": marker })).await;
        let keys = page["Keys"].as_array().unwrap();
        listed.extend(keys.iter().map(|key| key["KeyArn"].as_str().unwrap().to_owned()));
        if page["Truncated"] == json!(false) {
            assert!(page.get("NextMarker").is_none());
            break;
        }
        assert_eq!(keys.len(), 7);
        marker = page["NextMarker"].clone();
    }
    assert_eq!(listed, arns);
    assert_eq!(
        world.ok("ListKeys", json!({ "ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"] })).await["Keys"],
        json!([])
    );
    let of_another_operation = json!({ "Marker": marker });
    assert_eq!(world.refusal("ListAliases", of_another_operation).await.0, "InvalidMarkerException");
    assert_eq!(world.refusal("ListKeys", json!({ "Marker": "!!" })).await.0, "InvalidMarkerException");
}

#[tokio::test]
async fn operations_that_are_not_there_say_so() {
    let world = World::new().await;
    assert_eq!(world.refusal("Sign", json!({})).await.0, "UnknownOperationException");
    let event = world.event("Sign").await;
    assert_eq!(event["errorCode"], "UnknownOperationException");
}
