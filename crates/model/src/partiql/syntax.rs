//! The tree of a parsed statement, whose meaning is not looked at yet.
//!
//! INVARIANT (depth): the parser builds no tree deeper than [`DEPTH_MAX`], so
//! walking and dropping one may recurse.

use std::fmt;

/// How deep expressions nest. The service's own bound is not known; no
/// expression that it evaluates needs as much.
pub(super) const DEPTH_MAX: usize = 100;

/// Where a token stands, as the service's messages say it: `line:column:length`,
/// in characters, from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) length: u32,
}

// Two trees are equal wherever their tokens stood.
impl PartialEq for Position {
    fn eq(&self, _: &Position) -> bool {
        true
    }
}

impl Eq for Position {}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.line, self.column, self.length)
    }
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Select(Select),
    Insert(Insert),
    /// `UPDATE ... SET ... WHERE` and `FROM ... WHERE ... SET`.
    Update(Update),
    Delete(Delete),
    /// What parses and cannot be run, by the name that the service gives it.
    Unsupported(&'static str),
    /// `EXISTS(...)`, of transactions.
    Exists,
}

/// `SELECT items FROM source WHERE condition ORDER BY order`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Select {
    pub(super) distinct: bool,
    pub(super) items: SelectItems,
    pub(super) from: Source,
    pub(super) condition: Option<Expr>,
    pub(super) order: Vec<OrderItem>,
    /// Clauses that DynamoDB does not take, with the place of what follows their word.
    pub(super) unsupported: Option<(&'static str, Position)>,
}

/// What a SELECT shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SelectItems {
    /// `*`
    All,
    /// Expressions, which should be paths.
    Some(Vec<Expr>),
    /// `VALUE x`
    Value,
}

/// What follows FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) expr: Expr,
    pub(super) has_alias: bool,
    pub(super) is_join: bool,
}

/// One of the keys of ORDER BY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderItem {
    pub(super) expr: Expr,
    pub(super) descending: bool,
}

/// `INSERT INTO target VALUE item`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Insert {
    pub(super) target: Expr,
    pub(super) item: InsertItem,
    pub(super) returning: Option<Returning>,
    /// A clause that DynamoDB does not take.
    pub(super) on_conflict: bool,
}

/// What an INSERT inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InsertItem {
    /// `VALUE x`
    One(Expr),
    /// `VALUE x AT position`
    At(Position),
    /// Several, without VALUE.
    Many,
}

/// An UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) from: Source,
    pub(super) actions: Vec<Action>,
    pub(super) condition: Option<Expr>,
    pub(super) returning: Option<Returning>,
}

/// One action of an UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Set(Expr, Expr),
    Remove(Expr),
    /// INSERT in an UPDATE, which DynamoDB does not take.
    Insert,
}

/// A DELETE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delete {
    pub(super) from: Source,
    pub(super) condition: Option<Expr>,
    pub(super) returning: Option<Returning>,
}

/// RETURNING: which version of the item, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returning {
    /// Only what an UPDATE changed.
    pub modified: bool,
    /// The item as it was, not as it is.
    pub old: bool,
}

impl fmt::Display for Returning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = if self.modified { "MODIFIED" } else { "ALL" };
        let version = if self.old { "OLD" } else { "NEW" };
        write!(f, "RETURNING {amount} {version} *")
    }
}

/// An expression and the place of the token that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) at: Position,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExprKind {
    Name(String),
    /// A path of at least one step.
    Path(Box<Expr>, Vec<Step>),
    String(String),
    /// With its sign.
    Number(String),
    Bool(bool),
    Null,
    Missing,
    Ion(String),
    /// The parameter of this position, from 0.
    Parameter(usize),
    /// A call of a function, whose name is in lower case.
    Call(String, Vec<Expr>),
    /// An operator with one operand: `-` or `+`.
    Sign(&'static str, Box<Expr>),
    Not(Box<Expr>),
    /// More than one condition, joined.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Any other operator with two operands.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Between(Box<[Expr; 3]>),
    In(Box<Expr>, Box<Expr>),
    /// `IS` a type, by its full name in capitals.
    Is(Box<Expr>, &'static str),
    List(Vec<Expr>),
    Bag(Vec<Expr>),
    Struct(Vec<(Expr, Expr)>),
    /// A statement or another construct where an expression stands.
    Nested(Box<Syntax>),
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`
    Member(String),
    /// `[x]`
    Index(Expr),
    /// `.*`
    Unpivot,
    /// `[*]`
    Wildcard,
}

impl ExprKind {
    /// What the service calls the construct where it is a whole statement.
    pub(super) fn operation_name(&self) -> &'static str {
        match self {
            ExprKind::Name(_) => "Id",
            ExprKind::Path(..) => "Path",
            ExprKind::String(_)
            | ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Ion(_) => "Lit",
            ExprKind::Missing => "Missing",
            ExprKind::Parameter(_) => "Parameter",
            ExprKind::Call(..) => "Call",
            ExprKind::Sign("-", _) => "Neg",
            ExprKind::Sign(..) => "Pos",
            ExprKind::Not(_) => "Not",
            ExprKind::And(_) => "And",
            ExprKind::Or(_) => "Or",
            ExprKind::Binary(operator, ..) => match *operator {
                "=" => "Eq",
                "<>" => "Ne",
                "<" => "Lt",
                "<=" => "Lte",
                ">" => "Gt",
                ">=" => "Gte",
                "+" => "Plus",
                "-" => "Minus",
                "*" => "Times",
                "/" => "Divide",
                "%" => "Modulo",
                "||" => "Concat",
                "like" => "Like",
                _ => "Union",
            },
            ExprKind::Between(_) => "Between",
            ExprKind::In(..) => "InCollection",
            ExprKind::Is(..) => "IsType",
            ExprKind::List(_) => "List",
            ExprKind::Bag(_) => "Bag",
            ExprKind::Struct(_) => "Struct",
            ExprKind::Nested(_) => "Select",
        }
    }
}
