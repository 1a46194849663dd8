//! Starting other programs from the workspace's root, with one visible line before each.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, bail};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// Runs to the end and fails with the command line when the program does.
pub(crate) fn run(title: &str, command: &mut Command) -> anyhow::Result<()> {
    println!("== {title}");
    let start = Instant::now();
    let status = command.current_dir(root()).status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{title}: {command:?} ended with {status}");
    }
    println!("   {title}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// `cargo` of the toolchain that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// The first line that `program` prints for `arguments`, or `None` when it cannot be started or fails.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}
