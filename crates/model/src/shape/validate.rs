//! One request body against the input shape of its operation.
//!
//! Two passes. The first looks at every value once, refuses a wrong JSON type and says whether
//! all constraints hold; it allocates nothing. Only when something is wrong does the second walk
//! again, in the order in which the service reports, and write the texts.
//!
//! Recursion is bounded by the model: apart from `AttributeValue`, which is not entered, no
//! input shape contains itself (a test holds the models to that).

use super::constraint;
use super::deviations::Stage;
use super::model::{Kind, Member, Model, Operation, Shape, ShapeId, Structure};
use super::service::model;
use super::text::{self, Path};
use super::wrong_type::{self, Place};
use crate::document::{Document, Object};
use crate::json;

/// Why a request body is refused. Both carry the service's own text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// `SerializationException`: a value has another JSON type than its shape.
    #[error("{0}")]
    Serialization(String),
    /// `ValidationException`: a constraint of the model does not hold, or a member is unknown.
    #[error("{0}")]
    Validation(String),
}

impl InputError {
    /// The code that goes on the wire, without a namespace.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
        }
    }

    /// The message that goes on the wire.
    pub fn message(&self) -> &str {
        match self {
            Self::Serialization(message) | Self::Validation(message) => message,
        }
    }
}

/// The services stop after this many errors.
const ERRORS_MAX: usize = 10;

impl Operation {
    /// Checks `input`, the body of a request to this action, against its published shape.
    ///
    /// A member whose value is `null` counts as absent, as the services have it. A member that
    /// the model does not know is refused rather than ignored. `AttributeValue`s are only
    /// required to be objects (or `null`).
    ///
    /// # Errors
    /// The error that the service would answer with: first for JSON types, then what the service
    /// checks by hand, then up to ten failed constraints in one text.
    pub fn validate(&self, input: &Document) -> Result<(), InputError> {
        let walk = Walk { model: model(self.service) };
        let Some(shape) = self.input else {
            return match input {
                Document::Object(members) if members.is_empty() => Ok(()),
                Document::Object(members) => Err(unknown_member(self.name, members.keys().next())),
                _ => Err(wrong_type::body_error(walk.model, input)),
            };
        };
        let sound = walk.sound(shape, input, Place::Body)?;
        self.check_constraints(walk, shape, input, sound)
            // The services read all of a body before they judge any of it, attribute values too.
            .or_else(|refused| walk.check_attribute_values(shape, input).and(Err(refused)))
    }
}

impl Operation {
    fn check_constraints(
        &self,
        walk: Walk,
        shape: ShapeId,
        input: &Document,
        sound: bool,
    ) -> Result<(), InputError> {
        self.own_checks(Stage::BeforeModel, input)?;
        if !sound {
            walk.report(self, shape, input)?;
        }
        self.own_checks(Stage::AfterModel, input)
    }

    fn own_checks(&self, stage: Stage, input: &Document) -> Result<(), InputError> {
        let failed = self
            .own_checks
            .iter()
            .filter(|check| check.stage == stage)
            .find_map(|check| check.failure(input));
        failed.map_or(Ok(()), |message| Err(InputError::Validation(message)))
    }
}

#[derive(Clone, Copy)]
struct Walk {
    model: &'static Model,
}

impl Walk {
    /// Whether `value` and all below it satisfy their constraints.
    fn sound(self, id: ShapeId, value: &Document, place: Place) -> Result<bool, InputError> {
        let shape = self.model.shape(id);
        let sound_below = match (&shape.kind, value) {
            (Kind::Structure(structure), Document::Object(members)) => {
                self.sound_members(structure, members)?
            }
            (Kind::List(element), Document::Array(elements)) => {
                let place = Place::Element;
                let mut sound = true;
                for value in elements {
                    sound &= self.sound_element(*element, value, place)?;
                }
                sound
            }
            (Kind::Map { key, value: element }, Document::Object(entries)) => {
                let keys = &self.model.shape(*key).limits;
                let place = Place::Element;
                let mut sound = true;
                for (name, value) in entries {
                    sound &= keys.is_empty() || constraint::text_satisfied(self.model, keys, name);
                    sound &= self.sound_element(*element, value, place)?;
                }
                sound
            }
            (Kind::AttributeValue, Document::Object(_)) => return Ok(true),
            _ if wrong_type::fits(shape, value) => true,
            _ => return Err(wrong_type::error(self.model, place, shape, value)),
        };
        Ok(sound_below && constraint::satisfied(self.model, shape, value))
    }

