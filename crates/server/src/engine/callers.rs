//! Who may use a table's key without asking the key service again (R22..R25).
//!
//! A caller's entry is made by a Decrypt on the caller's behalf, and is good
//! for `renewal_millis`. When the key service does not answer, an entry serves
//! on for `outage_millis_max` after its last Decrypt.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;

/// What counts as one caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallerScope {
    /// A credential (access key or session).
    #[default]
    Caller,
    /// An identity, whatever its credentials.
    Principal,
    /// A connection.
    Connection,
}

/// When an entry has to be renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Renewal {
    /// That long after the last Decrypt, with traffic or without.
    #[default]
    Ttl,
    /// That long after the last request.
    Idle,
}

/// The cache's rules.
#[derive(Clone, Copy, Debug)]
pub struct CallerRules {
    /// What counts as one caller.
    pub scope: CallerScope,
    /// What the renewal time counts from.
    pub renewal: Renewal,
    /// How long an entry is good without a new Decrypt.
    pub renewal_millis: i64,
    /// How long an entry serves while the key service does not answer, from its last Decrypt.
    pub outage_millis_max: i64,
}

/// The callers of one opening of one table.
pub struct Callers {
    rules: CallerRules,
    hasher: RandomState,
    entries: RwLock<HashMap<u64, CallerEntry>>,
}

struct CallerEntry {
    decrypted_millis: AtomicI64,
    used_millis: AtomicI64,
    // After an unanswered renewal: do not ask again before this time.
    ask_again_millis: AtomicI64,
}

/// What a caller's entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Go on.
    Good,
    /// Ask the key service; if it does not answer, go on.
    RenewOrServe,
    /// Ask the key service; there is no entry to fall back on.
    Renew,
}

/// More callers than this and the table forgets those that are due for renewal anyway.
const ENTRIES_MAX: usize = 10_000;
/// How long an unanswered renewal is not repeated.
const ASK_AGAIN_MILLIS: i64 = 1_000;

impl Callers {
    /// No callers yet.
    pub fn new(rules: CallerRules) -> Self {
        Self { rules, hasher: RandomState::new(), entries: RwLock::default() }
    }

    /// What `caller`'s entry says at `now_millis`.
    pub fn standing(&self, caller: &Caller, now_millis: i64) -> Standing {
        let entries = self.entries.read();
        let Some(entry) = entries.get(&self.id(caller)) else { return Standing::Renew };
        let decrypted = entry.decrypted_millis.load(Ordering::Relaxed);
        let counted_from = match self.rules.renewal {
            Renewal::Ttl => decrypted,
            Renewal::Idle => entry.used_millis.load(Ordering::Relaxed),
        };
        // Traffic that never pauses must not keep an entry for ever: an outage is bridged no longer either (R25).
        let good_for_max = self.rules.outage_millis_max.max(self.rules.renewal_millis);
        if now_millis - counted_from < self.rules.renewal_millis && now_millis - decrypted < good_for_max {
            entry.used_millis.store(now_millis, Ordering::Relaxed);
            return Standing::Good;
        }
        if now_millis - decrypted >= self.rules.outage_millis_max {
            return Standing::Renew;
        }
        if now_millis < entry.ask_again_millis.load(Ordering::Relaxed) {
            return Standing::Good;
        }
        Standing::RenewOrServe
    }

    /// A Decrypt on behalf of `caller` succeeded.
    pub fn renewed(&self, caller: &Caller, now_millis: i64) {
        let mut entries = self.entries.write();
        if entries.len() >= ENTRIES_MAX {
            let oldest_good = now_millis - self.rules.renewal_millis;
            entries.retain(|_, entry| entry.decrypted_millis.load(Ordering::Relaxed) > oldest_good);
        }
        entries.insert(
            self.id(caller),
            CallerEntry {
                decrypted_millis: AtomicI64::new(now_millis),
                used_millis: AtomicI64::new(now_millis),
                ask_again_millis: AtomicI64::new(0),
            },
        );
    }

    /// The key service did not answer for `caller`.
    pub fn unanswered(&self, caller: &Caller, now_millis: i64) {
        if let Some(entry) = self.entries.read().get(&self.id(caller)) {
            entry.ask_again_millis.store(now_millis + ASK_AGAIN_MILLIS, Ordering::Relaxed);
        }
    }

    /// The key service refused `caller`.
    pub fn refused(&self, caller: &Caller) {
        self.entries.write().remove(&self.id(caller));
    }

    /// Everybody has to ask again.
    pub fn forget(&self) {
        self.entries.write().clear();
    }

