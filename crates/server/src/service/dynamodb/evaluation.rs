//! Evaluates conditions without keeping other requests waiting.
//!
//! A condition of 4 KB may compare each of its hundreds of operands with all of an item of 400 KB: seconds for a page of
//! such items. Work of that size is done beside the threads that serve.

use strongroom_model::attribute::Item;
use strongroom_model::expression::Condition;
use strongroom_model::size;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Whether an item of `bytes` matches a condition.
pub fn matches(condition: &Condition, item: &Item, bytes: usize) -> bool {
    match steps(condition, bytes) > STEPS_AT_ONCE_MAX {
        true => beside(|| condition.matches(item)),
        false => condition.matches(item),
    }
}

/// The same for an item of any size.
pub fn matches_item(condition: &Condition, item: &Item) -> bool {
    // Most conditions are small, and then the item's size does not matter.
    match steps(condition, size::ITEM_BYTES_MAX) > STEPS_AT_ONCE_MAX {
        true => matches(condition, item, size::item_bytes(item)),
        false => condition.matches(item),
    }
}

/// How much the evaluation of a condition on many items takes, from time to time given to others.
#[derive(Default)]
pub struct Evaluation {
    steps: usize,
}

impl Evaluation {
    /// Whether an item of `bytes` matches a condition.
    pub fn matches(&mut self, condition: &Condition, item: &Item, bytes: usize) -> bool {
        self.steps += steps(condition, bytes);
        if self.steps <= STEPS_AT_ONCE_MAX {
            return condition.matches(item);
        }
        self.steps = 0;
        beside(|| condition.matches(item))
    }
}

// At most so many bytes are looked at.
fn steps(condition: &Condition, item_bytes: usize) -> usize {
    condition.passes_max().saturating_mul(item_bytes)
}

// Others are served on another thread meanwhile, and until the caller waits for something.
fn beside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Some milliseconds.
const STEPS_AT_ONCE_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::mpsc;
    use std::time::Duration;

    use strongroom_model::attribute::AttributeValue;
    use strongroom_model::expression::{ExpressionKind, Placeholders};

    use super::*;

    /// With one thread, the second task runs only if the first one's work is done beside it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_beside_work_that_takes_long() {
        let (done, wait) = mpsc::channel();
        let long = tokio::spawn(async move { beside(|| wait.recv_timeout(Duration::from_secs(20))) });
        let other = tokio::spawn(async move { done.send(()) });
        long.await.unwrap().unwrap();
        other.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_an_evaluation_says_does_not_depend_on_its_size() {
        let mut placeholders = Placeholders::default();
        let source = vec!["contains(l, l[0])"; 40].join(" AND ");
        let condition = Condition::parse(ExpressionKind::Filter, &source, &mut placeholders).unwrap();
        let mut evaluation = Evaluation::default();
        for count in [1, 20_000] {
            let list = vec![AttributeValue::Null; count];
            let item = Item::from_iter([("l".to_owned(), AttributeValue::L(list))]);
            assert!(matches_item(&condition, &item) && !matches_item(&condition, &Item::new()));
            for bytes in [1, size::ITEM_BYTES_MAX] {
                assert!(evaluation.matches(&condition, &item, bytes));
            }
        }
        assert!(
            steps(&condition, 1) < STEPS_AT_ONCE_MAX
                && steps(&condition, size::ITEM_BYTES_MAX) > STEPS_AT_ONCE_MAX
        );
    }
}
