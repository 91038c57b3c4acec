//! What every item may hold, from what was called and what was answered.
//!
//! A segment is everything between two audits: an audit reads each item with
//! nobody else about, so the next segment starts from a known state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::register::{self, Action, Answer, Operation, State};

/// The oracle of one world; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Oracle(Arc<Mutex<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    // Calls and answers, counted together.
    moment: u64,
    items: BTreeMap<String, Segment>,
    next_value: u64,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    before: State,
    operations: Vec<Operation>,
    values: BTreeSet<u64>,
}

/// A call that was not answered yet. Dropped, it stays unknown.
#[derive(Debug)]
pub struct Pending {
    key: String,
    at: usize,
}

impl Oracle {
    /// A value that no other write of this world has.
    pub fn new_value(&self) -> u64 {
        let mut known = self.0.lock();
        known.next_value += 1;
        known.next_value
    }

    /// Notes that `action` on `key` is called now.
    pub fn called(&self, key: &str, action: Action) -> Pending {
        let mut known = self.0.lock();
        known.moment += 1;
        let called = known.moment;
        let segment = known.items.entry(key.to_owned()).or_default();
        if let Action::Put(value) | Action::PutIf(_, value) | Action::Create(value) = action {
            segment.values.insert(value);
        }
        segment.operations.push(Operation { action, answer: Answer::Unknown, called, answered: u64::MAX });
        Pending { key: key.to_owned(), at: segment.operations.len() - 1 }
    }

    /// Notes what was answered.
    pub fn answered(&self, pending: Pending, answer: Answer) {
        let mut known = self.0.lock();
        known.moment += 1;
        let answered = known.moment;
        let segment = known.items.get_mut(&pending.key).expect("it was called");
        let operation = &mut segment.operations[pending.at];
        operation.answer = answer;
        if answer != Answer::Unknown {
            operation.answered = answered;
        }
    }

    /// Whether more operations on `key` would be too many to check at once.
    pub fn is_full(&self, key: &str) -> bool {
        let known = self.0.lock();
        let operations = known.items.get(key).map_or(0, |segment| segment.operations.len());
        operations + ROOM_FOR_AUDIT >= register::OPERATIONS_MAX
    }

    /// Checks an eventually consistent read: it may be late or early, but shows only what somebody wrote.
    pub fn check_eventual(&self, key: &str, state: State) -> Result<(), String> {
        let known = self.0.lock();
        let written = match state.and_then(|item| item.value) {
            None => true,
            Some(value) => known.items.get(key).is_some_and(|segment| segment.values.contains(&value)),
        };
        if written { Ok(()) } else { Err(format!("item {key}: nobody wrote {state:?}")) }
    }

    /// Checks what is known so far about every item.
    pub fn check(&self) -> Result<(), String> {
        let known = self.0.lock();
        for (key, segment) in &known.items {
            if !register::explained(segment.before, &segment.told()) {
                return Err(segment.complaint(key));
            }
        }
        Ok(())
    }

    /// Closes the segment: an audit has read every item that anybody touched, and found `states`.
    pub fn audited(&self, states: &BTreeMap<String, State>) -> Result<(), String> {
        self.check()?;
        let mut known = self.0.lock();
        for (key, segment) in &mut known.items {
            segment.before = *states.get(key).ok_or_else(|| format!("item {key} was not audited"))?;
            segment.operations.clear();
        }
        Ok(())
    }

    /// The table is gone, and with it every item.
    pub fn forget(&self, table: &str) {
        self.0.lock().items.retain(|key, _| !key.starts_with(&format!("{table}/")));
    }

    /// What is known, apart from what becomes known later.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// The keys that anybody touched.
    pub fn keys(&self) -> Vec<String> {
        self.0.lock().items.keys().cloned().collect()
    }
}

impl Segment {
    // A read that nobody heard the answer of says nothing.
    fn told(&self) -> Vec<Operation> {
        let says_something = |operation: &&Operation| match operation.answer {
            Answer::Refused => false,
            Answer::Unknown => operation.action != Action::Read,
            _ => true,
        };
        self.operations.iter().filter(says_something).copied().collect()
    }

    fn complaint(&self, key: &str) -> String {
        let mut text = format!("item {key}: no order explains these answers, from {:?} on:", self.before);
        for Operation { action, answer, called, answered } in self.told() {
            let until = if answered == u64::MAX { "...".to_owned() } else { answered.to_string() };
            text.push_str(&format!("\n  {called:>5} to {until:>5}  {action:?} -> {answer:?}"));
        }
        text
    }
}

const ROOM_FOR_AUDIT: usize = 8;
