//! A key service on an in-memory store with a clock that tests drive.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use object_store::memory::InMemory;
use serde_json::{Value, json};
use strongroom_model::clock::{Clock, Random};

use super::service::Kms;
use crate::audit::Audit;
use crate::auth::{Caller, Principal, PrincipalKind};
use crate::service::{Output, Request, cloudtrail};
use crate::storage::{BlockCache, Doors, SystemStore};
use crate::wire::ApiError;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance_millis(&self, by_millis: i64) {
        self.0.fetch_add(by_millis, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same bytes in every run.
#[derive(Debug)]
struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// One key service and what it stands on.
pub(crate) struct World {
    pub(crate) kms: Arc<Kms>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: SystemStore,
    random: Arc<TestRandom>,
    objects: Arc<InMemory>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_123)));
        let random = Arc::new(TestRandom(AtomicU64::new(1)));
        Self::open(clock, random, Arc::new(InMemory::new())).await
    }

    /// What a restarted server finds.
    pub(crate) async fn restarted(self) -> Self {
        self.store.close().await.unwrap();
        Self::open(self.clock, self.random, self.objects).await
    }

    async fn open(clock: Arc<TestClock>, random: Arc<TestRandom>, objects: Arc<InMemory>) -> Self {
        let cache = Arc::new(BlockCache::new(1 << 20));
        let store =
            SystemStore::open_over(Arc::clone(&objects) as _, cache, &Doors::default()).await.unwrap();
        let audit =
            Audit::open(store.clone(), Arc::clone(&clock) as _, Arc::clone(&random) as _).await.unwrap();
        let kms = Kms::open(store.clone(), audit, Arc::clone(&clock) as _, Arc::clone(&random) as _);
        Self { kms: kms.await.unwrap(), clock, store, random, objects }
    }

    /// A KMS call of the account's root user.
    pub(crate) async fn call(&self, operation: &'static str, input: Value) -> Result<Value, ApiError> {
        self.call_as(&root(), operation, input).await
    }

    pub(crate) async fn call_as(
        &self,
        caller: &Caller,
        operation: &'static str,
        input: Value,
    ) -> Result<Value, ApiError> {
        let request = request(caller, operation, input);
        crate::service::kms::dispatch(&self.kms, &request).await.map(value)
    }

    /// A call that must succeed.
    pub(crate) async fn ok(&self, operation: &'static str, input: Value) -> Value {
        self.call(operation, input).await.unwrap()
    }

    /// Code and message of a call that must fail.
    pub(crate) async fn refusal(&self, operation: &'static str, input: Value) -> (String, String) {
        let error = self.call(operation, input).await.unwrap_err();
        assert_eq!(error.status, 400);
        (error.code.into_owned(), error.message)
    }

    /// The ARN of a new key.
    pub(crate) async fn new_key(&self) -> String {
        let created = self.ok("CreateKey", json!({})).await;
        created["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn lookup(&self, input: Value) -> Result<Value, ApiError> {
        let request = request(&root(), "LookupEvents", input);
        cloudtrail::dispatch(self.kms.audit(), &request).await.map(value)
    }

    /// The documents of all events of the account and region, newest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        let mut token = Value::Null;
        loop {
            let page = self.lookup(json!({ "NextToken": token })).await.unwrap();
            let found = page["Events"].as_array().unwrap();
            let document = |event: &Value| event["CloudTrailEvent"].as_str().unwrap().to_owned();
            events.extend(found.iter().map(|event| serde_json::from_str(&document(event)).unwrap()));
            token = page["NextToken"].clone();
            if token.is_null() {
                return events;
            }
        }
    }

    /// The newest event of an operation.
    pub(crate) async fn event(&self, operation: &str) -> Value {
        let events = self.events().await;
        events.into_iter().find(|event| event["eventName"] == operation).unwrap()
    }
}

fn request(caller: &Caller, operation: &'static str, input: Value) -> Request {
    let id = "11cab293-11a6-11e8-8386-13160d3e5db5".into();
    let input = input.into();
    Request { caller: caller.clone(), id, operation, input, reached: Default::default() }
}

fn value(output: Output) -> Value {
    match output {
        Output::Json(value) => value,
        Output::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap(),
    }
}

pub(crate) fn root() -> Caller {
    caller(PrincipalKind::Root, ACCOUNT, REGION)
}

pub(crate) fn user() -> Caller {
    caller(PrincipalKind::User, ACCOUNT, REGION)
}

pub(crate) fn role() -> Caller {
    caller(PrincipalKind::AssumedRole, ACCOUNT, REGION)
}

pub(crate) fn caller(kind: PrincipalKind, account: &str, region: &str) -> Caller {
    let (arn, principal_id, user_name) = match kind {
        PrincipalKind::Root => (format!("arn:aws:iam::{account}:root"), account, ""),
        PrincipalKind::User => (format!("arn:aws:iam::{account}:user/Alice"), "AIDAALICE", "Alice"),
        PrincipalKind::AssumedRole => {
            (format!("arn:aws:sts::{account}:assumed-role/Admin/user01"), "AROAADMIN:user01", "user01")
        }
    };
    let principal = Principal {
        kind,
        account: account.into(),
        arn,
        principal_id: principal_id.into(),
        user_name: user_name.into(),
        access_key_id: format!("AKIA{kind:?}").to_uppercase(),
    };
    Caller {
        principal: Arc::new(principal),
        region: region.into(),
        source_ip: "192.0.2.7".into(),
        user_agent: "aws-cli/2".into(),
        connection: 1,
    }
}
