//! ListResourceTags, in the order of the tags' keys: so no tag is lost between two pages when another goes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::Call;
use super::paging::{PageSize, page};
use super::tags;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let key = call.key("KeyId", Aliases::Refused, "ListResourceTags")?;
    let entries: BTreeMap<_, _> =
        key.record.tags.iter().map(|tag| (tag.0.clone(), tags::shown(tag))).collect();
    page(call, "Tags", PageSize { usual: 50, max: 50 }, entries.into_iter())
}
