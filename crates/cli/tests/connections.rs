//! Connections to Microsoft Defender by commands.

use sortie_testkit::{Leaks, Sortie};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const IDS: [&str; 4] = ["--tenant", "contoso.onmicrosoft.com", "--client-id", "11111111-2222-3333-4444-555555555555"];

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_added_chosen_shown_and_removed() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    sortie.run(&[&["connection", "add", "one"], &IDS[..]].concat()).await.succeeded();
    sortie
        .run(
            &[&["connection", "add", "two", "--cloud", "gcc-high", "--credential", "file:/run/secret"], &IDS[..]]
                .concat(),
        )
        .await
        .succeeded();
    let again = sortie.run(&[&["connection", "add", "two"], &IDS[..]].concat()).await.ended_with(2);
    assert!(again.stderr.contains("--replace"), "{}", again.stderr);
    sortie.run(&["connection", "use", "two"]).await.succeeded();
    let list = sortie.run(&["connection", "list", "--csv"]).await.succeeded();
    assert_eq!(
        list.stdout,
        "current,name,tenant,client id,cloud,credential,connector\n\
         ,one,contoso.onmicrosoft.com,11111111-2222-3333-4444-555555555555,global,env:AZURE_CLIENT_SECRET,microsoft-365-defender\n\
         *,two,contoso.onmicrosoft.com,11111111-2222-3333-4444-555555555555,gcc-high,file:/run/secret,microsoft-365-defender\n"
    );
    let shown = sortie.run(&["connection", "show"]).await.succeeded();
    assert!(shown.stdout.contains("https://graph.microsoft.us/"), "{}", shown.stdout);
    let unanswered = sortie.run(&["connection", "remove", "two"]).await.ended_with(2);
    assert!(unanswered.stderr.contains("--yes"), "{}", unanswered.stderr);
    sortie.run(&["connection", "remove", "two", "--yes"]).await.succeeded();
    sortie.run(&["connection", "use", "two"]).await.ended_with(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let leaks = Leaks::default();
    leaks.watch("Zx8Q~pasted-by-mistake");
    let sortie = Sortie::new(PROGRAM, &leaks);
    let add = [&["connection", "add", "x", "--credential", "Zx8Q~pasted-by-mistake"], &IDS[..]].concat();
    let refused = sortie.run(&add).await.ended_with(2);
    assert!(refused.stderr.contains("env:NAME"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_id_is_said_before_anything_is_written() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let add = |tenant: &'static str, client: &'static str| {
        ["connection", "add", "x", "--tenant", tenant, "--client-id", client]
    };
    let alias = sortie.run(&add("common", IDS[3])).await.ended_with(2);
    assert!(alias.stderr.contains("any tenant"), "{}", alias.stderr);
    let client = sortie.run(&add("contoso.com", "my-app")).await.ended_with(2);
    assert!(client.stderr.contains("Application (client) ID"), "{}", client.stderr);
    assert_eq!(sortie.run(&["connection", "list", "--json"]).await.succeeded().stdout, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_cannot_be_read_is_named_with_the_next_step() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    for (credential, expected) in
        [("env:NOT_SET", "NOT_SET"), ("file:missing.txt", "missing.txt"), ("certificate:missing.pem", "missing.pem")]
    {
        let add = [&["connection", "add", "x", "--replace", "--credential", credential], &IDS[..]].concat();
        sortie.run(&add).await.succeeded();
        let failed = sortie.run(&["incidents", "list"]).await.ended_with(3);
        assert!(failed.stderr.contains(expected) && failed.stderr.contains("next:"), "{}", failed.stderr);
    }
    // What is typed is typed now, by a person.
    let add = [&["connection", "add", "y", "--credential", "prompt"], &IDS[..]].concat();
    let refused = sortie.run(&add).await;
    assert!(refused.code != 0 && refused.stderr.contains("terminal"), "{refused:?}");
}
