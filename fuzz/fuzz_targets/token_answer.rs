//! Answers of token endpoints: a token or a typed cause, for every status and content type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_identity::parse_token_answer;

fuzz_target!(|body: &[u8]| {
    for (status, content_type) in
        [(200, Some("application/json")), (400, None), (401, Some("text/html; charset=utf-8")), (429, None), (503, None)]
    {
        match parse_token_answer(status, content_type, body) {
            Ok(answer) => assert!(!answer.access_token.expose().is_empty(), "a success has a token"),
            Err(error) => {
                let _ = (error.to_string(), error.remedy(), error.who(), error.explanation(), error.may_pass());
            }
        }
    }
});
