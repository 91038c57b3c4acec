//! Parses conditions: precedence by an explicit stack, so that the depth of
//! the source costs memory of its own length and no stack.
//!
//! INVARIANT (error position): a syntax error is reported at the first token
//! with which no condition can go on. `(a` may become `(a) = b` or
//! `(a = b)`, so a parenthesis where a condition may stand opens either.

use crate::expression::lexer::{Token, TokenKind, Tokens};
use crate::expression::operators::Comparator;
use crate::expression::tree::{Function, NodeId, NodeKind, REDUNDANT_PARENTHESES, Tree};

/// The tree of a condition and its root.
pub(super) fn parse(source: &str) -> Result<(Tree, NodeId), String> {
    let mut parser = Parser { tokens: Tokens::new(source), tree: Tree::with_room(), frames: Vec::new() };
    let root = parser.condition()?;
    Ok((parser.tree, root))
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    tree: Tree,
    /// What is open, outermost first.
    frames: Vec<Frame>,
}

/// Something that waits for its next part.
#[derive(Clone, Copy)]
enum Frame {
    /// A parenthesis; inside an operand, only an operand may follow.
    Group {
        operand_only: bool,
    },
    Call(Call),
    In(NodeId),
    Not(NodeId),
    And(NodeId),
    Or(NodeId),
    Compare(NodeId),
    /// `x BETWEEN`
    Lower(NodeId),
    /// `x BETWEEN y AND`
    Upper(NodeId),
}

/// A function whose operands are being read.
#[derive(Clone, Copy)]
struct Call {
    id: NodeId,
    /// Whether it is open if it is a condition or an operand, or is within one
    /// of which that is open.
    undecided: bool,
    /// See [`Part::redundant`].
    redundant: bool,
}

/// A complete part of the source.
#[derive(Clone, Copy)]
struct Part {
    id: NodeId,
    class: Class,
    /// Whether parentheses surround it.
    in_parentheses: bool,
    /// Whether two pairs of parentheses surround it or a part of it. The service
    /// notices only once it knows whether the whole is a condition or an operand.
    redundant: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A path or a value.
    Operand,
    /// A function, which can be an operand or a condition.
    Function,
    Condition,
}

