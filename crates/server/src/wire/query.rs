//! The Query protocol of STS and IAM: a form in, XML out.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Map, Value};
use strongroom_model::shape::model;

use super::{ApiError, Service};

/// One call in Query form.
pub(super) struct Call {
    pub(super) service: Service,
    /// The operation; known to be one of the service's.
    pub(super) operation: &'static str,
    /// The parameters besides `Action` and `Version`, each a string under its own name.
    pub(super) input: Value,
}

/// Reads a form, be it a body or a query string. `None` when it names no action.
pub(super) fn parse(form: &str) -> Option<Result<Call, (Service, ApiError)>> {
    let (mut action, mut version, mut input) = (None, None, Map::new());
    for pair in form.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        match name.as_str() {
            "Action" => action = Some(value),
            "Version" => version = Some(value),
            _ if name.starts_with("X-Amz-") => {}
            _ => {
                input.insert(name, value.into());
            }
        }
    }
    let (action, version) = (action?, version.unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned()));
    let known = QUERY_SERVICES.into_iter().find(|service| model(*service).api_version() == version);
    let service = known.unwrap_or(Service::Sts);
    match known.and_then(|service| model(service).operation(&action)) {
        Some(operation) => {
            Some(Ok(Call { service, operation: operation.name(), input: Value::Object(input) }))
        }
        None => Some(Err((service, no_operation(&action, &version)))),
    }
}

/// The service of this protocol that has this name in credential scopes; STS where none has.
pub(super) fn service_signed_for(signing_name: &str) -> Service {
    QUERY_SERVICES.into_iter().find(|service| service.signing_name() == signing_name).unwrap_or(Service::Sts)
}

fn no_operation(action: &str, version: &str) -> ApiError {
    let message = format!("Could not find operation {action} for version {version}");
    ApiError::new("InvalidAction", message)
}

// Form encoding: `+` is a space, `%41` a byte; what is no UTF-8 is replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut ahead = rest.clone();
                let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
                if let (Some(high), Some(low)) = digits {
                    bytes.push(high << 4 | low);
                    rest = ahead;
                } else {
                    bytes.push(byte);
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// A success in XML: members become elements, list entries `member` elements.
pub(super) fn success(service: Service, operation: &str, request_id: &Arc<str>, output: &Value) -> Vec<u8> {
    let mut xml = format!("<{operation}Response xmlns=\"{}\">\n", xml_namespace(service));
    let wrapper = model(service).operation(operation).and_then(|found| found.result_wrapper());
    if let Some(wrapper) = wrapper {
        xml.push_str(&format!("  <{wrapper}>\n"));
        write_members(&mut xml, output);
        xml.push_str(&format!("  </{wrapper}>\n"));
    }
    xml.push_str(&format!(
        "  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n"
    ));
    xml.push_str(&format!("</{operation}Response>\n"));
    xml.into_bytes()
}

/// An error in XML, with the codes and statuses of the Query protocol.
pub(super) fn error(
    service: Service,
    operation: &str,
    request_id: &Arc<str>,
    error: &ApiError,
) -> (StatusCode, Vec<u8>) {
    if error.code == "UnknownOperationException" {
        let absent = no_operation(operation, model(service).api_version());
        return self::error(service, operation, request_id, &absent);
    }
    let (code, status) = match error.code.as_ref() {
        "AccessDeniedException" => ("AccessDenied", 403),
        "ExpiredTokenException" => ("ExpiredToken", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        "SerializationException" => ("MalformedInput", 400),
        "ThrottlingException" => ("Throttling", 400),
        "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
        "ValidationException" => ("ValidationError", 400),
        other => (other, error.status),
    };
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let mut xml = format!("<ErrorResponse xmlns=\"{}\">\n  <Error>\n", xml_namespace(service));
    xml.push_str(&format!("    <Type>{fault}</Type>\n    <Code>{code}</Code>\n    <Message>"));
    escape(&mut xml, &error.message);
    xml.push_str("</Message>\n  </Error>\n");
    xml.push_str(&format!("  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, xml.into_bytes())
}

fn xml_namespace(service: Service) -> &'static str {
    model(service).xml_namespace().unwrap_or_default()
}

fn write_members(xml: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                write_element(xml, name, value);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                write_element(xml, "member", entry);
            }
        }
        Value::String(text) => escape(xml, text),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => xml.push_str(&value.to_string()),
    }
}

fn write_element(xml: &mut String, name: &str, value: &Value) {
    xml.push_str(&format!("<{name}>"));
    write_members(xml, value);
    xml.push_str(&format!("</{name}>\n"));
}

fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // XML 1.0 cannot express most control characters, not even escaped.
            '\t' | '\n' | '\r' => xml.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(character),
        }
    }
}

const QUERY_SERVICES: [Service; 2] = [Service::Sts, Service::Iam];
const PARAMETERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_names_service_and_operation() {
        let call = parse("Action=GetCallerIdentity&Version=2011-06-15&Name=a+b%2Fc%zz").unwrap();
        let Ok(call) = call else { panic!("the operation is known") };
        assert_eq!((call.service, call.operation), (Service::Sts, "GetCallerIdentity"));
        assert_eq!(call.input, json!({"Name": "a b/c%zz"}));
        assert!(parse("Version=2011-06-15").is_none());
    }

    #[test]
    fn an_unknown_action_is_named_in_the_error() {
        let Some(Err((service, refused))) = parse("Action=Fly&Version=2010-05-08") else {
            panic!("the operation is not there");
        };
        assert_eq!(service, Service::Iam);
        assert_eq!(refused.message, "Could not find operation Fly for version 2010-05-08");
        let Some(Err((_, refused))) = parse("Action=GetCallerIdentity") else {
            panic!("no version was named");
        };
        assert_eq!(
            refused.message,
            "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"
        );
        let unknown = ApiError::new("UnknownOperationException", "");
        let (status, xml) = error(Service::Sts, "AssumeRole", &Arc::from("id"), &unknown);
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let xml = String::from_utf8(xml).unwrap();
        assert!(xml.contains("<Code>InvalidAction</Code>"), "{xml}");
        assert!(xml.contains("find operation AssumeRole for version 2011-06-15"), "{xml}");
    }

    #[test]
    fn answers_are_the_xml_that_clients_parse() {
        let output = json!({"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root"});
        let xml = success(Service::Sts, "GetCallerIdentity", &Arc::from("id"), &output);
        let expected = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">
  <GetCallerIdentityResult>
<Account>000000000000</Account>
<Arn>arn:aws:iam::000000000000:root</Arn>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>id</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
";
        assert_eq!(String::from_utf8(xml).unwrap(), expected);
    }

    /// A caller's text must not become markup.
    #[test]
    fn error_texts_are_escaped() {
        let refused = ApiError::new("UnrecognizedClientException", "a <b> & \"c\" \u{0}");
        let (status, xml) = error(Service::Sts, "GetCallerIdentity", &Arc::from("id"), &refused);
        assert_eq!(status, StatusCode::FORBIDDEN);
        let xml = String::from_utf8(xml).unwrap();
        assert!(xml.contains("<Code>InvalidClientTokenId</Code>"), "{xml}");
        assert!(xml.contains("<Message>a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}</Message>"), "{xml}");
    }
}
