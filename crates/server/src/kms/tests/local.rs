//! DynamoDB and the key service of this process.

use serde_json::{Value, json};

use crate::auth::PrincipalKind;
use crate::kms::cipher::named;
use crate::kms::table_kms::{KeyManager, TableContext, TableKms, TableKmsError};
use crate::kms::testing::{ACCOUNT, DAY_MILLIS, REGION, World, caller, role, user};
use crate::kms::{KeyEvent, LocalTableKms};

pub(super) fn books() -> TableContext {
    TableContext { table_name: "Books".into(), account: ACCOUNT.into(), region: REGION.into() }
}

fn refused<T>(outcome: Result<T, TableKmsError>) -> (String, String) {
    match outcome {
        Err(TableKmsError::Refused { code, message, request_id }) => {
            assert_eq!(request_id.len(), 36);
            (code, message)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

// A table's whole life under a customer's key, and every event of it (R45..R49).
#[tokio::test]
async fn a_tables_life_leaves_the_documented_events() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let arn = world.new_key().await;
    let described = kms.describe_key(&role(), &arn).await.unwrap();
    assert_eq!((described.arn.as_str(), described.manager), (arn.as_str(), KeyManager::Customer));
    let grant_id = kms.create_grant(&role(), &arn, &books()).await.unwrap();
    let made = kms.generate_table_key(&arn, &books()).await.unwrap();
    let opened = kms.decrypt_table_key(Some(&role()), &arn, &made.wrapped, &books()).await.unwrap();
    assert_eq!(opened.expose(), made.plaintext.expose());
    kms.decrypt_table_key(None, &arn, &made.wrapped, &books()).await.unwrap();
    assert!(kms.has_grant(&arn, &grant_id, &books()).await.unwrap());
    kms.retire_grant(&arn, &grant_id, &books()).await.unwrap();
    assert!(!kms.has_grant(&arn, &grant_id, &books()).await.unwrap());
    for operation in ["DescribeKey", "CreateGrant", "GenerateDataKey", "RetireGrant"] {
        assert_eq!(world.kms.calls(&arn, operation), 1, "{operation}");
    }
    assert_eq!(world.kms.calls(&arn, "Decrypt"), 2);

    let events = world.events().await;
    let names: Vec<&str> = events.iter().map(|event| event["eventName"].as_str().unwrap()).collect();
    let expected =
        ["RetireGrant", "Decrypt", "Decrypt", "GenerateDataKey", "CreateGrant", "DescribeKey", "CreateKey"];
    assert_eq!(names, expected);
    for event in &events[..6] {
        assert_eq!(event["sourceIPAddress"], "dynamodb.amazonaws.com");
        assert_eq!(event["userAgent"], "dynamodb.amazonaws.com");
        assert_eq!(event["userIdentity"]["invokedBy"], "dynamodb.amazonaws.com");
        assert_eq!(
            event["resources"],
            json!([{ "ARN": arn, "accountId": ACCOUNT, "type": "AWS::KMS::Key" }])
        );
        assert_eq!(event["recipientAccountId"], ACCOUNT);
    }
    let context = json!({ "aws:dynamodb:tableName": "Books", "aws:dynamodb:subscriberId": ACCOUNT });
    let service = json!({ "type": "AWSService", "invokedBy": "dynamodb.amazonaws.com" });
    let [retire, by_service, decrypt, generate, create, describe, _] = &events[..] else { panic!() };

    assert_eq!(generate["userIdentity"], service);
    assert_eq!(
        generate["requestParameters"],
        json!({ "encryptionContext": context, "keySpec": "AES_256", "keyId": arn })
    );
    assert_eq!((&generate["responseElements"], &generate["readOnly"]), (&Value::Null, &json!(true)));
    assert_eq!(generate["sharedEventID"].as_str().unwrap().len(), 36);

    assert_eq!(decrypt["userIdentity"]["type"], "AssumedRole");
    assert_eq!(decrypt["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"], "Admin");
    assert_eq!(decrypt["requestParameters"], json!({ "encryptionContext": context }));
    assert_eq!(by_service["userIdentity"], service);

    let dynamodb = format!("dynamodb.{REGION}.amazonaws.com");
    assert_eq!(
        create["requestParameters"],
        json!({
            "keyId": arn,
            "retiringPrincipal": dynamodb,
            "granteePrincipal": dynamodb,
            "constraints": { "encryptionContextSubset": context },
            "operations": [
                "DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "RetireGrant",
            ],
        })
    );
    assert_eq!(create["responseElements"]["grantId"], grant_id.as_str());
    assert_eq!(grant_id.len(), 64);
    assert_eq!(create["readOnly"], false);
    assert_eq!(describe["requestParameters"], json!({ "keyId": arn }));
    assert_eq!(retire["userIdentity"], service);
    assert_eq!(retire["additionalEventData"]["grantId"], grant_id.as_str());
}

// R8: nobody can see the service's own keys, in any way.
#[tokio::test]
async fn service_owned_keys_leave_no_trace() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let key = kms.service_key(REGION).await.unwrap();
    assert_eq!(key.manager, KeyManager::Service);
    assert_eq!(kms.service_key(REGION).await.unwrap(), key);
    assert_ne!(kms.service_key("eu-west-1").await.unwrap(), key);
    let made = kms.generate_table_key(&key.arn, &books()).await.unwrap();
    let opened = kms.decrypt_table_key(None, &key.arn, &made.wrapped, &books()).await.unwrap();
    assert_eq!(opened.expose(), made.plaintext.expose());
    assert_eq!(world.events().await.len(), 0);
    assert_eq!(world.ok("ListKeys", json!({})).await["Keys"], json!([]));
    let (code, _) = world.refusal("DescribeKey", json!({ "KeyId": key.arn })).await;
    assert_eq!(code, "AccessDeniedException");
    let world = world.restarted().await;
    let kms = LocalTableKms::new(world.kms.clone());
    assert_eq!(kms.service_key(REGION).await.unwrap(), key);
    kms.decrypt_table_key(None, &key.arn, &made.wrapped, &books()).await.unwrap();
}

// R9, R29: DynamoDB may use the managed key for users who may not use it themselves.
// A year on the service's own key encrypts with fresh material, and what it encrypted before opens, after a restart too.
#[tokio::test]
async fn r08_a_service_owned_key_gets_fresh_material_every_365_days() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let arn = kms.service_key(REGION).await.unwrap().arn;
    let materials = |world: &World| -> Vec<_> {
        world.kms.key_by_arn(&arn).unwrap().materials.iter().map(|one| one.id).collect()
    };
    let first = kms.generate_table_key(&arn, &books()).await.unwrap();
    let made_with = materials(&world);
    world.clock.advance_millis(365 * DAY_MILLIS - 1);
    world.kms.settle().await.unwrap();
    assert_eq!(materials(&world), made_with);
    world.clock.advance_millis(1);
    world.kms.settle().await.unwrap();
    world.kms.settle().await.unwrap();
    assert_eq!(materials(&world).len(), 2);
    assert_eq!(materials(&world)[..1], made_with);
    let second = kms.generate_table_key(&arn, &books()).await.unwrap();
    assert_eq!(named(&second.wrapped).unwrap().material_id, materials(&world)[1]);
    let renewed = materials(&world);
    let world = world.restarted().await;
    assert_eq!(materials(&world), renewed);
    let kms = LocalTableKms::new(world.kms.clone());
    for made in [first, second] {
        let opened = kms.decrypt_table_key(None, &arn, &made.wrapped, &books()).await.unwrap();
        assert_eq!(opened.expose(), made.plaintext.expose());
    }
    assert!(world.events().await.is_empty());
    // The next one is due a year after that, however late this one came.
    world.clock.advance_millis(800 * DAY_MILLIS);
    world.kms.settle().await.unwrap();
    world.clock.advance_millis(364 * DAY_MILLIS);
    world.kms.settle().await.unwrap();
    assert_eq!(materials(&world).len(), 3);
}

