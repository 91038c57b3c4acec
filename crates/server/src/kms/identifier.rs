//! From what a caller typed (id, ARN, alias name, alias ARN) to a key.

use std::sync::Arc;

use strongroom_model::arn::partition_of_region;

use super::authorize::{Requester, foreign_key_refused};
use super::error::KmsError;
use super::key::{Key, Place};
use super::service::Kms;

/// Whether an operation lets its caller name a key by an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// Ids, ARNs, alias names and alias ARNs.
    Allowed,
    /// Ids and key ARNs only.
    Refused,
}

/// What a key identifier says.
#[derive(Debug, PartialEq, Eq)]
pub enum Identifier<'a> {
    /// A key id of the caller's own place.
    Id(&'a str),
    /// An alias name, `alias/` included, of the caller's own place.
    Alias(&'a str),
}

impl Kms {
    /// The key that `identifier` names for `requester`, who may not reach into other accounts and regions.
    pub(crate) fn resolve(
        &self,
        requester: Requester<'_>,
        identifier: &str,
        aliases: Aliases,
    ) -> Result<Arc<Key>, KmsError> {
        let place = Place::of(requester.caller)?;
        match local_identifier(requester, &place, identifier, aliases)? {
            Identifier::Id(id) => {
                self.key(&place, id).ok_or_else(|| KmsError::key_missing(&place.key_arn(id)))
            }
            Identifier::Alias(name) => self.key_behind_alias(&place, name),
        }
    }

    /// The key that an alias points at.
    pub(crate) fn key_behind_alias(&self, place: &Place, name: &str) -> Result<Arc<Key>, KmsError> {
        let state = self.state();
        let alias = state.keys(place).and_then(|keys| keys.aliases.get(name));
        let key = alias.and_then(|alias| state.key(place, &alias.target_key_id, self.now_millis()));
        key.cloned().ok_or_else(|| KmsError::alias_missing(&place.alias_arn(name)))
    }
}

/// Reads an identifier and strips an ARN that points at `place` down to what it names there.
pub(crate) fn local_identifier<'a>(
    requester: Requester<'_>,
    place: &Place,
    identifier: &'a str,
    aliases: Aliases,
) -> Result<Identifier<'a>, KmsError> {
    let name = if identifier.starts_with("arn:") {
        let arn_invalid = || KmsError::new("InvalidArnException", format!("Invalid arn {identifier}"));
        let (region, account, resource) = split_arn(identifier).ok_or_else(arn_invalid)?;
        if region != &*place.region {
            return Err(KmsError::arn_elsewhere(region));
        }
        if account != &*place.account {
            return Err(foreign_key_refused(requester, identifier));
        }
        match resource.strip_prefix("key/") {
            Some(id) => id,
            None if resource.starts_with("alias/") => resource,
            None => return Err(arn_invalid()),
        }
    } else {
        identifier
    };
    let is_alias = name.starts_with("alias/");
    match aliases {
        Aliases::Allowed if is_alias => Ok(Identifier::Alias(name)),
        _ if is_key_id(name) => Ok(Identifier::Id(name)),
        _ => Err(KmsError::key_id_invalid(name)),
    }
}

/// Place and key id of a key ARN.
pub(crate) fn split_key_arn(arn: &str) -> Option<(Place, &str)> {
    let (region, account, resource) = split_arn(arn)?;
    let id = resource.strip_prefix("key/").filter(|id| is_key_id(id))?;
    Some((Place { account: account.into(), region: region.into() }, id))
}

/// Region, account and resource of an ARN of this service.
fn split_arn(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_ours = scheme == "arn" && partition == partition_of_region(region) && service == "kms";
    (is_ours && !region.is_empty()).then_some((region, account, resource))
}

/// Whether `text` is a UUID, or `mrk-` and 32 hexadecimal digits.
fn is_key_id(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("mrk-") {
        return digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_uuids() {
        assert!(is_key_id("1234abcd-12ab-34cd-56ef-1234567890ab"));
        assert!(is_key_id("mrk-1234abcd12ab34cd56ef1234567890ab"));
        for text in ["", "fake-key-id", "134f2428cec14b25a1ae9048164dba47", "mrk-fake-key-id", "alias/x"] {
            assert!(!is_key_id(text), "{text}");
        }
    }

    #[test]
    fn key_arns_split_into_place_and_id() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("arn:aws:kms:us-west-2:111122223333:key/{id}");
        let place = Place { account: "111122223333".into(), region: "us-west-2".into() };
        assert_eq!(split_key_arn(&arn), Some((place, id)));
        let elsewhere = arn.replace("arn:aws:", "arn:aws-cn:");
        for arn in ["", "arn:aws:kms", "arn:aws:s3:us-west-2:1:key/x", "arn:aws:kms:r:1:alias/x", &elsewhere]
        {
            assert_eq!(split_key_arn(arn), None, "{arn}");
        }
        let place = Place { account: "111122223333".into(), region: "cn-north-1".into() };
        assert_eq!(split_key_arn(&place.key_arn(id)), Some((place, id)));
    }
}
