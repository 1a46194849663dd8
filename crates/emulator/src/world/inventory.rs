//! Software on the devices and its weaknesses: derived from the devices, the same each time it is asked for.

use super::{
    company::Device,
    dice::{Dice, part},
    incident::World,
    software_catalog::{CONFIGURATIONS, Configuration, Flaw, PRODUCTS, Product, Version},
    terms::Severity,
};

/// A product in one version on one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Installed {
    pub product: &'static Product,
    pub version: &'static Version,
}

/// What is known of a product in the whole organisation.
#[derive(Clone, Debug)]
pub(crate) struct ProductStanding<'w> {
    pub product: &'static Product,
    pub installed: Vec<(&'w Device, &'static Version)>,
}

impl Installed {
    /// Of a device; `None` where it is not there.
    fn on(device: &Device, product: &'static Product) -> Option<Self> {
        if !product.platforms.contains(&device.os_platform) {
            return None;
        }
        let mut dice = Dice::new(&[part(&device.machine_id), part(product.name), 61]);
        if !dice.percent(product.share) {
            return None;
        }
        // More than half of the devices are up to date; the others lag behind anywhere.
        let (newest, older) = product.versions.split_last()?;
        let version = if older.is_empty() || dice.percent(55) { newest } else { dice.pick(older) };
        Some(Self { product, version })
    }
}

impl ProductStanding<'_> {
    /// Devices whose version has a weakness.
    pub(crate) fn exposed(&self) -> impl Iterator<Item = &Device> {
        let weak = self.installed.iter().filter(|(_, version)| !version.flaws.is_empty());
        weak.map(|(device, _)| *device)
    }

    /// Weaknesses of all versions that are in use, each once.
    pub(crate) fn flaws(&self) -> Vec<&'static Flaw> {
        let mut flaws: Vec<&'static Flaw> = Vec::new();
        for flaw in self.installed.iter().flat_map(|(_, version)| version.flaws.iter().copied()) {
            if !flaws.iter().any(|known| known.cve == flaw.cve) {
                flaws.push(flaw);
            }
        }
        flaws
    }

    /// A device at high risk is among the exposed ones.
    pub(crate) fn has_active_alert(&self) -> bool {
        self.exposed().any(|device| device.state.risk == Some(Severity::High))
    }

    /// How much fixing it would help: up to 10, where every device has the worst weakness.
    pub(crate) fn impact(&self, device_count: usize) -> f64 {
        let worst = self.flaws().iter().map(|flaw| flaw.cvss).fold(0.0, f64::max);
        let exposed = u32::try_from(self.exposed().count()).unwrap_or(0);
        let all = u32::try_from(device_count.max(1)).unwrap_or(1);
        (worst * f64::from(exposed) / f64::from(all) * 10_000.0).round() / 10_000.0
    }
}

impl World {
    /// What is installed on a device.
    pub(crate) fn software_on(&self, device: &Device) -> Vec<Installed> {
        PRODUCTS.iter().filter_map(|product| Installed::on(device, product)).collect()
    }

    /// All products that are installed somewhere.
    pub(crate) fn products(&self) -> Vec<ProductStanding<'_>> {
        let standings = PRODUCTS.iter().map(|product| self.standing_of(product));
        standings.filter(|standing| !standing.installed.is_empty()).collect()
    }

    /// A product that is installed somewhere, by its id.
    pub(crate) fn product(&self, id: &str) -> Option<ProductStanding<'_>> {
        self.products().into_iter().find(|standing| standing.product.id().eq_ignore_ascii_case(id))
    }

    /// Devices that a weakness exposes.
    pub(crate) fn exposed_to(&self, cve: &str) -> Vec<&Device> {
        let has = |installed: &Installed| installed.version.flaws.iter().any(|flaw| flaw.cve == cve);
        self.company.devices.iter().filter(|device| self.software_on(device).iter().any(has)).collect()
    }

    /// Every weakness that some device has.
    pub(crate) fn flaws(&self) -> Vec<&'static Flaw> {
        let mut flaws: Vec<&'static Flaw> = self.products().iter().flat_map(ProductStanding::flaws).collect();
        flaws.sort_unstable_by_key(|flaw| flaw.cve);
        flaws.dedup_by_key(|flaw| flaw.cve);
        flaws
    }

    /// Devices on which a setting is not as it should be.
    pub(crate) fn misconfigured(&self, configuration: &Configuration) -> Vec<&Device> {
        let applies = |device: &&Device| configuration.platforms.contains(&device.os_platform);
        let fails = |device: &&Device| Dice::new(&[part(&device.machine_id), part(configuration.id), 62]).percent(30);
        self.company.devices.iter().filter(applies).filter(fails).collect()
    }

    pub(crate) fn configurations(&self) -> &'static [Configuration] {
        CONFIGURATIONS
    }

    /// How much of a device lies open to attackers: its worst weakness.
    pub(crate) fn exposure_of(&self, device: &Device) -> &'static str {
        let installed = self.software_on(device);
        let worst =
            installed.iter().flat_map(|installed| installed.version.flaws).map(|flaw| flaw.cvss).fold(0.0, f64::max);
        match worst {
            score if score >= 9.0 => "High",
            score if score >= 6.0 => "Medium",
            score if score > 0.0 => "Low",
            _ => "None",
        }
    }

    fn standing_of(&self, product: &'static Product) -> ProductStanding<'_> {
        let versions = self
            .company
            .devices
            .iter()
            .filter_map(|device| Installed::on(device, product).map(|installed| (device, installed.version)));
        ProductStanding { product, installed: versions.collect() }
    }
}
