//! One run of a server, from its start to its end or the next crash, and how to call it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use strongroom_model::clock::Clock;
use strongroom_server::app::App;
use strongroom_server::auth::{Caller, Principal, PrincipalKind};
use strongroom_server::service::{Output, Request};
use strongroom_server::wire::{ApiError, Dispatch, Service};

use crate::clock::SimClock;
use crate::faulty_store::FaultyStore;
use crate::history::History;

/// A server that runs; clones are the same server.
#[derive(Clone)]
pub struct Server {
    /// The server's parts.
    pub app: App,
    /// What it lives on.
    pub store: FaultyStore,
    /// Its clock.
    pub clock: Arc<SimClock>,
    /// Where its story is written.
    pub history: History,
}

/// What a call came back with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The answer.
    Answer(Value),
    /// The caller's mistake, or a condition that did not hold: nothing was changed.
    Refused(ApiError),
    /// The server failed: nobody knows what was changed.
    Failed(ApiError),
    /// Nothing came back for ten virtual minutes.
    Hung,
}

impl Server {
    /// Calls `operation` as `actor`, and waits for what comes back.
    pub async fn call(&self, actor: u64, service: Service, operation: &'static str, input: Value) -> Reply {
        let request = Request {
            caller: caller(actor),
            id: "00000000-0000-4000-8000-000000000000".into(),
            operation,
            input: input.clone().into(),
            reached: Default::default(),
        };
        self.tell(format!("actor {actor} calls {operation} {input}"));
        let answered = tokio::time::timeout(HANG, self.app.call(service, request)).await;
        let reply = match answered {
            Ok(Ok(Output::Json(answer))) => Reply::Answer(answer),
            Ok(Ok(Output::Bytes(bytes))) => {
                Reply::Answer(serde_json::from_slice(&bytes).expect("an answer is a JSON document"))
            }
            Ok(Err(error)) if error.status < 500 => Reply::Refused(error),
            Ok(Err(error)) => Reply::Failed(error),
            Err(_) => Reply::Hung,
        };
        self.tell(match &reply {
            Reply::Answer(answer) => format!("actor {actor} is answered {answer}"),
            Reply::Refused(error) => format!("actor {actor} is refused: {}", error.code),
            Reply::Failed(error) => format!("actor {actor} hears of a failure: {}", error.code),
            Reply::Hung => format!("actor {actor} waits in vain"),
        });
        reply
    }

    /// Calls DynamoDB.
    pub async fn dynamodb(&self, actor: u64, operation: &'static str, input: Value) -> Reply {
        self.call(actor, Service::DynamoDb, operation, input).await
    }

    /// Calls KMS.
    pub async fn kms(&self, actor: u64, operation: &'static str, input: Value) -> Reply {
        self.call(actor, Service::Kms, operation, input).await
    }

    /// Writes a line with the time before it.
    pub fn tell(&self, text: String) {
        let millis = self.clock.now_millis() - crate::clock::WORLD_BEGINS_MILLIS;
        self.history.write(format!("{millis:>8} ms  {text}"));
    }
}

fn caller(actor: u64) -> Caller {
    Caller {
        principal: Arc::new(Principal {
            kind: PrincipalKind::Root,
            account: "000000000000".into(),
            arn: "arn:aws:iam::000000000000:root".into(),
            principal_id: "000000000000".into(),
            user_name: String::new(),
            access_key_id: format!("AKIASIM{actor:013}"),
        }),
        region: "us-east-1".into(),
        source_ip: "127.0.0.1".into(),
        user_agent: "sim".into(),
        connection: actor,
    }
}

/// Nothing that a server does takes this long, whatever its disk does.
pub const HANG: Duration = Duration::from_secs(600);
