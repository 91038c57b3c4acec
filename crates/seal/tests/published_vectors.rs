//! Others' test vectors: Wycheproof's for the primitives, and C2SP's own for chunked encryption
//! (github.com/C2SP/wycheproof, Apache-2.0; its `doc/c2sp_chunked_encryption.md` says how to apply them).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;

use strongroom_model::clock::Random;
use strongroom_seal::chunked::{self, ChunkSpan, ChunkedError, Opener};
use strongroom_seal::primitive::{Aes256Gcm, HmacSha256, hex, hmac_sha256, kdf, sha256};
use strongroom_seal::secret::SecretKey;
use wycheproof::TestResult;

#[test]
fn aes_256_gcm_agrees_with_wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let ours = |group: &&wycheproof::aead::TestGroup| {
        (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128)
    };
    let mut seen = 0;
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = Aes256Gcm::new(test.key.as_ref().try_into().unwrap());
        let nonce: [u8; 12] = test.nonce.as_ref().try_into().unwrap();
        let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
        let mut plain = vec![0xAA; test.ct.len()];
        let opened = key.open(nonce, &test.aad, &sealed, &mut plain);
        assert_eq!(opened, test.result == TestResult::Valid, "case {}", test.tc_id);
        if opened {
            assert_eq!(plain, test.pt.as_ref(), "case {}", test.tc_id);
            let mut sealed_again = vec![0; sealed.len()];
            key.seal(nonce, &test.aad, &plain, &mut sealed_again);
            assert_eq!(sealed_again, sealed, "case {}", test.tc_id);
        } else {
            assert!(plain.iter().all(|byte| *byte == 0), "case {} leaves nothing behind", test.tc_id);
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen} cases");
}

#[test]
fn hkdf_sha256_agrees_with_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut out = vec![0; test.size];
        let fits = kdf::hkdf_sha256(&test.salt, &test.ikm, &test.info, &mut out);
        assert_eq!(fits, test.result == TestResult::Valid, "case {}", test.tc_id);
        if fits {
            assert_eq!(out, test.okm.as_ref(), "case {}", test.tc_id);
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen} cases");
}

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut seen = 0;
    for group in set.test_groups.iter().filter(|group| group.tag_size == 256) {
        for test in &group.tests {
            let valid = test.result == TestResult::Valid;
            let prepared = HmacSha256::new(&test.key);
            assert_eq!(prepared.verify(&test.msg, &test.tag), valid, "case {}", test.tc_id);
            assert_eq!(prepared.sign(&test.msg) == test.tag.as_ref(), valid, "case {}", test.tc_id);
            assert_eq!(hmac_sha256(&test.key, &test.msg), prepared.sign(&test.msg));
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} cases");
}

// FIPS 180-2, appendix B, and the empty message.
#[test]
fn sha256_agrees_with_its_standard() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hex::encode(&sha256(b"abc")), abc);
    assert_eq!(hex::encode(&sha256(b"")), empty);
    let mut parts = strongroom_seal::primitive::Sha256::new();
    parts.update(b"a");
    parts.update(b"bc");
    assert_eq!(hex::encode(&parts.finish()), abc);
}

#[test]
fn chunked_encryption_agrees_with_its_authors() {
    let text = include_str!("vectors/c2sp_chunked_encryption_aes_256_gcm_test.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    let tests = file["testGroups"][0]["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 35);
    for test in tests {
        let case = format!("case {}: {}", test["tcId"], test["comment"]);
        let valid = test["result"] == "valid";
        let flag = |name: &str| test["flags"].as_array().unwrap().iter().any(|flag| flag == name);
        let Some(key) = SecretKey::from_slice(&mut bytes(&test["key"])) else {
            assert!(flag("InvalidKeySize"), "{case}");
            continue;
        };
        let context = bytes(&test["ctx"]);
        let sealed = inflated(&bytes(&test["ct"]));

        let opened = chunked::open(&key, &[&context], &sealed);
        assert_eq!(opened.is_ok(), valid, "{case}: {:?}", opened.as_ref().err());
        let by_chunk = open_chunk_by_chunk(&key, &context, &sealed);
        assert_eq!(by_chunk.is_ok(), valid, "{case}: {:?}", by_chunk.as_ref().err());
        if ["WrongKey", "WrongContext"].into_iter().any(flag) {
            assert_eq!(opened.as_ref().err(), Some(&ChunkedError::Commitment), "{case}");
        }

        if let Ok(plain) = opened {
            assert_eq!(plain.len() as u64, test["msgLength"].as_u64().unwrap(), "{case}");
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &plain);
            assert_eq!(digest.as_ref(), bytes(&test["msgSha512"]), "{case}");
            assert_eq!(by_chunk.unwrap(), *plain, "{case}");
            let salt = Salt(sealed[..24].try_into().unwrap());
            assert!(chunked::seal(&key, &[&context], &plain, &salt) == sealed, "{case}: sealed again");
        }
    }
}

// Random access: the last chunk first, as whoever wants to know the length must, then each of them.
fn open_chunk_by_chunk(key: &SecretKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ChunkedError> {
    let plain_bytes = chunked::plain_bytes(sealed.len() as u64).ok_or(ChunkedError::Length)?;
    let prefix = sealed.first_chunk().ok_or(ChunkedError::Length)?;
    let opener = Opener::new(key, &[context], prefix)?;
    let part = |range: std::ops::Range<u64>| {
        let span = ChunkSpan::of(range, plain_bytes);
        let chunks = &sealed[span.sealed.start as usize..span.sealed.end as usize];
        Ok(opener.open_chunks(span.first, chunks)?[span.wanted].to_vec())
    };
    part(plain_bytes..plain_bytes)?;
    let mut plain = Vec::new();
    for start in (0..plain_bytes).step_by(chunked::CHUNK_BYTES) {
        plain.extend(part(start..plain_bytes.min(start + chunked::CHUNK_BYTES as u64))?);
    }
    Ok(plain)
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn inflated(zlib: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(zlib).read_to_end(&mut out).unwrap();
    out
}

#[derive(Debug)]
struct Salt([u8; 24]);

impl Random for Salt {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}
