//! Secrets and certificates end, and a person hears of it before.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use crate::{oauth::certified, stage::Stage};

/// The day that begins after this many days from now, so that so many whole days are left.
fn day_in(days: i64) -> Date {
    let at = Timestamp::now() + SignedDuration::from_hours(24 * (days + 1));
    at.to_zoned(TimeZone::UTC).date()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_show_test_and_call_tell_of_the_end_of_a_sealed_secret() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    stage.import("/oauth2/v2.0/token").await;
    let unread = stage.connect_with("contoso", &application, &["--expires", "soon"]).await.ended_with(2);
    assert!(unread.stderr.contains("expected a day"), "{}", unread.stderr);
    for (days, said) in [
        (40, None),
        (20, Some("expires in 20 days")),
        (5, Some("expires soon, in 5 days")),
        (0, Some("expires within a day")),
        (-4, Some("expired on")),
    ] {
        let day = day_in(days).to_string();
        stage.connect_with("contoso", &application, &["--replace", "--expires", &day]).await.succeeded();
        for command in [
            &["connection", "list", "--jsonl"][..],
            &["connection", "show", "contoso"],
            &["connection", "test", "contoso"],
            &["call", "microsoft-365-defender/list-alerts", "$top=1"],
        ] {
            // The provider may take it all the same; only the provider knows.
            let ended = stage.run(command).await.succeeded();
            let warned = ended.stderr.lines().find(|line| line.contains("the secret of connection contoso"));
            match said {
                None => assert_eq!(warned, None, "{command:?}"),
                Some(said) => assert!(
                    warned.is_some_and(|line| line.contains(said) && line.contains(&day)),
                    "{command:?}, {days} days: {}",
                    ended.stderr
                ),
            }
            if command[1] == "list" {
                assert!(ended.json_lines()[0]["expires"].as_str().unwrap().starts_with(&day), "{}", ended.stdout);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_says_itself_when_it_ends_and_a_reference_as_a_person_has_said() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    stage.import("/oauth2/v2.0/token").await;
    certified(&stage, &application, day_in(6)).await;
    stage.refer("signed", &application, &["--credential", "certificate:app.pem"]).await.succeeded();
    std::fs::write(stage.sortie.folder().join("secret"), &application.secret).unwrap();
    let day = day_in(12).to_string();
    stage.refer("filed", &application, &["--credential", "file:secret", "--expires", &day]).await.succeeded();
    let listed = stage.run(&["connection", "list"]).await.succeeded();
    assert!(listed.stderr.contains("connection signed expires soon, in 6 days"), "{}", listed.stderr);
    assert!(listed.stderr.contains("connection filed expires in 12 days"), "{}", listed.stderr);
    let call = |name: &'static str| ["call", "microsoft-365-defender/list-alerts", "$top=1", "-c", name];
    let called = stage.run(&call("signed")).await.succeeded();
    assert!(called.stderr.contains("the certificate of connection signed expires soon"), "{}", called.stderr);
    let called = stage.run(&call("filed")).await.succeeded();
    assert!(called.stderr.contains("connection filed expires in 12 days"), "{}", called.stderr);
    // Over: nobody takes it any more, and every look at it says so.
    let certificate = day_in(-3);
    certified(&stage, &application, certificate).await;
    let shown = stage.run(&["connection", "show", "signed"]).await.succeeded();
    assert!(shown.stdout.contains("(over)") && shown.stderr.contains("expired on"), "{shown:?}");
    let refused = stage.run(&call("signed")).await.ended_with(3);
    assert!(refused.stderr.contains("the certificate expired on"), "{}", refused.stderr);
    assert!(refused.stderr.contains("Make a new certificate"), "{}", refused.stderr);
}
