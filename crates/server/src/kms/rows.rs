//! How the key service's rows look in the system store; see `docs/formats/kms-records.md`.
//!
//! Row keys: `k`, one letter for the kind, then fields that each end with a zero
//! byte, so that all rows of an account, a region or a key lie together. No field
//! holds one: [`Place::new`] refuses regions that are none, and the rest is checked
//! against the service's patterns or made here.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strongroom_seal::secret::SecretKey;

use super::grant::Grant;
use super::key::{KeyMaterial, KeyRecord, Place, hex};
use crate::storage::StorageError;

/// Every row of the key service starts with this byte.
pub(super) const OWNER: u8 = b'k';

/// The first byte of every value: the format's version.
const VERSION: u8 = 1;

/// An alias's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The id of the key in the same place.
    pub target_key_id: Arc<str>,
    /// When the alias was made.
    pub created_millis: i64,
    /// When the alias was last pointed at a key.
    pub updated_millis: i64,
}

/// A row as it was read.
pub(super) enum Row {
    Key {
        place: Place,
        id: String,
        record: KeyRecord,
    },
    Material {
        place: Place,
        key_id: String,
        id: [u8; 32],
        created_millis: i64,
        secret: Option<SecretKey>,
    },
    /// Material whose key is destroyed, and whose object is to be deleted.
    Doomed {
        place: Place,
        material_id: [u8; 32],
    },
    Alias {
        place: Place,
        name: String,
        alias: Alias,
    },
    Grant {
        place: Place,
        grant: Grant,
    },
}

pub(super) fn key_row(place: &Place, key_id: &str) -> Vec<u8> {
    row_key(b'k', place, &[key_id.as_bytes()])
}

/// `number` counts a key's materials from 0 on, so that they are read oldest first.
pub(super) fn material_row(place: &Place, key_id: &str, number: usize) -> Vec<u8> {
    row_key(b'm', place, &[key_id.as_bytes(), format!("{number:08}").as_bytes()])
}

pub(super) fn doomed_row(place: &Place, material_id: &[u8; 32]) -> Vec<u8> {
    row_key(b'd', place, &[hex(material_id).as_bytes()])
}

pub(super) fn alias_row(place: &Place, name: &str) -> Vec<u8> {
    row_key(b'a', place, &[name.as_bytes()])
}

pub(super) fn grant_row(place: &Place, grant: &Grant) -> Vec<u8> {
    row_key(b'g', place, &[grant.key_id.as_bytes(), grant.id.as_bytes()])
}

/// A record's value: the version and then JSON.
pub(super) fn json_value(record: &impl Serialize) -> Vec<u8> {
    let mut value = vec![VERSION];
    serde_json::to_writer(&mut value, record).expect("records have string keys and no foreign serializers");
    value
}

/// The value of a material's row. The material itself is in an object of its own: see `materials`.
///
/// ```text
/// version (1) | created, milliseconds, big-endian (8) | material id (32)
/// ```
pub(super) fn material_value(material: &KeyMaterial) -> [u8; 41] {
    let mut value = [0; 41];
    value[0] = VERSION;
    value[1..9].copy_from_slice(&material.created_millis.to_be_bytes());
    value[9..].copy_from_slice(&material.id);
    value
}

/// The value of a doomed material's row.
pub(super) fn doomed_value(material_id: &[u8; 32]) -> [u8; 33] {
    let mut value = [VERSION; 33];
    value[1..].copy_from_slice(material_id);
    value
}

/// Reads a row back.
pub(super) fn parse(key: &[u8], value: &[u8]) -> Result<Row, StorageError> {
    parse_row(key, value)
        .ok_or_else(|| StorageError::Damaged("a row of the key service cannot be read".to_owned()))
}

fn parse_row(key: &[u8], value: &[u8]) -> Option<Row> {
    let [OWNER, kind, fields @ ..] = key else { return None };
    let fields = std::str::from_utf8(fields).ok()?;
    let fields: Vec<&str> = fields.strip_suffix('\0')?.split('\0').collect();
    let [account, region, fields @ ..] = fields.as_slice() else { return None };
    let place = Place { account: (*account).into(), region: (*region).into() };
    match (kind, fields) {
        (b'k', [id]) => Some(Row::Key { place, id: (*id).to_owned(), record: parse_json(value)? }),
        (b'm', [key_id, _number]) => {
            let [VERSION, value @ ..] = value else { return None };
            let (created, id) = value.split_first_chunk::<8>()?;
            let (id, created_millis) = (id.try_into().ok()?, i64::from_be_bytes(*created));
            Some(Row::Material { place, key_id: (*key_id).to_owned(), id, created_millis, secret: None })
        }
        (b'd', [_id]) => {
            let [VERSION, id @ ..] = value else { return None };
            Some(Row::Doomed { material_id: id.try_into().ok()?, place })
        }
        (b'a', [name]) => Some(Row::Alias { place, name: (*name).to_owned(), alias: parse_json(value)? }),
        (b'g', [_key_id, _grant_id]) => Some(Row::Grant { place, grant: parse_json(value)? }),
        _ => None,
    }
}

fn parse_json<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    let [VERSION, json @ ..] = value else { return None };
    serde_json::from_slice(json).ok()
}

fn row_key(kind: u8, place: &Place, fields: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![OWNER, kind];
    for field in [place.account.as_bytes(), place.region.as_bytes()].iter().chain(fields) {
        key.extend_from_slice(field);
        key.push(0);
    }
    key
}
