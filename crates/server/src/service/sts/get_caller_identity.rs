//! GetCallerIdentity: whose credentials a request is signed with. Nobody can be denied it.

use serde_json::{Value, json};

use crate::service::Request;

pub(super) fn run(request: &Request) -> Value {
    let principal = &request.caller.principal;
    json!({ "UserId": principal.principal_id, "Account": principal.account, "Arn": principal.arn })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Caller, Principal, PrincipalKind};

    #[test]
    fn it_says_who_signed() {
        let principal = Principal {
            kind: PrincipalKind::User,
            account: "111122223333".into(),
            arn: "arn:aws:iam::111122223333:user/Alice".into(),
            principal_id: "AIDAEXAMPLE".into(),
            user_name: "Alice".into(),
            access_key_id: "AKIAEXAMPLE".into(),
        };
        let caller = Caller {
            principal: Arc::new(principal),
            region: "us-east-1".into(),
            source_ip: "127.0.0.1".into(),
            user_agent: "".into(),
            connection: 1,
        };
        let request = Request { caller, id: "id".into(), operation: "GetCallerIdentity", input: json!({}) };
        let identity = json!({
            "UserId": "AIDAEXAMPLE",
            "Account": "111122223333",
            "Arn": "arn:aws:iam::111122223333:user/Alice",
        });
        assert_eq!(run(&request), identity);
    }
}
