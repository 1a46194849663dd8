//! What the API stands on in this program, and where its socket is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use http::StatusCode;
use sortie_server::{App, Bounds, Options, Problem};
use sortie_store::Store;

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

fn locked(error: &anyhow::Error) -> Problem {
    // Where the key is, and what is wrong with it, is for whoever runs the server.
    tracing::error!("{}", sentence(error));
    let next = next_step(error).unwrap_or_else(|| "Look at the log of `sortie serve`.".to_owned());
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "key", "the secrets of the database cannot be opened", next)
}
