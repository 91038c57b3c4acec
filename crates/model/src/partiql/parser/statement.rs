//! Statements. They are terms of expressions, so that a misplaced one is
//! refused by what it is.

use super::expression::{PRECEDENCE_SELECT, PathMode};
use super::{PRECEDENCE_MIN, Parser};
use crate::partiql::error::PartiqlError;
use crate::partiql::lexer::TokenKind;
use crate::partiql::syntax::{
    Action, Delete, Expr, ExprKind, Insert, InsertItem, OrderItem, Position, Returning, Select, SelectItems,
    Source, Syntax, Update,
};

impl Parser {
    /// The statement that a reserved word begins.
    pub(super) fn statement_term(&mut self, word: &str, at: Position) -> Result<Expr, PartiqlError> {
        let unexpected = || PartiqlError::malformed("Unexpected keyword");
        let syntax = match word {
            "select" => {
                self.advance();
                self.select()?
            }
            "insert" if self.take_keywords("insert", "into") => self.insert()?,
            "update" => {
                self.advance();
                self.update()?
            }
            "delete" => {
                self.advance();
                if !self.take_keyword("from") {
                    return Err(PartiqlError::malformed("Expected FROM after DELETE"));
                }
                let from = self.target()?;
                let condition = self.condition()?;
                Syntax::Delete(Delete { from, condition, returning: self.returning()? })
            }
            "from" => {
                self.advance();
                let from = self.source(PRECEDENCE_MIN)?;
                let condition = self.condition()?;
                let actions = self.actions()?;
                Syntax::Update(Update { from, actions, condition, returning: self.returning()? })
            }
            "set" | "remove" => {
                self.actions()?;
                Syntax::Unsupported("DataManipulation")
            }
            "create" | "drop" => {
                self.advance();
                let create = word == "create";
                let name = match (self.keyword(), create) {
                    (Some("table"), true) => "CreateTable",
                    (Some("table"), false) => "DropTable",
                    (Some("index"), true) => "CreateIndex",
                    (Some("index"), false) => "DropIndex",
                    _ => {
                        let word = word.to_ascii_uppercase();
                        return Err(PartiqlError::malformed(&format!("Unexpected token following {word}")));
                    }
                };
                // What such a statement says further is never looked at.
                while !matches!(self.kind(), TokenKind::End) {
                    self.advance();
                }
                Syntax::Unsupported(name)
            }
            _ => return Err(unexpected()),
        };
        Ok(Expr { kind: ExprKind::Nested(Box::new(syntax)), at })
    }

    fn select(&mut self) -> Result<Syntax, PartiqlError> {
        let distinct = self.take_keyword("distinct");
        if !distinct {
            self.take_keyword("all");
        }
        let mut has_alias = false;
        let items = if self.take_keyword("value") {
            self.expression(PRECEDENCE_MIN)?;
            SelectItems::Value
        } else {
            let items = self.comma_list(|parser| {
                if parser.take_symbol("*") {
                    return Ok(None);
                }
                let item = parser.expression(PRECEDENCE_MIN)?;
                has_alias |= parser.take_alias()?;
                Ok(Some(item))
            })?;
            let count = items.len();
            let expressions: Vec<Expr> = items.into_iter().flatten().collect();
            if expressions.len() < count && count > 1 {
                return Err(PartiqlError::malformed(
                    "Other expressions may not be present in the select list when '*' is used without dot \
                     notation.",
                ));
            }
            if expressions.is_empty() { SelectItems::All } else { SelectItems::Some(expressions) }
        };
        if !self.take_keyword("from") {
            return Err(PartiqlError::malformed("Expected FROM after SELECT list"));
        }
        let mut from = self.source(PRECEDENCE_SELECT)?;
        from.has_alias |= has_alias;
        let mut unsupported = None;
        let mut note = |name, at| {
            unsupported.get_or_insert((name, at));
        };
        let condition = match self.take_keyword("where") {
            true => Some(self.expression(PRECEDENCE_SELECT)?),
            false => None,
        };
        if self.take_keyword("group") {
            self.take_keyword("partial");
            if !self.take_keyword("by") {
                return Err(PartiqlError::malformed("Expected BY"));
            }
            note("GROUP BY", self.at());
            self.comma_list(|parser| parser.expression(PRECEDENCE_SELECT))?;
        }
        if self.take_keyword("having") {
            note("HAVING", self.at());
            self.expression(PRECEDENCE_SELECT)?;
        }
        let mut order = Vec::new();
        if self.take_keyword("order") {
            if !self.take_keyword("by") {
                return Err(PartiqlError::malformed("Expected BY"));
            }
            order = self.comma_list(|parser| {
                let expr = parser.expression(PRECEDENCE_SELECT)?;
                let descending = parser.take_keyword("desc");
                if !descending {
                    parser.take_keyword("asc");
                }
                Ok(OrderItem { expr, descending })
            })?;
        }
        for (word, name) in [("limit", "LIMIT"), ("offset", "OFFSET")] {
            if self.take_keyword(word) {
                note(name, self.at());
                self.expression(PRECEDENCE_SELECT)?;
            }
        }
        Ok(Syntax::Select(Select { distinct, items, from, condition, order, unsupported }))
    }

