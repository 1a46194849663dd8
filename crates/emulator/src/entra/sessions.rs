//! Sign-ins that are under way: device codes, authorization codes, refresh tokens, pages that wait for an answer.

use std::collections::HashMap;

use jiff::Timestamp;

use super::page::Interaction;

/// All sign-ins of one cloud. The keys are opaque texts that a client or a browser brings back.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub device_codes: HashMap<String, DeviceCode>,
    pub authorization_codes: HashMap<String, AuthorizationCode>,
    pub refresh_tokens: HashMap<String, SignIn>,
    /// Pages that wait, by ticket.
    pub pages: HashMap<String, Interaction>,
}

impl Sessions {
    /// Ends what a person has signed in to: no refresh token brings a new access token.
    pub(crate) fn forget_user(&mut self, user_id: &str) {
        self.refresh_tokens.retain(|_, sign_in| sign_in.user_id != user_id);
    }
}

/// What a person signed in to.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub tenant: String,
    pub client_id: String,
    /// The scope as the client asked for it.
    pub scope: String,
    pub user_id: String,
    pub nonce: Option<String>,
}

/// A device that waits for a person.
#[derive(Clone, Debug)]
pub(crate) struct DeviceCode {
    pub user_code: String,
    pub tenant: String,
    pub client_id: String,
    pub scope: String,
    pub state: DeviceState,
    pub expires: Timestamp,
    pub interval_s: i64,
    pub last_poll: Option<Timestamp>,
}

/// What the person did with a device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceState {
    Pending,
    Approved,
    Declined,
    /// A token was given for it.
    Redeemed,
}

/// An authorization code with what its redemption must match.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationCode {
    pub sign_in: SignIn,
    pub redirect_uri: String,
    /// PKCE, method S256.
    pub challenge: Option<String>,
    pub expires: Timestamp,
    pub redeemed: bool,
}

/// Keeps a map bounded: the emulator may run for weeks, and nobody comes back for most of what it keeps.
pub(crate) fn keep<T>(map: &mut HashMap<String, T>, key: String, value: T) {
    if map.len() >= SESSION_COUNT_MAX
        && let Some(any) = map.keys().next().cloned()
    {
        map.remove(&any);
    }
    map.insert(key, value);
}

impl Sessions {
    /// Settles the pending device code that the person typed; letter case and a dash do not matter.
    pub(crate) fn settle_device(&mut self, user_code: &str, state: DeviceState) -> bool {
        let plain = |text: &str| text.replace('-', "").trim().to_ascii_uppercase();
        let typed = plain(user_code);
        let waiting = |code: &&mut DeviceCode| plain(&code.user_code) == typed && code.state == DeviceState::Pending;
        let Some(code) = self.device_codes.values_mut().find(waiting) else { return false };
        code.state = state;
        true
    }
}

const SESSION_COUNT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_stay_bounded_and_the_newest_is_kept() {
        let mut map = HashMap::new();
        for at in 0..=SESSION_COUNT_MAX {
            keep(&mut map, at.to_string(), at);
        }
        assert_eq!((map.len(), map.contains_key(&SESSION_COUNT_MAX.to_string())), (SESSION_COUNT_MAX, true));
    }
}
