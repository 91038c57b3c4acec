//! Operations and shapes, with every reference between them resolved to an index.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::Regex;

use super::deviations::OwnCheck;
use super::service::Service;

/// The trimmed model of one service.
#[derive(Debug)]
pub struct Model {
    pub(super) service: Service,
    pub(super) service_id: &'static str,
    pub(super) api_version: &'static str,
    pub(super) protocol: Protocol,
    pub(super) target_prefix: Option<&'static str>,
    pub(super) xml_namespace: Option<&'static str>,
    /// Sorted by name.
    pub(super) operations: Vec<Operation>,
    /// Sorted by name as far as they come from the data; a [`ShapeId`] is an index.
    pub(super) shapes: Vec<Shape>,
}

/// How requests and responses of a service are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `application/x-amz-json-<version>`.
    Json {
        /// `1.0` or `1.1`.
        version: &'static str,
    },
    /// Form parameters in, XML out.
    Query,
}

impl Model {
    /// The service this is the model of.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The service's id, such as `DynamoDB Streams`.
    pub fn service_id(&self) -> &'static str {
        self.service_id
    }

    /// The date that names this version of the API, such as `2012-08-10`.
    pub fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// JSON with its version, or Query.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `1.0` or `1.1` for a JSON service.
    pub fn json_version(&self) -> Option<&'static str> {
        match self.protocol {
            Protocol::Json { version } => Some(version),
            Protocol::Query => None,
        }
    }

    /// What stands before the operation in `X-Amz-Target`, for a JSON service.
    pub fn target_prefix(&self) -> Option<&'static str> {
        self.target_prefix
    }

    /// The namespace of the XML that a Query service answers with.
    pub fn xml_namespace(&self) -> Option<&'static str> {
        self.xml_namespace
    }

    /// The operation of this exact name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let found = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        Some(&self.operations[found])
    }

    /// Every operation, sorted by name.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The shape behind a reference of this model.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.index()]
    }
}

/// One API action as published.
#[derive(Debug)]
pub struct Operation {
    pub(super) service: Service,
    pub(super) name: &'static str,
    pub(super) input: Option<ShapeId>,
    pub(super) output: Option<ShapeId>,
    pub(super) result_wrapper: Option<&'static str>,
    pub(super) errors: Vec<ShapeId>,
    pub(super) idempotent: bool,
    /// Checks that the service makes beside those of its model.
    pub(super) own_checks: Vec<&'static OwnCheck>,
}

impl Operation {
    /// The action's name, such as `PutItem`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The service that offers it.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The structure that a request carries; nothing for the few that take none.
    pub fn input(&self) -> Option<ShapeId> {
        self.input
    }

    /// The structure that an answer carries.
    pub fn output(&self) -> Option<ShapeId> {
        self.output
    }

    /// The element that wraps a Query service's output, such as `GetCallerIdentityResult`.
    pub fn result_wrapper(&self) -> Option<&'static str> {
        self.result_wrapper
    }

    /// The errors that the model names for this action, sorted by shape name.
    pub fn errors(&self) -> &[ShapeId] {
        &self.errors
    }

    /// Whether the model marks the action as idempotent.
    pub fn idempotent(&self) -> bool {
        self.idempotent
    }
}

/// A reference to a [`Shape`] of the same [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(pub(super) u16);

impl ShapeId {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A type of a service's API with its constraints.
#[derive(Debug)]
pub struct Shape {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) limits: Limits,
    /// Never echoed in an error text.
    pub(super) sensitive: bool,
    /// For an error: HTTP status and, where it differs from the shape's name, its code.
    pub(super) error: Option<(u16, &'static str)>,
}

impl Shape {
    /// The shape's name in the model.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What kind of value it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether values are secret, such as a key's plaintext.
    pub fn sensitive(&self) -> bool {
        self.sensitive
    }

    /// For an error shape: its HTTP status and code.
    pub fn error(&self) -> Option<(u16, &'static str)> {
        self.error
    }
}

/// The kinds of values.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure(Structure),
    /// Values of one shape, in order.
    List(ShapeId),
    /// String keys with values of one shape.
    Map {
        /// Shape of the keys.
        key: ShapeId,
        /// Shape of the values.
        value: ShapeId,
    },
    /// Text, possibly of a fixed set.
    String,
    /// Bytes, in JSON as base64.
    Blob,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Long,
    /// A floating-point number of 32 bits.
    Float,
    /// A floating-point number of 64 bits.
    Double,
    /// A point in time, in JSON as seconds since 1970.
    Timestamp,
    /// A value that only has to be a JSON object here; see the module's text.
    AttributeValue,
}

