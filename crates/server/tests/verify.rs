//! `strongroom verify` on data directories that a real server has written: whole, damaged, and incomplete.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    SseSpecification, SseType,
};
use rustix::process::{Pid, Signal, kill_process};

const BINARY: &str = env!("CARGO_BIN_EXE_strongroom");

/// A server of its own, on a directory of its own.
struct Server {
    child: Child,
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(BINARY)
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let url = url.expect("a server says when it is ready");
        let credentials = Credentials::new("alice", "anything", None, None, "test");
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::Config::builder()
                        .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                        .region($sdk::config::Region::new("us-east-1"))
                        .endpoint_url(&url)
                        .credentials_provider(credentials.clone())
                        .build(),
                )
            };
        }
        Self { child, dynamodb: client!(aws_sdk_dynamodb), kms: client!(aws_sdk_kms) }
    }

    fn end(mut self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap();
    }

    async fn new_key(&self) -> String {
        let made = self.kms.create_key().send().await.unwrap();
        made.key_metadata().unwrap().arn().unwrap().to_owned()
    }

    async fn new_table(&self, table: &str, key: Option<&str>, items: usize) {
        let protection = key.map(|key| {
            SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key).build()
        });
        let hash = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
        let attribute = AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        self.dynamodb
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(hash)
            .attribute_definitions(attribute)
            .set_sse_specification(protection)
            .send()
            .await
            .unwrap();
        for item in 0..items {
            let put = self.dynamodb.put_item().table_name(table);
            let put = put.item("pk", AttributeValue::S(item.to_string()));
            put.item("v", AttributeValue::S("x".repeat(5_000))).send().await.unwrap();
        }
    }
}

/// What verify said of a directory: its exit code, and everything it printed.
fn verify(data: &Path) -> (i32, String) {
    let done = Command::new(BINARY).arg("verify").arg("--data").arg(data).output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code().expect("verify ends by itself"), String::from_utf8(text).unwrap())
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    all
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The newest file of each folder that is named `kind`, `wal` for one.
fn newest<'a>(all: &'a BTreeMap<PathBuf, Vec<u8>>, kind: &str) -> Vec<&'a PathBuf> {
    let mut newest: BTreeMap<&Path, &PathBuf> = BTreeMap::new();
    for path in all.keys() {
        let folder = path.parent().unwrap();
        if folder.file_name().unwrap() == kind {
            newest.insert(folder, path);
        }
    }
    newest.into_values().collect()
}

/// A directory that a server has closed is well. Whatever is then changed in it is noticed, the
/// object named, and the looking itself changes nothing.
#[tokio::test]
async fn whatever_is_touched_is_noticed_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let key = server.new_key().await;
    server.new_table("orders", Some(&key), 8).await;
    server.new_table("visitors", None, 8).await;
    let (code, text) = verify(&data);
    assert!(code == 2 && text.contains("in use"), "{code}: {text}");
    server.end(Signal::TERM);

    let written = files(&data);
    let (code, text) = verify(&data);
    assert_eq!(code, 0, "{text}");
    for part in ["table orders ", "table visitors ", key.as_str(), "keyring version 1", "all is well"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }

    let mut damages: Vec<(&PathBuf, &str)> = Vec::new();
    for kind in ["wal", "manifest", "compacted", "keyring", "root"] {
        let paths = newest(&written, kind);
        assert!(!paths.is_empty(), "there is no {kind}");
        damages.extend(paths.into_iter().map(|path| (path, kind)));
    }
    for (path, kind) in damages {
        let mut bytes = written[path].clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, &bytes).unwrap();
        let (code, text) = verify(&data);
        // A root key that does not open may also be the wrong one: then nothing was checked.
        assert_eq!(code, if kind == "root" { 2 } else { 1 }, "{}: {text}", path.display());
        assert!(text.contains(name(path)), "{} is not named: {text}", path.display());
        fs::write(path, &written[path]).unwrap();
    }

    for path in newest(&written, "compacted") {
        fs::remove_file(path).unwrap();
        let (code, text) = verify(&data);
        assert!(code == 1 && text.contains(name(path)) && text.contains("missing"), "{code}: {text}");
        fs::write(path, &written[path]).unwrap();
    }

    // Two tables' objects change places; the system store, which sorts first, stays whole.
    let runs = newest(&written, "compacted");
    let [.., first, second] = runs.as_slice() else { panic!("each table has a sorted run") };
    let (first, second) = (*first, *second);
    fs::write(first, &written[second]).unwrap();
    fs::write(second, &written[first]).unwrap();
    let (code, text) = verify(&data);
    assert!(code == 1 && text.contains(name(first)) && text.contains(name(second)), "{code}: {text}");
    fs::write(first, &written[first]).unwrap();
    fs::write(second, &written[second]).unwrap();

    // What does not belong there does no harm, and is said.
    fs::write(data.join("store/system/holiday.jpg"), "not ours").unwrap();
    let (code, text) = verify(&data);
    assert!(code == 0 && text.contains("holiday.jpg"), "{code}: {text}");
    fs::remove_file(data.join("store/system/holiday.jpg")).unwrap();

    assert_eq!(verify(&data).0, 0);
    assert!(files(&data) == written, "verify changed the directory");
}

