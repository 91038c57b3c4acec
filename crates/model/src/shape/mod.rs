//! The published service models as data, and the validation that they drive.
//!
//! A request body is checked against the input shape of its operation before any action sees
//! it: JSON types first, then every constraint of the model, with the texts that the services
//! send. Where a service is known to depart from its own model, `deviations` says so; nothing
//! else in this folder knows the name of an operation.
//!
//! An `AttributeValue` is only looked at as far as "is it an object": its members have errors
//! and an order of checks of their own, which belong to whoever parses it.

mod constraint;
mod deviations;
mod load;
mod model;
mod service;
mod text;
mod validate;
mod wrong_type;

pub use model::{Kind, Member, Model, Operation, Protocol, Shape, ShapeId, Structure};
pub use service::{Service, model};
pub use validate::InputError;

#[cfg(test)]
mod tests;
