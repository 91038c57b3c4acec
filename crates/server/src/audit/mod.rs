//! The audit trail: who used which key, for what, when.
//!
//! Events have CloudTrail's shape. Each is written in the same batch as what it
//! tells of, or in a batch of its own that shares the flush with others, before
//! the call is answered; so no answered call is missing.

mod event;
mod lookup;
mod trail;

pub(crate) use event::uuid;
pub use event::{Actor, Event};
pub use lookup::{Attribute, Found, Lookup, LookupPage, Position};
pub use trail::Audit;
