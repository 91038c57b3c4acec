//! Aliases, and the managed key behind `alias/aws/dynamodb`.

use serde_json::{Value, json};

use crate::kms::testing::{ACCOUNT, REGION, World};

fn alias_arn(name: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{name}")
}

#[tokio::test]
async fn an_alias_is_made_moved_and_removed() {
    let world = World::new().await;
    let (first, second) = (world.new_key().await, world.new_key().await);
    world.ok("CreateAlias", json!({ "AliasName": "alias/books", "TargetKeyId": first })).await;
    for identifier in ["alias/books", &alias_arn("alias/books")] {
        assert_eq!(
            world.ok("DescribeKey", json!({ "KeyId": identifier })).await["KeyMetadata"]["Arn"],
            first.as_str()
        );
    }
    let exists = format!("An alias with the name {} already exists", alias_arn("alias/books"));
    let again = json!({ "AliasName": "alias/books", "TargetKeyId": second });
    assert_eq!(world.refusal("CreateAlias", again.clone()).await, ("AlreadyExistsException".into(), exists));
    world.clock.advance_millis(1_000);
    world.ok("UpdateAlias", again).await;
    let listed = world.ok("ListAliases", json!({ "KeyId": second })).await;
    let id = second.rsplit('/').next().unwrap();
    let expected = json!([{
        "AliasName": "alias/books",
        "AliasArn": alias_arn("alias/books"),
        "TargetKeyId": id,
        "CreationDate": 1_700_000_000.123,
        "LastUpdatedDate": 1_700_000_001.123,
    }]);
    assert_eq!(listed["Aliases"], expected);
    assert_eq!(world.ok("ListAliases", json!({ "KeyId": first })).await["Aliases"], json!([]));
    world.ok("DeleteAlias", json!({ "AliasName": "alias/books" })).await;
    let missing =
        ("NotFoundException".to_owned(), format!("Alias {} is not found.", alias_arn("alias/books")));
    assert_eq!(world.refusal("DeleteAlias", json!({ "AliasName": "alias/books" })).await, missing);
    let update = json!({ "AliasName": "alias/books", "TargetKeyId": first });
    assert_eq!(world.refusal("UpdateAlias", update).await, missing);
}

#[tokio::test]
async fn alias_names_are_checked() {
    let world = World::new().await;
    let key = world.new_key().await;
    let prefix = "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
    for (name, code, message) in [
        ("books", "ValidationException", prefix),
        ("alias/", "ValidationException", prefix),
        ("alias/aws/dynamodb", "NotAuthorizedException", ""),
        ("alias/aws/mine", "NotAuthorizedException", ""),
        ("alias/a:b", "ValidationException", "alias/a:b contains invalid characters for an alias"),
    ] {
        for operation in ["CreateAlias", "UpdateAlias", "DeleteAlias"] {
            let input = json!({ "AliasName": name, "TargetKeyId": key });
            assert_eq!(
                world.refusal(operation, input).await,
                (code.to_owned(), message.to_owned()),
                "{name}"
            );
        }
    }
    let of_alias = json!({ "AliasName": "alias/x", "TargetKeyId": "alias/y" });
    assert_eq!(world.refusal("CreateAlias", of_alias).await.1, "Aliases must refer to keys. Not aliases");
    for number in 0..50 {
        let input = json!({ "AliasName": format!("alias/{number}"), "TargetKeyId": key });
        world.ok("CreateAlias", input).await;
    }
    let one_more = json!({ "AliasName": "alias/more", "TargetKeyId": key });
    assert_eq!(world.refusal("CreateAlias", one_more).await.0, "LimitExceededException");
    let page = world.ok("ListAliases", json!({})).await;
    assert_eq!((page["Aliases"].as_array().unwrap().len(), &page["Truncated"]), (50, &json!(true)));
}

// R9, R28, R29: made at first use, visible, and nobody's to change or use directly.
#[tokio::test]
async fn the_managed_key_is_visible_and_protected() {
    let world = World::new().await;
    let before = world.ok("ListAliases", json!({})).await;
    assert_eq!(
        before["Aliases"],
        json!([{ "AliasName": "alias/aws/dynamodb", "AliasArn": alias_arn("alias/aws/dynamodb") }])
    );
    let made = world.ok("DescribeKey", json!({ "KeyId": "alias/aws/dynamodb" })).await;
    assert_eq!(made["KeyMetadata"]["KeyManager"], "AWS");
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    let again = world.ok("DescribeKey", json!({ "KeyId": alias_arn("alias/aws/dynamodb") })).await;
    assert_eq!(again, made);
    assert_eq!(world.ok("ListKeys", json!({})).await["Keys"][0]["KeyArn"], arn);
    let policy = world.ok("GetKeyPolicy", json!({ "KeyId": arn })).await;
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Id"], "auto-dynamodb-1");
    assert_eq!(
        policy["Statement"][0]["Condition"]["StringEquals"],
        json!({ "kms:CallerAccount": ACCOUNT, "kms:ViaService": format!("dynamodb.{REGION}.amazonaws.com") })
    );
    world.ok("ListGrants", json!({ "KeyId": arn })).await;
    world.ok("ListResourceTags", json!({ "KeyId": arn })).await;
    let with = |name: &str, value: Value| json!({ "KeyId": arn, name: value });
    for (operation, input) in [
        ("Encrypt", with("Plaintext", json!("aGk="))),
        ("GenerateDataKey", with("KeySpec", json!("AES_256"))),
        ("GenerateDataKeyWithoutPlaintext", with("KeySpec", json!("AES_256"))),
        ("PutKeyPolicy", with("Policy", json!("{}"))),
        ("DisableKey", with("x", json!(null))),
        ("EnableKey", with("x", json!(null))),
        ("ScheduleKeyDeletion", with("x", json!(null))),
        ("CancelKeyDeletion", with("x", json!(null))),
        ("UpdateKeyDescription", with("Description", json!("x"))),
        ("TagResource", with("Tags", json!([]))),
        ("UntagResource", with("TagKeys", json!([]))),
        ("CreateGrant", json!({ "KeyId": arn, "GranteePrincipal": ACCOUNT, "Operations": ["Decrypt"] })),
        ("CreateAlias", json!({ "AliasName": "alias/mine", "TargetKeyId": arn })),
    ] {
        let (code, message) = world.refusal(operation, input).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
        assert_eq!(
            message,
            format!(
                "User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:{operation} on resource: \
                 {arn} because no resource-based policy allows the kms:{operation} action"
            )
        );
    }
}
