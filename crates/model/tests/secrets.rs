//! What must not compile: the ways in which a secret could leave by accident.

#[test]
fn a_secret_has_no_display_no_serialize_and_no_equality() {
    trybuild::TestCases::new().compile_fail("tests/secrets/*.rs");
}
