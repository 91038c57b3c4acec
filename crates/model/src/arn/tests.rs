use super::*;

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn each_arn_reads_back_what_it_prints() {
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/My.Table_1-x";
    let key = format!("arn:aws:kms:eu-west-2:123456789012:key/{ID}");
    let alias = "arn:aws-cn:kms:cn-north-1:123456789012:alias/aws/dynamodb";
    let root = "arn:aws:iam::123456789012:root";
    let user = "arn:aws:iam::123456789012:user/Division/Team/Jo.Doe@example";
    assert_eq!(TableArn::parse(table).unwrap().to_string(), table);
    assert_eq!(KeyArn::parse(&key).unwrap().to_string(), key);
    assert_eq!(AliasArn::parse(alias).unwrap().to_string(), alias);
    assert_eq!(IamArn::parse(root).unwrap().to_string(), root);
    assert_eq!(IamArn::parse(user).unwrap().to_string(), user);
    assert_eq!(
        IamArn::parse("arn:aws:iam::123456789012:user/Jo").unwrap(),
        IamArn::User { account_id: "123456789012".into(), path: "/".into(), name: "Jo".into() }
    );
    assert!(AliasArn::parse(alias).unwrap().alias_name.is_reserved());
}

#[test]
fn a_table_is_named_by_name_or_arn() {
    let by_arn = TableReference::parse("arn:aws:dynamodb:us-east-1:000000000000:table/abc").unwrap();
    let by_name = TableReference::parse("abc").unwrap();
    assert_eq!(by_arn.table_name(), by_name.table_name());
    assert!(matches!(by_name, TableReference::Name(_)));
    assert!(TableReference::parse(&"a".repeat(255)).is_ok());
    for wrong in [
        "",
        "ab",
        "abc;",
        "äbc",
        &"a".repeat(256),
        "arn:aws:dynamodb:us-east-1:000000000000:table/ab",
        "arn:aws:dynamodb:us-east-1:000000000000:table/abc/index/def",
        "arn:aws:dynamodb:us-east-1:000000000000:table/abc/stream/2026-01-01T00:00:00.000",
        "arn:aws:dynamodb:us-east-1:0:table/abc",
        "arn:aws:dynamodb::000000000000:table/abc",
        "arn:aws:kms:us-east-1:000000000000:table/abc",
        "arn:aws-cn:dynamodb:us-east-1:000000000000:table/abc",
        "arn:gcp:dynamodb:us-east-1:000000000000:table/abc",
        "arn:aws:dynamodb:us-east-1",
    ] {
        assert!(TableReference::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_key_is_named_in_four_ways() {
    let mrk = format!("mrk-{}", "0a".repeat(16));
    let key = |text: &str| KeyReference::parse(text).unwrap();
    assert!(matches!(key(ID), KeyReference::Id(_)));
    assert!(matches!(key(&mrk), KeyReference::Id(_)));
    assert!(matches!(key("alias/mine"), KeyReference::AliasName(_)));
    assert!(matches!(key(&format!("arn:aws:kms:us-east-1:000000000000:key/{mrk}")), KeyReference::Arn(_)));
    assert!(matches!(key("arn:aws:kms:us-east-1:000000000000:alias/mine"), KeyReference::AliasArn(_)));
    for wrong in [
        "",
        "mine",
        "alias/",
        "alias/a b",
        &ID.to_uppercase(),
        &ID[1..],
        &format!("{ID}-"),
        "mrk-0a",
        "arn:aws:kms:us-east-1:000000000000:key/mine",
        "arn:aws:kms:us-east-1:000000000000:alias/",
        &format!("arn:aws:kms:us-east-1:000000000000:{ID}"),
    ] {
        assert!(KeyReference::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn other_identities_are_not_taken_for_users() {
    for wrong in [
        "arn:aws:iam::123456789012:role/Admin",
        "arn:aws:iam::123456789012:user",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:users/Jo",
        "arn:aws:iam::123456789012:userJo",
        "arn:aws:iam:us-east-1:123456789012:root",
        "arn:aws:iam:::root",
        "arn:aws-cn:iam::123456789012:root",
        "arn:aws:sts::123456789012:assumed-role/Admin/Jo",
    ] {
        assert!(IamArn::parse(wrong).is_err(), "{wrong}");
    }
}
