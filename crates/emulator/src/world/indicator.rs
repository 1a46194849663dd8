//! Indicators: what a tenant's people and applications have Defender watch for, block or allow.

use std::collections::{BTreeMap, HashMap};

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

/// All indicators of a tenant, found by number and by what they are about.
#[derive(Debug, Default)]
pub(super) struct Indicators {
    by_id: BTreeMap<u64, Indicator>,
    by_key: HashMap<(&'static str, String), u64>,
    last: u64,
}

impl World {
    /// Those that have not expired and that the hand may see, oldest first.
    pub(crate) fn indicators(&self, hand: &IndicatorHand) -> Vec<&Indicator> {
        self.active_indicators().filter(|indicator| hand.sees(indicator)).collect()
    }

    /// Every indicator that has not expired.
    pub(crate) fn active_indicators(&self) -> impl Iterator<Item = &Indicator> {
        self.indicators.by_id.values().filter(|indicator| indicator.is_active(self.now()))
    }

    /// Adds an indicator, or changes the one of the same value and type.
    pub(crate) fn set_indicator(
        &mut self,
        terms: IndicatorTerms,
        hand: &IndicatorHand,
    ) -> Result<&Indicator, IndicatorRefused> {
        let now = self.now();
        let id = self.indicators.set(terms, hand, now)?;
        self.note(now, Happening::IndicatorSet { id, by: hand.name.clone() });
        Ok(&self.indicators.by_id[&id])
    }

    /// Removes all of them or, where one is not there, none.
    pub(crate) fn remove_indicators(&mut self, ids: &[u64], hand: &IndicatorHand) -> Result<(), IndicatorRefused> {
        let now = self.now();
        let known = |id: &u64| {
            let found = self.indicators.by_id.get(id);
            found.is_some_and(|indicator| indicator.is_active(now) && hand.sees(indicator))
        };
        if !ids.iter().all(known) {
            return Err(IndicatorRefused::Unknown);
        }
        for id in ids {
            self.indicators.drop(*id);
            self.note(now, Happening::IndicatorRemoved { id: *id, by: hand.name.clone() });
        }
        Ok(())
    }
}

impl Indicators {
    fn set(&mut self, terms: IndicatorTerms, hand: &IndicatorHand, now: Ticks) -> Result<u64, IndicatorRefused> {
        let key = (terms.kind, terms.value.to_lowercase());
        let known = self.by_key.get(&key).copied();
        if let Some(known) = known.and_then(|id| self.by_id.get_mut(&id)).filter(|known| known.is_active(now)) {
            if !hand.sees(known) {
                return Err(IndicatorRefused::NotYours);
            }
            // The page lets the application be given for new indicators only.
            let application = known.terms.application.take();
            known.terms = IndicatorTerms { application, ..terms };
            known.updated = now;
            known.updated_by.clone_from(&hand.name);
            return Ok(known.id);
        }
        known.into_iter().for_each(|expired| self.drop(expired));
        if self.by_id.len() >= INDICATOR_COUNT_MAX {
            self.drop_expired(now);
        }
        if self.by_id.len() >= INDICATOR_COUNT_MAX {
            return Err(IndicatorRefused::Full);
        }
        self.last += 1;
        let id = FIRST_INDICATOR + self.last;
        let indicator = Indicator {
            id,
            terms,
            source: hand.name.clone(),
            created_by: hand.app_id.clone(),
            created: now,
            updated: now,
            updated_by: hand.name.clone(),
        };
        self.by_id.insert(id, indicator);
        self.by_key.insert(key, id);
        Ok(id)
    }

    fn drop_expired(&mut self, now: Ticks) {
        let expired: Vec<u64> =
            self.by_id.values().filter(|known| !known.is_active(now)).map(|known| known.id).collect();
        expired.into_iter().for_each(|id| self.drop(id));
    }

    fn drop(&mut self, id: u64) {
        if let Some(dropped) = self.by_id.remove(&id) {
            self.by_key.remove(&(dropped.terms.kind, dropped.terms.value.to_lowercase()));
        }
    }
}

impl Indicator {
    fn is_active(&self, now: Ticks) -> bool {
        self.terms.expires.is_none_or(|end| now < end)
    }
}

impl IndicatorHand {
    fn sees(&self, indicator: &Indicator) -> bool {
        !self.own_only || indicator.created_by == self.app_id
    }
}

/// Active indicators of one tenant (the page of the submit call).
pub(crate) const INDICATOR_COUNT_MAX: usize = 15_000;
const FIRST_INDICATOR: u64 = 2_840;