/// The members of a structure.
#[derive(Debug)]
pub struct Structure {
    /// Sorted by name. At most 64, so that a set of members is one word.
    pub(super) members: Vec<Member>,
    /// Bit `n` is set when `members[n]` is required.
    pub(super) required: u64,
    /// Indices into `members` in the order of the published model.
    pub(super) published_order: Vec<u8>,
    /// Indices into `members` in the order in which the service reports them.
    pub(super) report_order: Vec<u8>,
    /// A member that error texts show and callers cannot send.
    pub(super) hidden_member: Option<&'static str>,
    /// The members that an error text shows as one hash, in the order of hashing; else all are spelt out.
    pub(super) hashed: Option<&'static [&'static str]>,
}

impl Structure {
    /// The members, sorted by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this exact name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.position(name).map(|found| &self.members[found])
    }

    /// The members in the order of the published model.
    pub fn published_members(&self) -> impl Iterator<Item = &Member> {
        self.published_order.iter().map(|&index| &self.members[usize::from(index)])
    }

    /// The members in the order in which the service reports what is wrong with them.
    pub(super) fn reported_members(&self) -> impl Iterator<Item = &Member> {
        self.report_order.iter().map(|&index| &self.members[usize::from(index)])
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.members.binary_search_by(|member| member.name.cmp(name)).ok()
    }
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    pub(super) name: &'static str,
    pub(super) shape: ShapeId,
    pub(super) required: bool,
    /// A member whose presence makes this one optional.
    pub(super) required_unless: Option<&'static str>,
    pub(super) location_name: Option<&'static str>,
    pub(super) idempotency_token: bool,
}

impl Member {
    /// The member's name in a request or an answer.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its shape.
    pub fn shape(&self) -> ShapeId {
        self.shape
    }

    /// Whether a request must carry it.
    pub fn required(&self) -> bool {
        self.required
    }

    /// Another name on the wire, where it has one.
    pub fn location_name(&self) -> Option<&'static str> {
        self.location_name
    }

    /// Whether SDKs fill it with a token of their own.
    pub fn idempotency_token(&self) -> bool {
        self.idempotency_token
    }
}

/// The constraints of a shape, all of them optional.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Least length or value.
    pub(super) min: Option<Bound>,
    /// Greatest length or value.
    pub(super) max: Option<Bound>,
    pub(super) pattern: Option<Pattern>,
    /// In the model's order; empty when any text will do.
    pub(super) values: Vec<&'static str>,
    /// The order in which an error text shows `values`, where the usual rule does not give it.
    pub(super) values_shown: Option<&'static [&'static str]>,
    /// For a text that is a name or an ARN: the shape that it must satisfy unless it is an ARN.
    pub(super) name: Option<ShapeId>,
    /// Whether the length is reported before the pattern rather than after it.
    pub(super) length_first: bool,
    /// What is said of a value that does not satisfy this, in a request that has all it needs.
    pub(super) refused_as: Option<&'static str>,
    /// For a map: whether an error text shows it as the JSON that was sent.
    pub(super) shown_as_json: bool,
    /// For a map: whether a bad key is reported only where nothing outside of the map is wrong.
    pub(super) keys_last: bool,
}

impl Limits {
    pub(super) fn is_empty(&self) -> bool {
        self.min.is_none() && self.max.is_none() && self.pattern.is_none() && self.values.is_empty()
    }
}

/// A least or greatest length or value, as the model writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Whole(i64),
    Decimal(f64),
}

/// A regular expression that must match the whole text.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As published; error texts quote it.
    pub(super) text: Cow<'static, str>,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    pub(super) fn new(text: Cow<'static, str>) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// Compiled at the first use, because a server starts faster without.
    pub(super) fn matches(&self, value: &str) -> bool {
        let regex = self.compiled.get_or_init(|| {
            Regex::new(&format!("^(?:{})$", super::text::rust_pattern(&self.text)))
                .expect("a test compiles the pattern of every shape")
        });
        regex.is_match(value)
    }
}
