//! Where in a run: the step, and of each loop around it the item.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A step of a plan, and which item of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Index into [`super::Plan::steps`].
    pub step: u16,
    /// The item, where the step is a loop and one of its items is meant.
    pub item: Option<u32>,
}

/// From the outermost loop to the step itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Vec<Place>);

impl Address {
    /// A step at the top.
    pub fn top(step: u16) -> Self {
        Self(vec![Place { step, item: None }])
    }

    /// As [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let place = |part: &str| {
            let (step, item) = match part.split_once('[') {
                None => (part, None),
                Some((step, item)) => (step, Some(item.strip_suffix(']')?.parse().ok()?)),
            };
            Some(Place { step: step.parse().ok()?, item })
        };
        text.split('.').map(place).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The same address as far as `depth` places, the last of them without its item; then this step beside it.
    pub fn beside(&self, depth: usize, step: u16) -> Self {
        let mut places = self.0[..depth].to_vec();
        places.push(Place { step, item: None });
        Self(places)
    }

    /// A step in the body of which this is an item.
    pub fn within(&self, step: u16) -> Self {
        let mut places = self.0.clone();
        places.push(Place { step, item: None });
        Self(places)
    }

    /// An item of this step.
    pub fn item(&self, item: u32) -> Self {
        let mut places = self.0.clone();
        if let Some(last) = places.last_mut() {
            last.item = Some(item);
        }
        Self(places)
    }

    /// The step without its item.
    pub fn whole(&self) -> Self {
        let mut places = self.0.clone();
        if let Some(last) = places.last_mut() {
            last.item = None;
        }
        Self(places)
    }

    /// The item of the loop in whose body the step stands; `None` at the top.
    pub fn outer(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        (!outer.is_empty()).then(|| Self(outer.to_vec()))
    }

    /// All places, the outermost first.
    pub fn places(&self) -> &[Place] {
        &self.0
    }

    /// The step itself.
    pub fn last(&self) -> Place {
        *self.0.last().expect("an address has a place")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match place.item {
                None => write!(f, "{dot}{}", place.step)?,
                Some(item) => write!(f, "{dot}{}[{item}]", place.step)?,
            }
        }
        Ok(())
    }
}
