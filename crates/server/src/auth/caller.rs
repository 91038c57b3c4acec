//! Who sends a request, as far as authentication could tell.

use std::sync::Arc;

/// The authenticated sender of one request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is; shared by all requests of one credential.
    pub principal: Arc<Principal>,
    /// Region of the request's credential scope, such as `us-east-1`.
    pub region: Arc<str>,
    /// Address of the peer, without port.
    pub source_ip: Arc<str>,
    /// The `User-Agent` header, cut to 1,024 bytes; empty when absent.
    pub user_agent: Arc<str>,
    /// A number per connection, for the table-key cache scope `connection`.
    pub connection: u64,
}

/// An identity that owns a credential.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// What kind of identity it is.
    pub kind: PrincipalKind,
    /// Twelve digits.
    pub account: Arc<str>,
    /// `arn:aws:iam::...:root`, `...:user/NAME` or `arn:aws:sts::...:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// Unique id: the account for a root user, `AIDA...` for a user, `AROA...:SESSION` for a role session.
    pub principal_id: String,
    /// User name or role session name; empty for a root user.
    pub user_name: String,
    /// The access key the request was signed with; never secret.
    pub access_key_id: String,
}

/// The kinds of identity a credential can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// The account's root user.
    Root,
    /// An IAM user.
    User,
    /// A session of an IAM role.
    AssumedRole,
}