    fn sound_members(self, structure: &Structure, members: &Object) -> Result<bool, InputError> {
        let mut sound = true;
        let mut present = 0;
        for (name, value) in members {
            match structure.position(name) {
                None => sound = false,
                Some(_) if value.is_null() => {}
                Some(position) => {
                    present |= 1 << position;
                    sound &= self.sound(structure.members[position].shape, value, Place::Member)?;
                }
            }
        }
        Ok(sound && present & structure.required == structure.required)
    }

    fn sound_element(self, id: ShapeId, value: &Document, place: Place) -> Result<bool, InputError> {
        if value.is_null() {
            return Ok(matches!(self.model.shape(id).kind, Kind::AttributeValue));
        }
        self.sound(id, value, place)
    }

    /// Refuses an attribute value anywhere below that has a wrong JSON type.
    fn check_attribute_values(self, id: ShapeId, value: &Document) -> Result<(), InputError> {
        match (&self.model.shape(id).kind, value) {
            (Kind::AttributeValue, value) => {
                json::check_types(value).map_err(|error| InputError::Serialization(error.message))
            }
            (Kind::Structure(structure), Document::Object(members)) => {
                members.iter().try_for_each(|(name, value)| match structure.position(name) {
                    Some(position) => self.check_attribute_values(structure.members[position].shape, value),
                    None => Ok(()),
                })
            }
            (Kind::List(element), Document::Array(elements)) => {
                elements.iter().try_for_each(|value| self.check_attribute_values(*element, value))
            }
            (Kind::Map { value: element, .. }, Document::Object(entries)) => {
                entries.values().try_for_each(|value| self.check_attribute_values(*element, value))
            }
            _ => Ok(()),
        }
    }

    /// The error for an `input` that is not sound, unless a deviation excuses all of it.
    fn report(self, operation: &Operation, id: ShapeId, input: &Document) -> Result<(), InputError> {
        let is_whole = match &self.model.shape(id).kind {
            Kind::Structure(structure) => structure.reported_members().all(|member| {
                !member.required || input.get(member.name).is_some_and(|value| !value.is_null())
            }),
            _ => true,
        };
        let mut report = Report { walk: self, is_whole, errors: Vec::new(), bad_key: None, unknown: None };
        report.value(id, input, &Path::Body);
        if let Some(unknown) = report.unknown {
            return Err(unknown_member(operation.name, Some(unknown.as_str())));
        }
        if let Some((of_the_map, text)) = report.bad_key
            && report.errors.len() == of_the_map
        {
            report.errors.insert(0, text);
            report.errors.truncate(ERRORS_MAX);
        }
        if report.errors.is_empty() {
            Ok(())
        } else {
            Err(InputError::Validation(text::envelope(&report.errors)))
        }
    }
}

/// Collects what is wrong, in the service's order.
struct Report {
    walk: Walk,
    /// Whether the body has all members that it needs.
    is_whole: bool,
    errors: Vec<String>,
    /// What is wrong with the keys of a map that gives way to what is wrong outside of it, and how many other errors
    /// the map has.
    bad_key: Option<(usize, String)>,
    unknown: Option<String>,
}

impl Report {
    fn value(&mut self, id: ShapeId, value: &Document, path: &Path<'_>) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let model = self.walk.model;
        let shape = model.shape(id);
        constraint::each_failed(model, shape, value, &mut |constraint| {
            self.error(shape, value, path, constraint);
        });
        self.contents(shape, value, path);
    }

