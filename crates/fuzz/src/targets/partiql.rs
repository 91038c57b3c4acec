//! PartiQL statements, up to what they would read and write.

use strongroom_model::key::{KeyRange, contains, item_key};
use strongroom_model::partiql::token::NextToken;
use strongroom_model::partiql::{PartiqlError, Statement};
use strongroom_model::stored;

use super::class;
use super::expression::{ITEM, schema};
use crate::Outcome;

/// A statement with as many parameters as it wants, up to three.
pub fn statement(data: &[u8]) -> Outcome {
    let Ok(source) = std::str::from_utf8(data) else { return "no text".into() };
    let values = [ITEM["pk"].clone(), ITEM["sk"].clone(), ITEM["ss"].clone()];
    let count = source.matches('?').count().min(values.len());
    let schema = schema();
    let row = item_key(&schema.key_of_item(&ITEM).expect("the item has its keys"));
    match Statement::parse(source, &values[..count]) {
        Err(error) => refused(&error),
        Ok(Statement::Select(select)) => {
            let matches = select.condition.as_ref().is_none_or(|condition| condition.matches(&ITEM));
            if let Some(projection) = &select.projection {
                assert!(projection.apply(&ITEM).len() <= projection.paths().len());
            }
            let access = select.check_key_access(&schema).is_ok();
            let single = match select.single_key(&schema) {
                Err(error) => return refused(&error),
                Ok(key) => key,
            };
            match select.plan(&schema) {
                Err(error) => refused(&error),
                Ok(plan) => {
                    let sections = plan.sections.as_deref();
                    let ranges: Vec<&KeyRange> =
                        sections.into_iter().flatten().map(|part| &part.range).collect();
                    let found = ranges.iter().filter(|range| contains(range, &row)).count();
                    // What matches is read, and once.
                    assert!(found <= 1);
                    assert!(!matches || sections.is_none() || found == 1);
                    if let Some(key) = single {
                        assert!(sections.is_some_and(|sections| sections.len() == 1));
                        assert!(contains(ranges[0], &item_key(&key)));
                    }
                    format!("select {access} {matches} {:?}", sections.map(<[_]>::len))
                }
            }
        }
        Ok(Statement::Insert(insert)) => match (insert.check_keys(&schema), stored::encode(&insert.item)) {
            (Err(error), _) => refused(&error),
            (_, Err(error)) => class(&error.message),
            (Ok(()), Ok(bytes)) => {
                assert!(stored::decode(&bytes).is_ok_and(|back| back == insert.item));
                "insert".into()
            }
        },
        Ok(Statement::Write(write)) => match write.target(&schema) {
            Err(error) => refused(&error),
            Ok(target) => {
                assert!(schema.key_of_request(&target.key).is_ok());
                let holds = target.condition.as_ref().is_none_or(|condition| condition.matches(&ITEM));
                let applied =
                    write.update.as_ref().map(|update| update.apply(Some(&ITEM), &target.key).is_ok());
                format!("write {holds} {applied:?}")
            }
        },
    }
}

/// A token, which is only taken as it was given.
pub fn next_token(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else { return "no text".into() };
    for binding in [0, u64::MAX] {
        match NextToken::decode(text, binding) {
            Err(error) => drop(refused(&error)),
            Ok(token) => {
                assert_eq!(token.encode(binding), text);
                return "taken".into();
            }
        }
    }
    "refused".into()
}

fn refused(error: &PartiqlError) -> Outcome {
    assert!(!error.message().is_empty());
    let message = error.message();
    class(message.strip_prefix("Statement wasn't well formed, can't be processed: ").unwrap_or(message))
}
