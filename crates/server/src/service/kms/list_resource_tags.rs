//! ListResourceTags, in the order the tags were set.

use serde_json::Value;

use super::call::Call;
use super::paging::{PageSize, page};
use super::tags;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let key = call.key("KeyId", Aliases::Refused, "ListResourceTags")?;
    let entries = key.record.tags.iter().enumerate();
    let entries = entries.map(|(number, tag)| (format!("{number:04}"), tags::shown(tag)));
    page(call, "Tags", PageSize { usual: 50, max: 50 }, entries)
}
