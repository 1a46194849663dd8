//! What is asked while a server has the database, beyond workflows.

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_does_not_do_is_refused_at_once_with_the_way_out() {
    let stage = Stage::start(true).await;
    for arguments in [
        &["backup", "x.db"][..],
        &["key", "rotate"],
        &["tenant", "add", "contoso"],
        &["connection", "add", "x", "--connector", "data", "--credential", "none"],
    ] {
        let begun = std::time::Instant::now();
        let refused = stage.run(arguments).await.ended_with(2);
        assert!(begun.elapsed().as_secs() < 5, "{arguments:?} waited");
        assert!(refused.stderr.contains("sortie.db.sock has the database"), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("next:  Stop `sortie serve`"), "{}", refused.stderr);
    }
}
