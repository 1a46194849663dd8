//! Guardrails: what is protected, how often a thing may be done, and the switch that holds everything. Pure: the settings
//! and what was counted come from outside (`effects.rs`).

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};

/// The settings of one tenant, or the shared ones, which hold for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guardrails {
    /// Whom no effect may meet without a second approval, sorted.
    pub protected: Vec<Rule>,
    /// At most so many in an hour, by `connector/operation`.
    pub ceilings: BTreeMap<String, u32>,
    /// Nothing is sent; what would have been is said.
    pub observe: bool,
    /// Nothing is sent until it is released.
    pub hold: Option<Hold>,
}

/// The switch is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who has held everything.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// By what something is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtectedBy {
    /// A device's name; also without the domain behind it.
    DeviceName,
    /// A tag of a device.
    DeviceTag,
    /// A device's id in Defender.
    DeviceId,
    /// A user's principal name; also without the domain behind it.
    UserName,
    /// A user's object id in Entra.
    UserId,
    /// A directory role that a user holds.
    UserRole,
}

/// Something that is protected: `device-name:dc-*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// By what.
    pub by: ProtectedBy,
    /// Which; `*` stands for any characters, and letter case for nothing.
    pub pattern: String,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected device-name, device-tag, device-id, user-name, user-id or user-role, `:` and a pattern, such as `device-name:dc-*`"
)]
pub struct RuleError;

/// Something that is known of the target of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAs {
    /// What of it.
    pub by: ProtectedBy,
    /// As its service spells it.
    pub text: String,
}

/// The way on which an effect leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A step of a run.
    Run,
    /// An operation that is called by hand.
    Call,
    /// An order to a device by hand.
    Device,
}

/// An effect that wants to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRequest {
    /// `connector/operation`, by the operation's own id.
    pub operation: String,
    /// The device, user or other object that it meets.
    pub target: String,
    /// Everything by which the target may be protected: its names, tags, ids and roles.
    pub names: Vec<KnownAs>,
    /// By what it might be protected that nobody has looked up, because no rule was about it then: a rule that is about it by
    /// now counts as one that protects it.
    pub unlooked: Vec<ProtectedBy>,
    /// On which way.
    pub door: Door,
    /// The same reference is the same effect, however often it asks; it counts once.
    pub reference: String,
    /// A second person has approved what is protected.
    pub override_approved: bool,
    /// It gives back what another effect took away: neither protection nor a ceiling stands in its way.
    pub undoes: bool,
    /// The moment.
    pub now: Timestamp,
}

/// Whether an effect may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, and was counted.
    Admitted,
    /// Everything is held.
    Held {
        /// Why.
        why: String,
        /// By whom.
        by: String,
        /// Since when.
        since: Timestamp,
    },
    /// As many as may be in an hour were.
    OverCeiling {
        /// The ceiling.
        ceiling: u32,
        /// When the next one may be; never, where the ceiling is none at all.
        until: Option<Timestamp>,
    },
    /// Its target is protected.
    Protected {
        /// By which rule.
        rule: Rule,
    },
    /// It would have been admitted; nothing is sent.
    Observed,
}

/// What the ledger says of an effect that asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// This reference was admitted before.
    pub before: bool,
    /// Of as many as the ceiling allows, the moment of the oldest within the hour; absent while there are fewer.
    pub oldest_that_counts: Option<Timestamp>,
}

impl Guardrails {
    /// These together with the shared ones: whatever either forbids is forbidden.
    #[must_use]
    pub fn with(mut self, shared: &Self) -> Self {
        self.protected.extend(shared.protected.iter().cloned());
        self.protected.sort();
        self.protected.dedup();
        for (operation, ceiling) in &shared.ceilings {
            self.ceilings.entry(operation.clone()).and_modify(|own| *own = (*own).min(*ceiling)).or_insert(*ceiling);
        }
        self.observe |= shared.observe;
        self.hold = shared.hold.clone().or(self.hold);
        self
    }

    /// How often an operation may be in an hour; what no setting names has a ceiling only where one comes with Sortie.
    pub fn ceiling(&self, operation: &str) -> Option<u32> {
        let usual = || CEILINGS.iter().find(|(known, _)| *known == operation).map(|(_, ceiling)| *ceiling);
        self.ceilings.get(operation).copied().or_else(usual)
    }

    /// The first rule that protects what is known so.
    pub fn protecting(&self, names: &[KnownAs]) -> Option<&Rule> {
        self.protected.iter().find(|rule| names.iter().any(|known| rule.protects(known)))
    }

