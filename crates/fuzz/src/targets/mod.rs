//! The targets. Each takes any bytes and says what became of them.

pub mod expression;
pub mod partiql;
pub mod request;
pub mod value;

/// The words of an error, without what it quotes: letters up to the first quotation.
fn class(message: &str) -> String {
    let unquoted = message.split(['"', '\'', ':', ';', '[', '{']).next().unwrap_or_default();
    unquoted
        .chars()
        .filter(|character| character.is_ascii_alphabetic() || *character == ' ')
        .take(60)
        .collect()
}
