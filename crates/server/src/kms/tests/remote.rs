//! DynamoDB and a key service over the network.

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::local::books;
use crate::kms::table_kms::{KeyManager, TableKms, TableKmsError};
use crate::kms::testing::{ACCOUNT, REGION, World, user};
use crate::kms::{LocalTableKms, RemoteTableKms};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Answers each request with the next of the given answers, and keeps what was asked.
async fn stub(answers: Vec<(u16, String)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            loop {
                let mut part = [0; 4096];
                let count = socket.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..count]);
                let text = String::from_utf8_lossy(&request);
                let Some((head, received)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if received.len() >= length.parse::<usize>().unwrap() {
                    break;
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let answer = format!(
                "HTTP/1.1 {status} Answer\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: the-id\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (endpoint, asked)
}

fn remote(world: &World, endpoint: &str) -> RemoteTableKms {
    let credentials = Credentials::new("AKIAREMOTE", "secret", None, None, "test");
    RemoteTableKms::new(LocalTableKms::new(world.kms.clone()), endpoint, credentials).unwrap()
}

fn metadata(state: &str) -> String {
    json!({ "KeyMetadata": {
        "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "Arn": KEY, "KeyState": state,
        "KeySpec": "SYMMETRIC_DEFAULT", "KeyManager": "CUSTOMER",
    }})
    .to_string()
}

#[tokio::test]
async fn customers_keys_are_asked_for_over_the_network() {
    let world = World::new().await;
    let data_key = json!({
        "KeyId": KEY, "CiphertextBlob": "d3JhcHBlZA==", "Plaintext": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    });
    let (endpoint, asked) = stub(vec![
        (200, metadata("Enabled")),
        (200, json!({ "GrantId": "ab", "GrantToken": "cd" }).to_string()),
        (200, data_key.to_string()),
        (200, data_key.to_string()),
        (200, json!({ "Grants": [{ "GrantId": "ab" }], "Truncated": false }).to_string()),
        (200, "{}".to_owned()),
    ])
    .await;
    let kms = remote(&world, &endpoint);
    let key = kms.describe_key(&user(), "alias/books").await.unwrap();
    assert_eq!((key.arn.as_str(), key.manager), (KEY, KeyManager::Customer));
    assert_eq!(kms.create_grant(&user(), KEY, &books()).await.unwrap(), "ab");
    let made = kms.generate_table_key(KEY, &books()).await.unwrap();
    assert_eq!((made.plaintext.expose(), made.wrapped.as_slice()), (&[0; 32], &b"wrapped"[..]));
    let opened = kms.decrypt_table_key(Some(&user()), KEY, b"wrapped", &books()).await.unwrap();
    assert_eq!(opened.expose(), &[0; 32]);
    assert!(kms.has_grant(KEY, "ab", &books()).await.unwrap());
    kms.retire_grant(KEY, "ab", &books()).await.unwrap();

    let asked = asked.lock().unwrap().clone();
    let operations: Vec<&str> = asked
        .iter()
        .map(|request| {
            assert!(request.contains("AKIAREMOTE"), "signed");
            request.lines().find_map(|line| line.strip_prefix("x-amz-target: TrentService.")).unwrap()
        })
        .collect();
    let expected = ["DescribeKey", "CreateGrant", "GenerateDataKey", "Decrypt", "ListGrants", "RetireGrant"];
    assert_eq!(operations, expected);
    assert!(asked[1].contains(&format!("dynamodb.{REGION}.amazonaws.com")));
    assert!(asked[3].contains("aws:dynamodb:tableName"));
    // The trail here says for whom; the other side sees only this server.
    let decrypt = world.event("Decrypt").await;
    assert_eq!(decrypt["userIdentity"]["userName"], "Alice");
    assert_eq!(decrypt["userIdentity"]["invokedBy"], "dynamodb.amazonaws.com");
    assert_eq!(world.kms.calls(KEY, "Decrypt"), 1);
}

#[tokio::test]
async fn a_refusal_is_passed_on_and_silence_is_not_one() {
    let world = World::new().await;
    let refusal =
        json!({ "__type": "DisabledException", "message": format!("{KEY} is disabled.") }).to_string();
    let (endpoint, asked) = stub(vec![
        (400, refusal),
        (200, metadata("PendingDeletion")),
        (500, json!({ "__type": "KMSInternalException" }).to_string()),
        (400, json!({ "__type": "ThrottlingException" }).to_string()),
        (404, "no KMS here".to_owned()),
    ])
    .await;
    let kms = remote(&world, &endpoint);
    match kms.decrypt_table_key(Some(&user()), KEY, b"x", &books()).await {
        Err(TableKmsError::Refused { code, message, request_id }) => {
            assert_eq!((code.as_str(), request_id.as_str()), ("DisabledException", "the-id"));
            assert_eq!(message, format!("{KEY} is disabled."));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.event("Decrypt").await["errorCode"], "DisabledException");
    // In any state there is a key to describe.
    assert_eq!(kms.describe_key(&user(), KEY).await.unwrap().arn, KEY);
    let recorded = world.events().await.len();
    for _ in 0..3 {
        // Whoever asks again within a second is told without a call, whatever the question.
        for _ in 0..2 {
            let outcome = kms.decrypt_table_key(None, KEY, b"x", &books()).await;
            assert!(matches!(outcome, Err(TableKmsError::Unreachable(_))), "{outcome:?}");
        }
        let outcome = kms.has_grant(KEY, "grant", &books()).await;
        assert!(matches!(outcome, Err(TableKmsError::Unreachable(_))), "{outcome:?}");
        world.clock.advance_millis(1_000);
    }
    assert_eq!(asked.lock().unwrap().len(), 5, "nothing is retried");
    // Nobody listens there any more.
    let outcome = kms.decrypt_table_key(None, KEY, b"x", &books()).await;
    assert!(matches!(outcome, Err(TableKmsError::Unreachable(_))), "{outcome:?}");
    assert_eq!(world.events().await.len(), recorded, "a call without an answer is no event");
}

// Either clock is wrong: the key service says nothing of the key, and is asked again without a pause. That it does not know
// this server's credentials is another matter.
#[tokio::test]
async fn r25_a_signature_out_of_time_is_no_refusal() {
    let world = World::new().await;
    let skewed = "InvalidSignatureException";
    let expired = "Signature expired: 20261130T000000Z is now earlier than 20261130T004500Z (20261130T010000Z - 15 min.)";
    let not_yet = "Signature not yet current: 20261130T020000Z is still later than 20261130T011500Z (20261130T010000Z + 15 min.)";
    let wrong = "The request signature we calculated does not match the signature you provided.";
    let answer = |code: &str, message: &str| (400, json!({ "__type": code, "message": message }).to_string());
    let (endpoint, _) = stub(vec![
        answer(skewed, expired),
        answer(skewed, not_yet),
        answer("RequestExpired", "Request has expired."),
        answer(skewed, wrong),
        answer("UnrecognizedClientException", "The security token included in the request is invalid."),
        answer("AccessDeniedException", expired),
    ])
    .await;
    let kms = remote(&world, &endpoint);
    let recorded = world.events().await.len();
    for text in [expired, not_yet, "Request has expired."] {
        match kms.decrypt_table_key(Some(&user()), KEY, b"x", &books()).await {
            Err(TableKmsError::ClocksDiffer(cause)) => assert!(cause.ends_with(text), "{cause}"),
            other => panic!("{other:?}"),
        }
        assert!(!kms.is_silent());
    }
    assert_eq!(world.events().await.len(), recorded, "a call that was not judged is no event");
    for refused_with in [skewed, "UnrecognizedClientException", "AccessDeniedException"] {
        match kms.decrypt_table_key(Some(&user()), KEY, b"x", &books()).await {
            Err(TableKmsError::Refused { code, .. }) => assert_eq!(code, refused_with),
            other => panic!("{other:?}"),
        }
    }
}

// A network that is down must not touch tables without a customer's key.
#[tokio::test]
async fn the_services_own_keys_stay_here() {
    let world = World::new().await;
    let kms = remote(&world, "http://127.0.0.1:1");
    let service = kms.service_key(REGION).await.unwrap();
    let made = kms.generate_table_key(&service.arn, &books()).await.unwrap();
    kms.decrypt_table_key(None, &service.arn, &made.wrapped, &books()).await.unwrap();
    let alias_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/dynamodb");
    let managed = kms.describe_key(&user(), "alias/aws/dynamodb").await.unwrap();
    assert_eq!(managed.manager, KeyManager::Aws);
    let id = managed.arn.rsplit('/').next().unwrap();
    for name in [alias_arn.as_str(), id, &managed.arn] {
        assert_eq!(kms.describe_key(&user(), name).await.unwrap(), managed);
    }
    let grant_id = kms.create_grant(&user(), &managed.arn, &books()).await.unwrap();
    let made = kms.generate_table_key(&managed.arn, &books()).await.unwrap();
    kms.decrypt_table_key(Some(&user()), &managed.arn, &made.wrapped, &books()).await.unwrap();
    assert!(kms.has_grant(&managed.arn, &grant_id, &books()).await.unwrap());
    kms.retire_grant(&managed.arn, &grant_id, &books()).await.unwrap();
}
