//! The tree of a parsed condition or of the values of an update.
//!
//! Nodes lie in one list in the order in which the source shows them, so that
//! the checks of the source are loops and neither they nor dropping a tree
//! recurses. A tree that passed its checks has at most [`OPERATORS_MAX`]
//! operators and functions, which bounds the recursion of evaluating it.

use std::sync::Arc;

use super::lexer::{Token, TokenKind, Tokens};
use super::operators::Comparator;
use super::path::{Path, PathElement};
use super::placeholders::Placeholders;
use super::reserved::is_reserved;
use super::{OPERATORS_MAX, PATH_ELEMENTS_MAX};
use crate::attribute::AttributeValue;

/// A node's place in [`Tree::nodes`].
pub(super) type NodeId = u16;

/// No node: the end of a list of children.
pub(super) const NONE: NodeId = NodeId::MAX;

/// The functions of all expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    AttributeExists,
    AttributeNotExists,
    AttributeType,
    BeginsWith,
    Contains,
    Size,
    IfNotExists,
    ListAppend,
}

impl Function {
    /// The function of this name, whose case matters.
    pub(crate) fn from_name(name: &str) -> Option<Function> {
        Some(match name {
            "attribute_exists" => Function::AttributeExists,
            "attribute_not_exists" => Function::AttributeNotExists,
            "attribute_type" => Function::AttributeType,
            "begins_with" => Function::BeginsWith,
            "contains" => Function::Contains,
            "size" => Function::Size,
            "if_not_exists" => Function::IfNotExists,
            "list_append" => Function::ListAppend,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Function::AttributeExists => "attribute_exists",
            Function::AttributeNotExists => "attribute_not_exists",
            Function::AttributeType => "attribute_type",
            Function::BeginsWith => "begins_with",
            Function::Contains => "contains",
            Function::Size => "size",
            Function::IfNotExists => "if_not_exists",
            Function::ListAppend => "list_append",
        }
    }

    /// Whether it belongs to updates rather than to conditions.
    pub(super) fn is_of_updates(self) -> bool {
        matches!(self, Function::IfNotExists | Function::ListAppend)
    }

    /// How many operands it takes.
    pub(super) fn operand_count(self) -> u16 {
        match self {
            Function::AttributeExists | Function::AttributeNotExists | Function::Size => 1,
            _ => 2,
        }
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    /// A path as in the source: from one of [`Tree::elements`] up to another.
    SourcePath(u16, u16),
    /// A value as in the source.
    SourceValue,
    /// A document path, by its index in [`Tree::paths`].
    Path(u16),
    /// A value, by its index in [`Tree::values`].
    Value(u16),
    /// A function of a known name, or of one that no function has.
    Call(Option<Function>),
    Compare(Comparator),
    Between,
    In,
    And,
    Or,
    Not,
    Plus,
    Minus,
}

impl NodeKind {
    /// Whether the node is true or false.
    pub(super) fn is_condition(self) -> bool {
        match self {
            NodeKind::Call(Some(function)) => function != Function::Size && !function.is_of_updates(),
            NodeKind::Compare(_)
            | NodeKind::Between
            | NodeKind::In
            | NodeKind::And
            | NodeKind::Or
            | NodeKind::Not => true,
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// The name, path or value in the source.
    pub(super) start: u16,
    pub(super) end: u16,
    first_child: NodeId,
    last_child: NodeId,
    next: NodeId,
    pub(super) children: u16,
    /// For a call: whether it is a whole condition or a whole value, not an operand.
    pub(super) stands_alone: bool,
}

/// One element of a path in the source.
#[derive(Clone, Copy, Debug)]
struct SourceElement {
    kind: TokenKind,
    start: u16,
    end: u16,
}

/// See the module's text.
#[derive(Clone, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) paths: Vec<Path>,
    pub(super) values: Vec<Arc<AttributeValue>>,
    /// All nodes with something to resolve or check, children before parents.
    finished: Vec<NodeId>,
    /// The elements of the paths in the source; an unresolved path says where
    /// its own start and end.
    elements: Vec<SourceElement>,
}

impl Tree {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }

    /// A node's children in order.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.node(id).first_child;
        std::iter::from_fn(move || {
            let id = next;
            next = self.nodes.get(usize::from(id))?.next;
            Some(id)
        })
    }

    /// The child at this position of a node that was checked to have it.
    pub(super) fn child(&self, id: NodeId, position: usize) -> NodeId {
        self.children(id).nth(position).expect("the number of operands was checked")
    }

    /// The path of a node, if it is a resolved path.
    pub(super) fn path(&self, id: NodeId) -> Option<&Path> {
        match self.node(id).kind {
            NodeKind::Path(index) => self.paths.get(usize::from(index)),
            _ => None,
        }
    }

    /// The value of a node, if it is a resolved value.
    pub(super) fn value(&self, id: NodeId) -> Option<&Arc<AttributeValue>> {
        match self.node(id).kind {
            NodeKind::Value(index) => self.values.get(usize::from(index)),
            _ => None,
        }
    }

    /// How many nodes are finished.
    pub(super) fn finished_count(&self) -> usize {
        self.finished.len()
    }

    /// The finished node at this position.
    pub(super) fn finished_at(&self, position: usize) -> NodeId {
        self.finished[position]
    }

    // Building.

    /// A tree with room for a small expression.
    pub(super) fn with_room() -> Tree {
        Tree {
            nodes: Vec::with_capacity(8),
            paths: Vec::new(),
            values: Vec::new(),
            finished: Vec::with_capacity(8),
            elements: Vec::with_capacity(8),
        }
    }

    /// Adds a node that stands at a token. A source of 4 KB has fewer nodes
    /// than `NodeId` counts.
    pub(super) fn push(&mut self, kind: NodeKind, token: Token) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            kind,
            start: token.start,
            end: token.end,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            children: 0,
            stands_alone: false,
        });
        id
    }

    pub(super) fn add_child(&mut self, parent: NodeId, child: NodeId) {
        let last = self.nodes[usize::from(parent)].last_child;
        match self.nodes.get_mut(usize::from(last)) {
            Some(last) => last.next = child,
            None => self.nodes[usize::from(parent)].first_child = child,
        }
        let parent = &mut self.nodes[usize::from(parent)];
        parent.last_child = child;
        parent.children += 1;
    }

    /// Says that all of a node's children are there.
    pub(super) fn finish(&mut self, id: NodeId) {
        self.finished.push(id);
    }

    /// Says that a node is a whole condition or a whole value.
    pub(super) fn mark_alone(&mut self, id: NodeId) {
        self.nodes[usize::from(id)].stands_alone = true;
    }

    /// Adds a node that has no place in a source, with its children.
    pub(super) fn add_built(&mut self, kind: NodeKind, children: &[NodeId]) -> NodeId {
        let id = self.push(kind, Token { kind: TokenKind::End, start: 0, end: 0 });
        for child in children {
            self.add_child(id, *child);
        }
        id
    }

    /// Adds a path that has no place in a source.
    pub(super) fn add_path(&mut self, path: &Path) -> NodeId {
        self.paths.push(path.clone());
        self.add_built(NodeKind::Path(self.paths.len() as u16 - 1), &[])
    }

    /// Adds a value that has no place in a source.
    pub(super) fn add_value(&mut self, value: &Arc<AttributeValue>) -> NodeId {
        self.values.push(Arc::clone(value));
        self.add_built(NodeKind::Value(self.values.len() as u16 - 1), &[])
    }

    /// Takes the path at hand from the tokens.
    pub(super) fn take_path(&mut self, tokens: &mut Tokens<'_>) -> Result<NodeId, String> {
        let first = self.elements.len() as u16;
        let start = tokens.current().start;
        let mut end = self.take_path_name(tokens)?;
        loop {
            if tokens.take_if(TokenKind::Dot).is_some() {
                // The service's grammar lets a value stand here, only to find
                // that no name is defined for it.
                end = match tokens.take_if(TokenKind::ValueRef) {
                    Some(value) => self.push_element(value),
                    None => self.take_path_name(tokens)?,
                };
            } else if tokens.take_if(TokenKind::OpenBracket).is_some() {
                let digits = tokens.expect(TokenKind::Digits)?;
                self.push_element(digits);
                end = tokens.expect(TokenKind::CloseBracket)?.end;
            } else {
                break;
            }
        }
        let kind = NodeKind::SourcePath(first, self.elements.len() as u16);
        Ok(self.push(kind, Token { kind: TokenKind::Name, start, end }))
    }

    fn take_path_name(&mut self, tokens: &mut Tokens<'_>) -> Result<u16, String> {
        if !matches!(tokens.current().kind, TokenKind::Name | TokenKind::NameRef) {
            return Err(tokens.syntax_error());
        }
        let name = tokens.take();
        Ok(self.push_element(name))
    }

    /// Adds an element and says where it ends.
    fn push_element(&mut self, token: Token) -> u16 {
        self.elements.push(SourceElement { kind: token.kind, start: token.start, end: token.end });
        token.end
    }

    // Checks.

    /// Refuses reserved words and list indexes beyond 32 bits in the source of
    /// an unresolved path.
    pub(super) fn check_path_source(&self, id: NodeId, source: &str) -> Result<(), String> {
        for element in self.elements_of(id) {
            let text = &source[usize::from(element.start)..usize::from(element.end)];
            match element.kind {
                TokenKind::Name if is_reserved(text) => {
                    return Err(format!("Attribute name is a reserved keyword; reserved keyword: {text}"));
                }
                TokenKind::Digits if list_index(text).is_none() => {
                    return Err(format!("List index is not within the allowable range; index: [{text}]"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The path of an unresolved node.
    pub(super) fn resolve_path(
        &self,
        id: NodeId,
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Path, String> {
        let elements = self.elements_of(id);
        let mut path: Option<Path> = None;
        for element in elements {
            let text = &source[usize::from(element.start)..usize::from(element.end)];
            if element.kind == TokenKind::Digits {
                let index = list_index(text).expect("the range of indexes was checked");
                path.as_mut().expect("a path starts with a name").push(PathElement::Index(index));
                continue;
            }
            let name = match element.kind {
                TokenKind::NameRef | TokenKind::ValueRef => placeholders.use_name(text).ok_or_else(|| {
                    format!(
                        "An expression attribute name used in the document path is not defined; \
                         attribute name: {text}"
                    )
                })?,
                _ => text,
            };
            match &mut path {
                None => path = Some(Path::top_level(name)),
                Some(path) => path.push(PathElement::Member(name.into())),
            }
        }
        let path = path.expect("a path has an element");
        if path.len() > PATH_ELEMENTS_MAX {
            return Err(format!(
                "The document path has too many nesting levels; nesting levels: {}",
                path.len()
            ));
        }
        Ok(path)
    }

    /// Resolves a node that is a path or a value; says whether it was one.
    pub(super) fn resolve(
        &mut self,
        id: NodeId,
        source: &str,
        placeholders: &mut Placeholders,
    ) -> Result<bool, String> {
        let node = *self.node(id);
        let resolved = match node.kind {
            NodeKind::SourcePath(..) => {
                let path = self.resolve_path(id, source, placeholders)?;
                self.paths.push(path);
                NodeKind::Path(self.paths.len() as u16 - 1)
            }
            NodeKind::SourceValue => {
                let text = &source[usize::from(node.start)..usize::from(node.end)];
                let value = placeholders.use_value(text).ok_or_else(|| {
                    format!(
                        "An expression attribute value used in expression is not defined; \
                         attribute value: {text}"
                    )
                })?;
                self.values.push(Arc::clone(value));
                NodeKind::Value(self.values.len() as u16 - 1)
            }
            _ => return Ok(false),
        };
        self.nodes[usize::from(id)].kind = resolved;
        Ok(true)
    }

    /// Refuses more than 300 operators and functions.
    pub(super) fn check_operator_count(&self) -> Result<(), String> {
        let is_operand = |kind| {
            matches!(
                kind,
                NodeKind::SourcePath(..) | NodeKind::SourceValue | NodeKind::Path(_) | NodeKind::Value(_)
            )
        };
        if self.nodes.iter().filter(|node| !is_operand(node.kind)).nth(OPERATORS_MAX).is_some() {
            return Err(format!(
                "The expression contains too many operators; operator count: {}",
                OPERATORS_MAX + 1
            ));
        }
        Ok(())
    }

    /// Lets go of what only the checks need.
    pub(super) fn forget_source(&mut self) {
        self.finished = Vec::new();
        self.elements = Vec::new();
    }

    fn elements_of(&self, id: NodeId) -> &[SourceElement] {
        match self.node(id).kind {
            NodeKind::SourcePath(first, end) => &self.elements[usize::from(first)..usize::from(end)],
            _ => &[],
        }
    }
}

/// Java's `int` holds an index.
fn list_index(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|index| *index <= i32::MAX as u32)
}

/// The static type of an operand, where the source alone tells it.
pub(super) fn static_type(tree: &Tree, id: NodeId) -> Option<&'static str> {
    match tree.node(id).kind {
        NodeKind::Value(_) => tree.value(id).map(|value| value.type_name()),
        NodeKind::Call(Some(Function::Size)) => Some("N"),
        kind if kind.is_condition() => Some("BOOL"),
        _ => None,
    }
}

/// Refuses a call with another number of operands than its function takes.
pub(super) fn check_operand_count(tree: &Tree, id: NodeId, function: Function) -> Result<(), String> {
    let count = tree.node(id).children;
    if count == function.operand_count() {
        return Ok(());
    }
    Err(format!(
        "Incorrect number of operands for operator or function; operator or function: {}, \
         number of operands: {count}",
        function.name()
    ))
}

/// Refuses a first operand that is a path and stands again among the others.
pub(super) fn check_distinct(tree: &Tree, id: NodeId, operator: &str) -> Result<(), String> {
    let mut operands = tree.children(id);
    let Some(first) = operands.next().and_then(|id| tree.path(id)) else {
        return Ok(());
    };
    if operands.any(|id| tree.path(id) == Some(first)) {
        return Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or \
             function; operator: {operator}, first operand: {first}"
        ));
    }
    Ok(())
}

pub(super) fn incorrect_type(operator: &str, type_name: &str) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, \
         operand type: {type_name}"
    )
}

pub(super) fn path_required(function: Function) -> String {
    format!("Operator or function requires a document path; operator or function: {}", function.name())
}

pub(super) fn invalid_function(name: &str) -> String {
    format!("Invalid function name; function: {name}")
}

pub(super) fn misused_function(function: Function) -> String {
    format!("The function is not allowed to be used this way in an expression; function: {}", function.name())
}

pub(super) const REDUNDANT_PARENTHESES: &str = "The expression has redundant parentheses;";
