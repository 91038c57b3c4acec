//! `SSESpecification` (R12).

use strongroom_model::document::Document;

use super::input;
use crate::wire::ApiError;

/// The key that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// The service-owned key.
    Service,
    /// `alias/aws/dynamodb`.
    Managed,
    /// The customer's: id, ARN, alias name or alias ARN.
    Customer(String),
}

impl KeyChoice {
    /// The key's name as the key service knows it; none for the service-owned key.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Service => None,
            Self::Managed => Some(MANAGED_ALIAS),
            Self::Customer(key) => Some(key),
        }
    }
}

/// The alias of the service-managed key.
pub const MANAGED_ALIAS: &str = "alias/aws/dynamodb";

/// Reads `SSESpecification`, with the service's checks in the service's order.
pub fn choice(specification: Option<&Document>) -> Result<KeyChoice, ApiError> {
    let Some(specification) = specification.filter(|value| !value.is_null()) else {
        return Ok(KeyChoice::Service);
    };
    let sse_type = input::text(specification, "SSEType");
    let key = input::text(specification, "KMSMasterKeyId");
    let invalid =
        |text: &str| Err(ApiError::validation(format!("One or more parameter values were invalid: {text}")));
    if input::flag(specification, "Enabled") != Some(true) {
        if sse_type.is_some() {
            return invalid("SSEType can not be specified if Enabled is false");
        }
        if key.is_some() {
            return invalid("KMSMasterKeyId can not be specified if Enabled is false");
        }
        return Ok(KeyChoice::Service);
    }
    if sse_type == Some("AES256") {
        return invalid("SSEType AES256 is not supported");
    }
    match key {
        Some(_) if sse_type.is_none() => invalid("SSEType KMS is required if KMSMasterKeyId is specified"),
        None | Some(MANAGED_ALIAS) => Ok(KeyChoice::Managed),
        Some(key) => Ok(KeyChoice::Customer(key.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(specification: Value) -> Result<KeyChoice, ApiError> {
        choice(Some(&specification.into()))
    }

    fn refusal(specification: Value) -> String {
        asked(specification).map_or_else(|error| error.message, |choice| format!("accepted {choice:?}"))
    }

    #[test]
    fn r12_absent_or_disabled_is_the_service_owned_key() {
        assert_eq!(choice(None), Ok(KeyChoice::Service));
        assert_eq!(asked(json!({"Enabled": false})), Ok(KeyChoice::Service));
        assert_eq!(asked(json!({})), Ok(KeyChoice::Service));
    }

    #[test]
    fn r12_enabled_without_a_key_is_the_managed_key() {
        assert_eq!(asked(json!({"Enabled": true})), Ok(KeyChoice::Managed));
        assert_eq!(asked(json!({"Enabled": true, "SSEType": "KMS"})), Ok(KeyChoice::Managed));
    }

    #[test]
    fn r12_a_named_key_is_the_customers() {
        let specification = json!({"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": "alias/mine"});
        assert_eq!(asked(specification), Ok(KeyChoice::Customer("alias/mine".to_owned())));
    }

    #[test]
    fn contradictions_are_refused_in_the_services_words() {
        let prefix = "One or more parameter values were invalid: ";
        for (specification, text) in [
            (json!({"Enabled": false, "SSEType": "KMS"}), "SSEType can not be specified if Enabled is false"),
            (
                json!({"Enabled": false, "KMSMasterKeyId": "k"}),
                "KMSMasterKeyId can not be specified if Enabled is false",
            ),
            (json!({"Enabled": true, "SSEType": "AES256"}), "SSEType AES256 is not supported"),
            (
                json!({"Enabled": true, "KMSMasterKeyId": "k"}),
                "SSEType KMS is required if KMSMasterKeyId is specified",
            ),
            (
                json!({"Enabled": true, "KMSMasterKeyId": MANAGED_ALIAS}),
                "SSEType KMS is required if KMSMasterKeyId is specified",
            ),
        ] {
            assert_eq!(refusal(specification), format!("{prefix}{text}"));
        }
    }
}
