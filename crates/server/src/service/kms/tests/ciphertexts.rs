//! Encrypt, Decrypt, ReEncrypt, data keys and random bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::auth::PrincipalKind;
use crate::kms::testing::{ACCOUNT, World, caller};

const HELLO: &str = "aGVsbG8=";

async fn sealed(world: &World, key: &str, context: &Value) -> Value {
    let input = json!({ "KeyId": key, "Plaintext": HELLO, "EncryptionContext": context });
    let sealed = world.ok("Encrypt", input).await;
    assert_eq!(sealed["KeyId"], key);
    assert_eq!(sealed["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
    sealed["CiphertextBlob"].clone()
}

#[tokio::test]
async fn what_was_encrypted_opens_without_naming_the_key() {
    let world = World::new().await;
    let (key, other) = (world.new_key().await, world.new_key().await);
    let material = world.ok("DescribeKey", json!({ "KeyId": key })).await;
    let material = &material["KeyMetadata"]["CurrentKeyMaterialId"];
    let context = json!({ "table": "Books" });
    let blob = sealed(&world, &key, &context).await;
    let open = |more: Value| {
        let mut input = json!({ "CiphertextBlob": blob, "EncryptionContext": context });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let opened = json!({
        "KeyId": key, "Plaintext": HELLO, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyMaterialId": material,
    });
    assert_eq!(world.ok("Decrypt", open(json!({}))).await, opened);
    assert_eq!(world.ok("Decrypt", open(json!({ "KeyId": key }))).await, opened);
    assert_eq!(
        world.refusal("Decrypt", open(json!({ "KeyId": other }))).await,
        (
            "IncorrectKeyException".to_owned(),
            "The key ID in the request does not identify a CMK that can perform this operation.".to_owned()
        )
    );
    let invalid = ("InvalidCiphertextException".to_owned(), String::new());
    for wrong in [json!({}), json!({ "table": "books" }), json!({ "table": "Books", "more": "" })] {
        assert_eq!(world.refusal("Decrypt", open(json!({ "EncryptionContext": wrong }))).await, invalid);
    }
    for garbage in ["AAAA", HELLO, &STANDARD.encode([7; 6144])] {
        assert_eq!(world.refusal("Decrypt", json!({ "CiphertextBlob": garbage })).await, invalid);
    }
    let bytes = STANDARD.decode(blob.as_str().unwrap()).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let input = json!({ "CiphertextBlob": STANDARD.encode(flipped), "EncryptionContext": context });
        assert_eq!(world.refusal("Decrypt", input).await, invalid, "byte {at}");
    }
    let elsewhere = caller(PrincipalKind::Root, ACCOUNT, "eu-west-1");
    let refused = world.call_as(&elsewhere, "Decrypt", open(json!({}))).await.unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(
        refused.message.starts_with("The ciphertext refers to a customer master key that does not exist")
    );
    world.ok("DisableKey", json!({ "KeyId": key })).await;
    assert_eq!(world.refusal("Decrypt", open(json!({}))).await.0, "DisabledException");
    world.ok("ScheduleKeyDeletion", json!({ "KeyId": key })).await;
    assert_eq!(world.refusal("Decrypt", open(json!({}))).await.0, "KMSInvalidStateException");
}

#[tokio::test]
async fn inputs_are_bounded() {
    let world = World::new().await;
    let key = world.new_key().await;
    let encrypt = |bytes: usize| json!({ "KeyId": key, "Plaintext": STANDARD.encode(vec![1; bytes]) });
    let longest = world.ok("Encrypt", encrypt(4_096)).await;
    let opened = world.ok("Decrypt", json!({ "CiphertextBlob": longest["CiphertextBlob"] })).await;
    assert_eq!(opened["Plaintext"], encrypt(4_096)["Plaintext"]);
    let refused = |text: &str| {
        let text =
            format!("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: {text}");
        ("ValidationException".to_owned(), text)
    };
    assert_eq!(
        world.refusal("Encrypt", encrypt(4_097)).await,
        refused("Member must have length less than or equal to 4096")
    );
    assert_eq!(
        world.refusal("Encrypt", encrypt(0)).await,
        refused("Member must have length greater than or equal to 1")
    );
    let long = json!({ "KeyId": key, "Plaintext": HELLO, "EncryptionContext": { "a": "x".repeat(8_192) } });
    assert_eq!(world.refusal("Encrypt", long).await.0, "ValidationException");
    let not_base64 = json!({ "KeyId": key, "Plaintext": "?" });
    assert_eq!(world.refusal("Encrypt", not_base64).await.0, "SerializationException");
}

#[tokio::test]
async fn members_that_are_not_honoured_are_refused() {
    let world = World::new().await;
    let key = world.new_key().await;
    let with = |more: Value| {
        let mut input =
            json!({ "KeyId": key, "Plaintext": HELLO, "KeySpec": "AES_256", "NumberOfBytes": null });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let recipient = json!({ "Recipient": { "AttestationDocument": "AAAA" } });
    assert_eq!(
        world.refusal("GenerateDataKey", with(recipient.clone())).await.0,
        "UnsupportedOperationException"
    );
    assert_eq!(world.refusal("Decrypt", with(recipient)).await.0, "UnsupportedOperationException");
    let algorithm = json!({ "EncryptionAlgorithm": "RSAES_OAEP_SHA_256" });
    assert_eq!(world.refusal("Encrypt", with(algorithm)).await.0, "InvalidKeyUsageException");
    let token = json!({ "GrantTokens": ["nonsense"] });
    assert_eq!(world.refusal("Encrypt", with(token)).await.0, "InvalidGrantTokenException");
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_does_nothing() {
    let world = World::new().await;
    let key = world.new_key().await;
    let blob = sealed(&world, &key, &json!({})).await;
    let dry = (
        "DryRunOperationException".to_owned(),
        "The request would have succeeded, but the DryRun option is set.".to_owned(),
    );
    let encrypt = json!({ "KeyId": key, "Plaintext": HELLO, "DryRun": true });
    assert_eq!(world.refusal("Encrypt", encrypt).await, dry);
    assert_eq!(world.refusal("Decrypt", json!({ "CiphertextBlob": blob, "DryRun": true })).await, dry);
    let without = json!({ "KeyId": key, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"] });
    assert_eq!(world.refusal("Decrypt", without).await, dry);
    let reencrypt = json!({ "CiphertextBlob": blob, "DestinationKeyId": key, "DryRun": true });
    assert_eq!(world.refusal("ReEncrypt", reencrypt).await, dry);
    let data_key = json!({ "KeyId": key, "KeySpec": "AES_128", "DryRun": true });
    assert_eq!(world.refusal("GenerateDataKey", data_key).await, dry);
    let wrong = json!({ "CiphertextBlob": blob, "DryRun": true, "EncryptionContext": { "a": "b" } });
    assert_eq!(world.refusal("Decrypt", wrong).await.0, "InvalidCiphertextException");
}

#[tokio::test]
async fn reencrypt_moves_a_secret_to_another_key_and_context() {
    let world = World::new().await;
    let (from, to) = (world.new_key().await, world.new_key().await);
    let (old, new) = (json!({ "table": "Old" }), json!({ "table": "New" }));
    let blob = sealed(&world, &from, &old).await;
    let input = |more: Value| {
        let mut input = json!({
            "CiphertextBlob": blob,
            "SourceEncryptionContext": old,
            "DestinationKeyId": to,
            "DestinationEncryptionContext": new,
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let moved = world.ok("ReEncrypt", input(json!({}))).await;
    assert_eq!((moved["SourceKeyId"].as_str(), moved["KeyId"].as_str()), (Some(&*from), Some(&*to)));
    assert_ne!(moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]);
    let opened = world
        .ok("Decrypt", json!({ "CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": new }))
        .await;
    assert_eq!((opened["KeyId"].as_str(), opened["Plaintext"].as_str()), (Some(&*to), Some(HELLO)));
    assert_eq!(
        world.refusal("ReEncrypt", input(json!({ "SourceKeyId": to }))).await.0,
        "IncorrectKeyException"
    );
    let wrong = input(json!({ "SourceEncryptionContext": new }));
    assert_eq!(world.refusal("ReEncrypt", wrong).await.0, "InvalidCiphertextException");
    let event = world.event("ReEncrypt").await;
    assert_eq!(event["resources"][0]["ARN"], from.as_str());
    world.ok("DisableKey", json!({ "KeyId": to })).await;
    assert_eq!(world.refusal("ReEncrypt", input(json!({}))).await.0, "DisabledException");
}

#[tokio::test]
async fn data_keys_come_plain_and_sealed() {
    let world = World::new().await;
    let key = world.new_key().await;
    for (size, bytes) in [
        (json!({ "KeySpec": "AES_256" }), 32),
        (json!({ "KeySpec": "AES_128" }), 16),
        (json!({ "NumberOfBytes": 1024 }), 1024),
    ] {
        let mut input = size;
        input["KeyId"] = json!(key);
        let made = world.ok("GenerateDataKey", input.clone()).await;
        let plaintext = STANDARD.decode(made["Plaintext"].as_str().unwrap()).unwrap();
        assert_eq!(plaintext.len(), bytes);
        let opened = world.ok("Decrypt", json!({ "CiphertextBlob": made["CiphertextBlob"] })).await;
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
        let without = world.ok("GenerateDataKeyWithoutPlaintext", input).await;
        assert!(without.get("Plaintext").is_none());
        assert_ne!(without["CiphertextBlob"], made["CiphertextBlob"]);
    }
    for wrong in [
        json!({}),
        json!({ "KeySpec": "AES_256", "NumberOfBytes": 32 }),
        json!({ "NumberOfBytes": 0 }),
        json!({ "NumberOfBytes": 1025 }),
        json!({ "KeySpec": "AES_512" }),
    ] {
        let mut input = wrong;
        input["KeyId"] = json!(key);
        assert_eq!(world.refusal("GenerateDataKey", input).await.0, "ValidationException");
    }
    assert_eq!(world.kms.calls(&key, "GenerateDataKey"), 3, "wrong sizes do not get as far as the key");
    assert_eq!(world.kms.calls(&key, "Decrypt"), 3);
    assert_eq!(world.kms.calls(&key, "Sign"), 0);
}

#[tokio::test]
async fn random_bytes_come_in_the_wanted_number() {
    let world = World::new().await;
    for bytes in [1, 12, 1024] {
        let made = world.ok("GenerateRandom", json!({ "NumberOfBytes": bytes })).await;
        assert_eq!(STANDARD.decode(made["Plaintext"].as_str().unwrap()).unwrap().len(), bytes);
    }
    assert_eq!(world.refusal("GenerateRandom", json!({})).await.1, "NumberOfBytes is required.");
    for (bytes, bound) in [(0, "greater than or equal to 1"), (1025, "less than or equal to 1024")] {
        let text = format!(
            "1 validation error detected: Value '{bytes}' at 'numberOfBytes' failed to satisfy constraint: Member must have value {bound}"
        );
        assert_eq!(world.refusal("GenerateRandom", json!({ "NumberOfBytes": bytes })).await.1, text);
    }
    let store = json!({ "NumberOfBytes": 1, "CustomKeyStoreId": "cks" });
    assert_eq!(world.refusal("GenerateRandom", store).await.0, "UnsupportedOperationException");
}
