//! The constraints of one value: whether they hold, and their wording.

use super::model::{Bound, Kind, Limits, Model, Shape};
use super::text;
use crate::document::Document;

/// Whether `value`, whose JSON type fits, satisfies the constraints of `shape` itself.
pub(super) fn satisfied(model: &Model, shape: &Shape, value: &Document) -> bool {
    if shape.limits.is_empty() && shape.limits.name.is_none() {
        return true;
    }
    let mut satisfied = true;
    each_failing(model, shape, value, &mut |_| satisfied = false);
    satisfied
}

/// Calls `failed` with the wording of each constraint of `shape` that `value` fails, in order.
pub(super) fn each_failed(model: &Model, shape: &Shape, value: &Document, failed: &mut dyn FnMut(&str)) {
    each_failing(model, shape, value, &mut |constraint| failed(&constraint.wording()));
}

/// Whether the key of a map satisfies `limits`.
pub(super) fn text_satisfied(model: &Model, limits: &Limits, text: &str) -> bool {
    let mut satisfied = true;
    each_failing_text(model, limits, text, &mut |_| satisfied = false);
    satisfied
}

/// The wording of all constraints of `shape`, as they stand between brackets.
pub(super) fn all(model: &Model, shape: &Shape) -> String {
    let limits = match shape.limits.name {
        Some(name) if shape.limits.is_empty() => &model.shape(name).limits,
        _ => &shape.limits,
    };
    bracketed(limits, measures_length(&shape.kind))
}

/// The wording of the constraints that `text`, the key of a map, fails to satisfy as a whole.
pub(super) fn all_for_text(model: &Model, limits: &Limits, text: &str) -> String {
    match limits.name {
        Some(name) if limits_of_text_hold(limits, text) => bracketed(&model.shape(name).limits, true),
        _ => bracketed(limits, true),
    }
}

fn bracketed(limits: &Limits, length: bool) -> String {
    let max = limits.max.map(|bound| Constraint::Max { bound, length });
    let min = limits.min.map(|bound| Constraint::Min { bound, length });
    let pattern = limits.pattern.as_ref().map(|pattern| Constraint::Pattern(&pattern.text));
    let values = (!limits.values.is_empty()).then_some(Constraint::Values(limits));
    let all = [max, min, pattern, values];
    all.iter().flatten().map(Constraint::wording).collect::<Vec<_>>().join(", ")
}

/// One constraint that can fail.
enum Constraint<'a> {
    Min { bound: Bound, length: bool },
    Max { bound: Bound, length: bool },
    Pattern(&'a str),
    Values(&'a Limits),
}

impl Constraint<'_> {
    fn wording(&self) -> String {
        let measure = |length: &bool| if *length { "length" } else { "value" };
        match self {
            Self::Min { bound, length } => {
                format!("Member must have {} greater than or equal to {bound}", measure(length))
            }
            Self::Max { bound, length } => {
                format!("Member must have {} less than or equal to {bound}", measure(length))
            }
            Self::Pattern(pattern) => format!("Member must satisfy regular expression pattern: {pattern}"),
            Self::Values(limits) => {
                format!("Member must satisfy enum value set: [{}]", text::value_set(limits).join(", "))
            }
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(formatter),
            Self::Decimal(decimal) => write!(formatter, "{decimal:?}"),
        }
    }
}

impl Bound {
    fn as_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "bounds of floating-point shapes are small")]
            Self::Whole(whole) => whole as f64,
            Self::Decimal(decimal) => decimal,
        }
    }
}

fn measures_length(kind: &Kind) -> bool {
    !matches!(kind, Kind::Integer | Kind::Long | Kind::Float | Kind::Double)
}

fn each_failing(model: &Model, shape: &Shape, value: &Document, failing: &mut dyn FnMut(Constraint<'_>)) {
    let limits = &shape.limits;
    match (&shape.kind, value) {
        (Kind::String, Document::String(text)) => each_failing_text(model, limits, text, failing),
        (Kind::List(_), Document::Array(elements)) => each_failing_length(limits, elements.len(), failing),
        (Kind::Map { .. }, Document::Object(entries)) => each_failing_length(limits, entries.len(), failing),
        (Kind::Blob, Document::String(base64)) => {
            each_failing_length(limits, text::decoded_bytes(base64), failing);
        }
        (Kind::Integer | Kind::Long, Document::Number(number)) => {
            if let Some(number) = number.as_i64() {
                if let Some(bound @ Bound::Whole(min)) = limits.min
                    && number < min
                {
                    failing(Constraint::Min { bound, length: false });
                }
                if let Some(bound @ Bound::Whole(max)) = limits.max
                    && number > max
                {
                    failing(Constraint::Max { bound, length: false });
                }
            }
        }
        (Kind::Float | Kind::Double, Document::Number(number)) => {
            if let Some(number) = number.as_f64() {
                if let Some(bound) = limits.min
                    && number < bound.as_f64()
                {
                    failing(Constraint::Min { bound, length: false });
                }
                if let Some(bound) = limits.max
                    && number > bound.as_f64()
                {
                    failing(Constraint::Max { bound, length: false });
                }
            }
        }
        _ => {}
    }
}

fn each_failing_text(model: &Model, limits: &Limits, text: &str, failing: &mut dyn FnMut(Constraint<'_>)) {
    if !limits_of_text_hold(limits, text) {
        each_failing_own(limits, text, failing);
    } else if let Some(name) = limits.name
        && !text.starts_with("arn:")
    {
        each_failing_text(model, &model.shape(name).limits, text, failing);
    }
}

fn limits_of_text_hold(limits: &Limits, text: &str) -> bool {
    let mut hold = true;
    each_failing_own(limits, text, &mut |_| hold = false);
    hold
}

fn each_failing_own(limits: &Limits, text: &str, failing: &mut dyn FnMut(Constraint<'_>)) {
    let pattern = |failing: &mut dyn FnMut(Constraint<'_>)| {
        if let Some(pattern) = &limits.pattern
            && !pattern.matches(text)
        {
            failing(Constraint::Pattern(&pattern.text));
        }
    };
    if !limits.length_first {
        pattern(failing);
    }
    if limits.min.is_some() || limits.max.is_some() {
        each_failing_length(limits, utf16_length(text), failing);
    }
    if limits.length_first {
        pattern(failing);
    }
    if !limits.values.is_empty() && !limits.values.contains(&text) {
        failing(Constraint::Values(limits));
    }
}

fn each_failing_length(limits: &Limits, length: usize, failing: &mut dyn FnMut(Constraint<'_>)) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if let Some(bound @ Bound::Whole(min)) = limits.min
        && length < min
    {
        failing(Constraint::Min { bound, length: true });
    }
    if let Some(bound @ Bound::Whole(max)) = limits.max
        && length > max
    {
        failing(Constraint::Max { bound, length: true });
    }
}

/// The services count text as Java does.
fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}
