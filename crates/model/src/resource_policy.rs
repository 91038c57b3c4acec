//! Resource-based policies: which documents the service takes, and the form it gives them back in.
//!
//! Sources: captures of the service of October 2026. Conditions and the names of actions are not judged.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::arn::is_account_id;

/// The longest document, in bytes as it is sent.
pub const POLICY_BYTES_MAX: usize = 20_480;

/// A document that the service takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    version: Option<String>,
    id: Option<String>,
    statements: Vec<Statement>,
}

/// Why a document is not taken; displays as the message of the service's `ValidationException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than [`POLICY_BYTES_MAX`].
    #[error("One or more parameter values were invalid: Maximum policy size of 20480 bytes exceeded")]
    TooLong,
    /// Not of the form of a policy.
    #[error("One or more parameter values were invalid: Invalid policy document: {0}")]
    Invalid(String),
    /// A principal that cannot be.
    #[error("One or more parameter values were invalid: Invalid principal in policy document.")]
    Principal,
    /// It allows something to everybody.
    #[error(
        "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure \
         least-privilege form of access"
    )]
    Unbounded,
}

/// One statement: its members in the service's order, each in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    members: Vec<(&'static str, Value)>,
}

const MEMBERS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl PolicyDocument {
    /// Reads and judges a document.
    pub fn parse(text: &str) -> Result<PolicyDocument, PolicyError> {
        let invalid = |text: &str| Err(PolicyError::Invalid(text.to_owned()));
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLong);
        }
        let document = match serde_json::from_str(text) {
            Ok(Value::Object(document)) => document,
            Ok(Value::Null) => return invalid("This text appears not to be a policy"),
            Ok(_) | Err(_) => return invalid("This policy contains invalid Json"),
        };
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) if statements.is_empty() => {
                return invalid("Could not parse the policy: Statement is empty!");
            }
            Some(Value::Array(statements)) => {
                statements.iter().map(Statement::parse).collect::<Result<Vec<_>, _>>()?
            }
            Some(statement @ Value::Object(_)) => vec![Statement::parse(statement)?],
            // The service tells where; its own parser's place, which is not known.
            _ => return invalid("Syntax error at position (1,3)"),
        };
        let mut ids: Vec<&str> = statements.iter().filter_map(Statement::id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("The Statement Ids in the policy are not unique");
        }
        if statements.iter().any(Statement::is_unbounded) {
            return Err(PolicyError::Unbounded);
        }
        // What the service says of another version is not known.
        match document.get("Version") {
            None => {}
            Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => {}
            Some(_) => return invalid("The policy version must be 2008-10-17 or 2012-10-17"),
        }
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(PolicyDocument { version: text("Version"), id: text("Id"), statements })
    }

    /// The document in the one form that all documents of the same meaning have.
    ///
    /// One without a version is not the same as one that names the version it is taken for.
    pub fn canonical(&self) -> String {
        self.write(self.version.as_deref())
    }

    /// The document as the service gives it back.
    pub fn shown(&self) -> String {
        self.write(Some(self.version.as_deref().unwrap_or(DEFAULT_VERSION)))
    }

    /// Whether it denies `action` to a principal of `account` with the ARN `principal`, whatever the conditions of
    /// other statements say. A statement with a condition counts as one that does not apply.
    pub fn denies(&self, action: &str, account: &str, principal: &str) -> bool {
        self.statements.iter().any(|statement| {
            statement.member("Effect") == Some(&Value::from("Deny"))
                && statement.member("Condition").is_none()
                && texts(statement.member("Action")).any(|pattern| matches_pattern(pattern, action))
                && statement.principals().any(|listed| {
                    listed == "*" || listed == principal || listed == format!("arn:aws:iam::{account}:root")
                })
        })
    }

    fn write(&self, version: Option<&str>) -> String {
        let mut out = String::from("{");
        for (name, text) in [("Version", version), ("Id", self.id.as_deref())] {
            if let Some(text) = text {
                let _ = write!(out, "\"{name}\":{},", Value::from(text));
            }
        }
        out.push_str("\"Statement\":[");
        for (index, statement) in self.statements.iter().enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            for (position, (name, value)) in statement.members.iter().enumerate() {
                let _ = write!(out, "{}\"{name}\":{value}", if position > 0 { "," } else { "" });
            }
            out.push('}');
        }
        out.push_str("]}");
        out
    }
}

