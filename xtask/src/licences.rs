//! Dependencies must be permissive, and some may not come in at all.

use std::collections::BTreeSet;

use anyhow::{Context, bail};

use crate::run::{cargo, root};

/// Packages that the product links or builds with, whose licence or name is not wanted.
///
/// `cargo tree` is asked, not the metadata: that one also lists weak dependencies whose feature is off.
pub(crate) fn findings() -> anyhow::Result<Vec<String>> {
    let mut tree = cargo(&[
        "tree",
        "--workspace",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ]);
    let output = tree.current_dir(root()).output().context("cannot start cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("cargo tree printed something that is not UTF-8")?;
    let packages: BTreeSet<(&str, &str)> = text.lines().filter_map(package).collect();
    Ok(packages.into_iter().flat_map(|(name, licence)| judge(name, licence)).collect())
}

fn package(line: &str) -> Option<(&str, &str)> {
    let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
    Some((package.split(' ').next()?, licence.trim_end_matches(" (*)")))
}

fn judge(name: &str, licence: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if BANNED.contains(&name) {
        findings.push(format!("{name}: banned; TLS and signatures come from rustls and aws-lc-rs alone"));
    }
    if !is_permissive(licence) {
        findings.push(format!("{name}: licence `{licence}` is not in the list of permissive ones"));
    }
    findings
}

fn is_permissive(licence: &str) -> bool {
    let licence = licence.replace('/', " OR ");
    licence.split(" AND ").all(|part| {
        part.trim_matches(['(', ')', ' '])
            .split(" OR ")
            .any(|one| PERMISSIVE.contains(&one.trim_matches(['(', ')', ' '])))
    })
}

const BANNED: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls", "rsa"];

const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_expression_is_read_part_by_part() {
        #[track_caller]
        fn check(licence: &str, expected: bool) {
            assert_eq!(is_permissive(licence), expected, "{licence}");
        }
        check("MIT OR Apache-2.0", true);
        check("MIT/Apache-2.0", true);
        check("ISC AND (Apache-2.0 OR ISC)", true);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0", false);
        check("MIT AND GPL-2.0", false);
        check("", false);
    }

    #[test]
    fn a_banned_package_is_found() {
        assert_eq!(package("ring v0.17.14|Apache-2.0 AND ISC (*)"), Some(("ring", "Apache-2.0 AND ISC")));
        assert_eq!(judge("ring", "Apache-2.0 AND ISC").len(), 1);
        assert_eq!(judge("serde", "MIT OR Apache-2.0"), Vec::<String>::new());
    }
}
