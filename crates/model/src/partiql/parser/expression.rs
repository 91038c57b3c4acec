//! Expressions, by the precedence of their operators.

use super::{PRECEDENCE_MIN, Parser, keyword_of};
use crate::partiql::error::PartiqlError;
use crate::partiql::keyword::is_function_name;
use crate::partiql::lexer::TokenKind;
use crate::partiql::syntax::{Expr, ExprKind, Position, Step};

/// Binds weaker than all operators that a clause of SELECT can hold.
pub(super) const PRECEDENCE_SELECT: u8 = 6;
const PRECEDENCE_NOT: u8 = 30;

/// An operator between two expressions, or after one.
struct Infix {
    operator: Operator,
    precedence: u8,
    /// How many tokens it has.
    tokens: usize,
    negated: bool,
}

enum Operator {
    Or,
    And,
    In,
    Is,
    Between,
    Binary(&'static str),
}

/// How the elements of a path may look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PathMode {
    /// Anything, starting anywhere.
    Full,
    /// A name and steps that are no expressions.
    Simple,
}

impl Parser {
    pub(super) fn expression(&mut self, precedence: u8) -> Result<Expr, PartiqlError> {
        self.deeper(|parser| parser.operators(precedence))
    }

    fn operators(&mut self, precedence: u8) -> Result<Expr, PartiqlError> {
        let mut left = self.unary()?;
        while let Some(infix) = self.infix().filter(|infix| precedence < infix.precedence) {
            let at = self.at();
            self.next += infix.tokens;
            self.count_operator()?;
            let kind = match infix.operator {
                Operator::Is => ExprKind::Is(Box::new(left), self.type_name()?),
                Operator::In => {
                    let values = self.in_values(infix.precedence)?;
                    ExprKind::In(Box::new(left), Box::new(values))
                }
                Operator::Between => {
                    let lower = self.right_side(infix.precedence)?;
                    if !self.take_keyword("and") {
                        return Err(PartiqlError::malformed("Expected AND keyword"));
                    }
                    if self.is_at_end_of_statement() {
                        return Err(PartiqlError::malformed("Expected expression after AND"));
                    }
                    let upper = self.expression(infix.precedence)?;
                    ExprKind::Between(Box::new([left, lower, upper]))
                }
                Operator::And => {
                    let mut parts = match left.kind {
                        ExprKind::And(parts) => parts,
                        _ => vec![left],
                    };
                    parts.push(self.right_side(infix.precedence)?);
                    ExprKind::And(parts)
                }
                Operator::Or => {
                    let mut parts = match left.kind {
                        ExprKind::Or(parts) => parts,
                        _ => vec![left],
                    };
                    parts.push(self.right_side(infix.precedence)?);
                    ExprKind::Or(parts)
                }
                Operator::Binary(name) => {
                    let right = self.right_side(infix.precedence)?;
                    ExprKind::Binary(name, Box::new(left), Box::new(right))
                }
            };
            left = Expr { kind, at };
            if infix.negated {
                left = Expr { kind: ExprKind::Not(Box::new(left)), at };
            }
        }
        Ok(left)
    }

    fn right_side(&mut self, precedence: u8) -> Result<Expr, PartiqlError> {
        if matches!(self.kind(), TokenKind::End) {
            return Err(PartiqlError::malformed("Missing right-hand side expression of infix operator"));
        }
        self.expression(precedence)
    }

    /// What follows IN: a list in parentheses, even of one value, or an expression.
    fn in_values(&mut self, precedence: u8) -> Result<Expr, PartiqlError> {
        let at = self.at();
        let is_list =
            self.is_symbol("(") && !matches!(keyword_of(self.following()), Some("select" | "values"));
        if !is_list {
            return self.right_side(precedence);
        }
        self.advance();
        let values = self.arguments(")", "RIGHT_PAREN")?;
        Ok(Expr { kind: ExprKind::List(values), at })
    }

