//! `cargo xtask package`: a Debian package with the binary, its unit and everything that belongs to them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use clap::Args;

use crate::run::{cargo, first_line, root, run};

/// What is packed, and where to.
#[derive(Args)]
pub(crate) struct Options {
    /// Pack this binary instead of building one for release
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the package into this folder instead of target/package
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How it is compressed: xz, gzip, none
    #[arg(long, default_value = "xz", value_name = "WAY")]
    compression: String,
}

/// Makes the package.
pub(crate) fn package(options: &Options) -> anyhow::Result<()> {
    let package = made(options)?;
    let bytes = fs::metadata(&package).context("cannot look at the package")?.len();
    println!("{}: {:.1} MB", package.display(), bytes as f64 / 1e6);
    Ok(())
}

/// Makes the package, and says where it is.
fn made(options: &Options) -> anyhow::Result<PathBuf> {
    if first_line("dpkg-deb", &["--version"]).is_none() {
        bail!("dpkg-deb is not on this machine, and it makes Debian packages; run this on Debian or Ubuntu");
    }
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            run("release", &mut cargo(&["build", "--release", "--locked", "-p", "sortie-cli", "--bin", "sortie"]))?;
            target()?.join("release/sortie")
        }
    };
    let output = match &options.output {
        Some(output) => output.clone(),
        None => target()?.join("package"),
    };
    let tree = output.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    fill(&tree, &binary)?;
    let version = first_line(text(&binary)?, &["--version"]).context("the binary does not tell its version")?;
    let version = version.strip_prefix("sortie ").context("the binary is no sortie")?;
    let machine = first_line("dpkg", &["--print-architecture"]).context("dpkg does not tell this machine's kind")?;
    control(&tree, &binary, version, &machine)?;
    let package = output.join(format!("sortie_{version}_{machine}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "--uniform-compression", &format!("-Z{}", options.compression), "--build"]);
    // The same source gives the same package.
    pack.env("SOURCE_DATE_EPOCH", first_line("git", &["log", "-1", "--format=%ct"]).unwrap_or_else(|| "0".to_owned()));
    run("pack", pack.arg(&tree).arg(&package))?;
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    Ok(package)
}

/// Puts every file where it will be installed.
fn fill(tree: &Path, binary: &Path) -> anyhow::Result<()> {
    put(
        tree,
        "usr/bin/sortie",
        &fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?,
        0o755,
    )?;
    for (from, to) in FILES {
        put(tree, to, &read(from)?, 0o644)?;
    }
    for (shell, to) in COMPLETIONS {
        let printed = Command::new(binary).args(["completions", shell]).output().context("cannot start the binary")?;
        if !printed.status.success() {
            bail!("the binary prints no completions for {shell}");
        }
        put(tree, to, &printed.stdout, 0o644)?;
    }
    for entry in fs::read_dir(root().join("gallery")).context("cannot read the gallery")? {
        let path = entry.context("cannot read the gallery")?.path();
        let name = path.file_name().context("a file of the gallery has no name")?.to_string_lossy().into_owned();
        put(tree, &format!("usr/share/doc/sortie/gallery/{name}"), &fs::read(&path)?, 0o644)?;
    }
    put(tree, "usr/share/doc/sortie/dependencies", dependencies()?.as_bytes(), 0o644)
}

/// What the package says of itself, and what is done when it comes and goes.
fn control(tree: &Path, binary: &Path, version: &str, machine: &str) -> anyhow::Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let libc = glibc(&bytes).map(|version| format!(" (>= {version})")).unwrap_or_default();
    let size = size(tree)?.div_ceil(1024);
    let control = format!(
        "Package: sortie\n\
         Version: {version}\n\
         Architecture: {machine}\n\
         Maintainer: The Sortie maintainers <maintainers@sortie.invalid>\n\
         Section: admin\n\
         Priority: optional\n\
         Installed-Size: {size}\n\
         Depends: libc6{libc}, libgcc-s1, ca-certificates, adduser | systemd\n\
         Description: security automation for Microsoft 365 Defender\n \
         Watches incidents, hunts, acts on devices, and runs workflows, as a service\n \
         or from the command line. Brings a simulated Microsoft cloud along.\n"
    );
    put(tree, "DEBIAN/control", control.as_bytes(), 0o644)?;
    put(tree, "DEBIAN/conffiles", b"/etc/sortie/serve.env\n", 0o644)?;
    for script in ["postinst", "prerm", "postrm"] {
        put(tree, &format!("DEBIAN/{script}"), &read(&format!("packaging/debian/{script}"))?, 0o755)?;
    }
    Ok(())
}

fn put(tree: &Path, to: &str, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let path = tree.join(to);
    let mut folder = path.parent().context("a file has a folder")?.to_path_buf();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    set(&path, mode).with_context(|| format!("cannot set the mode of {}", path.display()))?;
    // Whatever this machine gives new folders, those of a package are for all.
    while folder != tree && folder.pop() && folder.starts_with(tree) {
        set(&folder, 0o755).with_context(|| format!("cannot set the mode of {}", folder.display()))?;
    }
    set(path.parent().context("a file has a folder")?, 0o755).context("cannot set the mode of a folder")
}

fn read(from: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(root().join(from)).with_context(|| format!("cannot read {from}"))
}

/// Bytes of all files under the folder.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// The newest version of the C library that the binary asks for.
fn glibc(binary: &[u8]) -> Option<String> {
    let prefix = b"GLIBC_2.";
    let places = binary.windows(prefix.len()).enumerate().filter(|(_, window)| window == prefix);
    let minor = places.filter_map(|(at, _)| {
        let rest = &binary[at + prefix.len()..];
        let digits: String =
            rest.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
        digits.parse::<u32>().ok()
    });
    minor.max().map(|minor| format!("2.{minor}"))
}

/// Whose work is in the binary, a line each, with its licence.
fn dependencies() -> anyhow::Result<String> {
    let arguments =
        ["tree", "--locked", "-p", "sortie-cli", "--edges", "normal", "--prefix", "none", "--format", "{p} {l}"];
    let output = cargo(&arguments).current_dir(root()).output().context("cannot start cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("cargo tree printed something that is not UTF-8")?;
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.starts_with("sortie-"));
    let lines: std::collections::BTreeSet<&str> = lines.filter(|line| !line.is_empty()).collect();
    Ok(lines.into_iter().map(|line| format!("{line}\n")).collect())
}

fn target() -> anyhow::Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Files of the project, and where they are installed.
const FILES: &[(&str, &str)] = &[
    ("packaging/sortie.service", "usr/lib/systemd/system/sortie.service"),
    ("packaging/sortie.sysusers", "usr/lib/sysusers.d/sortie.conf"),
    ("packaging/serve.env", "etc/sortie/serve.env"),
    ("LICENSE", "usr/share/doc/sortie/copyright"),
    ("README.md", "usr/share/doc/sortie/README.md"),
    ("docs/openapi.json", "usr/share/doc/sortie/openapi.json"),
    ("docs/workflow.schema.json", "usr/share/doc/sortie/workflow.schema.json"),
    ("docs/shapes.schema.json", "usr/share/doc/sortie/shapes.schema.json"),
];
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "usr/share/bash-completion/completions/sortie"),
    ("fish", "usr/share/fish/vendor_completions.d/sortie.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_sortie"),
];

#[cfg(test)]
mod tests;
