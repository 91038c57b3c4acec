//! Finding events again, as CloudTrail's `LookupEvents` does: newest first, by at most one attribute.

use std::borrow::Cow;
use std::ops::Bound;

use serde::Deserialize;

use super::trail::{self, Audit, Stored};
use crate::storage::database::Visibility;
use crate::storage::{Order, StorageError};

/// What to look for.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The account whose trail is searched.
    pub account: String,
    /// The region whose trail is searched.
    pub region: String,
    /// The one attribute that events must have.
    pub attribute: Option<(Attribute, String)>,
    /// The earliest time, included.
    pub start_millis: i64,
    /// The latest time, included.
    pub end_millis: i64,
    /// How many events to return at most.
    pub events_max: usize,
    /// Where the page before this one ended.
    pub before: Option<Position>,
}

/// An event's place in its trail: time and sequence.
pub type Position = (i64, u64);

/// What events can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The event's own id.
    EventId,
    /// The operation.
    EventName,
    /// `true` or `false`.
    ReadOnly,
    /// The user's name, the role session's name, or `root`.
    Username,
    /// Such as `AWS::KMS::Key`.
    ResourceType,
    /// A resource's ARN, the resource in it such as `alias/x`, or that one's name after the last slash.
    ResourceName,
    /// Such as `kms.amazonaws.com`.
    EventSource,
    /// The access key the call was signed with.
    AccessKeyId,
}

/// One found event.
#[derive(Clone, Debug)]
pub struct Found {
    /// The event's own id.
    pub event_id: String,
    /// The operation.
    pub event_name: String,
    /// Whether the call changed nothing.
    pub is_read_only: bool,
    /// The access key the call was signed with.
    pub access_key_id: Option<String>,
    /// When it was called.
    pub time_millis: i64,
    /// The service that was called.
    pub event_source: String,
    /// Who called.
    pub user_name: Option<String>,
    /// Types and names of the resources.
    pub resources: Vec<(String, String)>,
    /// The event itself, as JSON.
    pub document: String,
}

/// A page of found events.
#[derive(Clone, Debug)]
pub struct LookupPage {
    /// Newest first.
    pub events: Vec<Found>,
    /// Where the search stopped, if there may be more.
    pub next: Option<Position>,
}

/// How many events one call looks at. A page may so be short, or empty, and still have a next one.
const EXAMINED_MAX: usize = 20_000;

impl Audit {
    /// Finds durable events.
    pub async fn lookup(&self, lookup: &Lookup) -> Result<LookupPage, StorageError> {
        let row = |(millis, sequence)| trail::event_row(&lookup.account, &lookup.region, millis, sequence);
        let first = Bound::Included(row((lookup.start_millis, 0)));
        let last = match lookup.before {
            Some(before) => Bound::Excluded(row(before)),
            None => Bound::Included(row((lookup.end_millis, u64::MAX))),
        };
        let mut page = LookupPage { events: Vec::new(), next: None };
        let range_is_empty = match (&first, &last) {
            (Bound::Included(first), Bound::Included(last)) => first > last,
            (Bound::Included(first), Bound::Excluded(last)) => first >= last,
            _ => false,
        };
        if range_is_empty {
            return Ok(page);
        }
        let mut scan = self.store().scan((first, last), Order::Descending, Visibility::Durable).await?;
        let mut examined = 0;
        let mut at = None;
        while let Some((key, value)) = scan.next().await? {
            if page.events.len() == lookup.events_max || examined == EXAMINED_MAX {
                page.next = at;
                break;
            }
            let position = trail::position(&key)?;
            let stored = trail::parse(&value)?;
            let facts = Facts::of(&stored)?;
            if lookup.attribute.as_ref().is_none_or(|(attribute, value)| facts.has(*attribute, value)) {
                page.events.push(facts.found(position.0));
            }
            examined += 1;
            at = Some(position);
        }
        Ok(page)
    }
}

// What a lookup needs of an event; the rest of the document is skipped.
struct Facts<'a> {
    stored: &'a Stored,
    document: Document<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "eventID", borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    read_only: bool,
    #[serde(borrow)]
    user_identity: UserIdentity<'a>,
    #[serde(borrow)]
    resources: Vec<Resource<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    #[serde(borrow)]
    access_key_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(rename = "ARN", borrow)]
    arn: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

impl<'a> Facts<'a> {
    fn of(stored: &'a Stored) -> Result<Self, StorageError> {
        let document = serde_json::from_str(&stored.document).map_err(|_| trail::damaged())?;
        Ok(Self { stored, document })
    }

    fn has(&self, attribute: Attribute, value: &str) -> bool {
        let document = &self.document;
        let is_named = |arn: &str| {
            let resource = arn.splitn(6, ':').nth(5);
            arn == value
                || resource == Some(value)
                || arn.rsplit_once('/').is_some_and(|(_, name)| name == value)
        };
        match attribute {
            Attribute::EventId => document.event_id == value,
            Attribute::EventName => document.event_name == value,
            Attribute::ReadOnly => value == if document.read_only { "true" } else { "false" },
            Attribute::Username => self.stored.user_name.as_deref() == Some(value),
            Attribute::ResourceType => document.resources.iter().any(|resource| resource.kind == value),
            Attribute::ResourceName => document.resources.iter().any(|resource| is_named(&resource.arn)),
            Attribute::EventSource => document.event_source == value,
            Attribute::AccessKeyId => document.user_identity.access_key_id.as_deref() == Some(value),
        }
    }

    fn found(self, time_millis: i64) -> Found {
        let Document { event_id, event_name, event_source, read_only, user_identity, resources } =
            self.document;
        let resources = resources.into_iter();
        Found {
            event_id: event_id.into_owned(),
            event_name: event_name.into_owned(),
            is_read_only: read_only,
            access_key_id: user_identity.access_key_id.map(Cow::into_owned),
            time_millis,
            event_source: event_source.into_owned(),
            user_name: self.stored.user_name.clone(),
            resources: resources.map(|of| (of.kind.into_owned(), of.arn.into_owned())).collect(),
            document: self.stored.document.clone(),
        }
    }
}
