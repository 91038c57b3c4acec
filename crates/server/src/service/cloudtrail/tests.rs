//! Finding events by each attribute, by time, and page by page.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::auth::PrincipalKind;
use crate::kms::testing::{ACCOUNT, World, caller, root, user};

fn by(key: &str, value: &str) -> Value {
    json!({ "LookupAttributes": [{ "AttributeKey": key, "AttributeValue": value }] })
}

fn names(page: &Value) -> Vec<&str> {
    page["Events"].as_array().unwrap().iter().map(|event| event["EventName"].as_str().unwrap()).collect()
}

// One second apart: CreateKey by root, ListKeys by Alice, Decrypt (refused) by root.
async fn three_events() -> (World, String) {
    let world = World::new().await;
    let key = world.new_key().await;
    world.clock.advance_millis(1_000);
    world.call_as(&user(), "ListKeys", json!({})).await.unwrap();
    world.clock.advance_millis(1_000);
    world.refusal("Decrypt", json!({ "CiphertextBlob": "AAAA" })).await;
    (world, key)
}

#[tokio::test]
async fn events_come_newest_first_with_their_facts() {
    let (world, key) = three_events().await;
    let page = world.lookup(json!({})).await.unwrap();
    assert_eq!(names(&page), ["Decrypt", "ListKeys", "CreateKey"]);
    assert!(page.get("NextToken").is_none());
    let created = &page["Events"][2];
    let document: Value = serde_json::from_str(created["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(
        *created,
        json!({
            "EventId": document["eventID"],
            "EventName": "CreateKey",
            "ReadOnly": "false",
            "AccessKeyId": "AKIAROOT",
            "EventTime": 1_700_000_000,
            "EventSource": "kms.amazonaws.com",
            "Username": "root",
            "Resources": [{ "ResourceType": "AWS::KMS::Key", "ResourceName": key }],
            "CloudTrailEvent": created["CloudTrailEvent"],
        })
    );
}

#[tokio::test]
async fn each_attribute_finds_its_events() {
    let (world, key) = three_events().await;
    let all = world.lookup(json!({})).await.unwrap();
    let id = all["Events"][1]["EventId"].as_str().unwrap();
    let key_id = key.rsplit('/').next().unwrap();
    for (attribute, value, expected) in [
        ("EventId", id, vec!["ListKeys"]),
        ("EventName", "Decrypt", vec!["Decrypt"]),
        ("ReadOnly", "true", vec!["Decrypt", "ListKeys"]),
        ("ReadOnly", "false", vec!["CreateKey"]),
        ("Username", "Alice", vec!["ListKeys"]),
        ("Username", "root", vec!["Decrypt", "CreateKey"]),
        ("ResourceType", "AWS::KMS::Key", vec!["CreateKey"]),
        ("ResourceName", key.as_str(), vec!["CreateKey"]),
        ("ResourceName", key_id, vec!["CreateKey"]),
        ("ResourceName", &format!("key/{key_id}"), vec!["CreateKey"]),
        ("EventSource", "kms.amazonaws.com", vec!["Decrypt", "ListKeys", "CreateKey"]),
        ("EventSource", "s3.amazonaws.com", vec![]),
        ("AccessKeyId", "AKIAUSER", vec!["ListKeys"]),
    ] {
        let page = world.lookup(by(attribute, value)).await.unwrap();
        assert_eq!(names(&page), expected, "{attribute} {value}");
    }
}

#[tokio::test]
async fn times_include_their_whole_second() {
    let (world, _) = three_events().await;
    for (range, expected) in [
        (json!({ "StartTime": 1_700_000_001 }), vec!["Decrypt", "ListKeys"]),
        (json!({ "EndTime": 1_700_000_001 }), vec!["ListKeys", "CreateKey"]),
        (json!({ "StartTime": 1_700_000_001.0, "EndTime": 1_700_000_001.0 }), vec!["ListKeys"]),
        (json!({ "StartTime": 1_800_000_000 }), vec![]),
        (json!({ "EndTime": -5 }), vec![]),
        (json!({ "StartTime": -1e300, "EndTime": 1e300 }), vec!["Decrypt", "ListKeys", "CreateKey"]),
    ] {
        assert_eq!(names(&world.lookup(range.clone()).await.unwrap()), expected, "{range}");
    }
    let backwards = json!({ "StartTime": 2, "EndTime": 1 });
    assert_eq!(world.lookup(backwards).await.unwrap_err().code, "InvalidTimeRangeException");
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let (world, _) = three_events().await;
    let two = json!([
        { "AttributeKey": "EventName", "AttributeValue": "a" },
        { "AttributeKey": "Username", "AttributeValue": "b" },
    ]);
    let token = world.lookup(json!({ "MaxResults": 1 })).await.unwrap()["NextToken"].clone();
    for (input, code) in [
        (json!({ "LookupAttributes": two }), "InvalidLookupAttributesException"),
        (by("ReadOnly", "maybe"), "InvalidLookupAttributesException"),
        (by("Color", "red"), "InvalidLookupAttributesException"),
        (json!({ "MaxResults": 0 }), "InvalidMaxResultsException"),
        (json!({ "MaxResults": 51 }), "InvalidMaxResultsException"),
        (json!({ "EventCategory": "other" }), "InvalidEventCategoryException"),
        (json!({ "NextToken": "x" }), "InvalidNextTokenException"),
        (json!({ "NextToken": token, "EndTime": 1_800_000_000 }), "InvalidNextTokenException"),
    ] {
        assert_eq!(world.lookup(input.clone()).await.unwrap_err().code, code, "{input}");
    }
    assert_eq!(world.lookup(json!({ "EventCategory": "insight" })).await.unwrap(), json!({ "Events": [] }));
}

// More than a page, many in the same millisecond, new ones while paging, and a restart in between.
#[tokio::test]
async fn pages_cover_every_event_once_and_in_order() {
    let mut world = World::new().await;
    for number in 0..120 {
        world.ok("GenerateRandom", json!({ "NumberOfBytes": 1 + number })).await;
        if number % 40 == 39 {
            world = world.restarted().await;
        }
    }
    let mut sizes = Vec::new();
    let mut ids = BTreeSet::new();
    let mut input = by("EventName", "GenerateRandom");
    loop {
        let page = world.lookup(input.clone()).await.unwrap();
        for event in page["Events"].as_array().unwrap() {
            assert!(ids.insert(event["EventId"].to_string()), "twice");
            let document: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
            sizes.push(document["requestParameters"]["numberOfBytes"].as_u64().unwrap());
        }
        if page["NextToken"].is_null() {
            break;
        }
        world.ok("GenerateRandom", json!({ "NumberOfBytes": 999 })).await;
        input["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(sizes, (1..=120).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn trails_of_accounts_and_regions_are_apart() {
    let (world, _) = three_events().await;
    world.call_as(&caller(PrincipalKind::Root, ACCOUNT, "eu-west-1"), "ListKeys", json!({})).await.unwrap();
    world
        .call_as(&caller(PrincipalKind::Root, "999999999999", "us-east-1"), "ListKeys", json!({}))
        .await
        .unwrap();
    assert_eq!(world.events().await.len(), 3);
    assert_eq!(
        world.call_as(&root(), "ListKeys", json!({})).await.unwrap()["Keys"].as_array().unwrap().len(),
        1
    );
}
