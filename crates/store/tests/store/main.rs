//! The promises of the store, and what becomes of them when keys, files and processes fail.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stdout, reason = "the child of a test tells its parent, and figures belong to the answer")]

mod audit;
mod files;
mod kills;
mod secrets;

use sortie_store::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    for (name, promise) in conformance::PROMISES {
        let place = folder.path().join(name);
        println!("{name}");
        promise(conformance::stage(&place)).await;
    }
}
