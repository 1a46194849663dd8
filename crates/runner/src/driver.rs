//! The runner: which runs are at work, which come next, which wait until when.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sortie_model::Clock;
use sortie_store::{NewRun, RunFilter, RunId, RunStatus, Scope, Started, Store, StoreError, StoreErrorKind, TenantKey};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};

use crate::{
    asides::Asides,
    calls::Calls,
    controls::Controls,
    handed::Handed,
    listeners::Listening,
    outside::Outside,
    points::{Passing, Points},
    ready::{Haste, Ready},
    run::{DriveError, Parked, Session},
    shared::Shared,
    tally::{Figures, Tally},
};

/// How a runner works.
#[derive(Clone)]
pub struct RunnerOptions {
    /// Where runs are.
    pub store: Store,
    /// Where products are.
    pub outside: Arc<dyn Outside>,
    /// What it takes for now.
    pub clock: Arc<dyn Clock>,
    /// What this process is called among others.
    pub name: String,
    /// Runs at work at once; those that wait for time or people do not count.
    pub runs_at_once: usize,
    /// The same of one tenant.
    pub runs_of_a_tenant_at_once: usize,
    /// Calls on their way at once.
    pub calls_at_once: usize,
    /// Where people look at runs, without a slash at its end; empty where nothing serves them.
    pub public_url: String,
    /// Hears of each point at which a process may die; a test dies there.
    pub points: Option<Arc<dyn Points>>,
    /// What a test leaves out; nothing in a build for use.
    pub controls: Controls,
}

/// Takes runs further. Clones are one runner.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    board: Mutex<Board>,
    changed: Notify,
    runs_at_once: usize,
    runs_of_a_tenant_at_once: usize,
}

/// Where every run that has not ended is.
#[derive(Default)]
struct Board {
    ready: Ready,
    active: HashMap<RunId, Active>,
    of_tenant: HashMap<TenantKey, usize>,
    /// Runs that wait for time.
    wheel: BTreeMap<(Timestamp, RunId), TenantKey>,
    wakes: HashMap<RunId, Timestamp>,
    /// Runs that were told something while they were at work.
    again: HashSet<RunId>,
    handed: Handed,
}

struct Active {
    tenant: TenantKey,
    poke: Arc<Notify>,
    task: tokio::task::Id,
}

type Finished = (TenantKey, RunId, Result<(Parked, Vec<(TenantKey, RunId)>), DriveError>);

impl RunnerOptions {
    /// The usual bounds.
    pub fn new(store: Store, outside: Arc<dyn Outside>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            outside,
            clock,
            name: "sortie".to_owned(),
            runs_at_once: 256,
            runs_of_a_tenant_at_once: 64,
            calls_at_once: 128,
            public_url: String::new(),
            points: None,
            controls: Controls::default(),
        }
    }
}

