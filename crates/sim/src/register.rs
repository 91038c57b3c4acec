//! The model of one item: a register, and the check that what was answered about it fits one order.
//!
//! Each operation takes effect at one moment between its call and its answer. One
//! that failed or was cut off by a crash took effect at some moment after its call,
//! or never. The check searches for an order in which every answer is what the
//! register would have said (linearizability; the search is Wing and Gong's).

use std::collections::HashSet;

/// What the register holds: the item's two attributes besides its key, or no item.
pub type State = Option<Item>;

/// An item of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    /// The value that a put or a conditional put wrote; each write has one of its own.
    pub value: Option<u64>,
    /// The counter.
    pub count: Option<u64>,
}

/// What an operation does to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing; a consistent read.
    Read,
    /// Replaces the item.
    Put(u64),
    /// Replaces the item if its value is the first one.
    PutIf(u64, u64),
    /// Puts an item where there is none.
    Create(u64),
    /// Removes the item.
    Delete,
    /// Adds one to the counter.
    Increment,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It did what it should, and saw or left this (a read: the item; a put or delete: the item before;
    /// an increment: the item after).
    Saw(State),
    /// It did what it should, and nothing more was told.
    Done,
    /// The condition did not hold.
    ConditionFailed,
    /// The server would not do it, for another reason. A refusal does nothing, so it has no place in the order.
    Refused,
    /// It failed, or nobody heard the answer.
    Unknown,
}

/// One operation on one register. Times are places in the order of all calls and answers.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What it does.
    pub action: Action,
    /// What was answered.
    pub answer: Answer,
    /// When it was called.
    pub called: u64,
    /// When it was answered; for ever after if it was not.
    pub answered: u64,
}

impl Action {
    // The state afterwards, if the answer is what the register would have said; `Unknown` fits everything.
    fn apply(self, state: State, answer: Answer) -> Option<State> {
        let applies = match self {
            Self::Create(_) => state.is_none(),
            Self::PutIf(expected, _) => state.is_some_and(|item| item.value == Some(expected)),
            _ => true,
        };
        if !applies {
            return matches!(answer, Answer::ConditionFailed | Answer::Unknown).then_some(state);
        }
        let after = match self {
            Self::Read => state,
            Self::Put(value) | Self::PutIf(_, value) | Self::Create(value) => {
                Some(Item { value: Some(value), count: None })
            }
            Self::Delete => None,
            Self::Increment => {
                let before = state.unwrap_or_default();
                Some(Item { count: Some(before.count.unwrap_or(0) + 1), ..before })
            }
        };
        let seen = if self == Self::Increment { after } else { state };
        let fits = match answer {
            Answer::Saw(told) => told == seen,
            Answer::Done | Answer::Unknown => true,
            Answer::ConditionFailed | Answer::Refused => false,
        };
        fits.then_some(after)
    }
}

/// Whether some order of `operations`, at most 128, explains every answer, from the state `before` on.
pub fn explained(before: State, operations: &[Operation]) -> bool {
    assert!(operations.len() <= OPERATIONS_MAX, "a world closes its segments before they grow that long");
    let known = operations.iter().enumerate().filter(|(_, operation)| operation.answer != Answer::Unknown);
    let wanted: u128 = known.fold(0, |mask, (at, _)| mask | 1 << at);
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, before)];
    while let Some((done, state)) = open.pop() {
        if done & wanted == wanted {
            return true;
        }
        // What is not yet in the order was answered after everything that comes next was called.
        let left = |at: &usize| done & (1 << at) == 0;
        let latest_call = (0..operations.len())
            .filter(left)
            .filter(|at| wanted & (1 << at) != 0)
            .map(|at| operations[at].answered)
            .min()
            .unwrap_or(u64::MAX);
        for at in (0..operations.len()).filter(left) {
            let operation = &operations[at];
            if operation.called > latest_call {
                continue;
            }
            if let Some(after) = operation.action.apply(state, operation.answer)
                && seen.insert((done | 1 << at, after))
            {
                open.push((done | 1 << at, after));
            }
        }
    }
    false
}

/// How many operations on one register are checked at once.
pub const OPERATIONS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(action: Action, answer: Answer, called: u64, answered: u64) -> Operation {
        Operation { action, answer, called, answered }
    }

    fn item(value: u64) -> State {
        Some(Item { value: Some(value), count: None })
    }

    #[test]
    fn an_acknowledged_write_must_be_seen() {
        let put = operation(Action::Put(1), Answer::Done, 0, 1);
        assert!(explained(None, &[put, operation(Action::Read, Answer::Saw(item(1)), 2, 3)]));
        assert!(!explained(None, &[put, operation(Action::Read, Answer::Saw(None), 2, 3)]));
    }

    #[test]
    fn a_write_under_way_may_be_seen_but_not_be_taken_back() {
        let put = operation(Action::Put(1), Answer::Unknown, 0, u64::MAX);
        let absent = operation(Action::Read, Answer::Saw(None), 1, 2);
        let seen = operation(Action::Read, Answer::Saw(item(1)), 3, 4);
        let absent_again = operation(Action::Read, Answer::Saw(None), 5, 6);
        assert!(explained(None, &[put, absent, seen]));
        assert!(explained(None, &[put, absent]));
        assert!(!explained(None, &[put, absent, seen, absent_again]));
    }

    #[test]
    fn no_increment_is_lost_or_counted_twice() {
        let counted = |count| Answer::Saw(Some(Item { value: None, count: Some(count) }));
        let one = operation(Action::Increment, counted(1), 0, 5);
        let two = operation(Action::Increment, counted(2), 1, 4);
        assert!(explained(None, &[one, two]));
        assert!(!explained(None, &[one, operation(Action::Increment, counted(1), 1, 4)]));
        let unknown = operation(Action::Increment, Answer::Unknown, 0, u64::MAX);
        let three = operation(Action::Increment, counted(3), 6, 7);
        assert!(explained(None, &[one, two, unknown, three].map(|operation| operation)[..3]));
        assert!(!explained(None, &[one, two, unknown, operation(Action::Increment, counted(5), 6, 7)]));
    }

    #[test]
    fn only_one_creates_what_is_absent() {
        let first = operation(Action::Create(1), Answer::Done, 0, 3);
        let second = operation(Action::Create(2), Answer::Done, 1, 2);
        assert!(!explained(None, &[first, second]));
        let refused = operation(Action::Create(2), Answer::ConditionFailed, 1, 2);
        assert!(explained(None, &[first, refused]));
        assert!(!explained(None, &[refused]));
    }
}
