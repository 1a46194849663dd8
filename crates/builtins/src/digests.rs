//! Digests and keyed digests of texts.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Digest;

use crate::{
    encodings::{hex, unpacked},
    inputs::{DataError, Inputs, wrong},
    table::{
        Kind::{OneOf, Text},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "hash",
        title: "Digest of a text",
        about: "The digest in small hexadecimal digits.",
        inputs: &[
            needed("text", Text, "What is digested, as UTF-8"),
            optional(
                "algorithm",
                OneOf(ALGORITHMS),
                "SHA-256 unless given; MD5 and SHA-1 serve to look files up, not to protect",
            ),
            optional("encoding", OneOf(&["text", "base64", "hex"]), "How the text stands for bytes"),
        ],
        example: r#"{"text":"hello","algorithm":"sha256"}"#,
        run: hash,
    },
    Operation {
        id: "hmac",
        title: "Keyed digest of a text",
        about: "The HMAC (RFC 2104) in small hexadecimal digits.",
        inputs: &[
            needed("text", Text, "What is digested, as UTF-8"),
            needed("key", Text, "The key, as UTF-8"),
            optional("algorithm", OneOf(&["sha256", "sha512", "sha1"]), "SHA-256 unless given"),
        ],
        example: r#"{"text":"hello","key":"k"}"#,
        run: keyed,
    },
];

fn hash(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let bytes = unpacked("text", inputs.text("text")?, inputs.text_or("encoding", "text")?)?;
    let digest = match inputs.text_or("algorithm", "sha256")? {
        "md5" => hex(&md5::Md5::digest(&bytes)),
        "sha1" => hex(&sha1::Sha1::digest(&bytes)),
        "sha256" => hex(&sha2::Sha256::digest(&bytes)),
        "sha512" => hex(&sha2::Sha512::digest(&bytes)),
        _ => return Err(wrong("algorithm", "is none of md5, sha1, sha256 and sha512")),
    };
    Ok(digest.into())
}

fn keyed(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let (text, key) = (inputs.text("text")?.as_bytes(), inputs.text("key")?.as_bytes());
    let digest = match inputs.text_or("algorithm", "sha256")? {
        "sha1" => hex(&mac::<Hmac<sha1::Sha1>>(text, key)),
        "sha256" => hex(&mac::<Hmac<sha2::Sha256>>(text, key)),
        "sha512" => hex(&mac::<Hmac<sha2::Sha512>>(text, key)),
        _ => return Err(wrong("algorithm", "is none of sha1, sha256 and sha512")),
    };
    Ok(digest.into())
}

fn mac<M: Mac + KeyInit>(text: &[u8], key: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length fits");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

const ALGORITHMS: &[&str] = &["sha256", "sha512", "sha1", "md5"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::run;

    /// Test vectors of RFC 1321, FIPS 180 and RFC 4231.
    #[test]
    fn digests_are_those_of_the_standards() {
        #[track_caller]
        fn check(id: &str, inputs: serde_json::Value, expected: &str) {
            let digest = run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert!(digest.as_str().unwrap().starts_with(expected), "{digest}");
        }
        check("hash", json!({ "text": "abc", "algorithm": "md5" }), "900150983cd24fb0d6963f7d28e17f72");
        check("hash", json!({ "text": "abc", "algorithm": "sha1" }), "a9993e364706816aba3e25717850c26c9cd0d89d");
        check("hash", json!({ "text": "abc" }), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check("hash", json!({ "text": "abc", "algorithm": "sha512" }), "ddaf35a193617abacc417349ae204131");
        check("hash", json!({ "text": "616263", "encoding": "hex", "algorithm": "md5" }), "900150983cd24fb0");
        let jefe = json!({ "text": "what do ya want for nothing?", "key": "Jefe" });
        check("hmac", jefe, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
