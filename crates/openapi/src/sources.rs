//! Where files come from that a document refers to, and the fence around them.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::percent_decode_str;

/// Gives the files that a document refers to, by their path below the document's folder.
///
/// The paths are already clean: relative, `/` between folders, without `.` and `..`. An implementation over a real
/// folder still has to mind symbolic links.
pub trait Sources {
    /// The file's bytes; `None` when there is no such file.
    fn read(&self, path: &str) -> Option<Cow<'_, [u8]>>;
}

/// The document stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn read(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl<Text: AsRef<[u8]>> Sources for BTreeMap<String, Text> {
    fn read(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        self.get(path).map(|text| Cow::Borrowed(text.as_ref()))
    }
}

/// Why a `$ref` leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefError {
    /// An address on the network: never fetched.
    #[error("`{0}` lies on the network, and references are never fetched; put the file beside the document")]
    Remote(String),
    /// Outside of the document's folder.
    #[error("`{0}` leads out of the document's folder, which no reference may do")]
    Outside(String),
    /// The caller has no such file.
    #[error("the file `{0}` was not given with the document")]
    NoFile(String),
    /// The file is no JSON or YAML, or too large.
    #[error("the file `{path}` cannot be read: {why}")]
    BadFile {
        /// Below the document's folder.
        path: String,
        /// In words.
        why: String,
    },
    /// Nothing is there.
    #[error("`{0}` names nothing in the document")]
    NoPlace(String),
    /// Round and round.
    #[error("`{0}` leads back to itself")]
    Cycle(String),
}

/// The clean path below the root folder that `reference` means in a file of `folder`.
pub(crate) fn locate(folder: &str, reference: &str) -> Result<String, RefError> {
    let outside = || RefError::Outside(reference.to_owned());
    let decoded = percent_decode_str(reference).decode_utf8().map_err(|_| outside())?;
    // A scheme is asked for in the raw and in the decoded text: `file%3A` must not slip through.
    if decoded.starts_with("//") || has_scheme(&decoded) {
        return Err(RefError::Remote(reference.to_owned()));
    }
    if decoded.starts_with('/') || decoded.contains(['\\', '\0', ':']) {
        return Err(outside());
    }
    let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop().ok_or_else(outside)?;
            }
            name => path.push(name),
        }
    }
    Ok(path.join("/"))
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        // One letter is a drive of Windows, not a scheme.
        scheme.len() > 1
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
            && (rest.starts_with("//") || !scheme.contains('.'))
    })
}

/// The folder of a path: what is before its last `/`.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(folder: &str, reference: &str, expected: Result<&str, fn(String) -> RefError>) {
        let expected = expected.map(str::to_owned).map_err(|error| error(reference.to_owned()));
        assert_eq!(locate(folder, reference), expected);
    }

    #[test]
    fn a_reference_stays_in_the_folder() {
        check("", "schemas/pet.yaml", Ok("schemas/pet.yaml"));
        check("schemas", "./pet.yaml", Ok("schemas/pet.yaml"));
        check("a/b", "../c/./d.json", Ok("a/c/d.json"));
        check("a", "..//x%20y.yaml", Ok("x y.yaml"));
    }

    #[test]
    fn there_is_no_way_out_of_the_folder() {
        for reference in [
            "../../etc/passwd",
            "a/../../x",
            "/etc/passwd",
            "%2e%2e/%2e%2e/etc/passwd",
            "..%2f..%2fetc%2fpasswd",
            "..\\..\\x",
            "C:\\Windows\\win.ini",
            "c:/x",
            "x%00.yaml",
            "%2Fetc/passwd",
        ] {
            check("", reference, Err(RefError::Outside));
        }
    }

    #[test]
    fn the_network_is_never_asked() {
        for reference in [
            "http://evil.example/x.yaml",
            "https://x",
            "//evil.example/x",
            "file:///etc/passwd",
            "FILE:x",
            "file%3A///x",
        ] {
            check("", reference, Err(RefError::Remote));
        }
    }
}
