//! `sortie workflow validate FILE …`

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use sortie_runner::library::{PutError, judge};
use sortie_store::TenantKey;

use crate::{automation::Products, connections, context::Context, database, exit::Exit, output::say};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For this tenant of `sortie tenant list`: through its connections
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print the problems as JSON, a line each
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    context.hold(&store);
    let tenant = match &arguments.tenant {
        Some(name) => connections::tenant(&store, name).await?.key,
        None => TenantKey::SHARED,
    };
    let products = Products::new(store.clone(), context)?;
    let mut exit = Exit::Success;
    for file in &arguments.files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        match judge(&store, &products, tenant, &text).await {
            Ok(_) => context.note(&format!("{}: nothing is wrong", file.display())),
            Err(PutError::Problems(problems)) => {
                exit = Exit::Usage;
                for problem in problems {
                    match arguments.json {
                        true => say(&serde_json::to_string(&problem)?)?,
                        false => say(&format!("{}:{problem}", file.display()))?,
                    }
                }
            }
            Err(PutError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(exit)
}
