//! Workflows at work: the products behind this installation's connections, scripts, and the runner over both.

mod outside;

use std::sync::Arc;

pub(crate) use outside::Products;
use sortie_runner::{Runner, RunnerOptions};
use sortie_sandbox::{ARGUMENT, Pool, PoolOptions};
use sortie_store::Store;

use crate::context::Context;

/// A runner over the database and everything that connections lead to.
pub(crate) async fn runner(
    store: &Store,
    public_url: &str,
    context: &Context,
) -> anyhow::Result<(Runner, Arc<Products>)> {
    // Whatever opens the database from here on gets this one.
    context.hold(store);
    let products = Arc::new(Products::new(store.clone(), context)?);
    let options = RunnerOptions {
        name: format!("process {}", std::process::id()),
        public_url: public_url.to_owned(),
        ..RunnerOptions::new(store.clone(), Arc::clone(&products) as _, Arc::clone(&context.clock))
    };
    Ok((Runner::new(options).await?, products))
}

/// What holds scripts back on this machine, in words.
///
/// # Errors
/// No script can be run here.
pub(crate) async fn confinement() -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let scripts = Pool::new(PoolOptions { warm: 1, ..PoolOptions::new(program, vec![ARGUMENT.into()]) });
    Ok(scripts.confinement().await?.to_string())
}
