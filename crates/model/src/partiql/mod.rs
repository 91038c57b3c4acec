//! DynamoDB's PartiQL: from a statement and its parameters to what the calls
//! of the API take, which are conditions, updates, projections, items and keys.
//!
//! A statement goes through three steps, as on the service: the grammar of
//! PartiQL, then DynamoDB's subset of it, both here without a table; then what
//! needs the schema of the table ([`Select::plan`], [`Write::target`],
//! [`Insert::check_keys`]). Errors are worded by the service.
//!
//! A statement has at most 8,192 characters, by the service's model; its
//! expressions nest at most 100 deep and have at most 300 operators, so parsing
//! takes bounded time and stack.

mod condition;
mod error;
mod keys;
mod keyword;
mod lexer;
mod literal;
mod parser;
mod path;
mod plan;
mod syntax;
#[cfg(test)]
mod tests;
pub mod token;
mod update;

pub use error::PartiqlError;
pub use keys::WriteTarget;
pub use plan::{Plan, Section, has_single_keys};
pub use syntax::Returning;

use crate::attribute::{AttributeValue, Item};
use crate::expression::{Condition, Projection, Term, Update};
use crate::key::KeySchema;
use syntax::{InsertItem, SelectItems, Syntax};

/// The longest statement, in characters, by the service's model.
pub const STATEMENT_CHARACTERS_MAX: usize = 8192;

/// A statement that DynamoDB runs, with its parameters in their places.
pub enum Statement {
    /// SELECT
    Select(Box<Select>),
    /// INSERT
    Insert(Insert),
    /// UPDATE and DELETE
    Write(Box<Write>),
}

/// A SELECT.
pub struct Select {
    /// The table's name, or its ARN.
    pub table: String,
    /// The index to read from.
    pub index: Option<String>,
    /// What to show of each item; all of it where there is none.
    pub projection: Option<Projection>,
    /// Which items to show.
    pub condition: Option<Condition>,
    term: Option<Term>,
    /// The names of ORDER BY, and whether each is descending.
    order: Vec<(String, bool)>,
}

/// An INSERT.
pub struct Insert {
    /// The table's name, or its ARN.
    pub table: String,
    /// What to insert.
    pub item: Item,
}

/// An UPDATE or DELETE of one item.
pub struct Write {
    /// The table's name, or its ARN.
    pub table: String,
    /// What to change; none in a DELETE.
    pub update: Option<Update>,
    /// What to answer with.
    pub returning: Option<Returning>,
    term: Option<Term>,
}

impl Statement {
    /// Parses a statement and puts the parameters in the places of its `?`.
    ///
    /// `source` is bounded by [`STATEMENT_CHARACTERS_MAX`].
    pub fn parse(source: &str, parameters: &[AttributeValue]) -> Result<Statement, PartiqlError> {
        Self::parse_for(source, parameters, |_, _| true)
    }

    /// The same, asking `may_read` of a table and its index that a SELECT names. The service refuses an index before it
    /// looks at what else a SELECT says.
    pub fn parse_for(
        source: &str,
        parameters: &[AttributeValue],
        may_read: impl FnOnce(&str, &str) -> bool,
    ) -> Result<Statement, PartiqlError> {
        let (syntax, parameter_count) = parser::parse(source)?;
        if parameter_count != parameters.len() && !matches!(syntax, Syntax::Unsupported(_) | Syntax::Exists) {
            return Err(PartiqlError::new(literal::PARAMETER_COUNT));
        }
        match syntax {
            Syntax::Select(select) => {
                let from = path::source(&select.from)?;
                if from.1.as_deref().is_some_and(|index| !may_read(&from.0, index)) {
                    return Err(PartiqlError::new(plan::SEVERAL_ATTRIBUTES));
                }
                Ok(Statement::Select(Box::new(Select::new(from, select, parameters)?)))
            }
            Syntax::Insert(insert) => Insert::new(insert, parameters).map(Statement::Insert),
            Syntax::Update(update) => {
                let (table, index) = path::source(&update.from)?;
                refuse_index(index.as_deref())?;
                let term = where_term(update.condition.as_ref(), parameters)?;
                Ok(Statement::Write(Box::new(Write {
                    table,
                    update: Some(update::update(&update.actions, parameters)?),
                    returning: update.returning,
                    term,
                })))
            }
            Syntax::Delete(delete) => {
                let (table, index) = path::source(&delete.from)?;
                refuse_index(index.as_deref())?;
                let term = where_term(delete.condition.as_ref(), parameters)?;
                if let Some(returning) =
                    delete.returning.filter(|returning| returning.modified || !returning.old)
                {
                    return Err(PartiqlError::new(format!(
                        "Invalid returning clause: {returning}. Only RETURNING ALL OLD * is allowed in DELETE \
                         statements."
                    )));
                }
                Ok(Statement::Write(Box::new(Write {
                    table,
                    update: None,
                    returning: delete.returning,
                    term,
                })))
            }
            Syntax::Exists => {
                Err(PartiqlError::new("EXISTS can only be used in ExecuteTransaction write requests."))
            }
            Syntax::Unsupported(name) => Err(PartiqlError::new(format!("Unsupported operation: {name}"))),
        }
    }