/// A server is killed with rows in its log alone, and one table's key is disabled: what can be
/// checked is, and a part of the log that somebody took away is missed.
#[tokio::test]
async fn a_gap_in_a_killed_servers_log_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let key = server.new_key().await;
    server.new_table("orders", Some(&key), 2).await;
    server.new_table("visitors", None, 6).await;
    server.end(Signal::KILL);
    let (code, text) = verify(&data);
    assert_eq!(code, 0, "{text}");

    let server = Server::start(&data);
    server.kms.disable_key().key_id(&key).send().await.unwrap();
    server.end(Signal::KILL);
    let (code, text) = verify(&data);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("not checked   key disabled"), "{text}");

    let all = files(&data);
    let largest = all
        .iter()
        .filter(|(path, _)| path.to_str().unwrap().contains("/wal/"))
        .filter(|(path, bytes)| {
            // One of `visitors`, which is not the last of its log.
            bytes.len() > 5_000 && !newest(&all, "wal").contains(path)
        })
        .map(|(path, _)| path);
    let mut noticed = 0;
    for path in largest {
        fs::remove_file(path).unwrap();
        let (code, text) = verify(&data);
        if code == 1 {
            assert!(text.contains(name(path)) && text.contains("missing"), "{text}");
            noticed += 1;
        }
        fs::write(path, &all[path]).unwrap();
    }
    assert!(noticed >= 5, "{noticed} of the log's objects were missed");
}

#[test]
fn what_is_no_data_directory_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = verify(&folder.path().join("none"));
    assert!(code == 2 && text.contains("there is no Strongroom data directory"), "{code}: {text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A CreateKey that was interrupted has made its material's object and no row; so it looks when the system store and its
/// anchor are put back as they were before. Whoever verifies learns of it, and of no other.
#[tokio::test]
async fn material_of_no_key_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let materials = data.join("store/system/materials");
    let server = Server::start(&data);
    server.new_key().await;
    server.end(Signal::TERM);
    let others = || files(&data.join("store")).into_iter().filter(|(path, _)| !path.starts_with(&materials));
    let before: BTreeMap<_, _> = others().collect();
    let server = Server::start(&data);
    server.new_key().await;
    server.end(Signal::TERM);
    let (code, text) = verify(&data);
    assert!(code == 0 && !text.contains("material"), "{code}: {text}");
    let stored: Vec<_> = files(&materials).into_keys().collect();
    others().for_each(|(path, _)| fs::remove_file(path).unwrap());
    before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let (code, text) = verify(&data);
    assert_eq!(code, 0, "{text}");
    let told = stored.iter().filter(|path| text.contains(name(path))).count();
    assert_eq!((told, text.matches("holds material of no key").count()), (1, 1), "{text}");
}