#[tokio::test]
async fn the_managed_key_is_made_once_and_works_through_dynamodb_only() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let (alice, admin) = (user(), role());
    let (first, second) = tokio::join!(
        kms.describe_key(&alice, "alias/aws/dynamodb"),
        kms.describe_key(&admin, "alias/aws/dynamodb")
    );
    let key = first.unwrap();
    assert_eq!((&key, key.manager), (&second.unwrap(), KeyManager::Aws));
    let elsewhere = caller(PrincipalKind::User, ACCOUNT, "eu-west-1");
    assert_ne!(kms.describe_key(&elsewhere, "alias/aws/dynamodb").await.unwrap().arn, key.arn);
    kms.create_grant(&user(), &key.arn, &books()).await.unwrap();
    let made = kms.generate_table_key(&key.arn, &books()).await.unwrap();
    kms.decrypt_table_key(Some(&user()), &key.arn, &made.wrapped, &books()).await.unwrap();
    use base64::Engine;
    let blob = base64::engine::general_purpose::STANDARD.encode(&made.wrapped);
    assert_eq!(world.refusal("Decrypt", json!({ "CiphertextBlob": blob })).await.0, "AccessDeniedException");
    let grants = world.ok("ListGrants", json!({ "KeyId": key.arn })).await;
    let principal = format!("dynamodb.{REGION}.amazonaws.com");
    assert_eq!(grants["Grants"][0]["GranteePrincipal"], principal.as_str());
}

