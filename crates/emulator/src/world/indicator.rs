//! Indicators: what a tenant's people and applications have Defender watch for, block or allow.

use super::{incident::World, log::Happening, ticks::Ticks};

/// An indicator as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Indicator {
    pub id: u64,
    pub terms: IndicatorTerms,
    /// Display name and application id of who set it first.
    pub source: String,
    pub created_by: String,
    pub created: Ticks,
    pub updated: Ticks,
    pub updated_by: String,
}

/// What a caller says of an indicator. Value and type are its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndicatorTerms {
    pub value: String,
    pub kind: &'static str,
    pub action: &'static str,
    pub title: String,
    pub description: String,
    pub application: Option<String>,
    pub expires: Option<Ticks>,
    pub severity: &'static str,
    pub recommended: Option<String>,
    pub groups: Vec<String>,
    pub educate_url: Option<String>,
    pub generate_alert: bool,
    pub external_id: Option<String>,
}

/// Who sets, reads or removes indicators.
#[derive(Clone, Debug)]
pub(crate) struct IndicatorHand {
    pub name: String,
    pub app_id: String,
    /// Only its own indicators.
    pub own_only: bool,
}

/// Why an indicator was not set or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndicatorRefused {
    /// The tenant has as many as it may have.
    Full,
    /// It belongs to another application.
    NotYours,
    Unknown,
}

impl World {
    /// Those that have not expired and that the hand may see, oldest first.
    pub(crate) fn indicators(&self, hand: &IndicatorHand) -> Vec<&Indicator> {
        let mine = |indicator: &&Indicator| !hand.own_only || indicator.created_by == hand.app_id;
        self.indicators.iter().filter(|indicator| self.is_active(indicator)).filter(mine).collect()
    }

    /// Every indicator that has not expired.
    pub(crate) fn active_indicators(&self) -> impl Iterator<Item = &Indicator> {
        self.indicators.iter().filter(|indicator| self.is_active(indicator))
    }

    /// Adds an indicator, or changes the one of the same value and type.
    pub(crate) fn set_indicator(
        &mut self,
        terms: IndicatorTerms,
        hand: &IndicatorHand,
    ) -> Result<&Indicator, IndicatorRefused> {
        let now = self.now();
        self.indicators.retain(|indicator| indicator.terms.expires.is_none_or(|end| now < end));
        let same =
            |known: &Indicator| known.terms.kind == terms.kind && known.terms.value.eq_ignore_ascii_case(&terms.value);
        let position = if let Some(position) = self.indicators.iter().position(same) {
            let known = &mut self.indicators[position];
            if hand.own_only && known.created_by != hand.app_id {
                return Err(IndicatorRefused::NotYours);
            }
            // The page lets the application be given for new indicators only.
            let application = known.terms.application.take();
            known.terms = IndicatorTerms { application, ..terms };
            known.updated = now;
            known.updated_by.clone_from(&hand.name);
            position
        } else {
            if self.indicators.len() >= INDICATOR_COUNT_MAX {
                return Err(IndicatorRefused::Full);
            }
            self.last_indicator += 1;
            self.indicators.push(Indicator {
                id: FIRST_INDICATOR + self.last_indicator,
                terms,
                source: hand.name.clone(),
                created_by: hand.app_id.clone(),
                created: now,
                updated: now,
                updated_by: hand.name.clone(),
            });
            self.indicators.len() - 1
        };
        let id = self.indicators[position].id;
        self.note(now, Happening::IndicatorSet { id, by: hand.name.clone() });
        Ok(&self.indicators[position])
    }

    /// Removes all of them or, where one is not there, none.
    pub(crate) fn remove_indicators(&mut self, ids: &[u64], hand: &IndicatorHand) -> Result<(), IndicatorRefused> {
        let seen: Vec<u64> = self.indicators(hand).iter().map(|indicator| indicator.id).collect();
        if ids.iter().any(|id| !seen.contains(id)) {
            return Err(IndicatorRefused::Unknown);
        }
        self.indicators.retain(|indicator| !ids.contains(&indicator.id));
        for id in ids {
            self.note(self.now(), Happening::IndicatorRemoved { id: *id, by: hand.name.clone() });
        }
        Ok(())
    }

    fn is_active(&self, indicator: &Indicator) -> bool {
        indicator.terms.expires.is_none_or(|end| self.now() < end)
    }
}

/// Active indicators of one tenant (the page of the submit call).
pub(crate) const INDICATOR_COUNT_MAX: usize = 15_000;
const FIRST_INDICATOR: u64 = 2_840;
