//! Amazon Resource Names and the names inside them, each parsed once into its type.
//!
//! Requests may name a table by its name or its ARN, and a key by its id, its
//! ARN, an alias name or an alias ARN. Which account and region are allowed,
//! and what is answered where a name does not parse, is for the services to say.

use std::fmt;

/// A name or a text that is no ARN of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct InvalidName(&'static str);

/// The six parts of any ARN: `arn:partition:service:region:account:resource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: &'a str,
    /// Such as `dynamodb`.
    pub service: &'a str,
    /// Such as `us-east-1`; empty for global services.
    pub region: &'a str,
    /// Twelve digits; empty for resources of no account.
    pub account_id: &'a str,
    /// The rest, colons included.
    pub resource: &'a str,
}

/// A table's name: 3 to 255 of `a-z A-Z 0-9 _ - .`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(String);

/// `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableArn {
    /// The table's region.
    pub region: String,
    /// The account that owns it, twelve digits.
    pub account_id: String,
    /// Its name.
    pub table_name: TableName,
}

/// What a request gives as `TableName`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableReference {
    /// A name, in the caller's account and region.
    Name(TableName),
    /// An ARN.
    Arn(TableArn),
}

/// The id of a KMS key: a UUID, or `mrk-` and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

/// The name of a KMS alias, `alias/` included: 7 to 256 of `a-z A-Z 0-9 / _ -`
/// (and, in names the services made, `:`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

/// `arn:aws:kms:REGION:ACCOUNT:key/ID`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyArn {
    /// The key's region.
    pub region: String,
    /// The account that owns it, twelve digits.
    pub account_id: String,
    /// Its id.
    pub key_id: KeyId,
}

/// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasArn {
    /// The alias's region.
    pub region: String,
    /// The account that owns it, twelve digits.
    pub account_id: String,
    /// Its name, with `alias/`.
    pub alias_name: AliasName,
}

/// What a request gives as `KeyId`, or `SSESpecification` as `KMSMasterKeyId`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyReference {
    /// A key's id, in the caller's account and region.
    Id(KeyId),
    /// A key's ARN.
    Arn(KeyArn),
    /// An alias's name, in the caller's account and region.
    AliasName(AliasName),
    /// An alias's ARN.
    AliasArn(AliasArn),
}

/// An identity of IAM that requests can be signed by; always in partition `aws`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IamArn {
    /// `arn:aws:iam::ACCOUNT:root`
    Root {
        /// The account, twelve digits.
        account_id: String,
    },
    /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`
    User {
        /// The account, twelve digits.
        account_id: String,
        /// The path, from its first to its last slash; `/` for none.
        path: String,
        /// The user's name.
        name: String,
    },
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart. The account, where there is one, has twelve digits.
    pub fn parse(text: &'a str) -> Result<Arn<'a>, InvalidName> {
        const WANTED: InvalidName = InvalidName("an ARN");
        if text.len() > ARN_BYTES_MAX {
            return Err(WANTED);
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(WANTED);
        if next()? != "arn" {
            return Err(WANTED);
        }
        let arn = Arn {
            partition: next()?,
            service: next()?,
            region: next()?,
            account_id: next()?,
            resource: next()?,
        };
        let account_valid = arn.account_id.is_empty() || is_account_id(arn.account_id);
        let complete = !arn.service.is_empty() && !arn.resource.is_empty();
        if !account_valid || !complete || !is_partition(arn.partition) || !is_region(arn.region) {
            return Err(WANTED);
        }
        Ok(arn)
    }

    /// The resource without `prefix`, if the ARN belongs to `service` and has
    /// account and region.
    fn regional(&self, service: &str, prefix: &str) -> Option<&'a str> {
        let in_region = !self.region.is_empty() && !self.account_id.is_empty();
        let fits = self.service == service && in_region && self.partition == partition_of_region(self.region);
        self.resource.strip_prefix(prefix).filter(|_| fits)
    }
}

impl TableName {
    /// Checks a table's name.
    pub fn parse(text: &str) -> Result<TableName, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(TableName(text.to_owned()))
        } else {
            Err(InvalidName("a table name"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TableArn {
    /// Reads a table's ARN. One that names an index or stream of a table is none.
    pub fn parse(text: &str) -> Result<TableArn, InvalidName> {
        const WANTED: InvalidName = InvalidName("a table ARN");
        let arn = Arn::parse(text).map_err(|_| WANTED)?;
        let name = arn.regional("dynamodb", "table/").ok_or(WANTED)?;
        Ok(TableArn {
            region: arn.region.to_owned(),
            account_id: arn.account_id.to_owned(),
            table_name: TableName::parse(name).map_err(|_| WANTED)?,
        })
    }
}

impl TableReference {
    /// Reads a name or an ARN: what begins with `arn:` can only be the latter.
    pub fn parse(text: &str) -> Result<TableReference, InvalidName> {
        if text.starts_with("arn:") {
            TableArn::parse(text).map(TableReference::Arn)
        } else {
            TableName::parse(text).map(TableReference::Name)
        }
    }

    /// The table's name.
    pub fn table_name(&self) -> &TableName {
        match self {
            TableReference::Name(name) => name,
            TableReference::Arn(arn) => &arn.table_name,
        }
    }
}

impl KeyId {
    /// Checks a key's id. Hexadecimal digits are lower case.
    pub fn parse(text: &str) -> Result<KeyId, InvalidName> {
        let hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let valid = match text.strip_prefix("mrk-") {
            Some(digits) => digits.len() == 32 && hexadecimal(digits),
            None => text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hexadecimal),
        };
        if valid { Ok(KeyId(text.to_owned())) } else { Err(InvalidName("a key id")) }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AliasName {
    /// Checks an alias's name, which begins with `alias/`.
    pub fn parse(text: &str) -> Result<AliasName, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
        let named = text.strip_prefix("alias/").is_some_and(|rest| !rest.is_empty());
        if named && text.len() <= 256 && text.bytes().all(allowed) {
            Ok(AliasName(text.to_owned()))
        } else {
            Err(InvalidName("an alias name"))
        }
    }

    /// The name, with `alias/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only AWS services may make and use aliases of this name (`alias/aws/...`).
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }
}