impl Statement {
    fn parse(value: &Value) -> Result<Statement, PolicyError> {
        let missing = |name: &str| PolicyError::Invalid(format!("Missing required field {name}"));
        let syntax = || PolicyError::Invalid("Syntax error at position (1,3)".to_owned());
        let given = value.as_object().ok_or_else(syntax)?;
        if given.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(syntax());
        }
        for (name, instead) in [
            ("Effect", "Effect"),
            ("Principal", "NotPrincipal"),
            ("Action", "NotAction"),
            ("Resource", "NotResource"),
        ] {
            if !given.contains_key(name) && !given.contains_key(instead) {
                return Err(missing(name));
            }
        }
        let mut members = Vec::with_capacity(given.len());
        for name in MEMBERS {
            let Some(value) = given.get(name) else { continue };
            let canonical = match name {
                "Effect" => effect(value).ok_or_else(syntax)?,
                "Principal" | "NotPrincipal" => principal(value)?,
                "Action" | "NotAction" | "Resource" | "NotResource" => {
                    single(value.clone()).filter(is_texts).ok_or_else(syntax)?
                }
                _ => value.clone(),
            };
            members.push((name, canonical));
        }
        Ok(Statement { members })
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    fn id(&self) -> Option<&str> {
        self.member("Sid")?.as_str()
    }

    fn principals(&self) -> impl Iterator<Item = &str> {
        let principal = self.member("Principal");
        texts(principal).chain(
            principal
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .flat_map(|(_, listed)| texts(Some(listed))),
        )
    }

    fn is_unbounded(&self) -> bool {
        self.member("Effect") == Some(&Value::from("Allow"))
            && self.member("Condition").is_none()
            && self.principals().any(|principal| principal == "*")
    }
}

fn effect(value: &Value) -> Option<Value> {
    ["Allow", "Deny"]
        .into_iter()
        .find(|effect| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(effect)))
        .map(Value::from)
}

// `"*"`, or lists of principals by kind; an account is its root.
fn principal(value: &Value) -> Result<Value, PolicyError> {
    let kinds = match value {
        Value::String(text) if text == "*" => return Ok(value.clone()),
        Value::Object(kinds) => kinds,
        _ => return Err(PolicyError::Principal),
    };
    let mut canonical = Map::new();
    for (kind, listed) in kinds {
        let mut principals: Vec<String> = Vec::new();
        for text in texts(Some(listed)) {
            let full =
                if is_account_id(text) { format!("arn:aws:iam::{text}:root") } else { text.to_owned() };
            if !principals.contains(&full) {
                principals.push(full);
            }
        }
        let value = single(Value::from(principals)).filter(is_texts).ok_or(PolicyError::Principal)?;
        canonical.insert(kind.clone(), value);
    }
    Ok(Value::Object(canonical))
}

// A list of one is its element; none where a list is empty.
fn single(value: Value) -> Option<Value> {
    match value {
        Value::Array(mut elements) if elements.len() == 1 => elements.pop(),
        Value::Array(elements) if elements.is_empty() => None,
        value => Some(value),
    }
}

