//! `sortie key rotate`: another key for the sealed secrets.

use clap::Subcommand;

use crate::{context::Context, database, exit::Exit, output::say};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new key and seal every secret anew; backups of before still need the old key, which is kept beside it
    Rotate,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Rotate => {
            let store = database::open(context).await?;
            let (sealed, old) = database::rotate_key(&store, context).await?;
            let secrets = if sealed == 1 { "1 secret".to_owned() } else { format!("{sealed} secrets") };
            say(&format!("{secrets} sealed anew with a new key in {}", database::key_place(context)?))?;
            context.note(&format!("the old key is in {}: only backups made before need it", old.display()));
            Ok(Exit::Success)
        }
    }
}
