//! `ExpressionAttributeNames` and `ExpressionAttributeValues` of a request.

use std::sync::Arc;

use super::ExpressionError;
use super::hash_order::{string_hash, table_order};
use crate::attribute::{AttributeValue, name_problem};
use crate::size::value_bytes;

/// The names and values that the expressions of one request may refer to, and
/// which of them were referred to.
#[derive(Default)]
pub struct Placeholders {
    names: Table<Box<str>>,
    values: Table<Arc<AttributeValue>>,
}

impl Placeholders {
    /// Of a request with neither parameter.
    pub fn none() -> Placeholders {
        Placeholders::default()
    }

    /// Of a request's parameters, absent or present, in the request's order.
    ///
    /// Refuses maps without an entry, keys that no expression can refer to, and
    /// empty or too long names.
    pub fn new(
        names: Option<Vec<(String, String)>>,
        values: Option<Vec<(String, AttributeValue)>>,
    ) -> Result<Placeholders, ExpressionError> {
        Placeholders::decode(names, values, |_, value| Ok::<_, ExpressionError>(value))
    }

    /// Like [`Placeholders::new`], with values yet to be decoded: the keys of
    /// all are checked before the first value.
    pub fn decode<V, E: From<ExpressionError>>(
        names: Option<Vec<(String, String)>>,
        values: Option<Vec<(String, V)>>,
        mut decode: impl FnMut(&str, V) -> Result<AttributeValue, E>,
    ) -> Result<Placeholders, E> {
        let names = match names {
            None => Table::default(),
            Some(names) => {
                check_keys(NAMES, '#', names.iter().map(|(key, _)| key.as_str()))?;
                let bytes = names.iter().map(|(key, name)| key.len() + name.len()).sum();
                let names = Table::new(names, |key, name| {
                    check_name(key, &name)?;
                    Ok::<_, ExpressionError>(name.into_boxed_str())
                })?;
                check_size(NAMES, bytes)?;
                names
            }
        };
        let values = match values {
            None => Table::default(),
            Some(values) => {
                check_keys(VALUES, ':', values.iter().map(|(key, _)| key.as_str()))?;
                let mut bytes = 0;
                let values = Table::new(values, |key, value| {
                    let value = decode(key, value)?;
                    bytes += key.len() + value_bytes(&value);
                    Ok::<_, E>(Arc::new(value))
                })?;
                check_size(VALUES, bytes)?;
                values
            }
        };
        Ok(Placeholders { names, values })
    }

    /// The attribute name that `#key` stands for; it counts as used.
    pub(super) fn use_name(&mut self, key: &str) -> Option<&str> {
        self.names.use_entry(key).map(|name| &**name)
    }

    /// The value that `:key` stands for; it counts as used.
    pub(super) fn use_value(&mut self, key: &str) -> Option<&Arc<AttributeValue>> {
        self.values.use_entry(key)
    }

    /// Refuses names and values that no expression referred to. To be called
    /// after all expressions of the request were parsed.
    pub fn check_all_used(&self) -> Result<(), ExpressionError> {
        self.names.check_all_used(NAMES)?;
        self.values.check_all_used(VALUES)
    }
}

/// An expression parameter of an operation and whether the request has it.
#[derive(Clone, Copy, Debug)]
pub struct ParameterUse {
    /// The parameter's name.
    pub name: &'static str,
    /// Whether the request has it.
    pub present: bool,
}