    /// A rule by what was not looked up.
    fn unlooked(&self, kinds: &[ProtectedBy]) -> Option<&Rule> {
        self.protected.iter().find(|rule| kinds.contains(&rule.by))
    }

    /// The one decision about every effect.
    pub(crate) fn decide(&self, request: &EffectRequest, counted: Counted) -> Admission {
        if let Some(Hold { by, since, why }) = self.hold.clone() {
            return Admission::Held { why, by, since };
        }
        if !request.undoes {
            if !request.override_approved
                && let Some(rule) = self.protecting(&request.names).or_else(|| self.unlooked(&request.unlooked))
            {
                return Admission::Protected { rule: rule.clone() };
            }
            // What was counted once is still the same effect.
            if !counted.before
                && let Some(ceiling) = self.ceiling(&request.operation)
            {
                let until =
                    counted.oldest_that_counts.map(|oldest| oldest.saturating_add(HOUR).unwrap_or(Timestamp::MAX));
                if ceiling == 0 || until.is_some_and(|until| request.now < until) {
                    return Admission::OverCeiling { ceiling, until: until.filter(|_| ceiling > 0) };
                }
            }
        }
        if self.observe { Admission::Observed } else { Admission::Admitted }
    }
}

impl Rule {
    /// Whether it is about what is known so.
    pub fn protects(&self, known: &KnownAs) -> bool {
        if self.by != known.by {
            return false;
        }
        let name = known.text.trim();
        // `dc-01` protects `dc-01.corp.example`: who wrote the short name meant that device.
        let short = match self.by {
            ProtectedBy::DeviceName => name.split('.').next(),
            ProtectedBy::UserName => name.split('@').next(),
            _ => None,
        };
        matches(&self.pattern, name) || short.is_some_and(|short| matches(&self.pattern, short))
    }
}

/// Whether the whole text fits the pattern. `*` stands for any characters; letter case is the same.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    // Letter by letter: what a letter becomes must not depend on its neighbours, which `*` may be.
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (pattern, text) = (letters(pattern), letters(text));
    let (mut at, mut from) = (0, 0);
    // Where the last `*` is, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match (pattern.get(from), star) {
            (Some('*'), _) => {
                star = Some((from, at));
                from += 1;
            }
            (Some(c), _) if *c == text[at] => {
                at += 1;
                from += 1;
            }
            (_, Some((place, taken))) => {
                star = Some((place, taken + 1));
                at = taken + 1;
                from = place + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[from..].iter().all(|c| *c == '*')
}

impl ProtectedBy {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::DeviceName, Self::DeviceTag, Self::DeviceId, Self::UserName, Self::UserId, Self::UserRole];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeviceName => "device-name",
            Self::DeviceTag => "device-tag",
            Self::DeviceId => "device-id",
            Self::UserName => "user-name",
            Self::UserId => "user-id",
            Self::UserRole => "user-role",
        }
    }

    /// What remains to be looked up of what an effect meets. With one look at them, everything of devices is known, and of
    /// users all but their roles, which are asked for where a rule wants them.
    pub fn unlooked(meets_devices: bool, meets_users: bool, looked_up: Option<&[Self]>) -> Vec<Self> {
        let is_open = |by: &Self| match looked_up {
            None => true,
            Some(wanted) => *by == Self::UserRole && !wanted.contains(by),
        };
        let is_met = |by: &Self| if by.is_of_users() { meets_users } else { meets_devices };
        Self::ALL.iter().copied().filter(is_met).filter(is_open).collect()
    }

    /// Whether it is about users, and not about devices.
    pub fn is_of_users(self) -> bool {
        matches!(self, Self::UserName | Self::UserId | Self::UserRole)
    }
}

impl Door {
    /// As the ledger writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Call => "call",
            Self::Device => "device",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.by.as_str(), self.pattern)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (by, pattern) = text.split_once(':').ok_or(RuleError)?;
        let by = ProtectedBy::ALL.iter().copied().find(|one| one.as_str() == by.trim()).ok_or(RuleError)?;
        let pattern = pattern.trim();
        if pattern.is_empty() || pattern.chars().count() > PATTERN_CHARS_MAX || pattern.chars().any(char::is_control) {
            return Err(RuleError);
        }
        Ok(Self { by, pattern: pattern.to_owned() })
    }
}

pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// What comes with Sortie, until somebody sets another one.
pub const CEILINGS: &[(&str, u32)] = &[("microsoft-365-defender/isolate-device", 10)];
const PATTERN_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests;
