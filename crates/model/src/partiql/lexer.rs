//! Tokens of a statement.
//!
//! All are read before parsing starts: a source that holds a character or a
//! number that is no token is refused whatever stands before it. The source is
//! bounded, and reading takes time in proportion to it.

use super::error::PartiqlError;
use super::keyword::is_keyword;
use super::syntax::Position;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name as it stands, not a keyword.
    Identifier(String),
    /// A name in double quotes.
    QuotedIdentifier(String),
    /// A reserved word, in lower case.
    Keyword(String),
    /// Text in single quotes.
    String(String),
    /// A number without sign, as it stands.
    Number(String),
    /// An Ion value in backquotes, which DynamoDB does not take.
    Ion(String),
    /// `?`
    Parameter,
    /// Everything else, such as `<=` or `<<`.
    Symbol(&'static str),
    /// The end of the statement.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Position,
}

/// The tokens of a statement; the last one is its end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, PartiqlError> {
    let mut lexer = Lexer { rest: source, line: 1, column: 1 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_last = token.kind == TokenKind::End;
        tokens.push(token);
        if is_last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Token, PartiqlError> {
        self.skip_blanks()?;
        let (line, column, before) = (self.line, self.column, self.rest);
        let kind = self.kind()?;
        let text = &before[..before.len() - self.rest.len()];
        let length = text.chars().count() as u32;
        Ok(Token { kind, at: Position { line, column, length } })
    }

    fn kind(&mut self) -> Result<TokenKind, PartiqlError> {
        let Some(first) = self.rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        Ok(match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => {
                let word = self.take_while(is_word_character);
                let lower = word.to_ascii_lowercase();
                if is_keyword(&lower) {
                    TokenKind::Keyword(lower)
                } else {
                    TokenKind::Identifier(word.to_owned())
                }
            }
            '0'..='9' => TokenKind::Number(self.number()?),
            '.' if self.rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                TokenKind::Number(self.number()?)
            }
            '\'' => TokenKind::String(self.quoted('\'')?),
            '"' => TokenKind::QuotedIdentifier(self.quoted('"')?),
            '`' => TokenKind::Ion(self.quoted('`')?),
            '?' => {
                self.advance(1);
                TokenKind::Parameter
            }
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol));
                let symbol = symbol.ok_or_else(PartiqlError::unreadable)?;
                self.advance(symbol.len());
                TokenKind::Symbol(if *symbol == "!=" { "<>" } else { symbol })
            }
        })
    }

    fn skip_blanks(&mut self) -> Result<(), PartiqlError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with("--") {
                self.take_while(|character| character != '\n');
            } else if self.rest.starts_with("/*") {
                let end = self.rest[2..].find("*/").ok_or_else(PartiqlError::unreadable)?;
                self.advance(2 + end + 2);
            } else {
                return Ok(());
            }
        }
    }

    /// Digits, with a point and an exponent where there are.
    ///
    /// The service reads a number as Java's `BigDecimal`: its exponent and its
    /// scale, which is the count of digits after the point less the exponent,
    /// must each fit 32 bits.
    fn number(&mut self) -> Result<String, PartiqlError> {
        let before = self.rest;
        self.take_while(|character| character.is_ascii_digit());
        let mut fraction_digits = 0_i64;
        if self.rest.starts_with('.') {
            self.advance(1);
            fraction_digits = self.take_while(|character| character.is_ascii_digit()).len() as i64;
        }
        let mut exponent = 0_i64;
        if self.rest.starts_with(['e', 'E']) {
            self.advance(1);
            let negative = self.rest.starts_with('-');
            if self.rest.starts_with(['+', '-']) {
                self.advance(1);
            }
            let digits = self.take_while(|character| character.is_ascii_digit());
            let magnitude: i64 = digits.parse().map_err(|_| PartiqlError::unreadable())?;
            exponent = if negative { -magnitude } else { magnitude };
        }
        let fits = |number: i64| i32::try_from(number).is_ok();
        let scale = fraction_digits.checked_sub(exponent);
        if self.rest.starts_with(is_word_character) || !fits(exponent) || !scale.is_some_and(fits) {
            return Err(PartiqlError::unreadable());
        }
        Ok(before[..before.len() - self.rest.len()].to_owned())
    }

    /// The text between two quotes; a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String, PartiqlError> {
        self.advance(1);
        let mut text = String::new();
        loop {
            let length = self.rest.find(quote).ok_or_else(PartiqlError::unreadable)?;
            text.push_str(&self.rest[..length]);
            self.advance(length + 1);
            if !self.rest.starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.advance(1);
        }
    }

    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|character| !is_wanted(character)).unwrap_or(self.rest.len());
        let taken = &self.rest[..length];
        self.advance(length);
        taken
    }

    fn advance(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        for character in taken.chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.rest = rest;
    }
}

fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$')
}

/// Longer ones before those that they begin with.
const SYMBOLS: [&str; 28] = [
    "<<", ">>", "<=", ">=", "<>", "!=", "||", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    "{", "}", ",", ":", ";", ".", "@", "~", "^",
];