/// Refuses requests that mix the old parameters with expressions, and names
/// or values without an expression that could use them.
///
/// `expressions` and `others` are those of the operation, in the order in
/// which the service lists them; `names` and `values` say whether the request
/// has the two maps. Not every operation says which expression is missed.
pub fn check_parameters(
    expressions: &[ParameterUse],
    others: &[ParameterUse],
    names: bool,
    values: bool,
    says_what_is_missed: bool,
) -> Result<(), ExpressionError> {
    let list = |parameters: &[ParameterUse]| {
        let present = parameters.iter().filter(|parameter| parameter.present);
        present.map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
    };
    let has_expression = expressions.iter().any(|parameter| parameter.present);
    if has_expression {
        // A Query with KeyConditions may still have expressions of other kinds.
        let without_key_expression = |name| {
            name == "KeyConditions"
                && !expressions.iter().any(|other| other.name == "KeyConditionExpression" && other.present)
        };
        let others: Vec<_> =
            others.iter().copied().filter(|parameter| !without_key_expression(parameter.name)).collect();
        if others.iter().any(|parameter| parameter.present) {
            return Err(ExpressionError::new(format!(
                "Can not use both expression and non-expression parameters in the same request: \
                 Non-expression parameters: {{{}}} Expression parameters: {{{}}}",
                list(&others),
                list(expressions)
            )));
        }
    }
    if names && !has_expression {
        return Err(ExpressionError::new(format!("{NAMES} can only be specified when using expressions")));
    }
    let with_values: Vec<_> =
        expressions.iter().filter(|parameter| parameter.name != "ProjectionExpression").collect();
    if values && !with_values.is_empty() && !with_values.iter().any(|parameter| parameter.present) {
        if !says_what_is_missed {
            return Err(ExpressionError::new(format!(
                "{VALUES} can only be specified when using expressions"
            )));
        }
        let names: Vec<_> = with_values.iter().map(|parameter| parameter.name).collect();
        return Err(ExpressionError::new(format!(
            "{VALUES} can only be specified when using expressions: {} {} null",
            names.join(" and "),
            if names.len() > 1 { "are" } else { "is" }
        )));
    }
    Ok(())
}

/// Entries sorted by their keys.
struct Table<T> {
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    key: Box<str>,
    target: T,
    /// Where the request has it.
    position: usize,
    used: bool,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { entries: Vec::new() }
    }
}

impl<T> Table<T> {
    fn new<V, E>(
        entries: Vec<(String, V)>,
        mut target: impl FnMut(&str, V) -> Result<T, E>,
    ) -> Result<Table<T>, E> {
        let mut table = Vec::with_capacity(entries.len());
        for (position, (key, value)) in entries.into_iter().enumerate() {
            let target = target(&key, value)?;
            table.push(Entry { key: key.into_boxed_str(), target, position, used: false });
        }
        table.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(Table { entries: table })
    }

    fn use_entry(&mut self, key: &str) -> Option<&T> {
        let index = self.entries.binary_search_by(|entry| (*entry.key).cmp(key)).ok()?;
        let entry = &mut self.entries[index];
        entry.used = true;
        Some(&entry.target)
    }

    fn check_all_used(&self, parameter: &str) -> Result<(), ExpressionError> {
        let mut unused: Vec<_> = self.entries.iter().filter(|entry| !entry.used).collect();
        if unused.is_empty() {
            return Ok(());
        }
        unused.sort_by_key(|entry| entry.position);
        let hashes: Vec<u32> = unused.iter().map(|entry| string_hash(&entry.key)).collect();
        let keys: Vec<_> = table_order(&hashes).into_iter().map(|index| &*unused[index].key).collect();
        Err(ExpressionError::new(format!(
            "Value provided in {parameter} unused in expressions: keys: {{{}}}",
            keys.join(", ")
        )))
    }
}

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// The longest key, sign included, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The names of a request with their keys, and likewise the values, in bytes.
const BYTES_MAX: usize = 2 * 1024 * 1024;

fn check_size(parameter: &str, bytes: usize) -> Result<(), ExpressionError> {
    if bytes > BYTES_MAX {
        return Err(ExpressionError::new(format!("{parameter} exceeds max size")));
    }
    Ok(())
}