    /// What is wrong inside `value`.
    fn contents(&mut self, shape: &Shape, value: &Document, path: &Path<'_>) {
        let model = self.walk.model;
        match (&shape.kind, value) {
            (Kind::Structure(structure), Document::Object(members)) => self.members(structure, members, path),
            (Kind::List(element), Document::Array(elements)) => {
                self.bulk(shape, value, path, "Member must satisfy constraint: ", *element, elements.iter());
                for (index, value) in elements.iter().enumerate() {
                    self.element(*element, value, &Path::Element(path, index));
                }
            }
            (Kind::Map { key, value: element }, Document::Object(entries)) => {
                let errors_before = self.errors.len();
                let keys = &model.shape(*key).limits;
                let failed = entries.keys().find(|name| !constraint::text_satisfied(model, keys, name));
                let bad_key = failed.map(|failed| {
                    format!(
                        "Map keys must satisfy constraint: [{}]",
                        constraint::all_for_text(model, keys, failed)
                    )
                });
                if let Some(constraint) = bad_key.as_ref().filter(|_| !shape.limits.keys_last) {
                    self.error(shape, value, path, constraint);
                }
                self.bulk(
                    shape,
                    value,
                    path,
                    "Map value must satisfy constraint: ",
                    *element,
                    entries.values(),
                );
                for (name, value) in entries {
                    self.element(*element, value, &Path::Entry(path, name));
                }
                if let Some(constraint) = bad_key.filter(|_| shape.limits.keys_last) {
                    let text = text::failed(&text::shown(model, shape, value), path, &constraint);
                    self.bad_key = Some((self.errors.len() - errors_before, text));
                }
            }
            _ => {}
        }
    }

    fn members(&mut self, structure: &Structure, members: &Object, path: &Path<'_>) {
        if self.unknown.is_none() {
            self.unknown = members.keys().find(|name| structure.position(name).is_none()).map(str::to_owned);
        }
        for member in self.in_report_order(structure) {
            let path = Path::Member(path, member.name);
            match members.get(member.name) {
                Some(value) if !value.is_null() => self.value(member.shape, value, &path),
                _ if member.required
                    && !member.required_unless.is_some_and(|other| members.contains_key(other)) =>
                {
                    self.missing(&path);
                }
                _ => {}
            }
        }
    }

    fn in_report_order<'s>(&self, structure: &'s Structure) -> Vec<&'s Member> {
        let mut members: Vec<&Member> = structure.reported_members().collect();
        let is_reworded = |member: &&Member| self.walk.model.shape(member.shape).limits.refused_as.is_some();
        // What has a text of its own comes after the capacity.
        if self.is_whole
            && let Some(from) = members.iter().position(is_reworded)
            && let Some(to) = members.iter().position(|member| member.name == "ReturnConsumedCapacity")
            && from < to
        {
            members[from..=to].rotate_left(1);
        }
        members
    }

    /// Elements with constraints of their own are reported once, on what contains them.
    fn bulk<'v>(
        &mut self,
        container: &Shape,
        contents: &Document,
        path: &Path<'_>,
        lead: &str,
        element: ShapeId,
        mut values: impl Iterator<Item = &'v Document>,
    ) {
        let model = self.walk.model;
        let shape = model.shape(element);
        if values.any(|value| !value.is_null() && !constraint::satisfied(model, shape, value)) {
            let constraints = constraint::all(model, shape);
            self.error(container, contents, path, &format!("{lead}[{constraints}]"));
        }
    }

    /// What is wrong with an element, but for its own constraints, which were reported in bulk.
    fn element(&mut self, id: ShapeId, value: &Document, path: &Path<'_>) {
        let shape = self.walk.model.shape(id);
        match (&shape.kind, value) {
            (Kind::AttributeValue, _) => {}
            (_, Document::Null) => self.missing(path),
            _ => self.contents(shape, value, path),
        }
    }

    fn missing(&mut self, path: &Path<'_>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(text::failed("Value null", path, "Member must not be null"));
        }
    }

    fn error(&mut self, shape: &Shape, value: &Document, path: &Path<'_>, constraint: &str) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(match shape.limits.refused_as {
                Some(text) if self.is_whole => text.to_owned(),
                _ => text::failed(&text::shown(self.walk.model, shape, value), path, constraint),
            });
        }
    }
}

/// Ours: the services ignore a member they do not know, and with it what the caller meant.
fn unknown_member(operation: &str, name: Option<&str>) -> InputError {
    let name = name.unwrap_or_default();
    InputError::Validation(format!("unknown member `{}` in a request to {operation}", text::cut(name)))
}