impl KeyArn {
    /// Reads a key's ARN.
    pub fn parse(text: &str) -> Result<KeyArn, InvalidName> {
        const WANTED: InvalidName = InvalidName("a key ARN");
        let arn = Arn::parse(text).map_err(|_| WANTED)?;
        let id = arn.regional("kms", "key/").ok_or(WANTED)?;
        Ok(KeyArn {
            region: arn.region.to_owned(),
            account_id: arn.account_id.to_owned(),
            key_id: KeyId::parse(id).map_err(|_| WANTED)?,
        })
    }
}

impl AliasArn {
    /// Reads an alias's ARN.
    pub fn parse(text: &str) -> Result<AliasArn, InvalidName> {
        const WANTED: InvalidName = InvalidName("an alias ARN");
        let arn = Arn::parse(text).map_err(|_| WANTED)?;
        arn.regional("kms", "alias/").ok_or(WANTED)?;
        Ok(AliasArn {
            region: arn.region.to_owned(),
            account_id: arn.account_id.to_owned(),
            alias_name: AliasName::parse(arn.resource).map_err(|_| WANTED)?,
        })
    }
}

impl KeyReference {
    /// Reads any of the four ways to name a key.
    pub fn parse(text: &str) -> Result<KeyReference, InvalidName> {
        if text.starts_with("arn:") {
            KeyArn::parse(text)
                .map(KeyReference::Arn)
                .or_else(|_| AliasArn::parse(text).map(KeyReference::AliasArn))
        } else if text.starts_with("alias/") {
            AliasName::parse(text).map(KeyReference::AliasName)
        } else {
            KeyId::parse(text).map(KeyReference::Id)
        }
    }
}

impl IamArn {
    /// Reads the ARN of a root user or of a user.
    pub fn parse(text: &str) -> Result<IamArn, InvalidName> {
        const WANTED: InvalidName = InvalidName("an ARN of a root user or user");
        let arn = Arn::parse(text).map_err(|_| WANTED)?;
        let global = arn.partition == "aws" && arn.service == "iam" && arn.region.is_empty();
        if !global || arn.account_id.is_empty() {
            return Err(WANTED);
        }
        let account_id = arn.account_id.to_owned();
        if arn.resource == "root" {
            return Ok(IamArn::Root { account_id });
        }
        // The path begins with the slash after `user`.
        let rest = arn.resource.strip_prefix("user").ok_or(WANTED)?;
        let (path, name) = rest.split_at(rest.rfind('/').ok_or(WANTED)? + 1);
        let path_valid = path.starts_with('/')
            && path.len() <= 512
            && path.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        let name_valid = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
        if !path_valid || !name_valid {
            return Err(WANTED);
        }
        Ok(IamArn::User { account_id, path: path.to_owned(), name: name.to_owned() })
    }

    /// The account the identity belongs to.
    pub fn account_id(&self) -> &str {
        match self {
            IamArn::Root { account_id } | IamArn::User { account_id, .. } => account_id,
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for TableArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partition, region) = (partition_of_region(&self.region), &self.region);
        let (account_id, table_name) = (&self.account_id, &self.table_name);
        write!(formatter, "arn:{partition}:dynamodb:{region}:{account_id}:table/{table_name}")
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partition, region) = (partition_of_region(&self.region), &self.region);
        let (account_id, key_id) = (&self.account_id, &self.key_id);
        write!(formatter, "arn:{partition}:kms:{region}:{account_id}:key/{key_id}")
    }
}

impl fmt::Display for AliasArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partition, region) = (partition_of_region(&self.region), &self.region);
        let (account_id, alias_name) = (&self.account_id, &self.alias_name);
        write!(formatter, "arn:{partition}:kms:{region}:{account_id}:{alias_name}")
    }
}

impl fmt::Display for IamArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IamArn::Root { account_id } => write!(formatter, "arn:aws:iam::{account_id}:root"),
            IamArn::User { account_id, path, name } => {
                write!(formatter, "arn:aws:iam::{account_id}:user{path}{name}")
            }
        }
    }
}

/// The partition that a region belongs to.
pub fn partition_of_region(region: &str) -> &'static str {
    match region.split_once('-') {
        Some(("cn", _)) => "aws-cn",
        Some(("us", rest)) if rest.starts_with("gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Whether `text` is an account id: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| {
        rest.len() <= 16
            && (rest.is_empty() || rest.starts_with('-'))
            && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The longest ARN that any of the services takes.
const ARN_BYTES_MAX: usize = 2048;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
