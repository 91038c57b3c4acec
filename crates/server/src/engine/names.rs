//! Names of tables that are being created: one creation of a name at a time, and none waits for another name's.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// The names that somebody holds or waits for.
#[derive(Default)]
pub struct Names(Arc<Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>>);

/// Account, region and table name.
pub type Name = (String, String, String);

/// A name that is held.
pub struct HeldName {
    names: Arc<Mutex<HashMap<Name, Arc<tokio::sync::Mutex<()>>>>>,
    name: Name,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Names {
    /// Waits for the name and holds it.
    pub async fn hold(&self, account: &str, region: &str, table: &str) -> HeldName {
        let name = (account.to_owned(), region.to_owned(), table.to_owned());
        let turn = Arc::clone(self.0.lock().entry(name.clone()).or_default());
        // From here on the name is let go of, also by who gives up waiting.
        let mut held = HeldName { names: Arc::clone(&self.0), name, turn: None };
        held.turn = Some(turn.lock_owned().await);
        held
    }
}

impl Drop for HeldName {
    fn drop(&mut self) {
        let mut names = self.names.lock();
        self.turn = None;
        // Nobody else has it: neither holds nor waits.
        if names.get(&self.name).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            names.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_name_waits_and_others_do_not() {
        let names = Names::default();
        let first = names.hold("1", "r", "a").await;
        let other = names.hold("1", "r", "b").await;
        let waited = tokio::time::timeout(Duration::from_millis(20), names.hold("1", "r", "a")).await;
        assert!(waited.is_err());
        let second = names.hold("1", "r", "a");
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await;
        assert_eq!(names.0.lock().len(), 2);
        drop((second, other));
        assert!(names.0.lock().is_empty());
    }
}
