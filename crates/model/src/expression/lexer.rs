//! Tokens of an expression, and the syntax error at one of them.

use super::SOURCE_BYTES_MAX;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A letter, then letters, digits and underscores.
    Name,
    /// `#name`
    NameRef,
    /// `:value`
    ValueRef,
    /// `0`, or digits that do not start with 0.
    Digits,
    Set,
    Remove,
    Add,
    Delete,
    And,
    Or,
    Not,
    Between,
    In,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Dot,
    Comma,
    Plus,
    Minus,
    /// A character that no expression has a use for.
    Unknown,
    /// The end of the source.
    End,
}

/// A token and where it stands, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: u16,
    pub(super) end: u16,
}

/// The tokens of a source, one at a time.
pub(super) struct Tokens<'a> {
    source: &'a str,
    /// Where the token before the current one starts; 0 where there is none.
    previous_start: u16,
    current: Token,
}

impl<'a> Tokens<'a> {
    /// The tokens of a source of at most 4 KB.
    pub(super) fn new(source: &'a str) -> Tokens<'a> {
        assert!(source.len() <= SOURCE_BYTES_MAX, "the caller bounds the source");
        Tokens { source, previous_start: 0, current: token_at(source, 0) }
    }

    /// The token at hand.
    pub(super) fn current(&self) -> Token {
        self.current
    }

    /// The token after the one at hand.
    pub(super) fn following(&self) -> Token {
        token_at(self.source, self.current.end)
    }

    /// Takes the token at hand.
    pub(super) fn take(&mut self) -> Token {
        let token = self.current;
        self.previous_start = token.start;
        self.current = token_at(self.source, token.end);
        token
    }

    /// Takes the token at hand if it is of this kind.
    pub(super) fn take_if(&mut self, kind: TokenKind) -> Option<Token> {
        (self.current.kind == kind).then(|| self.take())
    }

    /// Takes the token at hand, which must be of this kind.
    pub(super) fn expect(&mut self, kind: TokenKind) -> Result<Token, String> {
        self.take_if(kind).ok_or_else(|| self.syntax_error())
    }

    /// The text between two places.
    pub(super) fn text(&self, start: u16, end: u16) -> &'a str {
        &self.source[usize::from(start)..usize::from(end)]
    }

    /// The message for a token at hand that does not belong where it stands.
    /// Its window reaches from the token before to the token after.
    pub(super) fn syntax_error(&self) -> String {
        let token = match self.current.kind {
            TokenKind::End => "<EOF>",
            _ => self.text(self.current.start, self.current.end),
        };
        let near_end = match token.chars().next() {
            // The service sees two characters, of which the second is the next token.
            Some(character) if character.len_utf16() == 2 => self.current.end,
            _ => self.following().end,
        };
        let near = self.text(self.previous_start, near_end);
        format!("Syntax error; token: \"{token}\", near: \"{near}\"")
    }
}

fn token_at(source: &str, from: u16) -> Token {
    let bytes = source.as_bytes();
    let mut start = usize::from(from);
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(start) {
        start += 1;
    }
    let rest = &bytes[start..];
    let (kind, length) = match rest {
        [] => (TokenKind::End, 0),
        [b'A'..=b'Z' | b'a'..=b'z', ..] => {
            let length = word_length(rest);
            (keyword(&rest[..length]).unwrap_or(TokenKind::Name), length)
        }
        [b'#', tail @ ..] => reference(TokenKind::NameRef, tail),
        [b':', tail @ ..] => reference(TokenKind::ValueRef, tail),
        [b'0', ..] => (TokenKind::Digits, 1),
        [b'1'..=b'9', ..] => {
            (TokenKind::Digits, rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
        }
        [b'=', ..] => (TokenKind::Equal, 1),
        [b'<', b'>', ..] => (TokenKind::NotEqual, 2),
        [b'<', b'=', ..] => (TokenKind::LessOrEqual, 2),
        [b'<', ..] => (TokenKind::Less, 1),
        [b'>', b'=', ..] => (TokenKind::GreaterOrEqual, 2),
        [b'>', ..] => (TokenKind::Greater, 1),
        [b'(', ..] => (TokenKind::Open, 1),
        [b')', ..] => (TokenKind::Close, 1),
        [b'[', ..] => (TokenKind::OpenBracket, 1),
        [b']', ..] => (TokenKind::CloseBracket, 1),
        [b'.', ..] => (TokenKind::Dot, 1),
        [b',', ..] => (TokenKind::Comma, 1),
        [b'+', ..] => (TokenKind::Plus, 1),
        [b'-', ..] => (TokenKind::Minus, 1),
        _ => (TokenKind::Unknown, source[start..].chars().next().map_or(1, char::len_utf8)),
    };
    // The source is at most 4 KB, so its places fit 16 bits.
    Token { kind, start: start as u16, end: (start + length) as u16 }
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// A sign alone is not a reference.
fn reference(kind: TokenKind, tail: &[u8]) -> (TokenKind, usize) {
    match word_length(tail) {
        0 => (TokenKind::Unknown, 1),
        length => (kind, 1 + length),
    }
}

fn keyword(word: &[u8]) -> Option<TokenKind> {
    let candidates: &[(&[u8], TokenKind)] = match word.len() {
        2 => &[(b"IN", TokenKind::In), (b"OR", TokenKind::Or)],
        3 => &[
            (b"SET", TokenKind::Set),
            (b"AND", TokenKind::And),
            (b"NOT", TokenKind::Not),
            (b"ADD", TokenKind::Add),
        ],
        6 => &[(b"REMOVE", TokenKind::Remove), (b"DELETE", TokenKind::Delete)],
        7 => &[(b"BETWEEN", TokenKind::Between)],
        _ => return None,
    };
    let found = candidates.iter().find(|(text, _)| word.eq_ignore_ascii_case(text))?;
    Some(found.1)
}
