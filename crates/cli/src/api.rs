//! What the API stands on in this program, and where its socket is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use http::StatusCode;
use sortie_server::{App, Bounds, ListenError, Options, Problem};
use sortie_store::{Actor, Store};

use crate::{
    acting::actor_of,
    automation::{self, Products},
    context::Context,
    database,
    exit::{self, Exit, next_step, sentence},
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

/// Whoever asks by the socket of this database: the system says which user, and whose the file is.
pub(crate) fn os_user(database: &Path) -> anyhow::Result<Arc<dyn Fn(u32) -> Actor + Send + Sync>> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(database);
    let owner = about.with_context(|| format!("cannot see whose the database {} is", database.display()))?.uid();
    Ok(Arc::new(move |id| actor_of(id, owner)))
}

/// Why nobody can be listened to.
pub(crate) fn listen_problem(error: ListenError) -> anyhow::Error {
    let exit = match &error {
        ListenError::Exposed(_) | ListenError::SocketPath(_) | ListenError::Certificate { .. } => Exit::Usage,
        ListenError::Bind { .. } => Exit::Failure,
    };
    let problem = exit::Problem { exit, what: "the server did not start".to_owned(), next: error.remedy().to_owned() };
    anyhow::Error::from(error).context(problem)
}

fn locked(error: &anyhow::Error) -> Problem {
    // Where the key is, and what is wrong with it, is for whoever runs the server.
    tracing::error!("{}", sentence(error));
    let next = next_step(error).unwrap_or_else(|| "Look at the log of `sortie serve`.".to_owned());
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "key", "the secrets of the database cannot be opened", next)
}
