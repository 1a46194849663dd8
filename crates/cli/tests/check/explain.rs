//! `sortie explain`: codes in words.

use sortie_testkit::{Leaks, Sortie};

use crate::stage::PROGRAM;

async fn explain(code: &str) -> String {
    let sortie = Sortie::new(PROGRAM, &Leaks::default());
    let ended = sortie.run(&["explain", code]).await;
    format!("{}{}--- exit code {}\n", ended.stdout, ended.stderr, ended.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_in_words() {
    insta::assert_snapshot!(explain("AADSTS7000215").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_application_in_words() {
    insta::assert_snapshot!(explain("700016").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_not_in_the_list() {
    insta::assert_snapshot!(explain("1234567").await);
}