impl Parser<'_> {
    fn condition(&mut self) -> Result<NodeId, String> {
        loop {
            let Some(mut part) = self.start_part()? else {
                continue;
            };
            // What may follow a complete part, until a new one is wanted.
            loop {
                part = self.complete_operators(part);
                let token = self.tokens.current();
                if let Some(comparator) = comparator(token.kind) {
                    self.expect_left_operand(part)?;
                    let id = self.push_operator(NodeKind::Compare(comparator), part);
                    self.frames.push(Frame::Compare(id));
                    break;
                }
                match token.kind {
                    TokenKind::Between => {
                        self.expect_left_operand(part)?;
                        let id = self.push_operator(NodeKind::Between, part);
                        self.frames.push(Frame::Lower(id));
                        break;
                    }
                    TokenKind::In => {
                        self.expect_left_operand(part)?;
                        let id = self.push_operator(NodeKind::In, part);
                        self.tokens.expect(TokenKind::Open)?;
                        self.frames.push(Frame::In(id));
                        break;
                    }
                    TokenKind::And => {
                        if let Some(Frame::Lower(id)) = self.frames.last().copied() {
                            self.tokens.take();
                            self.tree.add_child(id, part.id);
                            self.frames.pop();
                            self.frames.push(Frame::Upper(id));
                            break;
                        }
                        let part = self.expect_condition(part)?;
                        let part = self.reduce(part, |frame| matches!(frame, Frame::Not(_) | Frame::And(_)));
                        let id = self.push_operator(NodeKind::And, part);
                        self.frames.push(Frame::And(id));
                        break;
                    }
                    TokenKind::Or => {
                        let part = self.expect_condition(part)?;
                        let part = self.reduce(part, |_| true);
                        let id = self.push_operator(NodeKind::Or, part);
                        self.frames.push(Frame::Or(id));
                        break;
                    }
                    TokenKind::Comma => {
                        if !self.add_operand(part) {
                            return Err(self.unexpected(part));
                        }
                        self.tokens.take();
                        break;
                    }
                    TokenKind::Close => part = self.close(part)?,
                    TokenKind::End => {
                        if self.frames.iter().any(|frame| matches!(frame, Frame::Group { .. })) {
                            return Err(self.unexpected(part));
                        }
                        let part = self.expect_condition(part)?;
                        return Ok(self.reduce(part, |_| true).id);
                    }
                    _ => return Err(self.unexpected(part)),
                }
            }
        }
    }

    /// Takes what starts a part. None where it only opens something.
    fn start_part(&mut self) -> Result<Option<Part>, String> {
        let token = self.tokens.current();
        match token.kind {
            TokenKind::Open => {
                let operand_only = !self.condition_may_stand();
                self.tokens.take();
                self.frames.push(Frame::Group { operand_only });
                Ok(None)
            }
            TokenKind::Not if self.condition_may_stand() => {
                self.tokens.take();
                let id = self.tree.push(NodeKind::Not, token);
                self.frames.push(Frame::Not(id));
                Ok(None)
            }
            TokenKind::ValueRef => {
                self.tokens.take();
                let id = self.tree.push(NodeKind::SourceValue, token);
                self.tree.finish(id);
                Ok(Some(Part::new(id, Class::Operand)))
            }
            TokenKind::Name if self.tokens.following().kind == TokenKind::Open => {
                let undecided = self.condition_may_stand() || self.is_in_undecided_call();
                self.tokens.take();
                self.tokens.take();
                let function = Function::from_name(self.tokens.text(token.start, token.end));
                let id = self.tree.push(NodeKind::Call(function), token);
                self.frames.push(Frame::Call(Call { id, undecided, redundant: false }));
                Ok(None)
            }
            _ => {
                let id = self.tree.take_path(&mut self.tokens)?;
                self.tree.finish(id);
                Ok(Some(Part::new(id, Class::Operand)))
            }
        }
    }

    /// Whether a condition may stand where the next part starts.
    fn condition_may_stand(&self) -> bool {
        match self.frames.last() {
            None | Some(Frame::Not(_) | Frame::And(_) | Frame::Or(_)) => true,
            Some(Frame::Group { operand_only }) => !operand_only,
            Some(_) => false,
        }
    }

    /// Gives a part to the operator that waited for it as its last operand.
    fn complete_operators(&mut self, part: Part) -> Part {
        let Some(Frame::Compare(id) | Frame::Upper(id)) = self.frames.last().copied() else {
            return part;
        };
        self.frames.pop();
        self.tree.add_child(id, part.id);
        self.tree.finish(id);
        Part::new(id, Class::Condition)
    }

    /// Takes an operator whose first operand is `part`.
    fn push_operator(&mut self, kind: NodeKind, part: Part) -> NodeId {
        let token: Token = self.tokens.take();
        let id = self.tree.push(kind, token);
        self.tree.add_child(id, part.id);
        id
    }

    fn expect_left_operand(&self, part: Part) -> Result<(), String> {
        if part.class == Class::Condition || !self.condition_may_stand() {
            return Err(self.unexpected(part));
        }
        refuse_redundant(part)
    }

    /// The part as a condition: what it is, or what a function becomes.
    fn expect_condition(&mut self, part: Part) -> Result<Part, String> {
        if part.class == Class::Operand || !self.condition_may_stand() {
            return Err(self.unexpected(part));
        }
        refuse_redundant(part)?;
        if part.class == Class::Function {
            self.tree.mark_alone(part.id);
        }
        Ok(Part { class: Class::Condition, ..part })
    }

    /// Gives a condition to the operators that wait for it, innermost first.
    fn reduce(&mut self, mut part: Part, binds: impl Fn(Frame) -> bool) -> Part {
        while let Some(frame @ (Frame::Not(id) | Frame::And(id) | Frame::Or(id))) =
            self.frames.last().copied()
        {
            if !binds(frame) {
                break;
            }
            self.frames.pop();
            self.tree.add_child(id, part.id);
            part = Part::new(id, Class::Condition);
        }
        part
    }

    /// Takes a closing parenthesis after `part`.
    fn close(&mut self, mut part: Part) -> Result<Part, String> {
        if matches!(self.frames.last(), Some(Frame::Not(_) | Frame::And(_) | Frame::Or(_))) {
            part = self.expect_condition(part)?;
            part = self.reduce(part, |_| true);
        }
        match self.frames.last().copied() {
            Some(Frame::Call(_) | Frame::In(_)) if self.add_operand(part) => {
                self.tokens.take();
                let (id, class, redundant) = match self.frames.pop() {
                    Some(Frame::Call(call)) => (call.id, Class::Function, call.redundant),
                    Some(Frame::In(id)) => (id, Class::Condition, false),
                    _ => return Err(self.unexpected(part)),
                };
                self.tree.finish(id);
                Ok(Part { redundant, ..Part::new(id, class) })
            }
            Some(Frame::Group { operand_only }) => {
                self.tokens.take();
                self.frames.pop();
                let redundant = part.redundant || part.in_parentheses;
                part = Part { in_parentheses: true, redundant, ..part };
                let decided = operand_only && !self.is_in_undecided_call();
                if decided || part.class == Class::Condition {
                    refuse_redundant(part)?;
                }
                Ok(part)
            }
            _ => Err(self.unexpected(part)),
        }
    }

    /// Adds an operand to the function or list that waits for it, if one does.
    fn add_operand(&mut self, part: Part) -> bool {
        let id = match self.frames.last_mut() {
            Some(Frame::Call(call)) => {
                call.redundant |= part.redundant;
                call.id
            }
            Some(Frame::In(id)) => *id,
            _ => return false,
        };
        if part.class == Class::Condition {
            return false;
        }
        self.tree.add_child(id, part.id);
        true
    }

    fn is_in_undecided_call(&self) -> bool {
        let mut frames = self.frames.iter().rev();
        let holder = frames.find(|frame| !matches!(frame, Frame::Group { .. }));
        matches!(holder, Some(Frame::Call(call)) if call.undecided)
    }

    /// The error for the token at hand, which cannot follow `part`.
    fn unexpected(&self, part: Part) -> String {
        let in_group = matches!(self.frames.last(), Some(Frame::Group { .. }));
        let decided = part.class == Class::Function && !in_group && !self.is_in_undecided_call();
        if part.redundant && decided {
            return REDUNDANT_PARENTHESES.into();
        }
        self.tokens.syntax_error()
    }
}

impl Part {
    fn new(id: NodeId, class: Class) -> Part {
        Part { id, class, in_parentheses: false, redundant: false }
    }
}

fn refuse_redundant(part: Part) -> Result<(), String> {
    if part.redundant { Err(REDUNDANT_PARENTHESES.into()) } else { Ok(()) }
}

fn comparator(kind: TokenKind) -> Option<Comparator> {
    Some(match kind {
        TokenKind::Equal => Comparator::Equal,
        TokenKind::NotEqual => Comparator::NotEqual,
        TokenKind::Less => Comparator::Less,
        TokenKind::LessOrEqual => Comparator::LessOrEqual,
        TokenKind::Greater => Comparator::Greater,
        TokenKind::GreaterOrEqual => Comparator::GreaterOrEqual,
        _ => return None,
    })
}
