//! `Limit`, `Marker`, `Truncated`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;

/// How many entries an operation answers at once.
pub(super) struct PageSize {
    /// When the caller does not say.
    pub usual: usize,
    /// Never more than this, whatever the caller says.
    pub max: usize,
}

/// Cuts a page out of `entries`, which are sorted by their position (the first of each pair).
///
/// A marker holds the operation and the position of the last entry that was
/// sent; what is added or removed meanwhile shifts no other entry.
pub(super) fn page(
    call: &Call<'_>,
    member: &str,
    size: PageSize,
    entries: impl Iterator<Item = (String, Value)>,
) -> Result<Value, KmsError> {
    let limit = call.integer("Limit").map_or(size.usual, |limit| usize::try_from(limit).unwrap_or(1));
    let limit = limit.clamp(1, size.max);
    let after = call.string("Marker").map(|marker| position(call.operation(), marker)).transpose()?;
    let mut rest = entries.skip_while(|(at, _)| after.as_ref().is_some_and(|after| at <= after));
    let mut page = Vec::new();
    let mut last = String::new();
    for (at, entry) in rest.by_ref().take(limit) {
        last = at;
        page.push(entry);
    }
    let is_truncated = rest.next().is_some();
    let mut answer = json!({ member: page, "Truncated": is_truncated });
    if is_truncated {
        answer["NextMarker"] = json!(URL_SAFE_NO_PAD.encode(format!("{}\n{last}", call.operation())));
    }
    Ok(answer)
}

fn position(operation: &str, marker: &str) -> Result<String, KmsError> {
    let invalid = || KmsError::new("InvalidMarkerException", "Invalid marker");
    let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    let (of, at) = text.split_once('\n').ok_or_else(invalid)?;
    if of == operation { Ok(at.to_owned()) } else { Err(invalid()) }
}
