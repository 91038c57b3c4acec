//! The actions that a table's policy may name.
//!
//! Sources: the developer guide's list of operations that resource-based policies support, the refusals captured of
//! the service from 2024 to October 2026, and policies that test suites of others set on the service's tables.

use std::collections::HashSet;

use super::{PolicyError, invalid};

/// Refuses `actions`, all that a document's `Action` and `NotAction` name, if one of them cannot be in it.
pub fn check<'a>(actions: impl Iterator<Item = &'a str>) -> Result<(), PolicyError> {
    let mut refused: Vec<String> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for action in actions.filter(|action| *action != "*") {
        let name = match action.split_once(':') {
            Some((vendor, name)) if vendor.eq_ignore_ascii_case("dynamodb") => name,
            // No capture of it is of a table's policy. These are the words in which other services that refuse
            // documents in the same sentences tell it.
            Some(_) => {
                return Err(invalid(
                    "Action field includes AWS services that are inconsistent with specified vendor",
                ));
            }
            None => "",
        };
        // What becomes of a pattern that no action is of is not known, so any is taken.
        let is_taken =
            name.contains(['*', '?']) || ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !is_taken && seen.insert(action) {
            refused.push(format!("\"{action}\""));
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    in_hash_order(&mut refused);
    Err(invalid(&format!("The following action names are invalid: {}", refused.join(", "))))
}

/// Puts names in the order in which the service lists them, which is not that of the document. All captures with
/// several names have the order that a `HashSet` of Java gives the quoted names.
fn in_hash_order(names: &mut [String]) {
    let mut buckets = 16;
    while names.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    names.sort_by_key(|name| {
        let hash =
            name.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) as usize % buckets
    });
}

// Those of streams belong into a stream's policy. `DescribeExport`, `ConditionCheckItem`, `SearchVectors` and the three
// of replication are not in the guide's list, and are in policies that the service has taken, or that its guide or its
// CDK write. The guide lists PartiQL's operations, of which the service refuses `ExecuteStatement`; here are the actions
// that they need.
const ACTIONS: [&str; 45] = [
    "AssociateTableReplica",
    "BatchGetItem",
    "BatchWriteItem",
    "ConditionCheckItem",
    "CreateBackup",
    "DeleteItem",
    "DeleteResourcePolicy",
    "DeleteTable",
    "DescribeContinuousBackups",
    "DescribeContributorInsights",
    "DescribeExport",
    "DescribeKinesisStreamingDestination",
    "DescribeTable",
    "DescribeTableReplicaAutoScaling",
    "DescribeTimeToLive",
    "DisableKinesisStreamingDestination",
    "EnableKinesisStreamingDestination",
    "ExportTableToPointInTime",
    "GetItem",
    "GetResourcePolicy",
    "ListTagsOfResource",
    "PartiQLDelete",
    "PartiQLInsert",
    "PartiQLSelect",
    "PartiQLUpdate",
    "PutItem",
    "PutResourcePolicy",
    "Query",
    "ReadDataForReplication",
    "ReplicateSettings",
    "RestoreTableToPointInTime",
    "Scan",
    "SearchVectors",
    "TagResource",
    "TransactGetItems",
    "TransactWriteItems",
    "UntagResource",
    "UpdateContinuousBackups",
    "UpdateContributorInsights",
    "UpdateItem",
    "UpdateKinesisStreamingDestination",
    "UpdateTable",
    "UpdateTableReplicaAutoScaling",
    "UpdateTimeToLive",
    "WriteDataForReplication",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(actions: &[&str]) -> Option<String> {
        check(actions.iter().copied()).err().map(|error| error.to_string())
    }

    fn refused(names: &str) -> Option<String> {
        Some(format!(
            "One or more parameter values were invalid: Invalid policy document: The following action names are \
             invalid: {names}"
        ))
    }

    #[test]
    fn actions_on_tables_and_patterns_are_taken_in_any_case() {
        for action in
            ["*", "dynamodb:*", "dynamodb:Get*", "dynamodb:?an", "DynamoDB:getitem", "dynamodb:UpdateTable"]
        {
            assert_eq!(refusal(&[action]), None, "{action}");
        }
        for name in ACTIONS {
            assert_eq!(refusal(&[&format!("dynamodb:{name}")]), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_listed_in_the_services_order_and_once() {
        assert_eq!(refusal(&["dynamodb:Nope"]), refused(r#""dynamodb:Nope""#));
        assert_eq!(refusal(&["GetItem", "dynamodb:Scan"]), refused(r#""GetItem""#));
        for name in ["RestoreTableFromBackup", "ExecuteStatement", "CreateTable", "ListTables", ""] {
            let action = format!("dynamodb:{name}");
            assert_eq!(refusal(&[&action]), refused(&format!("\"{action}\"")));
        }
        assert_eq!(
            refusal(&["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:DescribeStream"]),
            refused(r#""dynamodb:GetRecords", "dynamodb:DescribeStream""#)
        );
        let of_streams = [
            "dynamodb:GetShardIterator",
            "dynamodb:Scan",
            "dynamodb:Query",
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:ListStreams",
        ];
        assert_eq!(
            refusal(&of_streams),
            refused(
                r#""dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams""#
            )
        );
    }

    #[test]
    fn many_names_are_all_listed() {
        let names: Vec<String> = (0..400).map(|number| format!("dynamodb:Nope{number}")).collect();
        let text =
            check(names.iter().map(String::as_str)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(names.iter().all(|name| text.contains(&format!("\"{name}\""))));
    }

    #[test]
    fn actions_of_other_services_are_refused_before_names() {
        assert_eq!(
            refusal(&["dynamodb:Nope", "s3:GetObject"]).as_deref(),
            Some(
                "One or more parameter values were invalid: Invalid policy document: Action field includes AWS \
                 services that are inconsistent with specified vendor"
            )
        );
    }
}
