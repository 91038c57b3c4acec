//! Parses updates. Like conditions, values are parsed with an explicit stack.

use super::Section;
use crate::expression::lexer::{Token, TokenKind, Tokens};
use crate::expression::tree::{Function, NONE, NodeId, NodeKind, REDUNDANT_PARENTHESES, Tree};

/// An update whose words are not checked yet.
pub(super) struct Parsed {
    pub(super) tree: Tree,
    pub(super) actions: Vec<ParsedAction>,
    /// The sections in order, each with how many nodes there are at its end.
    pub(super) sections: Vec<(Section, usize)>,
}

pub(super) struct ParsedAction {
    pub(super) section: Section,
    pub(super) target: NodeId,
    pub(super) value: NodeId,
    /// Which of the tree's finished nodes belong to the value.
    pub(super) finished: std::ops::Range<usize>,
}

pub(super) fn parse(source: &str) -> Result<Parsed, String> {
    let mut tokens = Tokens::new(source);
    let mut parsed = Parsed { tree: Tree::with_room(), actions: Vec::new(), sections: Vec::new() };
    loop {
        let section = match tokens.current().kind {
            TokenKind::Set => Section::Set,
            TokenKind::Remove => Section::Remove,
            TokenKind::Add => Section::Add,
            TokenKind::Delete => Section::Delete,
            TokenKind::End if !parsed.sections.is_empty() => return Ok(parsed),
            _ => return Err(tokens.syntax_error()),
        };
        tokens.take();
        loop {
            let action = take_action(section, &mut parsed.tree, &mut tokens)?;
            parsed.actions.push(action);
            if tokens.take_if(TokenKind::Comma).is_none() {
                break;
            }
        }
        parsed.sections.push((section, parsed.tree.nodes.len()));
    }
}

fn take_action(section: Section, tree: &mut Tree, tokens: &mut Tokens<'_>) -> Result<ParsedAction, String> {
    let target = tree.take_path(tokens)?;
    let finished = tree.finished_count();
    let value = match section {
        Section::Set => {
            tokens.expect(TokenKind::Equal)?;
            let id = Values { tokens, tree, frames: Vec::new() }.value()?;
            tree.mark_alone(id);
            id
        }
        Section::Remove => NONE,
        Section::Add | Section::Delete => {
            let token = tokens.expect(TokenKind::ValueRef)?;
            let id = tree.push(NodeKind::SourceValue, token);
            tree.finish(id);
            id
        }
    };
    Ok(ParsedAction { section, target, value, finished: finished..tree.finished_count() })
}

/// The right side of a SET action: an operand, or two with + or - between.
struct Values<'p, 's> {
    tokens: &'p mut Tokens<'s>,
    tree: &'p mut Tree,
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
    /// `x +` or `x -`
    Sum(NodeId),
}

/// A function whose operands are being read.
#[derive(Clone, Copy)]
struct Call {
    id: NodeId,
    /// Whether it is open if it is the whole value or an operand of a sum, or
    /// is within a function of which that is open.
    undecided: bool,
    /// See [`Part::redundant`].
    redundant: bool,
}

/// A complete part of the source.
#[derive(Clone, Copy)]
struct Part {
    id: NodeId,
    is_sum: bool,
    in_parentheses: bool,
    /// Whether two pairs of parentheses surround it or a part of it. The service
    /// notices only once it knows whether the whole is an operand of a sum.
    redundant: bool,
}

