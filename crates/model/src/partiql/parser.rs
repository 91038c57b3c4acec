//! Parses statements. What is refused here, and how it is worded, follows
//! PartiQL's own parser, which the service runs before its own checks: so
//! forms that DynamoDB does not take are parsed all the same, to be refused
//! later under their names.

mod expression;
mod statement;

use super::error::PartiqlError;
use super::lexer::{Token, TokenKind, tokens};
use super::syntax::{DEPTH_MAX, Expr, ExprKind, Position, Syntax};
use crate::expression::OPERATORS_MAX;

/// The tree of a statement and how many parameters it has.
pub(super) fn parse(source: &str) -> Result<(Syntax, usize), PartiqlError> {
    let mut parser = Parser { tokens: tokens(source)?, next: 0, depth: 0, operators: 0, parameters: 0 };
    let expr = parser.expression(PRECEDENCE_MIN)?;
    let has_semicolon = parser.take_symbol(";");
    if !matches!(parser.kind(), TokenKind::End) {
        return Err(PartiqlError::malformed(if has_semicolon {
            "Unexpected token after semicolon. (Only one query is allowed.)"
        } else {
            "Unexpected token after expression"
        }));
    }
    let syntax = match expr.kind {
        ExprKind::Nested(syntax) => *syntax,
        ExprKind::Call(name, _) if name == "exists" => Syntax::Exists,
        other => Syntax::Unsupported(other.operation_name()),
    };
    Ok((syntax, parser.parameters))
}

/// Below every operator's.
const PRECEDENCE_MIN: u8 = 0;

struct Parser {
    /// The last one is the end.
    tokens: Vec<Token>,
    next: usize,
    /// How many expressions are open.
    depth: usize,
    operators: usize,
    parameters: usize,
}

impl Parser {
    fn token(&self) -> &Token {
        self.tokens.get(self.next).unwrap_or_else(|| self.end())
    }

    fn end(&self) -> &Token {
        self.tokens.last().expect("the tokens have an end")
    }

    fn kind(&self) -> &TokenKind {
        &self.token().kind
    }

    fn at(&self) -> Position {
        self.token().at
    }

    /// The token after the one at hand.
    fn following(&self) -> &TokenKind {
        &self.tokens.get(self.next + 1).unwrap_or_else(|| self.end()).kind
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    /// The reserved word at hand.
    fn keyword(&self) -> Option<&str> {
        keyword_of(self.kind())
    }

    fn is_keyword(&self, word: &str) -> bool {
        self.keyword() == Some(word)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind(), TokenKind::Symbol(other) if *other == symbol)
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes two reserved words that belong together.
    fn take_keywords(&mut self, first: &str, second: &str) -> bool {
        let found = self.is_keyword(first) && keyword_of(self.following()) == Some(second);
        if found {
            self.next += 2;
        }
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Takes a symbol that must be there; `name` is the parser's for it.
    fn expect_symbol(&mut self, symbol: &str, name: &str) -> Result<(), PartiqlError> {
        match self.take_symbol(symbol) {
            true => Ok(()),
            false => Err(PartiqlError::malformed(&format!("Expected {name}"))),
        }
    }

    /// Takes a name that is not a reserved word, or any in quotes.
    fn take_identifier(&mut self) -> Option<Expr> {
        let (TokenKind::Identifier(name) | TokenKind::QuotedIdentifier(name)) = self.kind() else {
            return None;
        };
        let expr = Expr { kind: ExprKind::Name(name.clone()), at: self.at() };
        self.advance();
        Some(expr)
    }

    /// Counts an operator or function.
    fn count_operator(&mut self) -> Result<(), PartiqlError> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(PartiqlError::new(format!(
                "The expression contains too many operators; operator count: {}",
                self.operators
            )));
        }
        Ok(())
    }

    /// Runs `parse` one level deeper.
    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, PartiqlError>,
    ) -> Result<T, PartiqlError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PartiqlError::malformed("Expression is nested too deeply"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// One part after another, with commas between.
    fn comma_list<T>(
        &mut self,
        mut parse: impl FnMut(&mut Self) -> Result<T, PartiqlError>,
    ) -> Result<Vec<T>, PartiqlError> {
        let mut parts = Vec::new();
        loop {
            parts.push(parse(self)?);
            if !self.take_symbol(",") {
                return Ok(parts);
            }
        }
    }
}

fn keyword_of(kind: &TokenKind) -> Option<&str> {
    match kind {
        TokenKind::Keyword(word) => Some(word),
        _ => None,
    }
}
