//! `Select`: what a Query or Scan shows of the items it finds.

use strongroom_model::document::Document;

use super::input;
use crate::wire::ApiError;

/// Refuses a `Select` that contradicts the other parameters of a Query or Scan.
pub fn check(operation: &str, body: &Document) -> Result<(), ApiError> {
    let projection =
        ["AttributesToGet", "ProjectionExpression"].into_iter().find(|name| input::has(body, name));
    let text = match (input::text(body, "Select"), projection) {
        (None | Some("SPECIFIC_ATTRIBUTES"), Some(_)) | (None, None) => return Ok(()),
        (Some("COUNT"), Some(projection)) => {
            format!("Cannot specify the {projection} when choosing to get only the Count")
        }
        (Some(select), Some(projection)) => {
            format!("Cannot specify the {projection} when choosing to get {select}")
        }
        // Of these texts only this one is known to differ between the two.
        (Some("SPECIFIC_ATTRIBUTES"), None) if operation == "Query" => {
            "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to \
             get SPECIFIC_ATTRIBUTES"
                .to_owned()
        }
        (Some("SPECIFIC_ATTRIBUTES"), None) => {
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
                .to_owned()
        }
        (Some("ALL_PROJECTED_ATTRIBUTES"), None) if !input::has(body, "IndexName") => {
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName".to_owned()
        }
        (Some(_), None) => return Ok(()),
    };
    Err(ApiError::validation(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_combination_is_allowed_or_refused_as_by_the_service() {
        const ONLY_INDEX: &str = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName";
        const MUST: &str = "Must specify the AttributesToGet or ProjectionExpression when choosing to get \
                            SPECIFIC_ATTRIBUTES";
        for (select, on_table, on_index, with_projection) in [
            (json!(null), None, None, None),
            (json!("ALL_ATTRIBUTES"), None, None, Some("ALL_ATTRIBUTES")),
            (json!("ALL_PROJECTED_ATTRIBUTES"), Some(ONLY_INDEX), None, Some("ALL_PROJECTED_ATTRIBUTES")),
            (json!("SPECIFIC_ATTRIBUTES"), Some(MUST), Some(MUST), None),
            (json!("COUNT"), None, None, Some("only the Count")),
        ] {
            let refusal = |body: Value| check("Scan", &body.into()).err().map(|error| error.message);
            let text = |text: Option<&str>| text.map(str::to_owned);
            assert_eq!(refusal(json!({ "Select": select })), text(on_table));
            assert_eq!(refusal(json!({"Select": select, "IndexName": "i"})), text(on_index));
            for (name, value) in [("AttributesToGet", json!(["a"])), ("ProjectionExpression", json!("a"))] {
                assert_eq!(
                    refusal(json!({"Select": select, name: value})),
                    with_projection
                        .map(|what| format!("Cannot specify the {name} when choosing to get {what}"))
                );
            }
        }
        let of_query = check("Query", &json!({"Select": "SPECIFIC_ATTRIBUTES"}).into());
        let of_query = of_query.err().map(|error| error.message);
        assert_eq!(of_query, Some(format!("1 validation error detected: {MUST}")));
    }
}
