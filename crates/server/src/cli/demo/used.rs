//! The trail in lines: who used the key, for which table, and when.

/// One line of the trail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    time: String,
    /// The call.
    pub(super) name: String,
    /// Who made it, and through which service.
    pub(super) who: String,
    /// The table it was made for; empty where it was for none.
    pub(super) table: String,
}

impl Used {
    /// What an event's document says; none where it is no document.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let event: serde_json::Value = serde_json::from_str(document).ok()?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let identity = &event["userIdentity"];
        let who = match (identity["userName"].as_str(), identity["invokedBy"].as_str()) {
            (Some(user), Some(service)) => format!("{user} through {service}"),
            (Some(user), None) => user.to_owned(),
            (None, Some(service)) => service.to_owned(),
            (None, None) => text(&identity["arn"]),
        };
        let parameters = &event["requestParameters"];
        let in_context = |context: &serde_json::Value| text(&context["aws:dynamodb:tableName"]);
        let mut table = in_context(&parameters["encryptionContext"]);
        if table.is_empty() {
            table = in_context(&parameters["constraints"]["encryptionContextSubset"]);
        }
        Some(Self { time: text(&event["eventTime"]), name: text(&event["eventName"]), who, table })
    }

    /// The line.
    pub(super) fn text(&self) -> String {
        let table = if self.table.is_empty() { String::new() } else { format!("  table {}", self.table) };
        format!("{}  {:<16} {}{table}", self.time, self.name, self.who)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_event_is_told_in_one_line() {
        let document = serde_json::json!({
            "eventTime": "2026-01-02T03:04:05Z",
            "eventName": "Decrypt",
            "userIdentity": { "userName": "alice", "invokedBy": "dynamodb.amazonaws.com" },
            "requestParameters": { "encryptionContext": { "aws:dynamodb:tableName": "Books" } },
        });
        let used = Used::parse(&document.to_string()).unwrap();
        assert_eq!(
            used.text(),
            "2026-01-02T03:04:05Z  Decrypt          alice through dynamodb.amazonaws.com  table Books"
        );
        assert_eq!(Used::parse("no JSON"), None);
    }
}
