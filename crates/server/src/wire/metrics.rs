//! `GET /metrics`: figures in Prometheus's text format.
//!
//! They name keys, so outside `--dev` the request is signed like a call of KMS.

use crate::kms::KeyCalls;

pub(super) const PATH: &str = "/metrics";
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text that shows `calls`.
pub(super) fn text(calls: &[KeyCalls]) -> String {
    let mut text = String::from(
        "# HELP strongroom_kms_calls_total Calls that used a KMS key since the start, refused ones included.\n\
         # TYPE strongroom_kms_calls_total counter\n",
    );
    for KeyCalls { key_arn, operation, count } in calls {
        // Neither an ARN nor the name of an operation holds what would have to be escaped.
        text.push_str(&format!(
            "strongroom_kms_calls_total{{key_arn=\"{key_arn}\",operation=\"{operation}\"}} {count}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r51_a_line_for_each_key_and_operation() {
        let calls = [KeyCalls { key_arn: "arn:aws:kms:k".into(), operation: "Decrypt", count: 7 }];
        let text = text(&calls);
        assert!(text.ends_with("{key_arn=\"arn:aws:kms:k\",operation=\"Decrypt\"} 7\n"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
