//! What the rest of the world knows of a file.

use super::{
    dice::{Dice, part},
    evidence::FileFacts,
    incident::World,
    ticks::Ticks,
};

/// Figures about a file beyond this organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Devices anywhere that have it.
    pub prevalence: i64,
    pub signer_hash: String,
}

/// Signed files are everywhere, an attacker's are rare.
pub(crate) fn file_standing(file: &FileFacts) -> Standing {
    let mut dice = Dice::new(&[part(file.sha1.as_deref().unwrap_or_default()), 58]);
    let prevalence = if file.publisher.is_some() { dice.between(40_000, 9_000_000) } else { dice.between(1, 60) };
    Standing { prevalence, signer_hash: Dice::new(&[part(file.publisher.unwrap_or_default()), 59]).hex(40) }
}

impl World {
    /// When a file was first seen anywhere: some weeks before the story, or years.
    pub(crate) fn observed_first(&self, file: &FileFacts) -> Ticks {
        let mut dice = Dice::new(&[part(file.sha1.as_deref().unwrap_or_default()), 60]);
        let days = if file.publisher.is_some() { dice.between(200, 2_000) } else { dice.between(32, 60) };
        self.start.plus_s(-days * 86_400)
    }
}