    /// Whether a statement is a SELECT, as far as its grammar tells: none where it is no statement, or is not well formed.
    pub fn is_read(source: &str) -> Option<bool> {
        match parser::parse(source).ok()?.0 {
            Syntax::Select(_) => Some(true),
            Syntax::Insert(_) | Syntax::Update(_) | Syntax::Delete(_) => Some(false),
            Syntax::Exists | Syntax::Unsupported(_) => None,
        }
    }

    /// The table's name or ARN.
    pub fn table(&self) -> &str {
        match self {
            Statement::Select(select) => &select.table,
            Statement::Insert(insert) => &insert.table,
            Statement::Write(write) => &write.table,
        }
    }
}

impl Select {
    fn new(
        (table, index): (String, Option<String>),
        select: syntax::Select,
        parameters: &[AttributeValue],
    ) -> Result<Select, PartiqlError> {
        if select.distinct {
            return Err(PartiqlError::new("Unsupported token in expression: DISTINCT"));
        }
        if let Some((clause, at)) = select.unsupported {
            return Err(match clause {
                "GROUP BY" => PartiqlError::new(format!("Unsupported clause: {clause}")),
                _ => PartiqlError::at(format_args!("Unsupported clause: {clause}"), at),
            });
        }
        let projection = match &select.items {
            SelectItems::All => None,
            SelectItems::Value => {
                return Err(PartiqlError::new("Select projection doesn't support value or pivot keywords"));
            }
            SelectItems::Some(items) => {
                let mut paths: Vec<(String, crate::expression::Path)> = Vec::with_capacity(items.len());
                for item in items {
                    path::check_shown(item)?;
                    let path = path::path(item)?;
                    let name = path::shown_name(&path);
                    if paths.iter().any(|(other, _)| *other == name) {
                        return Err(PartiqlError::new(format!(
                            "Duplicate identifiers in select clause: {name}"
                        )));
                    }
                    paths.push((name, path));
                }
                Some(Projection::renamed(paths)?)
            }
        };
        let term = where_term(select.condition.as_ref(), parameters)?;
        let condition = term.as_ref().map(Condition::from_term).transpose()?;
        let order = plan::order(&select.order, term.is_some())?;
        Ok(Select { table, index, projection, condition, term, order })
    }

    /// Refuses paths below key attributes.
    pub fn check_key_access(&self, schema: &KeySchema) -> Result<(), PartiqlError> {
        if let Some(projection) = &self.projection {
            projection.check_key_access(schema)?;
        }
        if let Some(condition) = &self.condition {
            condition.check_key_access(schema)?;
        }
        Ok(())
    }
}

impl Insert {
    fn new(insert: syntax::Insert, parameters: &[AttributeValue]) -> Result<Insert, PartiqlError> {
        let (table, index) = path::table(&insert.target)?;
        if index.is_some() {
            return Err(PartiqlError::new(
                "FROM clause may only contain a single table name in data manipulation statements",
            ));
        }
        if insert.on_conflict {
            return Err(PartiqlError::new("Unsupported clause: ON CONFLICT"));
        }
        if insert.returning.is_some() {
            return Err(PartiqlError::new("RETURNING is not supported in INSERT"));
        }
        let value = match insert.item {
            InsertItem::One(value) => value,
            InsertItem::At(at) => {
                return Err(PartiqlError::at("AT is not supported in insert statements.", at));
            }
            InsertItem::Many => {
                return Err(PartiqlError::new(
                    "Unsupported operation: Inserting multiple items in a single statement is not supported, use \
                     \"INSERT INTO tableName VALUE item\" instead",
                ));
            }
        };
        let syntax::ExprKind::Struct(members) = &value.kind else {
            return Err(PartiqlError::at(
                "Unsupported format in item expression. Please use struct format {...} to express item values for \
                 insert statement.",
                value.at,
            ));
        };
        Ok(Insert { table, item: literal::item(members, parameters)? })
    }
}

fn where_term(
    condition: Option<&syntax::Expr>,
    parameters: &[AttributeValue],
) -> Result<Option<Term>, PartiqlError> {
    condition.map(|condition| condition::term(condition, parameters)).transpose()
}

fn refuse_index(index: Option<&str>) -> Result<(), PartiqlError> {
    match index {
        None => Ok(()),
        Some(_) => Err(PartiqlError::new("This operation is not supported on an index")),
    }
}