fn is_texts(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Array(elements) => elements.iter().all(Value::is_string),
        _ => false,
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let elements = match value {
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    elements.iter().filter_map(Value::as_str)
}

/// Whether an action or a resource is of a pattern, in which `*` stands for any letters and `?` for one. Case does not
/// matter.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where the last `*` was, and how far in the text it has been taken to reach.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut place) = (0, 0);
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((star_at, reached)) = star else { return false };
                star = Some((star_at, reached + 1));
                at = star_at + 1;
                place = reached + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

/// The version that a document without one is taken for.
const DEFAULT_VERSION: &str = "2008-10-17";
/// The versions of the policy language that there are.
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const PLAIN: &str = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"dynamodb:GetItem","Resource":"*"}]}"#;

    fn refusal(text: &str) -> String {
        PolicyDocument::parse(text).err().unwrap().to_string()
    }

    #[test]
    fn documents_of_one_meaning_have_one_form() {
        let pretty = r#" { "Statement" : { "Resource": ["*"], "Action": [ "dynamodb:GetItem" ], "Effect": "allow",
            "Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:root"]} } } "#;
        let document = PolicyDocument::parse(pretty).unwrap();
        assert_eq!(document.canonical(), PLAIN);
        assert_eq!(document, PolicyDocument::parse(PLAIN).unwrap());
        assert_eq!(document.shown(), PLAIN.replacen('{', r#"{"Version":"2008-10-17","#, 1));
        let versioned = PLAIN.replacen('{', r#"{"Version":"2012-10-17","#, 1);
        let document = PolicyDocument::parse(&versioned).unwrap();
        assert_eq!((document.canonical(), document.shown()), (versioned.clone(), versioned));
        let two = PLAIN.replace(r#""dynamodb:GetItem""#, r#"["dynamodb:GetItem","dynamodb:Query"]"#);
        assert_eq!(PolicyDocument::parse(&two).unwrap().canonical(), two);
    }

    #[test]
    fn what_is_no_policy_is_refused_in_the_services_words() {
        let invalid = |text: &str| format!("One or more parameter values were invalid: {text}");
        let document = |text: &str| invalid(&format!("Invalid policy document: {text}"));
        assert_eq!(refusal(&" ".repeat(20_481)), invalid("Maximum policy size of 20480 bytes exceeded"));
        for text in ["", "{not json", "[]", "1"] {
            assert_eq!(refusal(text), document("This policy contains invalid Json"));
        }
        assert_eq!(refusal("null"), document("This text appears not to be a policy"));
        assert_eq!(refusal("{}"), document("Syntax error at position (1,3)"));
        assert_eq!(
            refusal(r#"{"Statement":[]}"#),
            document("Could not parse the policy: Statement is empty!")
        );
        assert_eq!(refusal(r#"{"Statement":[{}]}"#), document("Missing required field Effect"));
        for version in [r#""2020-01-01""#, r#""""#, "5", "null"] {
            assert_eq!(
                refusal(&PLAIN.replacen('{', &format!(r#"{{"Version":{version},"#), 1)),
                document("The policy version must be 2008-10-17 or 2012-10-17")
            );
        }
        assert_eq!(
            refusal(&PLAIN.replace(r#","Resource":"*""#, "")),
            document("Missing required field Resource")
        );
        assert_eq!(
            refusal(
                r#"{"Statement":[{"Sid":"a","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"},
                {"Sid":"a","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#
            ),
            document("The Statement Ids in the policy are not unique")
        );
        assert_eq!(
            refusal(&PLAIN.replace(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, r#""111122223333""#)),
            invalid("Invalid principal in policy document.")
        );
        assert_eq!(
            refusal(&PLAIN.replace("arn:aws:iam::111122223333:root", "*")),
            "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to \
             ensure least-privilege form of access"
        );
    }

    #[test]
    fn what_is_denied_to_a_caller_is_found() {
        let deny = |principal: &str, action: &str| {
            let text = format!(
                r#"{{"Statement":{{"Effect":"Deny","Principal":{principal},"Action":"{action}","Resource":"*"}}}}"#
            );
            let document = PolicyDocument::parse(&text).unwrap();
            document.denies("dynamodb:PutResourcePolicy", "111122223333", "arn:aws:iam::111122223333:user/a")
        };
        for action in ["*", "dynamodb:*", "dynamodb:putresourcepolicy", "dynamodb:Put*Policy", "d*:*P*y"] {
            assert!(deny(r#""*""#, action), "{action}");
            assert!(deny(r#"{"AWS":"111122223333"}"#, action), "{action}");
            assert!(deny(r#"{"AWS":["x","arn:aws:iam::111122223333:user/a"]}"#, action), "{action}");
            assert!(!deny(r#"{"AWS":"444455556666"}"#, action), "{action}");
        }
        for action in ["dynamodb:Put", "dynamodb:PutItem", "dynamodb:*PolicyX", "s3:*"] {
            assert!(!deny(r#""*""#, action), "{action}");
        }
    }
}
