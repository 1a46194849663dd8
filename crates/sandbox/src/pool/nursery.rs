//! The thread that starts children, keeps some warm, and buries them.
//!
//! One thread does it, because the kernel ends a child together with the *thread* that started it, and threads of a runtime
//! come and go.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::{self, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use super::{PoolOptions, talk::Talk};
use crate::protocol::Settings;

#[derive(Debug)]
pub(super) struct Nursery {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    /// A child for one script.
    Bear(oneshot::Sender<io::Result<process::Child>>),
    /// Killed already; it only has to be waited for.
    Bury(process::Child, Option<oneshot::Sender<io::Result<ExitStatus>>>),
}

/// A child that is killed when this goes.
#[derive(Debug)]
pub(super) struct Child {
    /// `None` once it was given away to be buried.
    process: Option<process::Child>,
    orders: Sender<Order>,
}

impl Nursery {
    pub(super) fn start(options: &PoolOptions) -> Self {
        let (orders, received) = mpsc::channel();
        let keeper = Keeper {
            program: options.program.clone(),
            arguments: options.arguments.clone(),
            memory_bytes_max: options.memory_bytes_max as u64,
            warm_count: options.warm,
            warm: VecDeque::new(),
        };
        // Without a thread the first order finds nobody, and that error is told.
        let thread = thread::Builder::new().name("scripts".to_owned()).spawn(move || keeper.serve(&received)).ok();
        Self { orders: Some(orders), thread }
    }

    pub(super) async fn child(&self) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes is gone");
        let orders = self.orders.clone().ok_or_else(gone)?;
        let (answer, process) = oneshot::channel();
        orders.send(Order::Bear(answer)).map_err(|_| gone())?;
        let process = process.await.map_err(|_| gone())??;
        Ok(Child { process: Some(process), orders })
    }
}

/// When this is over, no child waits any more.
impl Drop for Nursery {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Child {
    pub(super) fn talk(&mut self) -> io::Result<Talk> {
        let process = self.process.as_mut().expect("it is buried last");
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let all = stdin.zip(stdout).zip(stderr).ok_or(io::ErrorKind::BrokenPipe)?;
        let ((stdin, stdout), stderr) = all;
        Talk::new(stdin, stdout, stderr)
    }

    /// The signal that ended it, if one did.
    pub(super) async fn buried(&mut self) -> Option<i32> {
        let process = self.process.take()?;
        let (answer, status) = oneshot::channel();
        self.bury(process, Some(answer));
        signal(status.await.ok()?.ok()?)
    }

    fn bury(&self, mut process: process::Child, answer: Option<oneshot::Sender<io::Result<ExitStatus>>>) {
        // It fails where the child has been waited for, which nobody does before the thread.
        let _ = process.kill();
        // The thread lives as long as the pool, and a run borrows the pool. If it panicked, the child stays a zombie.
        let _ = self.orders.send(Order::Bury(process, answer));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.bury(process, None);
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// What the thread works with.
struct Keeper {
    program: PathBuf,
    arguments: Vec<OsString>,
    memory_bytes_max: u64,
    warm_count: usize,
    warm: VecDeque<process::Child>,
}

impl Keeper {
    fn serve(mut self, orders: &Receiver<Order>) {
        // After a failure, the next order tries again and tells why; a loop of failures would only make heat.
        let mut may_warm = true;
        loop {
            let order = match orders.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Empty) if may_warm && self.warm.len() < self.warm_count => {
                    match self.bear() {
                        Ok(child) => self.warm.push_back(child),
                        Err(_) => may_warm = false,
                    }
                    continue;
                }
                Err(TryRecvError::Empty) => match orders.recv() {
                    Ok(order) => order,
                    Err(_) => break,
                },
                Err(TryRecvError::Disconnected) => break,
            };
            may_warm = true;
            self.carry_out(order);
        }
        for child in &mut self.warm {
            let _ = child.kill();
        }
        for mut child in self.warm {
            let _ = child.wait();
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Bear(answer) => {
                let child = self.living().map_or_else(|| self.bear(), Ok);
                // Whoever asked may have been dropped; then the child has to go as well.
                if let Err(Ok(mut child)) = answer.send(child) {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
            Order::Bury(mut child, answer) => {
                let status = child.wait();
                if let Some(answer) = answer {
                    let _ = answer.send(status);
                }
            }
        }
    }

    /// A warm child that something else has not ended meanwhile.
    fn living(&mut self) -> Option<process::Child> {
        while let Some(mut child) = self.warm.pop_front() {
            match child.try_wait() {
                Ok(None) => return Some(child),
                Ok(Some(_)) => {}
                Err(_) => {
                    let _ = child.kill();
                }
            }
        }
        None
    }

    fn bear(&self) -> io::Result<process::Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The one variable: hours of the day must not depend on where the machine stands.
        command.env_clear().env("TZ", "UTC0");
        // Ctrl-C at a terminal is for the parent, which ends its runs in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let settings = Settings { parent: process::id(), memory_bytes_max: self.memory_bytes_max };
        let stdin = child.stdin.as_mut().expect("it is a pipe");
        // A few bytes into an empty pipe never wait. A child that has gone already is told by its silence.
        let _ = stdin.write_all(&settings.to_bytes());
        Ok(child)
    }
}
