//! The resources that a table's policy may name.
//!
//! Sources: captures of the service of October 2026, and policies that test suites of others set on its tables.

use super::{PolicyError, invalid, matches_pattern};

/// Refuses `resources`, all that a document's `Resource` and `NotResource` name, if one of them is nothing that a
/// table's policy can be about.
///
/// The service takes ARNs of other tables too. Whether it takes those of other accounts, regions and partitions is not
/// known, so they are taken.
pub fn check<'a>(mut resources: impl Iterator<Item = &'a str>) -> Result<(), PolicyError> {
    resources.try_for_each(|resource| if resource == "*" { Ok(()) } else { check_one(resource) })
}

fn check_one(resource: &str) -> Result<(), PolicyError> {
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let ["arn", _, service, _, _, relative_id] = parts[..] else {
        // In the words of IAM, which has the rule; the service's own are not known.
        return Err(invalid(&format!("Resource {resource} must be in ARN format or \"*\".")));
    };
    // What it says of another service's ARN is not known either, and this is true of one.
    if matches_pattern(service, "dynamodb") && is_of_a_table(relative_id) {
        return Ok(());
    }
    Err(invalid(&format!("The relative-id \"{relative_id}\" is invalid for ARN \"{resource}\"")))
}

// A table, or its indexes or exports; with `*` for any letters also parts of it. Streams have policies of their own.
fn is_of_a_table(relative_id: &str) -> bool {
    let mut parts = relative_id.splitn(4, '/');
    let is_one_of = |part: Option<&str>, wanted: &[&str]| match part {
        Some(part) => wanted.iter().any(|wanted| matches_pattern(part, wanted)),
        None => true,
    };
    if !is_one_of(parts.next(), &["table"]) {
        return false;
    }
    // A pattern of all resources is one of tables as well.
    let is_named = parts.next().map_or(relative_id.ends_with('*'), |name| !name.is_empty());
    is_named && is_one_of(parts.next(), &["index", "export"])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/music";

    fn refusal(resource: &str) -> Option<String> {
        let text = check(["*", resource].into_iter()).err()?.to_string();
        text.strip_prefix("One or more parameter values were invalid: Invalid policy document: ")
            .map(str::to_owned)
    }

    #[test]
    fn tables_indexes_and_exports_are_taken() {
        for resource in [
            "*",
            TABLE,
            &format!("{TABLE}/index/by-artist"),
            &format!("{TABLE}/index/*"),
            &format!("{TABLE}/export/*"),
            &format!("{TABLE}/*"),
            &format!("{TABLE}*"),
            "arn:aws:dynamodb:eu-west-1:111122223333:table/other",
            "arn:aws:dynamodb:*:*:table/*",
            "arn:aws:dynamodb:us-east-1:000000000000:*",
        ] {
            assert_eq!(refusal(resource), None, "{resource}");
        }
    }

    #[test]
    fn what_no_policy_of_a_table_is_about_is_refused() {
        assert_eq!(refusal("x").as_deref(), Some(r#"Resource x must be in ARN format or "*"."#));
        assert!(refusal("arn:aws:dynamodb").is_some());
        for (service, relative_id) in [
            ("dynamodb", "table/music/stream/2026-10-09T00:29:04.041"),
            ("dynamodb", "table/music/stream/*"),
            ("dynamodb", "table/music/backup/0170"),
            ("dynamodb", "table/"),
            ("dynamodb", "table"),
            ("dynamodb", "global-table/music"),
            ("s3", "bucket"),
            ("kinesis", "table/music"),
        ] {
            let arn = format!("arn:aws:{service}:us-east-1:000000000000:{relative_id}");
            assert_eq!(
                refusal(&arn),
                Some(format!("The relative-id \"{relative_id}\" is invalid for ARN \"{arn}\""))
            );
        }
    }
}
