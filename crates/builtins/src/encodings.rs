//! Base64, hexadecimal digits and percent-encoding.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use crate::{
    inputs::{DataError, Inputs, written, wrong},
    table::{
        Kind::{Flag, OneOf, Text},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "base64-encode",
        title: "Encode a text as base64",
        about: "The text's UTF-8 as base64.",
        inputs: &[
            needed("text", Text, "What is encoded"),
            optional("url_safe", Flag, "With `-` and `_` and without padding, as tokens and addresses have it"),
        ],
        example: r#"{"text":"hello"}"#,
        run: |inputs| {
            let bytes = inputs.text("text")?.as_bytes();
            let is_url_safe = inputs.flag("url_safe")?;
            written(if is_url_safe { BASE64_URL_SAFE_NO_PAD.encode(bytes) } else { BASE64_STANDARD.encode(bytes) })
        },
    },
    Operation {
        id: "base64-decode",
        title: "Decode base64",
        about: "The text that the base64 stands for; bytes that are no text come as the other encoding that was asked for.",
        inputs: &[needed("text", Text, "Base64 of either alphabet, with or without padding and line breaks"), AS],
        example: r#"{"text":"aGVsbG8="}"#,
        run: |inputs| packed(&unpacked("text", inputs.text("text")?, "base64")?, inputs),
    },
    Operation {
        id: "hex-encode",
        title: "Write a text in hexadecimal digits",
        about: "The text's UTF-8 in small hexadecimal digits.",
        inputs: &[needed("text", Text, "What is encoded")],
        example: r#"{"text":"hello"}"#,
        run: |inputs| written(hex(inputs.text("text")?.as_bytes())),
    },
    Operation {
        id: "hex-decode",
        title: "Read hexadecimal digits",
        about: "The text that the digits stand for.",
        inputs: &[needed("text", Text, "Hexadecimal digits; blanks, colons and `0x` in front are skipped"), AS],
        example: r#"{"text":"68656c6c6f"}"#,
        run: |inputs| packed(&unpacked("text", inputs.text("text")?, "hex")?, inputs),
    },
    Operation {
        id: "url-encode",
        title: "Percent-encode a text",
        about: "The text as it can stand as one value in an address.",
        inputs: &[needed("text", Text, "What is encoded")],
        example: r#"{"text":"a b&c"}"#,
        run: |inputs| written(utf8_percent_encode(inputs.text("text")?, RESERVED).to_string()),
    },
    Operation {
        id: "url-decode",
        title: "Read percent-encoding",
        about: "The text that is meant.",
        inputs: &[
            needed("text", Text, "Percent-encoded text"),
            optional("plus_is_blank", Flag, "Whether `+` means a blank, as in forms"),
        ],
        example: r#"{"text":"a%20b%26c"}"#,
        run: |inputs| {
            let text = inputs.text("text")?;
            let text = if inputs.flag("plus_is_blank")? { text.replace('+', " ") } else { text.to_owned() };
            let decoded = percent_decode_str(&text).decode_utf8();
            let decoded = decoded.map_err(|_| wrong("text", "does not stand for a text in UTF-8"))?;
            written(decoded.into_owned())
        },
    },
];

/// What a text stands for as bytes.
pub(crate) fn unpacked(key: &'static str, text: &str, encoding: &str) -> Result<Vec<u8>, DataError> {
    match encoding {
        "text" => Ok(text.as_bytes().to_vec()),
        "base64" => {
            let bare = |c: &char| !c.is_ascii_whitespace();
            let plain: String = text
                .chars()
                .filter(bare)
                .map(|c| match c {
                    '-' => '+',
                    '_' => '/',
                    c => c,
                })
                .collect();
            ANY_PADDING.decode(plain).map_err(|error| wrong(key, format!("is no base64: {error}")))
        }
        "hex" => unhexed(text).ok_or_else(|| wrong(key, "is no even number of hexadecimal digits")),
        _ => Err(wrong("encoding", "is none of text, base64 and hex")),
    }
}

fn packed(bytes: &[u8], inputs: &Inputs<'_>) -> Result<Value, DataError> {
    match inputs.text_or("as", "text")? {
        "text" => match std::str::from_utf8(bytes) {
            Ok(text) => written(text.to_owned()),
            Err(_) => Err(wrong("text", "stands for bytes that are no text; ask for them with `as` hex or base64")),
        },
        "hex" => written(hex(bytes)),
        "base64" => written(BASE64_STANDARD.encode(bytes)),
        _ => Err(wrong("as", "is none of text, hex and base64")),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text cannot fail");
        text
    })
}

fn unhexed(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut digits = Vec::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_ascii_whitespace() && *c != ':') {
        digits.push(u8::try_from(c.to_digit(16)?).ok()?);
    }
    if digits.len() % 2 == 1 {
        return None;
    }
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

const AS: crate::Input =
    optional("as", OneOf(&["text", "hex", "base64"]), "How the result is written; text unless given");
/// RFC 3986's unreserved characters stay.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::run;

    fn call(id: &str, inputs: serde_json::Value) -> Result<serde_json::Value, String> {
        run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn what_people_paste_is_read() {
        for text in ["aGk/Pz8=", "aGk_Pz8", "aGk_\nPz8="] {
            assert_eq!(call("base64-decode", json!({ "text": text })), Ok("hi???".into()), "{text}");
        }
        assert_eq!(call("hex-decode", json!({ "text": "0x68:69 21" })), Ok("hi!".into()));
        assert_eq!(call("base64-decode", json!({ "text": "/w==", "as": "hex" })), Ok("ff".into()));
        assert!(call("base64-decode", json!({ "text": "/w==" })).unwrap_err().contains("no text"));
        assert!(call("hex-decode", json!({ "text": "abc" })).unwrap_err().contains("even number"));
        assert_eq!(call("url-encode", json!({ "text": "ä b/&-_.~" })), Ok("%C3%A4%20b%2F%26-_.~".into()));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>(), url_safe in any::<bool>()) {
            for pair in ["base64", "hex", "url"] {
                let mut inputs = json!({ "text": text });
                if pair == "base64" { inputs["url_safe"] = url_safe.into(); }
                let encoded = call(&format!("{pair}-encode"), inputs).unwrap();
                prop_assert_eq!(call(&format!("{pair}-decode"), json!({ "text": encoded })), Ok(text.clone().into()));
            }
        }

        #[test]
        fn no_text_trips_a_decoder(text in any::<String>()) {
            for id in ["base64-decode", "hex-decode", "url-decode"] {
                if let Err(error) = call(id, json!({ "text": text })) {
                    prop_assert!(error.starts_with("the input `text` "), "{}", error);
                }
            }
        }
    }
}
