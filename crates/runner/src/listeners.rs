//! Those who wait for what a run responds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use sortie_store::RunId;
use tokio::sync::oneshot;

/// What a run has to say to whoever waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A `respond` of it has answered, and this is on the disk; without the text where it is too large to be handed on.
    Response(Option<Arc<str>>),
    /// It has ended without a response.
    Ended,
}

/// One that waits. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Listening {
    run: RunId,
    receiver: oneshot::Receiver<Heard>,
    all: Arc<Listeners>,
}

/// All of a process.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    waiting: Mutex<HashMap<RunId, Vec<oneshot::Sender<Heard>>>>,
}

impl Listeners {
    pub(crate) fn listen(self: &Arc<Self>, run: RunId) -> Listening {
        let (sender, receiver) = oneshot::channel();
        self.waiting().entry(run).or_default().push(sender);
        Listening { run, receiver, all: Arc::clone(self) }
    }

    /// Whether there is anybody to tell.
    pub(crate) fn has(&self, run: RunId) -> bool {
        self.waiting().contains_key(&run)
    }

    pub(crate) fn tell(&self, run: RunId, heard: &Heard) {
        for sender in self.waiting().remove(&run).unwrap_or_default() {
            // Whoever waited may have gone a moment ago.
            let _ = sender.send(heard.clone());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RunId, Vec<oneshot::Sender<Heard>>>> {
        self.waiting.lock().expect("no code panics while it holds this lock")
    }
}

impl Listening {
    /// What the run says.
    pub async fn heard(&mut self) -> Heard {
        // Whoever would tell is gone with the process's runner.
        (&mut self.receiver).await.unwrap_or(Heard::Ended)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.receiver.close();
        let mut waiting = self.all.waiting();
        if let Some(senders) = waiting.get_mut(&self.run) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(at: u8) -> RunId {
        RunId::parse(&format!("01a22b1f-70f9-7ccc-a5e9-0d72e36d3d{at:02x}")).unwrap()
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_its_run_alone() {
        let listeners = Arc::new(Listeners::default());
        let (mut one, mut two) = (listeners.listen(run(1)), listeners.listen(run(1)));
        let mut other = listeners.listen(run(2));
        listeners.tell(run(1), &Heard::Response(Some("{}".into())));
        assert_eq!(
            (one.heard().await, two.heard().await),
            (Heard::Response(Some("{}".into())), Heard::Response(Some("{}".into())))
        );
        listeners.tell(run(2), &Heard::Ended);
        assert_eq!(other.heard().await, Heard::Ended);
    }

    #[tokio::test]
    async fn whoever_goes_is_forgotten_and_nobody_else_is() {
        let listeners = Arc::new(Listeners::default());
        let (gone, mut stays) = (listeners.listen(run(1)), listeners.listen(run(1)));
        drop(gone);
        assert!(listeners.has(run(1)));
        listeners.tell(run(1), &Heard::Ended);
        assert_eq!(stays.heard().await, Heard::Ended);
        drop(listeners.listen(run(2)));
        assert!(!listeners.has(run(2)));
    }
}