impl Runner {
    /// Joins the installation and takes up every run that has not ended.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn new(options: RunnerOptions) -> Result<Self, StoreError> {
        let now = options.clock.now();
        let dead_before = now.saturating_sub(NODE_DEAD_AFTER).expect("a signed duration is never a calendar span");
        let node = options.store.join(&options.name, dead_before).await?;
        let calls = Calls { outside: options.outside, store: options.store.clone(), clock: Arc::clone(&options.clock) };
        let shared = Arc::new(Shared {
            store: options.store,
            calls,
            clock: options.clock,
            node,
            points: options.points.map(Passing::by).unwrap_or_default(),
            calls_at_once: Semaphore::new(options.calls_at_once.max(1)),
            clock_moved: Notify::new(),
            listeners: Arc::default(),
            tally: Tally::default(),
            asides: Asides::default(),
            public_url: options.public_url,
            controls: options.controls,
            sources: Mutex::default(),
            versions: Mutex::default(),
        });
        let inner = Inner {
            shared,
            board: Mutex::default(),
            changed: Notify::new(),
            runs_at_once: options.runs_at_once.max(1),
            runs_of_a_tenant_at_once: options.runs_of_a_tenant_at_once.max(1),
        };
        let runner = Self { inner: Arc::new(inner) };
        runner.reconcile().await?;
        Ok(runner)
    }

    /// Takes runs further until `stop` is ready; then those at work have `grace` to come to a commit. Whatever is cut off goes
    /// on with the next process.
    ///
    /// # Cancellation
    /// Dropping it is a crash: every run goes on from its last commit.
    pub async fn serve(&self, stop: impl Future<Output = ()>, grace: Duration) {
        let mut tasks: JoinSet<Finished> = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let mut checks = tokio::time::interval(CHECK_EVERY);
        checks.tick().await;
        loop {
            let pause = self.begin_due(&mut tasks);
            tokio::select! {
                () = &mut stop => break,
                Some(finished) = tasks.join_next() => self.ended(finished).await,
                () = self.inner.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = checks.tick() => self.check().await,
            }
        }
        let _ = tokio::time::timeout(grace, async {
            while let Some(finished) = tasks.join_next().await {
                self.ended(finished).await;
            }
        })
        .await;
    }

    /// Takes runs further until none can go on without time or people.
    pub async fn serve_until_idle(&self) {
        let mut tasks: JoinSet<Finished> = JoinSet::new();
        loop {
            self.begin_due(&mut tasks);
            match tasks.join_next().await {
                Some(finished) => self.ended(finished).await,
                None => return,
            }
        }
    }

    /// Orders a run and lets it begin.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written; then there is no run.
    pub async fn start(&self, scope: Scope, new: NewRun) -> Result<Started, StoreError> {
        let started = self.inner.shared.store.start_run(scope, new).await?;
        if let (Started::New(run), Scope::Tenant(tenant)) = (started, scope) {
            self.queue(tenant, run, Haste::New);
        }
        Ok(started)
    }

    /// Something that is for many runs was changed: a connection works again, effects are released. Those that wait for it try
    /// again at once.
    ///
    /// # Errors
    /// [`StoreError`] when the runs cannot be listed.
    pub async fn retry_held(&self, scope: Scope) -> Result<(), StoreError> {
        for status in [RunStatus::Held, RunStatus::Blocked] {
            let filter = RunFilter { status: Some(status), ..RunFilter::default() };
            for run in self.inner.shared.store.runs(scope, filter, HELD_MAX).await? {
                self.poke(run.tenant, run.id);
            }
        }
        Ok(())
    }

    /// A run was ordered in the store by another way: it begins in its turn.
    pub fn begin(&self, tenant: TenantKey, run: RunId) {
        self.queue(tenant, run, Haste::New);
    }

    /// The same with what it was given, which stands in the store as so many bytes: it need not be read again.
    pub fn begin_with(&self, tenant: TenantKey, run: RunId, given: Value, bytes: usize) {
        self.board().handed.put(run, given, bytes);
        self.begin(tenant, run);
    }

    /// Something was written for this run: it takes it now.
    pub fn poke(&self, tenant: TenantKey, run: RunId) {
        self.queue(tenant, run, Haste::Begun);
    }

    /// The clock was moved by hand.
    pub fn clock_moved(&self) {
        self.inner.shared.clock_moved.notify_waiters();
        self.inner.changed.notify_one();
    }

    /// Hears what the run responds from now on.
    pub fn listen(&self, run: RunId) -> Listening {
        self.inner.shared.listeners.listen(run)
    }

    /// When the next run that waits for time wants to go on.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.board().wheel.keys().next().map(|(at, _)| *at)
    }

    /// Runs at work, and waiting for time.
    pub fn counts(&self) -> (usize, usize) {
        let board = self.board();
        (board.active.len(), board.wheel.len())
    }

    /// What the process has done since it started, and how busy it is.
    pub fn figures(&self) -> Figures {
        let (active, ready, waiting) = {
            let board = self.board();
            (board.active.len(), board.ready.len(), board.wheel.len())
        };
        self.inner.shared.tally.figures(active, ready, waiting)
    }

    fn queue(&self, tenant: TenantKey, run: RunId, haste: Haste) {
        let mut board = self.board();
        match board.active.get(&run).map(|active| Arc::clone(&active.poke)) {
            Some(poke) => {
                board.again.insert(run);
                poke.notify_one();
            }
            None => {
                board.forget_wake(run);
                board.ready.push(tenant, run, haste);
            }
        }
        drop(board);
        self.inner.changed.notify_one();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.inner.board.lock().expect("no code panics while it holds this lock")
    }

    /// Lets everything begin that is due and has room; how long until something else is due.
    fn begin_due(&self, tasks: &mut JoinSet<Finished>) -> Duration {
        let now = self.inner.shared.clock.now();
        let mut board = self.board();
        while let Some((&(at, run), &tenant)) = board.wheel.first_key_value() {
            if at > now {
                break;
            }
            board.forget_wake(run);
            board.ready.push(tenant, run, Haste::Begun);
        }
        while board.active.len() < self.inner.runs_at_once {
            let Board { ready, of_tenant, .. } = &mut *board;
            let may = |tenant| of_tenant.get(&tenant).copied().unwrap_or(0) < self.inner.runs_of_a_tenant_at_once;
            let Some((tenant, run)) = ready.pop(may) else { break };
            let poke = Arc::new(Notify::new());
            *board.of_tenant.entry(tenant).or_default() += 1;
            let (shared, told) = (Arc::clone(&self.inner.shared), Arc::clone(&poke));
            let given = board.handed.take(run);
            let task = tasks.spawn(async move { (tenant, run, drive(shared, (tenant, run), given, &told).await) }).id();
            board.active.insert(run, Active { tenant, poke, task });
        }
        let next = board.wheel.keys().next().map(|(at, _)| at.duration_since(now));
        let next = next.map_or(LONGEST_SLEEP, |left| Duration::try_from(left).unwrap_or_default());
        next.min(LONGEST_SLEEP)
    }

    /// A fault of ours in one run is that run's alone: it goes on from its last commit.
    async fn ended(&self, task: Result<Finished, tokio::task::JoinError>) {
        let error = match task {
            Ok(finished) => return self.finished(finished).await,
            Err(error) => error,
        };
        let mut board = self.board();
        let lost = board.active.iter().find(|(_, active)| active.task == error.id());
        let Some((run, tenant)) = lost.map(|(run, active)| (*run, active.tenant)) else { return };
        tracing::error!(%run, "a fault in Sortie ended the work on a run; it goes on from its last commit");
        board.leave(run);
        board.again.remove(&run);
        let later = self.inner.shared.clock.now().checked_add(AFTER_A_FAULT).unwrap_or(Timestamp::MAX);
        board.wait(tenant, run, later);
    }

    async fn finished(&self, (tenant, run, result): Finished) {
        let mut woken = Vec::new();
        let mut stopped = None;
        {
            let mut board = self.board();
            board.leave(run);
            let told = board.again.remove(&run);
            match result {
                Ok((parked, others)) => {
                    woken = others;
                    match parked {
                        Parked::Ended => {}
                        Parked::Lost => board.ready.push(tenant, run, Haste::Begun),
                        Parked::Waits(_) if told => board.ready.push(tenant, run, Haste::Begun),
                        Parked::Waits(Some(at)) => board.wait(tenant, run, at),
                        Parked::Waits(None) => {}
                    }
                }
                Err(error) if may_pass(&error) => {
                    tracing::error!(%run, %error, "a run cannot be taken further; it is tried again");
                    let now = self.inner.shared.clock.now();
                    board.wait(tenant, run, now.checked_add(AFTER_A_FAULT).unwrap_or(Timestamp::MAX));
                }
                Err(error) => stopped = Some(error.to_string()),
            }
        }
        if let Some(why) = stopped {
            tracing::error!(%run, why, "a run cannot be taken further");
            if let Err(error) = self.inner.shared.store.stop_run(Scope::Tenant(tenant), run, &why).await {
                tracing::error!(%run, error = %error.kind, "cannot write down why a run does not go on");
            }
        }
        for (tenant, run) in woken {
            self.queue(tenant, run, Haste::Begun);
        }
    }

    /// Says that this process lives, and finds runs that nobody has in mind although they should go on.
    async fn check(&self) {
        let shared = &self.inner.shared;
        if let Err(error) = shared.store.renew(shared.node).await {
            tracing::error!(error = %error.kind, "this process cannot renew its registration");
        }
        match self.reconcile().await {
            Ok(0) => {}
            Ok(stuck) => tracing::warn!(stuck, "runs were stuck and are taken up"),
            Err(error) => tracing::error!(error = %error.kind, "open runs cannot be listed"),
        }
    }

    /// Takes up every open run that is neither at work nor queued nor waiting; how many should have gone on by now.
    async fn reconcile(&self) -> Result<usize, StoreError> {
        let now = self.inner.shared.clock.now();
        let mut stuck = 0;
        let open = self.inner.shared.store.open_runs(Scope::Every).await?;
        let mut board = self.board();
        for run in open {
            let is_known =
                board.active.contains_key(&run.id) || board.ready.has(run.id) || board.wakes.contains_key(&run.id);
            let Some(wake) = run.wake.filter(|_| !is_known) else { continue };
            match wake <= now {
                true => {
                    stuck += 1;
                    let haste = if run.has_begun { Haste::Begun } else { Haste::New };
                    board.ready.push(run.tenant, run.id, haste);
                }
                false => board.wait(run.tenant, run.id, wake),
            }
        }
        drop(board);
        self.inner.changed.notify_one();
        Ok(stuck)
    }
}

