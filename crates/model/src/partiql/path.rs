//! Document paths, and the table and index that a statement names.

use super::error::PartiqlError;
use super::literal::EMPTY_NAME;
use super::syntax::{Expr, ExprKind, Source, Step};
use crate::expression::{PATH_ELEMENTS_MAX, Path, PathElement};

/// The document path that an expression is.
pub(super) fn path(expr: &Expr) -> Result<Path, PartiqlError> {
    let (root, steps) = match &expr.kind {
        ExprKind::Path(root, steps) => (&**root, steps.as_slice()),
        _ => (expr, &[][..]),
    };
    let ExprKind::Name(name) = &root.kind else {
        return Err(unexpected_component(root));
    };
    let mut path = Path::top_level(not_empty(name)?);
    for step in steps {
        path.push(match step {
            Step::Member(name) => PathElement::Member(not_empty(name)?.into()),
            Step::Index(index) => element(index)?,
            Step::Unpivot => {
                return Err(PartiqlError::new("Unpivot path component like a.*.b are not supported"));
            }
            Step::Wildcard => {
                return Err(PartiqlError::new("Wildcard path component like a[*].b are not supported"));
            }
        });
    }
    if path.len() > PATH_ELEMENTS_MAX {
        return Err(PartiqlError::new(format!(
            "The document path has too many nesting levels; nesting levels: {}",
            path.len()
        )));
    }
    Ok(path)
}

/// What stands in brackets: an index, or the name of a member.
fn element(index: &Expr) -> Result<PathElement, PartiqlError> {
    match &index.kind {
        ExprKind::String(name) | ExprKind::Name(name) => Ok(PathElement::Member(not_empty(name)?.into())),
        ExprKind::Number(text) if !text.contains(['.', 'e', 'E']) => {
            let number = text.parse().ok().filter(|number: &u32| i32::try_from(*number).is_ok());
            let number = number.ok_or_else(|| {
                PartiqlError::at(
                    format_args!("List index is not within the allowable range; index: [{text}]"),
                    index.at,
                )
            })?;
            Ok(PathElement::Index(number))
        }
        _ => Err(unexpected_component(index)),
    }
}

/// Refuses the asterisks that SELECT has words of its own for.
pub(super) fn check_shown(expr: &Expr) -> Result<(), PartiqlError> {
    let ExprKind::Path(_, steps) = &expr.kind else { return Ok(()) };
    let is_unpivot = |step: &Step| matches!(step, Step::Unpivot);
    match steps.split_last() {
        Some((Step::Unpivot, others)) if !others.iter().any(is_unpivot) => {
            Err(PartiqlError::new("Changing item's hierarchy while reading isn't supported"))
        }
        _ if steps.iter().any(|step| is_unpivot(step) || matches!(step, Step::Wildcard)) => {
            Err(PartiqlError::malformed("Invalid use of * in select list"))
        }
        _ => Ok(()),
    }
}

/// The name under which SELECT shows a path: its last member and the indexes behind it.
pub(super) fn shown_name(path: &Path) -> String {
    let mut name = path.name().to_owned();
    for step in path.steps() {
        match step {
            PathElement::Member(member) => name = member.to_string(),
            PathElement::Index(index) => name.push_str(&format!("[{index}]")),
        }
    }
    name
}

/// The table that a statement names, and the index.
pub(super) fn source(source: &Source) -> Result<(String, Option<String>), PartiqlError> {
    if source.is_join {
        return Err(PartiqlError::new("Only select from a single table or index is supported."));
    }
    if source.has_alias {
        return Err(PartiqlError::new("Aliasing is not supported"));
    }
    table(&source.expr)
}

/// The table and index of `"table"."index"`.
pub(super) fn table(expr: &Expr) -> Result<(String, Option<String>), PartiqlError> {
    let (root, steps) = match &expr.kind {
        ExprKind::Path(root, steps) => (&**root, steps.as_slice()),
        _ => (expr, &[][..]),
    };
    let ExprKind::Name(table) = &root.kind else {
        return Err(PartiqlError::new("Unexpected from source"));
    };
    let mut index = None;
    for (position, step) in steps.iter().enumerate() {
        match step {
            _ if position > 0 => {
                return Err(PartiqlError::new("A path may contain at most 2 components in the FROM clause"));
            }
            Step::Member(name) => index = Some(not_empty(name)?.to_owned()),
            Step::Unpivot => {
                return Err(PartiqlError::new(
                    "Invalid path dot component in this operation, expecting either an IDENTIFIER or STAR.",
                ));
            }
            Step::Index(_) | Step::Wildcard => {
                return Err(PartiqlError::new("Invalid list expression in source."));
            }
        }
    }
    let is_name = (3..=255).contains(&table.len())
        && table.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !not_empty(table)?.starts_with("arn:") && !is_name {
        return Err(PartiqlError::new(
            "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', \
             '.'.",
        ));
    }
    Ok((table.clone(), index))
}

fn unexpected_component(expr: &Expr) -> PartiqlError {
    PartiqlError::at("Unexpected path component", expr.at)
}

fn not_empty(name: &str) -> Result<&str, PartiqlError> {
    if name.is_empty() { Err(PartiqlError::new(EMPTY_NAME)) } else { Ok(name) }
}
