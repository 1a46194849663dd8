//! What the API stands on in this program, and where its socket is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use http::StatusCode;
use sortie_server::{App, Bounds, Options, Problem};
use sortie_store::{Actor, ActorKind, Grant, Store};

use crate::{
    automation::{self, Products},
    context::Context,
    database,
    exit::{next_step, sentence},
};

/// The API over a database that this process has. `public_url` is where others reach it, empty where nothing serves it.
pub(crate) async fn app(store: &Store, public_url: &str, context: &Context) -> anyhow::Result<(App, Arc<Products>)> {
    let (runner, products) = automation::runner(store, public_url, context).await?;
    let (kept, about) = (store.clone(), context.clone());
    let unlock = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        let (store, context) = (kept.clone(), about.clone());
        Box::pin(async move { database::unlock(&store, &context).await.map_err(|error| locked(&error)) })
    };
    let app = App {
        store: store.clone(),
        runner,
        outside: Arc::clone(&products) as _,
        clock: Arc::clone(&context.clock),
        options: Options {
            unlock: Arc::new(unlock),
            public_url: public_url.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            bounds: Bounds::default(),
        },
    };
    Ok((app, products))
}

/// Beside the database.
pub(crate) fn socket(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".sock");
    path.into()
}

/// Who a user of this machine is to a server of this database: its owner and the superuser may everything, anybody else what
/// was granted to `os:NAME`.
pub(crate) fn os_user(owner: u32) -> Arc<dyn Fn(u32) -> Actor + Send + Sync> {
    Arc::new(move |id| {
        let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(id)).ok().flatten();
        let name = format!("os:{}", found.map_or_else(|| id.to_string(), |user| user.name));
        let grants = if id == owner || id == 0 { vec![Grant::ALL] } else { Vec::new() };
        Actor { id: name.clone(), name, kind: ActorKind::OsUser, grants }
    })
}

fn locked(error: &anyhow::Error) -> Problem {
    // Where the key is, and what is wrong with it, is for whoever runs the server.
    tracing::error!("{}", sentence(error));
    let next = next_step(error).unwrap_or_else(|| "Look at the log of `sortie serve`.".to_owned());
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "key", "the secrets of the database cannot be opened", next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_the_superuser_may_everything_and_others_what_they_were_granted() {
        let known = os_user(1_000);
        let grants = |id: u32| known(id).grants;
        assert_eq!((grants(1_000), grants(0), grants(1_001)), (vec![Grant::ALL], vec![Grant::ALL], vec![]));
        assert_eq!((known(0).name.as_str(), known(4_000_000_123).name.as_str()), ("os:root", "os:4000000123"));
        assert_eq!(socket(Path::new("/a/sortie.db")), Path::new("/a/sortie.db.sock"));
    }
}