impl Values<'_, '_> {
    fn value(&mut self) -> Result<NodeId, String> {
        loop {
            let Some(mut part) = self.start_part()? else {
                continue;
            };
            loop {
                if let Some(Frame::Sum(id)) = self.frames.last().copied() {
                    self.frames.pop();
                    self.tree.add_child(id, part.id);
                    self.tree.finish(id);
                    part = Part { is_sum: true, ..Part::new(id) };
                }
                let token = self.tokens.current();
                match token.kind {
                    TokenKind::Plus | TokenKind::Minus if self.sum_may_stand() && !part.is_sum => {
                        refuse_redundant(part)?;
                        self.tokens.take();
                        let kind = match token.kind {
                            TokenKind::Plus => NodeKind::Plus,
                            _ => NodeKind::Minus,
                        };
                        let id = self.tree.push(kind, token);
                        self.tree.add_child(id, part.id);
                        self.frames.push(Frame::Sum(id));
                        break;
                    }
                    TokenKind::Comma if matches!(self.frames.last(), Some(Frame::Call(_))) => {
                        self.tokens.take();
                        self.add_operand(part);
                        break;
                    }
                    TokenKind::Close => match self.frames.last().copied() {
                        Some(Frame::Call(_)) => {
                            self.add_operand(part);
                            self.tokens.take();
                            if let Some(Frame::Call(call)) = self.frames.pop() {
                                self.tree.finish(call.id);
                                part = Part { redundant: call.redundant, ..Part::new(call.id) };
                            }
                        }
                        Some(Frame::Group { operand_only }) => {
                            self.tokens.take();
                            self.frames.pop();
                            let redundant = part.redundant || part.in_parentheses;
                            part = Part { in_parentheses: true, redundant, ..part };
                            let decided = operand_only && !self.is_in_undecided_call();
                            if decided || part.is_sum {
                                refuse_redundant(part)?;
                            }
                        }
                        _ => {
                            refuse_redundant(part)?;
                            return Err(self.tokens.syntax_error());
                        }
                    },
                    _ if self.frames.is_empty() => {
                        refuse_redundant(part)?;
                        return Ok(part.id);
                    }
                    _ => return Err(self.tokens.syntax_error()),
                }
            }
        }
    }

    /// Takes what starts a part. None where it only opens something.
    fn start_part(&mut self) -> Result<Option<Part>, String> {
        let token: Token = self.tokens.current();
        match token.kind {
            TokenKind::Open => {
                let operand_only = !self.sum_may_stand();
                self.tokens.take();
                self.frames.push(Frame::Group { operand_only });
                Ok(None)
            }
            TokenKind::ValueRef => {
                self.tokens.take();
                let id = self.tree.push(NodeKind::SourceValue, token);
                self.tree.finish(id);
                Ok(Some(Part::new(id)))
            }
            TokenKind::Name if self.tokens.following().kind == TokenKind::Open => {
                let undecided = self.sum_may_stand() || self.is_in_undecided_call();
                self.tokens.take();
                self.tokens.take();
                let function = Function::from_name(self.tokens.text(token.start, token.end));
                let id = self.tree.push(NodeKind::Call(function), token);
                self.frames.push(Frame::Call(Call { id, undecided, redundant: false }));
                Ok(None)
            }
            _ => {
                let id = self.tree.take_path(self.tokens)?;
                self.tree.finish(id);
                Ok(Some(Part::new(id)))
            }
        }
    }

    /// Whether a sum may stand where the next part starts.
    fn sum_may_stand(&self) -> bool {
        matches!(self.frames.last(), None | Some(Frame::Group { operand_only: false }))
    }

    /// Adds an operand to the function that waits for it.
    fn add_operand(&mut self, part: Part) {
        if let Some(Frame::Call(call)) = self.frames.last_mut() {
            call.redundant |= part.redundant;
            self.tree.add_child(call.id, part.id);
        }
    }

    fn is_in_undecided_call(&self) -> bool {
        let mut frames = self.frames.iter().rev();
        let holder = frames.find(|frame| !matches!(frame, Frame::Group { .. }));
        matches!(holder, Some(Frame::Call(call)) if call.undecided)
    }
}

impl Part {
    fn new(id: NodeId) -> Part {
        Part { id, is_sum: false, in_parentheses: false, redundant: false }
    }
}

fn refuse_redundant(part: Part) -> Result<(), String> {
    if part.redundant { Err(REDUNDANT_PARENTHESES.into()) } else { Ok(()) }
}
