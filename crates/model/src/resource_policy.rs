//! Resource-based policies: which documents the service takes, and the form it gives them back in.
//!
//! Sources: captures of the service of October 2026, in which names of actions come before resources. What is made of
//! operators and keys of conditions that there are not is not known, so any are taken.

mod actions;
mod principals;
mod resources;

use std::fmt::Write as _;

use serde_json::{Map, Value};

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
        let invalid = |text: &str| Err(invalid(text));
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLong);
        }
        let document = match serde_json::from_str(text) {
            Ok(Value::Object(document)) => document,
            Ok(Value::Null) => return invalid("This text appears not to be a policy"),
            Ok(_) | Err(_) => return invalid("This policy contains invalid Json"),
        };
        let is_member = |(name, value): (&String, &Value)| match name.as_str() {
            "Version" | "Statement" => true,
            "Id" => value.is_string(),
            _ => false,
        };
        if !document.iter().all(is_member) {
            return Err(syntax());
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) if statements.is_empty() => {
                return invalid("Could not parse the policy: Statement is empty!");
            }
            Some(Value::Array(statements)) => {
                statements.iter().map(Statement::parse).collect::<Result<Vec<_>, _>>()?
            }
            Some(statement @ Value::Object(_)) => vec![Statement::parse(statement)?],
            _ => return Err(syntax()),
        };
        let mut ids: Vec<&str> = statements.iter().filter_map(Statement::id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("The Statement Ids in the policy are not unique");
        }
        let named = |members: [&'static str; 2]| statements.iter().flat_map(move |it| it.named(members));
        actions::check(named(["Action", "NotAction"]))?;
        resources::check(named(["Resource", "NotResource"]))?;
        for check in [principals::check_services, principals::check] {
            statements.iter().filter_map(Statement::principal).try_for_each(check)?;
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
            match (given.contains_key(name), given.contains_key(instead)) {
                (false, false) => return Err(invalid(&format!("Missing required field {name}"))),
                (true, true) if name != instead => return Err(syntax()),
                _ => {}
            }
        }
        let mut members = Vec::with_capacity(given.len());
        for name in MEMBERS {
            let Some(value) = given.get(name) else { continue };
            let canonical = match name {
                "Effect" => effect(value).ok_or_else(syntax)?,
                "Principal" | "NotPrincipal" => principals::canonical(value)?,
                "Action" | "NotAction" | "Resource" | "NotResource" => {
                    single(value.clone()).filter(is_texts).ok_or_else(syntax)?
                }
                "Condition" => condition(value).ok_or_else(syntax)?,
                _ => Some(value).filter(|it| it.is_string()).cloned().ok_or_else(syntax)?,
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

    fn principal(&self) -> Option<&Value> {
        self.member("Principal").or_else(|| self.member("NotPrincipal"))
    }

    // What either of two members lists.
    fn named(&self, members: [&'static str; 2]) -> impl Iterator<Item = &str> {
        members.into_iter().flat_map(|name| texts(self.member(name)))
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
            && self.member("Condition").and_then(Value::as_object).is_none_or(Map::is_empty)
            && self.principals().any(|principal| principal == "*")
    }
}

fn effect(value: &Value) -> Option<Value> {
    ["Allow", "Deny"]
        .into_iter()
        .find(|effect| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(effect)))
        .map(Value::from)
}

// Lists of values by key by operator; a list of one is its element.
fn condition(value: &Value) -> Option<Value> {
    let mut canonical = Map::new();
    for (operator, keys) in value.as_object()? {
        let mut by_key = Map::new();
        for (key, values) in keys.as_object()? {
            let listed = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
            if listed.iter().any(|value| value.is_array() || value.is_object() || value.is_null()) {
                return None;
            }
            by_key.insert(key.clone(), single(values.clone())?);
        }
        canonical.insert(operator.clone(), Value::Object(by_key));
    }
    Some(Value::Object(canonical))
}

fn invalid(text: &str) -> PolicyError {
    PolicyError::Invalid(text.to_owned())
}

// The service tells where; its own parser's place, which is not known.
fn syntax() -> PolicyError {
    invalid("Syntax error at position (1,3)")
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
        for text in [
            "{}",
            &PLAIN.replacen('{', r#"{"Foo":1,"#, 1),
            &PLAIN.replacen('{', r#"{"Id":1,"#, 1),
            &PLAIN.replace(r#""Effect""#, r#""Sid":1,"Effect""#),
            &PLAIN.replace(r#""Action""#, r#""NotAction":"dynamodb:Scan","Action""#),
        ] {
            assert_eq!(refusal(text), document("Syntax error at position (1,3)"), "{text}");
        }
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
        let of_principal = |principal: &str| {
            refusal(&PLAIN.replace(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, principal))
        };
        assert_eq!(of_principal(r#""111122223333""#), document("Syntax error at position (1,3)"));
        assert_eq!(of_principal(r#"{"AWS":"xyz"}"#), invalid("Invalid principal in policy document."));
        for resource in [r#""*""#, r#""*","Condition":{}"#] {
            assert_eq!(
                refusal(
                    &PLAIN
                        .replace("arn:aws:iam::111122223333:root", "*")
                        .replace(r#""*"}]"#, &format!("{resource}}}]"))
                ),
                "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to \
                 ensure least-privilege form of access"
            );
        }
    }

    #[test]
    fn statements_are_judged_by_actions_then_resources_then_principals() {
        let judged = |action: &str, resource: &str, principal: &str| {
            refusal(&format!(
                r#"{{"Statement":[{{"Effect":"Allow","NotPrincipal":{principal},"NotAction":"{action}",
                "NotResource":"{resource}"}}]}}"#
            ))
        };
        let invalid = |text: &str| format!("One or more parameter values were invalid: {text}");
        let stream = "arn:aws:dynamodb:us-east-1:000000000000:table/music/stream/*";
        let mixed = r#"{"AWS":"xyz","Service":"bedrock.amazonaws.com"}"#;
        assert_eq!(
            judged("dynamodb:ListStreams", stream, mixed),
            invalid(
                r#"Invalid policy document: The following action names are invalid: "dynamodb:ListStreams""#
            )
        );
        assert_eq!(
            judged("dynamodb:Scan", stream, mixed),
            invalid(&format!(
                r#"Invalid policy document: The relative-id "table/music/stream/*" is invalid for ARN "{stream}""#
            ))
        );
        assert_eq!(
            judged("dynamodb:Scan", "*", mixed),
            invalid("Invalid policy document: Policy contains invalid service principal")
        );
        assert_eq!(
            judged("dynamodb:Scan", "*", r#"{"AWS":"xyz"}"#),
            invalid("Invalid principal in policy document.")
        );
    }

    #[test]
    fn conditions_have_one_form_and_are_lists_by_key_by_operator() {
        let with = |condition: &str| {
            PLAIN.replace(r#""Resource":"*""#, &format!(r#""Resource":"*","Condition":{condition}"#))
        };
        let listed = with(r#"{"StringEquals":{"aws:PrincipalAccount":["111122223333"]},"Bool":{"a":true}}"#);
        let plain = with(r#"{"StringEquals":{"aws:PrincipalAccount":"111122223333"},"Bool":{"a":true}}"#);
        assert_eq!(PolicyDocument::parse(&listed).unwrap(), PolicyDocument::parse(&plain).unwrap());
        assert!(PolicyDocument::parse(&with(r#"{"Foo":{"k":["a",1]}}"#)).is_ok());
        for condition in ["7", "[]", r#"{"aws:a":"b"}"#, r#"{"Bool":{"a":null}}"#, r#"{"Bool":{"a":[[]]}}"#] {
            assert!(refusal(&with(condition)).contains("Syntax error at position"), "{condition}");
        }
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
        for action in
            ["*", "dynamodb:*", "dynamodb:putresourcepolicy", "dynamodb:Put*Policy", "dynamodb:*P*y"]
        {
            assert!(deny(r#""*""#, action), "{action}");
            assert!(deny(r#"{"AWS":"111122223333"}"#, action), "{action}");
            assert!(
                deny(r#"{"AWS":["444455556666","arn:aws:iam::111122223333:user/a"]}"#, action),
                "{action}"
            );
            assert!(!deny(r#"{"AWS":"444455556666"}"#, action), "{action}");
        }
        for action in ["dynamodb:Put?", "dynamodb:PutItem", "dynamodb:*PolicyX"] {
            assert!(!deny(r#""*""#, action), "{action}");
        }
    }
}
