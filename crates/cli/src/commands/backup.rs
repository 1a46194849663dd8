//! `sortie backup` and `sortie restore`: the database as one file. The key is kept apart.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sortie_store::{Permission, Scope, Store};

use crate::{
    asking::{Api, at},
    context::Context,
    database::{self, SHARED},
    exit::{Exit, Problem, sentence},
    guard,
    input::confirm,
    output::say,
};

#[derive(Args)]
pub(crate) struct BackupArguments {
    /// A new file
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// A file that `sortie backup` wrote
    file: PathBuf,
    /// Do not ask before a database is replaced
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(crate) async fn backup(arguments: BackupArguments, context: &Context) -> anyhow::Result<Exit> {
    let Some(store) = database::look_existing(context).await? else {
        let next = "A database is made with the first connector's connection; `--database FILE` names another.";
        return Err(Problem::usage("there is no database to back up", next).into());
    };
    if store.is_beside() {
        // The server writes who did it, and the copy is made here, by whoever may read the file.
        guard::require(&store, Permission::ManageKeys, Scope::Every)?;
        let to = std::path::absolute(&arguments.file)?;
        Api::connect(context).await?.post(at(["backups"]), json!({ "to": to.display().to_string() })).await?;
        store.copy_to(&arguments.file).await?;
    } else {
        store.backup(&arguments.file).await?;
    }
    say(&format!("backed up into {}", arguments.file.display()))?;
    if store.has_key().await? {
        let place = database::key_place(context)?;
        context.note(&format!("the key is not in it: keep {place} in another place, for without it no secret opens"));
    }
    Ok(Exit::Success)
}

pub(crate) async fn restore(arguments: RestoreArguments, context: &Context) -> anyhow::Result<Exit> {
    let path = database::path(context)?;
    let question = format!("Replace the database {} by the state of {}?", path.display(), arguments.file.display());
    if path.exists() && !confirm(&question, arguments.yes)? {
        context.note("nothing was changed");
        return Ok(Exit::Usage);
    }
    // One that cannot be opened any more has no roles to ask for; then the rights to the file decide.
    if path.exists()
        && let Ok(present) = database::open(context).await
    {
        guard::require(&present, Permission::ManageKeys, Scope::Every)?;
    }
    let (file, clock) = (arguments.file.clone(), context.clock.clone());
    tokio::task::spawn_blocking(move || Store::restore(&file, &path, &*clock)).await??;
    let store = database::open(context).await?;
    // The log is that of the backup from here on, and says so.
    store.audit(SHARED, &store.actor(), "database.restore", &arguments.file.display().to_string(), json!({})).await?;
    say(&format!("restored from {}", arguments.file.display()))?;
    if store.has_key().await?
        && let Err(error) = database::unlock(&store, context).await
    {
        let next = "Name the key of that time with `--key-file`, or enter the secrets again.";
        context.note(&format!("its secrets do not open: {}. {next}", sentence(&error)));
    }
    Ok(Exit::Success)
}
