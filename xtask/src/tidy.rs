//! What a reviewer would otherwise have to say again and again: arrows between crates, sizes, stray files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};
use syn::{spanned::Spanned, visit::Visit};

use crate::{licences, run::root};

/// Prints every finding and fails if there is one.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("tidy");
    Ok(())
}

/// Every breach of the rules in this file, as one line each.
pub(crate) fn findings() -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().context("cargo metadata")?;
    let mut findings = edges(&metadata);
    findings.extend(licences::findings()?);
    for path in tracked()? {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        findings.extend(stray(&path));
        findings.extend(sizes(&path, &text));
        findings.extend(words(&path, &text));
    }
    Ok(findings)
}

/// Which crate may use which; the order is that of `ARCHITECTURE.md`. Tests may use anything.
const EDGES: &[(&str, &[&str])] = &[
    ("sortie-model", &[]),
    ("sortie-builtins", &[]),
    ("sortie-kql", &[]),
    ("sortie-engine", &["sortie-model", "sortie-builtins"]),
    ("sortie-sandbox", &["sortie-model"]),
    ("sortie-transport", &["sortie-model"]),
    ("sortie-openapi", &["sortie-model"]),
    ("sortie-shuffle", &["sortie-model", "sortie-engine", "sortie-openapi"]),
    ("sortie-identity", &["sortie-model", "sortie-transport"]),
    ("sortie-connector", &["sortie-model", "sortie-openapi", "sortie-transport", "sortie-identity", "sortie-builtins"]),
    ("sortie-store", &["sortie-model"]),
    (
        "sortie-server",
        &[
            "sortie-model",
            "sortie-engine",
            "sortie-store",
            "sortie-connector",
            "sortie-openapi",
            "sortie-identity",
            "sortie-runner",
        ],
    ),
    ("sortie-defender", &["sortie-model", "sortie-transport", "sortie-identity"]),
    (
        "sortie-runner",
        &[
            "sortie-model",
            "sortie-engine",
            "sortie-store",
            "sortie-connector",
            "sortie-defender",
            "sortie-openapi",
            "sortie-transport",
            "sortie-sandbox",
        ],
    ),
    ("sortie-emulator", &["sortie-kql"]),
    ("sortie-testkit", &["sortie-emulator"]),
    (
        "sortie-cli",
        &[
            "sortie-model",
            "sortie-openapi",
            "sortie-transport",
            "sortie-identity",
            "sortie-store",
            "sortie-defender",
            "sortie-connector",
            "sortie-emulator",
            "sortie-engine",
            "sortie-runner",
            "sortie-sandbox",
            "sortie-server",
            "sortie-shuffle",
        ],
    ),
    ("xtask", &[]),
];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

fn edges(metadata: &cargo_metadata::Metadata) -> Vec<String> {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(allowed) = allowed.get(name) else {
            findings.push(format!("{name}: not in the list of allowed edges in xtask/src/tidy.rs"));
            continue;
        };
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
        {
            let to = dependency.name.as_str();
            if to.starts_with("sortie-") && !allowed.contains(&to) {
                findings.push(format!("{name}: may not depend on {to}"));
            }
            if to == "anyhow" && !matches!(name, "sortie-cli" | "xtask") {
                findings.push(format!("{name}: anyhow belongs to the command line and to xtask alone"));
            }
            // Tests get it from what they alone depend on, and so cannot tell that the binary lacks it.
            if to == "serde_json" && !dependency.features.iter().any(|feature| feature == "float_roundtrip") {
                findings
                    .push(format!("{name}: serde_json without `float_roundtrip` changes the last digit of numbers"));
            }
        }
    }
    findings
}

fn tracked() -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("a path that is not UTF-8")?;
    Ok(text.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect())
}

fn stray(path: &Path) -> Option<String> {
    let name = path.to_string_lossy();
    let known = matches!(name.as_ref(), "README.md" | "ARCHITECTURE.md") || name.starts_with("docs/");
    (name.ends_with(".md") && !known).then(|| format!("{name}: Markdown lives in README.md, ARCHITECTURE.md and docs/"))
}

fn sizes(path: &Path, text: &str) -> Vec<String> {
    let code = path
        .extension()
        .is_some_and(|extension| matches!(extension.to_str(), Some("rs" | "ts" | "tsx" | "py" | "mjs")));
    let mut findings = Vec::new();
    if !code {
        return findings;
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        findings.push(format!("{}: {lines} lines, {FILE_LINES_MAX} are allowed", path.display()));
    }
    if path.extension().is_some_and(|extension| extension == "rs") {
        match syn::parse_file(text) {
            Ok(file) => {
                let mut long = LongFunctions { path, findings: Vec::new() };
                long.visit_file(&file);
                findings.extend(long.findings);
            }
            Err(error) => findings.push(format!("{}: cannot be parsed: {error}", path.display())),
        }
    }
    findings
}

struct LongFunctions<'a> {
    path: &'a Path,
    findings: Vec<String>,
}

impl LongFunctions<'_> {
    fn check(&mut self, name: &syn::Ident, block: &syn::Block) {
        let lines = block.span().end().line - block.span().start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            let line = name.span().start().line;
            self.findings.push(format!(
                "{}:{line}: `{name}` has {lines} lines, {FUNCTION_LINES_MAX} are allowed",
                self.path.display()
            ));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.sig.ident, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.sig.ident, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

fn words(path: &Path, text: &str) -> Vec<String> {
    let this_list = path.ends_with("xtask/src/tidy.rs");
    let lock = path.extension().is_some_and(|extension| extension == "lock");
    if this_list || lock {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (word, why) in WORDS {
            if line.contains(word) {
                findings.push(format!("{}:{}: `{word}`: {why}", path.display(), at + 1));
            }
        }
    }
    findings
}

const WORDS: &[(&str, &str)] = &[
    ("todo!(", "nothing unfinished lands"),
    ("unimplemented!(", "nothing unfinished lands"),
    ("dbg!(", "a leftover of debugging"),
    ("#[ignore", "a skipped test needs a visible reason at run time"),
    ("#[allow(", "say `#[expect(.., reason = \"..\")]`"),
    ("#![allow(", "say `#![expect(.., reason = \"..\")]`"),
    ("FIXME", "nothing unfinished lands"),
    ("index.crates.io", "no registry hosts"),
    ("registry.npmjs.org", "no registry hosts"),
    ("files.pythonhosted.org", "no registry hosts"),
    ("danger_accept_invalid", "TLS is always verified"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_long_function_is_found() {
        let body = "    let _ = 1;\n".repeat(FUNCTION_LINES_MAX);
        let found = sizes(Path::new("x.rs"), &format!("fn long() {{\n{body}}}\nfn short() {{}}\n"));
        assert_eq!(found, ["x.rs:1: `long` has 72 lines, 70 are allowed"]);
    }

    #[test]
    fn a_long_file_is_found() {
        let found = sizes(Path::new("x.py"), &"x = 1\n".repeat(FILE_LINES_MAX + 1));
        assert_eq!(found, ["x.py: 801 lines, 800 are allowed"]);
    }

    #[test]
    fn stray_markdown_and_unfinished_work_are_found() {
        assert!(stray(Path::new("crates/cli/NOTES.md")).is_some());
        assert!(stray(Path::new("docs/adr/0001-x.md")).is_none());
        assert_eq!(words(Path::new("a.rs"), "fine\n    todo!()\n"), ["a.rs:2: `todo!(`: nothing unfinished lands"]);
    }
}
