//! The worlds of all tenants of one cloud, each made when it is first asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{incident::World, ticks::Ticks};

/// Every tenant's world. Asking for one lets everything happen in it that is due.
#[derive(Debug)]
pub(crate) struct Worlds {
    seed: u64,
    start: Ticks,
    home: String,
    by_tenant: Mutex<BTreeMap<String, Arc<Mutex<World>>>>,
}

impl Worlds {
    /// `home` is the GUID of the tenant whose company is always the same.
    pub(crate) fn new(seed: u64, start: Ticks, home: &str) -> Self {
        Self { seed, start, home: home.to_owned(), by_tenant: Mutex::default() }
    }

    /// Runs `act` on the world of a tenant as it is at `now`.
    pub(crate) fn with<T>(&self, tenant: &str, now: Ticks, act: impl FnOnce(&mut World) -> T) -> T {
        let world = self.world(tenant);
        let mut world = world.lock().expect("no code panics while it holds this lock");
        world.advance(now);
        act(&mut world)
    }

    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// Tenants whose worlds exist already, the home tenant's always.
    pub(crate) fn tenants(&self) -> Vec<String> {
        let known = self.by_tenant.lock().expect("no code panics while it holds this lock");
        let mut tenants: Vec<String> = known.keys().cloned().collect();
        if !known.contains_key(&self.home) {
            tenants.push(self.home.clone());
        }
        tenants
    }

    fn world(&self, tenant: &str) -> Arc<Mutex<World>> {
        let mut known = self.by_tenant.lock().expect("no code panics while it holds this lock");
        let made = || {
            let is_home = tenant == self.home;
            Arc::new(Mutex::new(World::create(self.seed, tenant, is_home, self.start)))
        };
        Arc::clone(known.entry(tenant.to_owned()).or_insert_with(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::terms::{IncidentStatus, Severity};

    const HOME: &str = "5d6b2f0e-7c2f-4b5e-9a63-0e6f1a3d9c11";

    fn start() -> Ticks {
        Ticks::from("2026-11-22T08:00:00Z".parse::<jiff::Timestamp>().unwrap())
    }

    fn at<T>(seed: u64, tenant: &str, now: Ticks, act: impl FnOnce(&mut World) -> T) -> T {
        Worlds::new(seed, start(), HOME).with(tenant, now, act)
    }

    #[test]
    fn a_month_of_history_has_intrusions_amid_noise() {
        at(1, HOME, start(), |world| {
            let (incidents, alerts) = (world.incidents(), world.alerts());
            assert!((50..=75).contains(&incidents.len()), "{} incidents", incidents.len());
            assert!((140..=230).contains(&alerts.len()), "{} alerts", alerts.len());
            assert!(incidents.iter().filter(|incident| incident.campaign.is_some()).count() >= 4);
            assert!(incidents.iter().any(|incident| incident.severity == Severity::High));
            for status in [
                IncidentStatus::Active,
                IncidentStatus::InProgress,
                IncidentStatus::Resolved,
                IncidentStatus::Redirected,
                IncidentStatus::AwaitingAction,
            ] {
                assert!(incidents.iter().any(|incident| incident.status == status), "no incident is {status:?}");
            }
            assert!(incidents.iter().all(|incident| incident.updated <= start()));
        });
    }

    #[test]
    fn a_redirected_incident_points_at_one_that_holds_its_alerts() {
        at(1, HOME, start(), |world| {
            let merged = world.incidents().into_iter().find(|incident| incident.redirect.is_some()).unwrap();
            assert!(merged.alerts.is_empty());
            let target = world.incident(merged.redirect.unwrap()).unwrap();
            assert!(target.alerts.len() > 6);
            assert!(world.alerts_of(target).all(|alert| alert.incident == target.id));
        });
    }

    #[test]
    fn the_story_goes_on_in_existing_incidents() {
        let worlds = Worlds::new(1, start(), HOME);
        let counts = |now: Ticks| {
            worlds.with(HOME, now, |world| {
                world
                    .incidents()
                    .iter()
                    .map(|found| (found.id, (found.alerts.len(), found.updated)))
                    .collect::<BTreeMap<_, _>>()
            })
        };
        let before = counts(start());
        let after = counts(start().plus_s(5 * 86_400));
        assert!(after.len() > before.len());
        let grown = before.iter().filter(|(id, (alerts, updated))| after[*id].0 > *alerts && after[*id].1 > *updated);
        assert!(grown.count() >= 1);
    }

    #[test]
    fn small_steps_of_the_clock_tell_the_same_story_as_a_jump() {
        let jump = at(7, HOME, start().plus_s(6 * 86_400), |world| world.truth());
        let worlds = Worlds::new(7, start(), HOME);
        for hour in 0..=6 * 24 {
            worlds.with(HOME, start().plus_s(hour * 3_600), |_| ());
        }
        let steps = worlds.with(HOME, start().plus_s(6 * 86_400), |world| world.truth());
        assert_eq!(jump, steps);
    }

    #[test]
    fn another_seed_or_tenant_is_another_world() {
        let home = at(1, HOME, start(), |world| world.truth());
        assert_eq!(home, at(1, HOME, start(), |world| world.truth()));
        assert_ne!(home, at(2, HOME, start(), |world| world.truth()));
        let other = at(1, "0f2e7a51-3a70-4f0c-8a10-6b8f0f0b7f10", start(), |world| world.company.domain);
        assert_ne!(other, "haldenmarine.example");
        assert_eq!(at(1, HOME, start(), |world| world.company.domain), "haldenmarine.example");
    }

    #[test]
    fn ids_are_unique_and_shaped_as_microsofts() {
        at(1, HOME, start(), |world| {
            world.generate(500, 0);
            let mut ids: Vec<&str> = world.alerts().iter().map(|alert| &*alert.id).collect();
            assert!(ids.iter().any(|id| id.starts_with("da63") && id.contains('_')), "{ids:?}");
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count);
            for device in &world.company.devices {
                assert_eq!(device.machine_id.len(), 40);
            }
            assert_eq!((world.company.people.len(), world.company.devices.len()), (60, 40));
        });
    }

    #[test]
    fn a_late_incident_shows_up_after_its_own_update_time() {
        let worlds = Worlds::new(1, start(), HOME);
        let late = super::super::LateIncident { visible_from: start().plus_s(600), updated: start().plus_s(-900) };
        let id = worlds.with(HOME, start(), |world| world.generate_late(late));
        assert!(worlds.with(HOME, start(), |world| world.incident(id).is_none()));
        worlds.with(HOME, start().plus_s(600), |world| {
            assert_eq!(world.incident(id).unwrap().updated, start().plus_s(-900));
            assert!(!world.incident(id).unwrap().alerts.is_empty());
        });
    }
}