    // A hash under a random key stands for the caller, so that a look-up needs no allocation.
    fn id(&self, caller: &Caller) -> u64 {
        let principal = &caller.principal;
        match self.rules.scope {
            CallerScope::Caller => self.hasher.hash_one((&principal.arn, &principal.access_key_id)),
            CallerScope::Principal => self.hasher.hash_one(&principal.arn),
            CallerScope::Connection => self.hasher.hash_one((&principal.arn, caller.connection)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Principal, PrincipalKind};

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn rules(renewal: Renewal) -> CallerRules {
        CallerRules {
            scope: CallerScope::Caller,
            renewal,
            renewal_millis: 5 * MINUTE,
            outage_millis_max: 12 * HOUR,
        }
    }

    fn caller(access_key_id: &str, connection: u64) -> Caller {
        Caller {
            principal: Arc::new(Principal {
                kind: PrincipalKind::User,
                account: "000000000000".into(),
                arn: "arn:aws:iam::000000000000:user/alice".into(),
                principal_id: "AIDA".into(),
                user_name: "alice".into(),
                access_key_id: access_key_id.into(),
            }),
            region: "us-east-1".into(),
            source_ip: "127.0.0.1".into(),
            user_agent: "".into(),
            connection,
        }
    }

    // Five minutes after the Decrypt the caller is due, traffic or not.
    #[test]
    fn r23_an_entry_lasts_five_minutes_whatever_the_traffic() {
        let callers = Callers::new(rules(Renewal::Ttl));
        let alice = caller("AKIA1", 1);
        assert_eq!(callers.standing(&alice, 0), Standing::Renew);
        callers.renewed(&alice, 0);
        for now in (0..5 * MINUTE).step_by(1_000) {
            assert_eq!(callers.standing(&alice, now), Standing::Good);
        }
        assert_eq!(callers.standing(&alice, 5 * MINUTE), Standing::RenewOrServe);
    }

    #[test]
    fn r23_with_idle_renewal_traffic_keeps_an_entry() {
        let callers = Callers::new(rules(Renewal::Idle));
        let alice = caller("AKIA1", 1);
        callers.renewed(&alice, 0);
        for now in (0..60 * MINUTE).step_by(4 * MINUTE as usize) {
            assert_eq!(callers.standing(&alice, now), Standing::Good);
        }
        assert_eq!(callers.standing(&alice, 65 * MINUTE), Standing::RenewOrServe);
    }

    // A key that is lost at a key service which tells nobody: traffic without a pause is noticed after the time that an
    // outage would be bridged for.
    #[test]
    fn r25_with_idle_renewal_traffic_keeps_an_entry_for_twelve_hours_at_most() {
        let callers = Callers::new(rules(Renewal::Idle));
        let alice = caller("AKIA1", 1);
        callers.renewed(&alice, 0);
        for now in (0..12 * HOUR).step_by(4 * MINUTE as usize) {
            assert_eq!(callers.standing(&alice, now), Standing::Good);
        }
        assert_eq!(callers.standing(&alice, 12 * HOUR), Standing::Renew);
    }

    // Unanswered renewals serve on for twelve hours, and are not repeated for each request.
    #[test]
    fn r25_an_outage_is_bridged_for_twelve_hours() {
        let callers = Callers::new(rules(Renewal::Ttl));
        let alice = caller("AKIA1", 1);
        callers.renewed(&alice, 0);
        assert_eq!(callers.standing(&alice, HOUR), Standing::RenewOrServe);
        callers.unanswered(&alice, HOUR);
        assert_eq!(callers.standing(&alice, HOUR + 999), Standing::Good);
        assert_eq!(callers.standing(&alice, HOUR + 1_000), Standing::RenewOrServe);
        assert_eq!(callers.standing(&alice, 12 * HOUR), Standing::Renew);
        assert_eq!(callers.standing(&caller("AKIA2", 1), HOUR), Standing::Renew);
    }

    #[test]
    fn r26_the_scope_decides_what_a_caller_is() {
        for (scope, other_key, other_connection) in [
            (CallerScope::Caller, Standing::Renew, Standing::Good),
            (CallerScope::Principal, Standing::Good, Standing::Good),
            (CallerScope::Connection, Standing::Good, Standing::Renew),
        ] {
            let callers = Callers::new(CallerRules { scope, ..rules(Renewal::Ttl) });
            callers.renewed(&caller("AKIA1", 1), 0);
            assert_eq!(callers.standing(&caller("AKIA2", 1), 1), other_key, "{scope:?}");
            assert_eq!(callers.standing(&caller("AKIA1", 2), 1), other_connection, "{scope:?}");
        }
    }

    #[test]
    fn a_refused_caller_has_nothing_to_fall_back_on() {
        let callers = Callers::new(rules(Renewal::Ttl));
        let alice = caller("AKIA1", 1);
        callers.renewed(&alice, 0);
        callers.refused(&alice);
        assert_eq!(callers.standing(&alice, 1), Standing::Renew);
    }
}