    fn infix(&self) -> Option<Infix> {
        let infix = |operator, precedence| Infix { operator, precedence, tokens: 1, negated: false };
        let word = match self.kind() {
            TokenKind::Keyword(word) => word.as_str(),
            TokenKind::Symbol(symbol) => {
                let (name, precedence) = match *symbol {
                    symbol @ ("=" | "<>") => (symbol, 40),
                    symbol @ ("<" | "<=" | ">" | ">=") => (symbol, 50),
                    symbol @ ("+" | "-" | "||") => (symbol, 60),
                    symbol @ ("*" | "/" | "%") => (symbol, 70),
                    _ => return None,
                };
                return Some(infix(Operator::Binary(name), precedence));
            }
            _ => return None,
        };
        let following = keyword_of(self.following());
        Some(match (word, following) {
            ("or", _) => infix(Operator::Or, 10),
            ("and", _) => infix(Operator::And, 20),
            ("is", Some("not")) => Infix { tokens: 2, negated: true, ..infix(Operator::Is, 40) },
            ("is", _) => infix(Operator::Is, 40),
            ("in", _) => infix(Operator::In, 40),
            ("between", _) => infix(Operator::Between, 50),
            ("like", _) => infix(Operator::Binary("like"), 50),
            ("not", Some("in")) => Infix { tokens: 2, negated: true, ..infix(Operator::In, 40) },
            ("not", Some("between")) => Infix { tokens: 2, negated: true, ..infix(Operator::Between, 50) },
            ("not", Some("like")) => {
                Infix { tokens: 2, negated: true, ..infix(Operator::Binary("like"), 50) }
            }
            ("union" | "except" | "intersect", Some("all" | "distinct")) => {
                Infix { tokens: 2, ..infix(Operator::Binary("union"), 5) }
            }
            ("union" | "except" | "intersect", _) => infix(Operator::Binary("union"), 5),
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Expr, PartiqlError> {
        let at = self.at();
        let sign = match self.kind() {
            TokenKind::Symbol(symbol @ ("+" | "-")) => *symbol,
            TokenKind::Keyword(word) if word == "not" => {
                self.advance();
                self.count_operator()?;
                let operand = self.expression(PRECEDENCE_NOT)?;
                return Ok(Expr { kind: ExprKind::Not(Box::new(operand)), at });
            }
            _ => return self.path(PathMode::Full),
        };
        self.advance();
        let operand = self.deeper(Parser::unary)?;
        // A sign before a number is a part of it.
        if let ExprKind::Number(text) = &operand.kind {
            let number = match (sign, text.strip_prefix('-')) {
                ("+", _) => text.clone(),
                (_, Some(positive)) => positive.to_owned(),
                (_, None) => format!("-{text}"),
            };
            return Ok(Expr { kind: ExprKind::Number(number), at: operand.at });
        }
        self.count_operator()?;
        Ok(Expr { kind: ExprKind::Sign(sign, Box::new(operand)), at })
    }

    pub(super) fn path(&mut self, mode: PathMode) -> Result<Expr, PartiqlError> {
        let root = match mode {
            PathMode::Full => self.term()?,
            PathMode::Simple => self
                .take_identifier()
                .ok_or_else(|| PartiqlError::malformed("Expected identifier for simple path"))?,
        };
        let mut steps = Vec::new();
        loop {
            if self.take_symbol(".") {
                if self.take_symbol("*") {
                    if mode == PathMode::Simple {
                        return Err(PartiqlError::malformed("Invalid path dot component for simple path"));
                    }
                    steps.push(Step::Unpivot);
                    continue;
                }
                let name = self.take_identifier().map(|name| name.kind);
                let Some(ExprKind::Name(name)) = name else {
                    return Err(PartiqlError::malformed("Invalid path dot component"));
                };
                steps.push(Step::Member(name));
            } else if self.take_symbol("[") {
                if self.take_symbol("*") {
                    self.expect_symbol("]", "RIGHT_BRACKET")?;
                    steps.push(Step::Wildcard);
                    continue;
                }
                let index = self.expression(PRECEDENCE_MIN)?;
                self.expect_symbol("]", "RIGHT_BRACKET")?;
                let is_atom = matches!(
                    index.kind,
                    ExprKind::Name(_) | ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Bool(_)
                );
                if mode == PathMode::Simple && !is_atom {
                    return Err(PartiqlError::malformed("Invalid path component for simple path"));
                }
                steps.push(Step::Index(index));
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(root);
        }
        let at = root.at;
        Ok(Expr { kind: ExprKind::Path(Box::new(root), steps), at })
    }

    fn term(&mut self) -> Result<Expr, PartiqlError> {
        let at = self.at();
        let kind = match self.kind().clone() {
            TokenKind::Identifier(name) | TokenKind::QuotedIdentifier(name) => {
                self.advance();
                match self.take_symbol("(") {
                    true => self.call(&name)?,
                    false => ExprKind::Name(name),
                }
            }
            TokenKind::String(text) => {
                self.advance();
                ExprKind::String(text)
            }
            TokenKind::Number(text) => {
                self.advance();
                ExprKind::Number(text)
            }
            TokenKind::Ion(text) => {
                self.advance();
                ExprKind::Ion(text)
            }
            TokenKind::Parameter => {
                self.advance();
                self.parameters += 1;
                ExprKind::Parameter(self.parameters - 1)
            }
            TokenKind::Symbol(symbol) => return self.symbol_term(symbol, at),
            TokenKind::Keyword(word) => return self.keyword_term(&word, at),
            TokenKind::End => return Err(PartiqlError::malformed("Unexpected term")),
        };
        Ok(Expr { kind, at })
    }

    fn symbol_term(&mut self, symbol: &str, at: Position) -> Result<Expr, PartiqlError> {
        if matches!(symbol, "=" | "<>" | "<" | "<=" | ">" | ">=" | "/" | "%" | "||" | "~" | "^") {
            return Err(PartiqlError::malformed("Unexpected operator"));
        }
        if !matches!(symbol, "(" | "[" | "<<" | "{" | "@") {
            return Err(PartiqlError::malformed("Unexpected term"));
        }
        self.advance();
        let kind = match symbol {
            "(" => {
                let mut parts = self.arguments(")", "RIGHT_PAREN")?;
                match parts.pop() {
                    Some(part) if parts.is_empty() => return Ok(part),
                    part => {
                        parts.extend(part);
                        ExprKind::List(parts)
                    }
                }
            }
            "[" if self.take_symbol("]") => ExprKind::List(Vec::new()),
            "[" => ExprKind::List(self.arguments("]", "RIGHT_BRACKET")?),
            "<<" if self.take_symbol(">>") => ExprKind::Bag(Vec::new()),
            "<<" => ExprKind::Bag(self.arguments(">>", "RIGHT_DOUBLE_ANGLE_BRACKET")?),
            "{" if self.take_symbol("}") => ExprKind::Struct(Vec::new()),
            "{" => {
                let members = self.comma_list(|parser| {
                    let key = parser.expression(PRECEDENCE_MIN)?;
                    parser.expect_symbol(":", "COLON")?;
                    Ok((key, parser.expression(PRECEDENCE_MIN)?))
                })?;
                self.expect_symbol("}", "RIGHT_CURLY")?;
                ExprKind::Struct(members)
            }
            _ => {
                let name = self.take_identifier();
                return name.ok_or_else(|| PartiqlError::malformed("Identifier must follow @-operator"));
            }
        };
        Ok(Expr { kind, at })
    }

    fn keyword_term(&mut self, word: &str, at: Position) -> Result<Expr, PartiqlError> {
        let kind = match word {
            "true" | "false" => ExprKind::Bool(word == "true"),
            "null" => ExprKind::Null,
            "missing" => ExprKind::Missing,
            "and" | "or" | "is" | "in" | "between" | "like" | "union" | "except" | "intersect" => {
                return Err(PartiqlError::malformed("Unexpected operator"));
            }
            "case" | "cast" | "pivot" | "extract" | "trim" | "date_add" | "date_diff" => {
                let token = word.to_ascii_uppercase();
                return Err(PartiqlError::at(format_args!("Unsupported token in expression: {token}"), at));
            }
            _ if is_function_name(word) && matches!(self.following(), TokenKind::Symbol("(")) => {
                self.next += 2;
                let kind = self.call(word)?;
                return Ok(Expr { kind, at });
            }
            _ => return self.statement_term(word, at),
        };
        self.advance();
        Ok(Expr { kind, at })
    }

    /// A call after its opening parenthesis. Names of functions have no case.
    fn call(&mut self, name: &str) -> Result<ExprKind, PartiqlError> {
        self.count_operator()?;
        let name = name.to_ascii_lowercase();
        if self.take_symbol("*") {
            // `count(*)`, which nothing here evaluates.
            self.expect_symbol(")", "RIGHT_PAREN")?;
            return Ok(ExprKind::Call(name, Vec::new()));
        }
        let arguments = match self.take_symbol(")") {
            true => Vec::new(),
            false => self.arguments(")", "RIGHT_PAREN")?,
        };
        Ok(ExprKind::Call(name, arguments))
    }

    /// At least one expression, up to a closing symbol.
    pub(super) fn arguments(&mut self, close: &str, name: &str) -> Result<Vec<Expr>, PartiqlError> {
        let arguments = self.comma_list(|parser| parser.expression(PRECEDENCE_MIN))?;
        self.expect_symbol(close, name)?;
        Ok(arguments)
    }

    /// The type after IS, by its full name.
    fn type_name(&mut self) -> Result<&'static str, PartiqlError> {
        let expected = || PartiqlError::malformed("Expected type name");
        let name = match self.keyword().ok_or_else(expected)? {
            "missing" => "MISSING",
            "null" => "NULL",
            "bool" | "boolean" => "BOOLEAN",
            "smallint" | "int2" | "integer2" => "SMALLINT",
            "int" | "integer" => "INTEGER",
            "int4" | "integer4" => "INTEGER4",
            "int8" | "integer8" | "bigint" => "INTEGER8",
            "float" => "FLOAT",
            "real" => "REAL",
            "double" if keyword_of(self.following()) == Some("precision") => {
                self.advance();
                "DOUBLE_PRECISION"
            }
            "dec" | "decimal" => "DECIMAL",
            "numeric" => "NUMERIC",
            "timestamp" => "TIMESTAMP",
            "date" => "DATE",
            "time" => "TIME",
            "char" | "character" if keyword_of(self.following()) == Some("varying") => {
                self.advance();
                "CHARACTER_VARYING"
            }
            "char" | "character" => "CHARACTER",
            "varchar" => "CHARACTER_VARYING",
            "string" => "STRING",
            "symbol" => "SYMBOL",
            "clob" => "CLOB",
            "blob" => "BLOB",
            "struct" => "STRUCT",
            "tuple" => "TUPLE",
            "list" => "LIST",
            "sexp" => "SEXP",
            "bag" => "BAG",
            "any" => "ANY",
            _ => return Err(expected()),
        };
        self.advance();
        Ok(name)
    }

    fn is_at_end_of_statement(&self) -> bool {
        match self.kind() {
            TokenKind::End => true,
            TokenKind::Symbol(";") => matches!(self.following(), TokenKind::End),
            _ => false,
        }
    }
}