async fn drive(
    shared: Arc<Shared>,
    (tenant, run): (TenantKey, RunId),
    given: Option<Value>,
    poke: &Notify,
) -> Result<(Parked, Vec<(TenantKey, RunId)>), DriveError> {
    let taken = match shared.store.take_up(tenant, run).await {
        Ok(taken) if taken.run.ended.is_none() => taken,
        Ok(_) => return Ok((Parked::Ended, Vec::new())),
        // Whatever told of it, it was taken back, or has gone since.
        Err(StoreError { kind: StoreErrorKind::Absent(_), .. }) => return Ok((Parked::Ended, Vec::new())),
        Err(error) => return Err(error.into()),
    };
    Session::open(shared, taken, given).await?.drive(poke).await
}

fn may_pass(error: &DriveError) -> bool {
    match error {
        DriveError::Store(error) => !is_lasting(error),
        DriveError::Outside(_) => true,
        _ => false,
    }
}

/// Whether no later try can go better.
fn is_lasting(error: &StoreError) -> bool {
    use StoreErrorKind as Kind;
    matches!(error.kind, Kind::Absent(_) | Kind::Damaged(_) | Kind::TooLarge { .. } | Kind::TooMany { .. })
}

impl Board {
    fn wait(&mut self, tenant: TenantKey, run: RunId, at: Timestamp) {
        self.forget_wake(run);
        self.wheel.insert((at, run), tenant);
        self.wakes.insert(run, at);
    }

    fn forget_wake(&mut self, run: RunId) {
        if let Some(at) = self.wakes.remove(&run) {
            self.wheel.remove(&(at, run));
        }
    }

    fn leave(&mut self, run: RunId) {
        // It was begun by another way before it was handed over.
        self.handed.take(run);
        let Some(Active { tenant, .. }) = self.active.remove(&run) else { return };
        if let Some(count) = self.of_tenant.get_mut(&tenant) {
            *count -= 1;
            if *count == 0 {
                self.of_tenant.remove(&tenant);
            }
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

const LONGEST_SLEEP: Duration = Duration::from_secs(1);
const CHECK_EVERY: Duration = Duration::from_secs(20);
const NODE_DEAD_AFTER: SignedDuration = SignedDuration::from_secs(60);
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_secs(5);
/// Beyond it, those that are left try again by themselves.
const HELD_MAX: u32 = 10_000;