    fn insert(&mut self) -> Result<Syntax, PartiqlError> {
        let target = self.path(PathMode::Simple)?;
        let item = if self.take_keyword("value") {
            let value = self.expression(PRECEDENCE_MIN)?;
            match self.take_keyword("at") {
                true => InsertItem::At(self.expression(PRECEDENCE_MIN)?.at),
                false => InsertItem::One(value),
            }
        } else if self.take_keyword("values") {
            self.comma_list(|parser| {
                parser.expect_symbol("(", "LEFT_PAREN for row value constructor")?;
                parser.arguments(")", "RIGHT_PAREN")
            })?;
            InsertItem::Many
        } else {
            self.expression(PRECEDENCE_MIN)?;
            InsertItem::Many
        };
        let on_conflict = self.take_keywords("on", "conflict");
        if on_conflict {
            if self.take_keyword("where") {
                self.expression(PRECEDENCE_MIN)?;
            }
            if !self.take_keywords("do", "nothing") {
                return Err(PartiqlError::malformed("invalid ON CONFLICT syntax"));
            }
        }
        Ok(Syntax::Insert(Insert { target, item, returning: self.returning()?, on_conflict }))
    }

    fn update(&mut self) -> Result<Syntax, PartiqlError> {
        let from = self.target()?;
        let actions = self.actions()?;
        let condition = self.condition()?;
        Ok(Syntax::Update(Update { from, actions, condition, returning: self.returning()? }))
    }

    /// SET and REMOVE, as many as there are and at least one.
    fn actions(&mut self) -> Result<Vec<Action>, PartiqlError> {
        let mut actions = Vec::new();
        loop {
            if self.take_keyword("set") {
                let assignments = self.comma_list(|parser| {
                    let target = parser.path(PathMode::Simple)?;
                    if !parser.take_symbol("=") {
                        return Err(PartiqlError::malformed("Expected '='"));
                    }
                    Ok(Action::Set(target, parser.expression(PRECEDENCE_MIN)?))
                })?;
                actions.extend(assignments);
            } else if self.take_keyword("remove") {
                actions.push(Action::Remove(self.path(PathMode::Simple)?));
            } else if self.take_keywords("insert", "into") {
                self.insert()?;
                actions.push(Action::Insert);
            } else if actions.is_empty() {
                return Err(PartiqlError::malformed("Expected data manipulation"));
            } else {
                return Ok(actions);
            }
        }
    }

    fn condition(&mut self) -> Result<Option<Expr>, PartiqlError> {
        match self.take_keyword("where") {
            true => self.expression(PRECEDENCE_MIN).map(Some),
            false => Ok(None),
        }
    }

    fn returning(&mut self) -> Result<Option<Returning>, PartiqlError> {
        if !self.take_keyword("returning") {
            return Ok(None);
        }
        let elements = self.comma_list(|parser| {
            let wanted = [("modified", "old"), ("modified", "new"), ("all", "old"), ("all", "new")];
            let found = wanted.into_iter().find(|(amount, version)| parser.take_keywords(amount, version));
            let Some((amount, version)) = found else {
                return Err(PartiqlError::malformed(
                    "Expected ( MODIFIED | ALL ) ( NEW | OLD ) in each returning element.",
                ));
            };
            let is_all = parser.take_symbol("*");
            if !is_all {
                parser.path(PathMode::Full)?;
            }
            Ok((Returning { modified: amount == "modified", old: version == "old" }, is_all))
        })?;
        match elements[..] {
            [(returning, true)] => Ok(Some(returning)),
            [(_, false)] => Err(PartiqlError::new(
                "Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause",
            )),
            _ => {
                Err(PartiqlError::new("Invalid syntax with multiple returning elements in RETURNING clause"))
            }
        }
    }

    /// The table of an UPDATE or DELETE.
    fn target(&mut self) -> Result<Source, PartiqlError> {
        let expr = self.path(PathMode::Simple)?;
        let has_alias = self.take_alias()?;
        Ok(Source { expr, has_alias, is_join: false })
    }

    /// What follows FROM, with its joins.
    fn source(&mut self, precedence: u8) -> Result<Source, PartiqlError> {
        let expr = self.expression(precedence)?;
        let has_alias = self.take_alias()?;
        let mut is_join = false;
        while self.take_symbol(",") {
            is_join = true;
            self.expression(precedence)?;
            self.take_alias()?;
        }
        while self.take_join() {
            is_join = true;
            self.expression(precedence)?;
            self.take_alias()?;
            if !self.take_keyword("on") {
                return Err(PartiqlError::malformed("Expected 'ON'"));
            }
            self.expression(precedence)?;
        }
        Ok(Source { expr, has_alias, is_join })
    }

    fn take_join(&mut self) -> bool {
        for kind in ["inner", "left", "right", "full", "outer"] {
            if self.take_keyword(kind) {
                self.take_keyword("outer");
                break;
            }
        }
        self.take_keyword("join")
    }

    /// Takes `AS name`, `name`, `AT name` and `BY name`; says whether there was any.
    fn take_alias(&mut self) -> Result<bool, PartiqlError> {
        let mut found = false;
        for (word, name) in [("as", "AS"), ("at", "AT"), ("by", "BY")] {
            if self.take_keyword(word) {
                if self.take_identifier().is_none() {
                    return Err(PartiqlError::malformed(&format!("Expected identifier for {name}-alias")));
                }
                found = true;
            } else if word == "as" {
                found |= self.take_identifier().is_some();
            }
        }
        Ok(found)
    }
}
