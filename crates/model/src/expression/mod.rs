//! DynamoDB's expressions: conditions, filters, key conditions, updates and
//! projections.
//!
//! Each is parsed once per request into a value that owns what it needs, with
//! the placeholders of the request resolved, and then applied to any number of
//! items. Parsing takes time in proportion to the source, which is bounded, and
//! never recurses: nesting cannot exhaust the stack.
//!
//! Texts of errors, the windows of syntax errors and the order in which checks
//! are made are the service's.
//!
//! The parameters from before expressions become the same values.
//!
//! A request is handled in this order: [`Placeholders`] first, then the parse
//! of each of its expressions, then [`Placeholders::check_all_used`].

mod condition;
mod error;
mod hash_order;
mod key_condition;
mod legacy;
mod lexer;
mod operators;
mod path;
mod path_tree;
mod placeholders;
mod projection;
mod reserved;
mod tree;
mod update;

pub use condition::Condition;
pub(crate) use condition::{Operand, Term};
pub use error::ExpressionError;
pub use hash_order::hash_set_order;
pub use key_condition::{KeyCondition, KeyConditionExpression, KeyConditions};
pub use legacy::{
    AttributeComparison, ComparisonOperator, ConditionalOperator, Expectation, check_conditional_operator,
};
pub(crate) use operators::Comparator;
pub use path::{Path, PathElement};
pub use placeholders::{ParameterUse, Placeholders, check_parameters};
pub use projection::Projection;
pub(crate) use tree::Function;
pub use update::{AttributeUpdate, Update, UpdateAction};
pub(crate) use update::{Change, ChangeValue};

/// The request parameters that hold an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `ConditionExpression`
    Condition,
    /// `FilterExpression`
    Filter,
    /// `KeyConditionExpression`
    KeyCondition,
    /// `UpdateExpression`
    Update,
    /// `ProjectionExpression`
    Projection,
}

impl ExpressionKind {
    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            ExpressionKind::Condition => "ConditionExpression",
            ExpressionKind::Filter => "FilterExpression",
            ExpressionKind::KeyCondition => "KeyConditionExpression",
            ExpressionKind::Update => "UpdateExpression",
            ExpressionKind::Projection => "ProjectionExpression",
        }
    }

    /// Refuses a source that is empty or longer than 4 KB.
    fn check_size(self, source: &str) -> Result<(), ExpressionError> {
        if source.is_empty() {
            return Err(ExpressionError::invalid(self, "The expression can not be empty;"));
        }
        if source.len() <= SOURCE_BYTES_MAX {
            return Ok(());
        }
        let mut text = String::from("Expression size has exceeded the maximum allowed size;");
        // Updates and projections go without the figure.
        if !matches!(self, ExpressionKind::Update | ExpressionKind::Projection) {
            text.push_str(&format!(" expression size: {}", source.len()));
        }
        Err(ExpressionError::invalid(self, text))
    }
}

/// The longest expression, in bytes of UTF-8.
pub const SOURCE_BYTES_MAX: usize = 4096;

/// The most operators and functions in one expression.
pub const OPERATORS_MAX: usize = 300;

/// The most elements in one document path.
pub const PATH_ELEMENTS_MAX: usize = 32;

/// The most values that IN compares with.
pub const IN_OPERANDS_MAX: usize = 100;

/// Parsed expressions may be kept and used by any thread.
const _: () = {
    const fn is_shareable<T: Send + Sync + 'static>() {}
    is_shareable::<Condition>();
    is_shareable::<KeyConditions>();
    is_shareable::<Update>();
    is_shareable::<Projection>();
    is_shareable::<ExpressionError>();
};
