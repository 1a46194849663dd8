//! The rows of each table, worked out from a world.

mod alerts;
mod cloud;
mod devices;
mod events;
mod evidence;
mod files;
mod identity;
mod logons;
mod mail;
mod network;
mod processes;
mod weaknesses;

use sortie_kql::Table;

use super::{
    history::History,
    schema::TableInfo,
    sheet::{Reach, Sheet},
};
use crate::world::World;

/// What all tables are made from.
pub(super) struct Source<'w> {
    pub world: &'w World,
    pub history: History,
    /// How many times the ordinary amount of ordinary days.
    pub scale: u32,
    pub reach: Reach,
}

impl<'w> Source<'w> {
    pub(super) fn new(world: &'w World, scale: u32) -> Self {
        let now = world.now();
        let reach = Reach { from: now.plus_s(-REACH_DAYS * 86_400), to: now };
        Self { world, history: History::of(world), scale, reach }
    }

    /// The rows of a table; none where this cloud has nothing to tell.
    pub(super) fn table(&self, info: &TableInfo) -> Table {
        let mut sheet = Sheet::new(info, self.reach);
        let fill = FILLS.iter().find(|(name, _)| *name == info.name).map(|(_, fill)| fill);
        if let Some(fill) = fill {
            fill(self, &mut sheet);
        }
        sheet.finish()
    }

    /// That many of something, times the scale.
    fn many(&self, count: u64) -> u64 {
        count * u64::from(self.scale)
    }
}

type Fill = fn(&Source<'_>, &mut Sheet);

const FILLS: &[(&str, Fill)] = &[
    ("AADSignInEventsBeta", identity::old_sign_ins),
    ("AlertEvidence", evidence::rows),
    ("AlertInfo", alerts::rows),
    ("CloudAppEvents", cloud::rows),
    ("DeviceEvents", events::rows),
    ("DeviceFileCertificateInfo", files::certificates),
    ("DeviceFileEvents", files::rows),
    ("DeviceImageLoadEvents", files::images),
    ("DeviceInfo", devices::rows),
    ("DeviceLogonEvents", logons::rows),
    ("DeviceNetworkEvents", network::rows),
    ("DeviceNetworkInfo", devices::adapters),
    ("DeviceProcessEvents", processes::rows),
    ("DeviceRegistryEvents", files::registry),
    ("DeviceTvmSecureConfigurationAssessment", weaknesses::assessments),
    ("DeviceTvmSecureConfigurationAssessmentKB", weaknesses::configurations),
    ("DeviceTvmSoftwareInventory", weaknesses::inventory),
    ("DeviceTvmSoftwareVulnerabilities", weaknesses::vulnerabilities),
    ("DeviceTvmSoftwareVulnerabilitiesKB", weaknesses::knowledge),
    ("EmailAttachmentInfo", mail::attachments),
    ("EmailEvents", mail::rows),
    ("EmailPostDeliveryEvents", mail::post_delivery),
    ("EmailUrlInfo", mail::links),
    ("EntraIdSignInEvents", identity::sign_ins),
    ("IdentityDirectoryEvents", identity::directory),
    ("IdentityInfo", identity::people),
    ("IdentityLogonEvents", identity::logons),
    ("IdentityQueryEvents", identity::queries),
    ("OAuthAppInfo", cloud::apps),
    ("UrlClickEvents", mail::clicks),
];

/// How far hunting looks back.
const REACH_DAYS: i64 = 30;
