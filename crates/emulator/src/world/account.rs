//! What orders have made of accounts: switched off, sessions revoked.

use super::{incident::World, log::Happening, ticks::Ticks};

/// The state of an account in the cloud's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountState {
    pub enabled: bool,
    /// Sessions that began before are not taken any more; `None`: nobody has revoked any.
    pub sessions_from: Option<Ticks>,
}

impl Default for AccountState {
    fn default() -> Self {
        Self { enabled: true, sessions_from: None }
    }
}

impl World {
    pub(crate) fn account_state(&self, object_id: &str) -> AccountState {
        self.accounts.get(object_id).copied().unwrap_or_default()
    }

    /// Switches an account on or off. Nothing happens where it is so already.
    pub(crate) fn switch_account(&mut self, object_id: &str, enabled: bool, by: &str) {
        if self.account_state(object_id).enabled == enabled {
            return;
        }
        self.accounts.entry(object_id.to_owned()).or_default().enabled = enabled;
        let account = object_id.to_owned();
        self.note(self.now(), Happening::AccountSwitched { account, enabled, by: by.to_owned() });
    }

    /// Ends all sessions of an account.
    pub(crate) fn revoke_sessions(&mut self, object_id: &str, by: &str) {
        let now = self.now();
        self.accounts.entry(object_id.to_owned()).or_default().sessions_from = Some(now);
        let account = object_id.to_owned();
        self.note(now, Happening::SessionsRevoked { account, by: by.to_owned() });
    }

    /// Whether an account was enabled at an instant.
    pub(crate) fn account_was_enabled(&self, object_id: &str, at: Ticks) -> bool {
        let switched = self.events.iter().rev().find_map(|event| match &event.what {
            Happening::AccountSwitched { account, enabled, .. } if account == object_id && event.at <= at => {
                Some(*enabled)
            }
            _ => None,
        });
        switched.unwrap_or(true)
    }
}