// R40, R42: a table key is worth nothing for another table, or without the table's grant.
#[tokio::test]
async fn context_and_grant_guard_a_table_key() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let arn = world.new_key().await;
    let denied = "AccessDeniedException";
    assert_eq!(refused(kms.generate_table_key(&arn, &books()).await).0, denied);
    let grant_id = kms.create_grant(&user(), &arn, &books()).await.unwrap();
    let made = kms.generate_table_key(&arn, &books()).await.unwrap();
    let films = TableContext { table_name: "Films".into(), ..books() };
    assert_eq!(refused(kms.generate_table_key(&arn, &films).await).0, denied);
    assert_eq!(refused(kms.decrypt_table_key(None, &arn, &made.wrapped, &films).await).0, denied);
    kms.create_grant(&user(), &arn, &films).await.unwrap();
    let wrong_context = kms.decrypt_table_key(Some(&user()), &arn, &made.wrapped, &films).await;
    assert_eq!(refused(wrong_context).0, "InvalidCiphertextException");
    let other = world.new_key().await;
    kms.create_grant(&user(), &other, &books()).await.unwrap();
    let wrong_key = kms.decrypt_table_key(Some(&user()), &other, &made.wrapped, &books()).await;
    assert_eq!(refused(wrong_key).0, "IncorrectKeyException");

    let mut news = world.kms.subscribe();
    world.ok("RevokeGrant", json!({ "KeyId": arn, "GrantId": grant_id })).await;
    let change = news.try_recv().unwrap();
    assert_eq!(
        (&*change.key_arn, change.event),
        (arn.as_str(), KeyEvent::GrantRevoked { grant_id: grant_id.clone() })
    );
    assert!(!kms.has_grant(&arn, &grant_id, &books()).await.unwrap());
    assert_eq!(refused(kms.decrypt_table_key(None, &arn, &made.wrapped, &books()).await).0, denied);
    let event = world.event("Decrypt").await;
    assert_eq!(event["errorCode"], denied);
    // A caller is asked for a permission of its own, not for the service's grant.
    kms.decrypt_table_key(Some(&user()), &arn, &made.wrapped, &books()).await.unwrap();
    let retired = refused(kms.retire_grant(&arn, &grant_id, &books()).await);
    assert_eq!(retired, ("NotFoundException".to_owned(), format!("Grant ID {grant_id} not found")));
}

