//! GetCallerIdentity: whose credentials a request is signed with. Nobody can be denied it.

use serde_json::{Value, json};
use strongroom_model::shape::{Service, model};

use crate::service::Request;
use crate::wire::ApiError;

pub(super) fn run(request: &Request) -> Result<Value, ApiError> {
    // Ours: the service ignores parameters that it does not know, and with them what the caller meant.
    model(Service::Sts)
        .operation(request.operation)
        .expect("the operation is in the model")
        .validate(&request.input)
        .map_err(|error| ApiError::new(error.code(), error.message().to_owned()))?;
    let principal = &request.caller.principal;
    Ok(json!({ "UserId": principal.principal_id, "Account": principal.account, "Arn": principal.arn }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Caller, Principal, PrincipalKind};
    use crate::service::Reached;

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
        let operation = "GetCallerIdentity";
        let input = json!({}).into();
        let mut request = Request { caller, id: "id".into(), operation, input, reached: Reached::default() };
        let identity = json!({
            "UserId": "AIDAEXAMPLE",
            "Account": "111122223333",
            "Arn": "arn:aws:iam::111122223333:user/Alice",
        });
        assert_eq!(run(&request), Ok(identity));
        request.input = json!({"Foo": "1"}).into();
        let unknown = "unknown member `Foo` in a request to GetCallerIdentity";
        assert_eq!(run(&request), Err(ApiError::validation(unknown)));
    }
}
