//! ScheduleKeyDeletion.

use serde_json::{Value, json};

use super::call::Call;
use super::metadata::epoch_seconds;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::key::KeyState;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let days = call.integer("PendingWindowInDays").unwrap_or(30);
    let bound = |text: &str| KmsError::constraint(&format!("'{days}'"), "pendingWindowInDays", text);
    if days < 7 {
        return Err(bound("Member must have value greater than or equal to 7"));
    }
    if days > 30 {
        return Err(bound("Member must have value less than or equal to 30"));
    }
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "ScheduleKeyDeletion")?;
    key.check_not_pending()?;
    let deletion_millis = call.kms.now_millis() + days * DAY_MILLIS;
    let changed = key.with(|record| {
        record.state = KeyState::PendingDeletion;
        record.deletion_millis = Some(deletion_millis);
    });
    let response_elements = json!({
        "keyId": key.arn,
        "keyState": KeyState::PendingDeletion.name(),
        "deletionDate": epoch_seconds(deletion_millis),
        "pendingWindowInDays": days,
    });
    call.commit(turn, vec![Change::Key(changed)], response_elements).await?;
    Ok(json!({
        "KeyId": key.arn,
        "KeyState": KeyState::PendingDeletion.name(),
        "DeletionDate": epoch_seconds(deletion_millis),
        "PendingWindowInDays": days,
    }))
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