// Whoever watches a key knows of each change when the call that made it is answered.
#[tokio::test]
async fn key_states_bite_at_once() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let arn = world.new_key().await;
    let key = json!({ "KeyId": arn });
    kms.create_grant(&user(), &arn, &books()).await.unwrap();
    let made = kms.generate_table_key(&arn, &books()).await.unwrap();
    let status = world.kms.status(&arn).unwrap();
    let mut news = world.kms.subscribe();
    assert!(status.is_enabled());
    world.ok("DisableKey", key.clone()).await;
    assert!(!status.is_enabled());
    let disabled = ("DisabledException".to_owned(), format!("{arn} is disabled."));
    assert_eq!(refused(kms.decrypt_table_key(Some(&user()), &arn, &made.wrapped, &books()).await), disabled);
    kms.describe_key(&user(), &arn).await.unwrap();
    assert_eq!(refused(kms.create_grant(&user(), &arn, &books()).await), disabled);
    assert_eq!(refused(kms.generate_table_key(&arn, &books()).await), disabled);
    world.ok("EnableKey", key.clone()).await;
    assert!(status.is_enabled());
    kms.decrypt_table_key(Some(&user()), &arn, &made.wrapped, &books()).await.unwrap();
    world.ok("ScheduleKeyDeletion", key.clone()).await;
    assert!(!status.is_enabled());
    let pending = ("KMSInvalidStateException".to_owned(), format!("{arn} is pending deletion."));
    assert_eq!(refused(kms.decrypt_table_key(None, &arn, &made.wrapped, &books()).await), pending);
    assert_eq!(refused(kms.create_grant(&user(), &arn, &books()).await), pending);
    world.ok("CancelKeyDeletion", key.clone()).await;
    world.ok("UpdateKeyDescription", json!({ "KeyId": arn, "Description": "no news" })).await;
    world.ok("EnableKey", key.clone()).await;
    world.ok("ScheduleKeyDeletion", key).await;
    world.clock.advance_millis(30 * DAY_MILLIS);
    let missing = ("NotFoundException".to_owned(), format!("Key '{arn}' does not exist"));
    assert_eq!(refused(kms.decrypt_table_key(None, &arn, &made.wrapped, &books()).await), missing);
    world.kms.run_due(i64::MAX).await.unwrap();
    let events: Vec<KeyEvent> =
        std::iter::from_fn(|| news.try_recv().ok()).map(|change| change.event).collect();
    assert_eq!(
        events,
        [
            KeyEvent::Disabled,
            KeyEvent::Enabled,
            KeyEvent::PendingDeletion,
            KeyEvent::Disabled,
            KeyEvent::Enabled,
            KeyEvent::PendingDeletion,
            KeyEvent::Deleted,
        ]
    );
}

// R71, and the words users of the real service see when a key cannot protect a table.
#[tokio::test]
async fn a_key_that_cannot_protect_a_table_is_refused() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let foreign = "arn:aws:kms:us-east-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let missing = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    for (key, code, message) in [
        (missing.as_str(), "NotFoundException", format!("Key '{missing}' does not exist")),
        (
            "alias/none",
            "NotFoundException",
            format!("Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found."),
        ),
        ("arn:aws:kms:eu-west-1:111122223333:key/x", "NotFoundException", "Invalid arn eu-west-1".to_owned()),
    ] {
        assert_eq!(refused(kms.describe_key(&user(), key).await), (code.to_owned(), message));
    }
    let (code, message) = refused(kms.describe_key(&user(), foreign).await);
    assert_eq!(code, "AccessDeniedException");
    assert!(message.starts_with(&format!(
        "User: arn:aws:iam::{ACCOUNT}:user/Alice is not authorized to perform: kms:CreateGrant on resource: {foreign}"
    )));
    let event = world.event("DescribeKey").await;
    assert_eq!((&event["errorCode"], &event["resources"]), (&json!("AccessDeniedException"), &json!([])));
}

// Nothing of a closed store may look like an answer of the key service.
#[tokio::test]
async fn a_failed_store_is_no_refusal() {
    let world = World::new().await;
    let kms = LocalTableKms::new(world.kms.clone());
    let arn = world.new_key().await;
    world.store.close().await.unwrap();
    let outcome = kms.create_grant(&user(), &arn, &books()).await;
    assert!(matches!(outcome, Err(TableKmsError::Storage(_))), "{outcome:?}");
    let error = world.call("DisableKey", json!({ "KeyId": arn })).await.unwrap_err();
    assert_eq!((error.status, &*error.code), (500, "KMSInternalException"));
    assert!(world.kms.status(&arn).unwrap().is_enabled(), "what is not durable has not happened");
}
