//! Who waits for whom: runs whose calls stepped aside for another run's, so that they hear when its call is over. A process
//! that has died has forgotten it; then they look again by the clock alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard},
};

use sortie_store::{RunId, TenantKey};

/// All of a process.
#[derive(Default)]
pub(crate) struct Asides {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    behind: HashMap<RunId, BTreeMap<RunId, TenantKey>>,
    /// How often a step of a run has stepped aside.
    times: HashMap<RunId, BTreeMap<String, u32>>,
}

impl Asides {
    /// A step steps aside for another run's; how often it had done so before.
    pub(crate) fn wait(&self, by: RunId, (tenant, run): (TenantKey, RunId), place: &str) -> u32 {
        let mut inner = self.inner();
        inner.behind.entry(by).or_default().insert(run, tenant);
        let times = inner.times.entry(run).or_default().entry(place.to_owned()).or_default();
        *times += 1;
        *times - 1
    }

    /// A call of the run is over: whoever waits for it.
    pub(crate) fn over(&self, by: RunId) -> Vec<(TenantKey, RunId)> {
        let waiting = self.inner().behind.remove(&by).unwrap_or_default();
        waiting.into_iter().map(|(run, tenant)| (tenant, run)).collect()
    }

    /// The run waits for nobody any more.
    pub(crate) fn forget(&self, run: RunId) {
        self.inner().times.remove(&run);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hears_once_and_is_counted_until_it_is_forgotten() {
        let asides = Asides::default();
        let run = |at: u8| RunId::parse(&format!("01a22b1f-70f9-7ccc-a5e9-0d72e36d3d{at:02x}")).unwrap();
        let key = TenantKey::SHARED;
        assert_eq!(asides.wait(run(1), (key, run(2)), "0"), 0);
        assert_eq!(asides.wait(run(1), (key, run(2)), "0"), 1);
        assert_eq!(asides.wait(run(1), (key, run(2)), "3"), 0);
        assert_eq!(asides.wait(run(1), (key, run(3)), "0"), 0);
        assert_eq!(asides.over(run(1)), [(key, run(2)), (key, run(3))]);
        assert_eq!(asides.over(run(1)), []);
        asides.forget(run(2));
        assert_eq!((asides.wait(run(1), (key, run(2)), "0"), asides.wait(run(1), (key, run(3)), "0")), (0, 1));
    }
}
