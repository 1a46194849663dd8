//! Why a document gives no description at all.

/// Why a document gives no description at all. What is wrong in one operation never comes here.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no text.
    #[error("the document is not text: line {line} has bytes that are not UTF-8; save it as UTF-8 and try again")]
    NotText {
        /// Counted from 1.
        line: usize,
    },
    /// Neither JSON nor YAML.
    #[error(
        "the document is not valid {language}: {message} (line {line}, column {column}); correct it there and try again"
    )]
    Syntax {
        /// `JSON` or `YAML`.
        language: &'static str,
        /// The parser's words.
        message: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// More bytes than allowed.
    #[error("the document has {bytes} bytes, more than the {bytes_max} that are read; split it or raise the limit")]
    TooLarge {
        /// How many it has, together with the files that it refers to.
        bytes: usize,
        /// How many may be.
        bytes_max: usize,
    },
    /// More values than allowed, counted after YAML's aliases are put in.
    #[error(
        "the document holds more than {values_max} values once its aliases are put in (line {line}); it is refused as a possible attack"
    )]
    TooManyValues {
        /// How many may be.
        values_max: usize,
        /// Where the bound was passed, counted from 1.
        line: usize,
    },
    /// Nested too deeply.
    #[error("the document is nested deeper than {depth_max} levels (line {line}); flatten it there and try again")]
    TooDeep {
        /// How deep it may be.
        depth_max: usize,
        /// Where the bound was passed, counted from 1.
        line: usize,
    },
    /// It is something else.
    #[error("this is not an OpenAPI document: {0}")]
    NotOpenApi(&'static str),
}
