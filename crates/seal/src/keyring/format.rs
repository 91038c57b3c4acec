//! A keyring's bytes, as `docs/formats/keyring.md` lays them out.
//!
//! ```text
//! | magic SRKEYRNG | format | version | created | store id | key ARN | material id | wrapped | entries | sealed keys |
//! |<---------------------- the head, which is the context of the message ------------------------->|  to the end |
//! ```

use super::{
    DATA_KEYS_MAX, DataKeyEntry, Keyring, KeyringError, NAME_BYTES_MAX, WRAPPED_BYTES_MAX, WrappedTableKey,
};
use crate::data_keys::Structure;
use crate::object::{DataKeyId, StoreId};

const MAGIC: &[u8; 8] = b"SRKEYRNG";
const FORMAT: u8 = 1;

/// More bytes than any keyring has.
pub(super) const KEYRING_BYTES_MAX: u64 = 128 * 1024;

impl Keyring {
    /// The keyring's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.encode_head();
        bytes.extend_from_slice(&self.sealed_keys);
        bytes
    }

    /// Reads a keyring. Nothing in it is authentic before it was opened.
    ///
    /// `object` is the name that an error gives it.
    pub fn decode(object: &str, bytes: &[u8]) -> Result<Self, KeyringError> {
        let not_a_keyring = || KeyringError::NotAKeyring { object: object.to_owned() };
        let mut input = Input(bytes);
        if input.array::<8>().as_ref() != Some(MAGIC) {
            return Err(not_a_keyring());
        }
        match input.array() {
            Some([FORMAT]) => {}
            Some([format]) => return Err(KeyringError::Format { object: object.to_owned(), format }),
            None => return Err(not_a_keyring()),
        }
        input.keyring().ok_or_else(not_a_keyring)
    }

    /// All but the sealed keys.
    pub(super) fn encode_head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(256 + self.table_key.wrapped.len() + 25 * self.entries.len());
        head.extend_from_slice(MAGIC);
        head.push(FORMAT);
        head.extend_from_slice(&self.version.to_be_bytes());
        head.extend_from_slice(&self.created_millis.to_be_bytes());
        put(&mut head, self.store.as_str().as_bytes());
        put(&mut head, self.table_key.key_arn.as_bytes());
        put(&mut head, self.table_key.key_material_id.as_bytes());
        put(&mut head, &self.table_key.wrapped);
        head.extend_from_slice(&length(self.entries.len()));
        for entry in &self.entries {
            head.extend_from_slice(&entry.id.0);
            head.push(structure_code(entry.structure));
            head.extend_from_slice(&entry.created_millis.to_be_bytes());
        }
        head
    }
}

fn put(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&length(field.len()));
    out.extend_from_slice(field);
}

fn length(items: usize) -> [u8; 2] {
    u16::try_from(items).expect("a keyring's fields were measured when it was made").to_be_bytes()
}

fn structure_code(structure: Structure) -> u8 {
    match structure {
        Structure::WriteAheadLog => 1,
        Structure::SortedRuns => 2,
        Structure::Manifests => 3,
    }
}

fn structure(code: u8) -> Option<Structure> {
    Structure::ALL.into_iter().find(|structure| structure_code(*structure) == code)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn field(&mut self, bytes_max: usize) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (length <= bytes_max).then_some(field)
    }

    fn text(&mut self, bytes_max: usize) -> Option<&'a str> {
        std::str::from_utf8(self.field(bytes_max)?).ok()
    }

    fn entry(&mut self) -> Option<DataKeyEntry> {
        let id = DataKeyId(self.array()?);
        let [code] = self.array()?;
        Some(DataKeyEntry {
            id,
            structure: structure(code)?,
            created_millis: i64::from_be_bytes(self.array()?),
        })
    }

    fn keyring(mut self) -> Option<Keyring> {
        let version = u64::from_be_bytes(self.array()?);
        let created_millis = i64::from_be_bytes(self.array()?);
        let store = StoreId::new(self.text(StoreId::BYTES_MAX)?)?;
        let table_key = WrappedTableKey {
            key_arn: self.text(NAME_BYTES_MAX)?.to_owned(),
            key_material_id: self.text(NAME_BYTES_MAX)?.to_owned(),
            wrapped: self.field(WRAPPED_BYTES_MAX)?.to_vec(),
        };
        let count = usize::from(u16::from_be_bytes(self.array()?));
        if count > DATA_KEYS_MAX {
            return None;
        }
        let entries: Vec<DataKeyEntry> = (0..count).map(|_| self.entry()).collect::<Option<_>>()?;
        let complete = Structure::ALL.iter().all(|s| entries.iter().any(|entry| entry.structure == *s));
        let sealed_keys = self.0.to_vec();
        complete.then_some(Keyring { store, version, created_millis, table_key, entries, sealed_keys })
    }
}
