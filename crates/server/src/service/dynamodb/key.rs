//! Primary keys of requests.

use strongroom_model::attribute::Item;
use strongroom_model::index::IndexKeyError;
use strongroom_model::key::{KeyError, KeySchema, item_key};

use crate::wire::ApiError;

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<IndexKeyError> for ApiError {
    fn from(error: IndexKeyError) -> Self {
        Self::validation(error.to_string())
    }
}

/// The stored key that a `Key` member names.
pub fn row_of_request(schema: &KeySchema, key: &Item) -> Result<Vec<u8>, ApiError> {
    Ok(item_key(&schema.key_of_request(key)?))
}

/// The stored key of an item.
pub fn row_of_item(schema: &KeySchema, item: &Item) -> Result<Vec<u8>, ApiError> {
    Ok(item_key(&schema.key_of_item(item)?))
}