fn check_keys<'a>(
    parameter: &str,
    sign: char,
    keys: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), ExpressionError> {
    if keys.len() == 0 {
        return Err(ExpressionError::new(format!("{parameter} must not be empty")));
    }
    for key in keys {
        let problem = if key.is_empty() {
            "The expression attribute map contains an empty key;".into()
        } else if key.len() > KEY_BYTES_MAX {
            let mut text = String::from("The expression attribute map contains a key that is too long;");
            // The service tells the size of names only.
            if parameter == NAMES {
                text.push_str(&format!(" size of key: {}", key.len()));
            }
            text
        } else if !is_reference(key, sign) {
            format!("Syntax error; key: \"{key}\"")
        } else {
            continue;
        };
        return Err(ExpressionError::new(format!("{parameter} contains invalid key: {problem}")));
    }
    Ok(())
}

fn is_reference(key: &str, sign: char) -> bool {
    let Some(name) = key.strip_prefix(sign) else {
        return false;
    };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_name(key: &str, name: &str) -> Result<(), ExpressionError> {
    name_problem(name).map_or(Ok(()), |problem| {
        Err(ExpressionError::new(format!("{NAMES} contains invalid value: {problem} for key {key}")))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::expression::{Condition, ExpressionKind, Projection};

    fn names(keys: &[&str]) -> Option<Vec<(String, String)>> {
        Some(keys.iter().map(|key| (key.to_string(), "a".to_string())).collect())
    }

    fn values(keys: &[&str]) -> Option<Vec<(String, AttributeValue)>> {
        Some(keys.iter().map(|key| (key.to_string(), AttributeValue::Null)).collect())
    }

    #[test]
    fn all_names_and_all_values_have_two_megabytes_at_most() {
        let text = |bytes: usize| "x".repeat(bytes);
        let value = |bytes| Some(vec![(":v".to_owned(), AttributeValue::S(text(bytes)))]);
        assert!(Placeholders::new(None, value(BYTES_MAX - 2)).is_ok());
        let error = Placeholders::new(None, value(BYTES_MAX - 1)).err().unwrap();
        assert_eq!(error.message(), "ExpressionAttributeValues exceeds max size");
        let names =
            |count: usize| Some((0..count).map(|number| (format!("#{number:02}"), text(50_000))).collect());
        assert!(Placeholders::new(names(41), None).is_ok());
        let error = Placeholders::new(names(42), None).err().unwrap();
        assert_eq!(error.message(), "ExpressionAttributeNames exceeds max size");
    }

    #[test]
    fn maps_must_have_entries_and_keys_must_be_references() {
        let refused = |names, values| Placeholders::new(names, values).err().unwrap().message().to_string();
        assert_eq!(refused(names(&[]), values(&[])), "ExpressionAttributeNames must not be empty");
        assert_eq!(refused(None, values(&[])), "ExpressionAttributeValues must not be empty");
        for key in ["a", "#", "#a b", "##a", "#a#", "# a", "#\u{e9}", "#-", "#a.b", ":a"] {
            assert_eq!(
                refused(names(&["#ok", key]), values(&["bad"])),
                format!("ExpressionAttributeNames contains invalid key: Syntax error; key: \"{key}\"")
            );
        }
        assert_eq!(
            refused(names(&["#ok"]), values(&["b"])),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"b\""
        );
        assert_eq!(
            refused(names(&[""]), None),
            "ExpressionAttributeNames contains invalid key: The expression attribute map contains an empty key;"
        );
        let long = format!("#{}", "a".repeat(255));
        assert_eq!(
            refused(names(&[&long]), None),
            "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key \
             that is too long; size of key: 256"
        );
        let name = |name: String| Some(vec![("#n".to_string(), name)]);
        assert_eq!(
            refused(name(String::new()), None),
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #n"
        );
        assert_eq!(
            refused(name("a".repeat(65_536)), None),
            "ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less \
             than 65536 bytes for key #n"
        );
        assert!(Placeholders::new(name("a".repeat(65_535)), values(&[":0", ":_a1"])).is_ok());
    }

    #[test]
    fn all_keys_are_judged_before_the_first_value() {
        let decode = |keys: &[&str]| {
            let values = keys.iter().map(|key| (key.to_string(), ())).collect();
            let result =
                Placeholders::decode(None, Some(values), |_, ()| Err(ExpressionError::new("no such type")));
            result.err().unwrap().message().to_string()
        };
        assert_eq!(
            decode(&[":a", "b"]),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"b\""
        );
        assert_eq!(decode(&[":a"]), "no such type");
    }

    #[test]
    fn use_is_counted_over_all_expressions_of_a_request() {
        let mut placeholders =
            Placeholders::new(names(&["#a", "#b", "#c"]), values(&[":n", ":s", ":b"])).unwrap();
        let unused = |placeholders: &Placeholders| {
            placeholders.check_all_used().err().map(|error| error.message().to_string())
        };
        assert_eq!(
            unused(&placeholders).unwrap(),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#c, #a, #b}"
        );
        Projection::parse("#a, b.#b", &mut placeholders).unwrap();
        Condition::parse(ExpressionKind::Filter, "#c = d", &mut placeholders).unwrap();
        assert_eq!(
            unused(&placeholders).unwrap(),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:n, :b, :s}"
        );
        // Used is what an expression refers to, even where evaluation stops before.
        Condition::parse(ExpressionKind::Filter, "a = :n OR b = :b OR c = :s", &mut placeholders).unwrap();
        assert_eq!(unused(&placeholders), None);
        assert!(Placeholders::none().check_all_used().is_ok());
    }

    #[test]
    fn old_parameters_and_expressions_do_not_mix() {
        let uses = |parameters: &[(&'static str, bool)]| {
            let use_of = |&(name, present): &(&'static str, bool)| ParameterUse { name, present };
            parameters.iter().map(use_of).collect::<Vec<_>>()
        };
        let check = |expressions: &[(&'static str, bool)], others: &[(&'static str, bool)], names, values| {
            let result = check_parameters(&uses(expressions), &uses(others), names, values, true);
            result.err().map(|error| error.message().to_string())
        };
        let query = |projection, filter, key| {
            [
                ("ProjectionExpression", projection),
                ("FilterExpression", filter),
                ("KeyConditionExpression", key),
            ]
        };
        let old = |attributes, filter, operator, keys| {
            [
                ("AttributesToGet", attributes),
                ("QueryFilter", filter),
                ("ConditionalOperator", operator),
                ("KeyConditions", keys),
            ]
        };
        let mixed = "Can not use both expression and non-expression parameters in the same request: ";
        assert_eq!(
            check(&query(true, true, true), &old(true, true, true, true), true, true).unwrap(),
            format!(
                "{mixed}Non-expression parameters: {{AttributesToGet, QueryFilter, ConditionalOperator, \
                 KeyConditions}} Expression parameters: {{ProjectionExpression, FilterExpression, \
                 KeyConditionExpression}}"
            )
        );
        assert_eq!(
            check(&query(true, true, false), &old(true, true, true, true), true, true).unwrap(),
            format!(
                "{mixed}Non-expression parameters: {{AttributesToGet, QueryFilter, ConditionalOperator}} \
                 Expression parameters: {{ProjectionExpression, FilterExpression}}"
            )
        );
        // KeyConditions may stand beside other expressions.
        assert_eq!(check(&query(true, true, false), &old(false, false, false, true), true, true), None);
        assert_eq!(
            check(&query(false, false, false), &old(false, true, false, false), true, true).unwrap(),
            "ExpressionAttributeNames can only be specified when using expressions"
        );
        assert_eq!(
            check(&query(false, false, false), &old(false, true, false, false), false, true).unwrap(),
            "ExpressionAttributeValues can only be specified when using expressions: FilterExpression and \
             KeyConditionExpression are null"
        );
        assert_eq!(
            check(&[("ConditionExpression", false)], &[("Expected", false)], false, true).unwrap(),
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"
        );
        assert_eq!(check(&query(true, false, true), &old(false, false, false, false), true, true), None);
        let silent = check_parameters(&uses(&[("ConditionExpression", false)]), &[], false, true, false);
        assert_eq!(
            silent.err().unwrap().message(),
            "ExpressionAttributeValues can only be specified when using expressions"
        );
    }
}
