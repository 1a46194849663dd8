//! Other people's clients, unmodified, for the interoperability tests: installed once, outside the tree.
//!
//! The pins are `interop/requirements.txt` and `interop/package-lock.json`; the folder's name carries their hash, so a
//! changed pin makes a new environment. The tests themselves are `crates/cli/tests/interop/`.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsString,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::run::{first_line, root, run};

/// Makes what is missing and returns the variables by which the tests find it.
///
/// Where Python or Node is absent, one visible line says what is left out; with `require_all` that is a failure.
pub(crate) fn prepare(require_all: bool) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let mut environment = Vec::new();
    for (variable, what, made) in [
        ("SORTIE_INTEROP_PYTHON", "the Python clients (get it: apt-get install python3-venv)", python()?),
        ("SORTIE_INTEROP_NODE", "the Node clients (get it: Node 20 or newer with npm)", node()?),
    ] {
        match made {
            Some(path) => environment.push((variable.into(), path.into())),
            None if require_all => bail!("left out: {what}, but --require-all was given"),
            None => println!("left out: {what}"),
        }
    }
    if require_all {
        environment.push(("SORTIE_INTEROP_REQUIRED".into(), "1".into()));
    }
    Ok(environment)
}

fn python() -> anyhow::Result<Option<PathBuf>> {
    if first_line("python3", &["-c", "import venv, ensurepip; print('ok')"]).is_none() {
        return Ok(None);
    }
    let pins = root().join("interop/requirements.txt");
    let folder = folder("python", &[&pins])?;
    let python = folder.join("bin/python");
    if !is_complete(&folder) {
        start_over(&folder)?;
        run("Python environment", Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(
            "Python clients",
            Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(&pins),
        )?;
        complete(&folder)?;
    }
    println!("Python clients: {}", chosen(&fs::read_to_string(&pins)?).join(", "));
    Ok(Some(python))
}

/// The pins that we chose; what they pull in stands below the second comment of the file.
fn chosen(pins: &str) -> Vec<&str> {
    let lines = pins.lines().skip_while(|line| line.starts_with('#'));
    lines.take_while(|line| !line.starts_with('#')).filter(|line| !line.is_empty()).collect()
}

fn node() -> anyhow::Result<Option<PathBuf>> {
    let major = first_line("node", &["--version"]).and_then(|version| {
        version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok())
    });
    if major.is_none_or(|major| major < 20) || first_line("npm", &["--version"]).is_none() {
        return Ok(None);
    }
    let pins = [root().join("interop/package.json"), root().join("interop/package-lock.json")];
    let folder = folder("node", &[&pins[0], &pins[1]])?;
    if !is_complete(&folder) {
        start_over(&folder)?;
        for pin in &pins {
            fs::copy(pin, folder.join(pin.file_name().expect("a pin is a file")))?;
        }
        run(
            "Node clients",
            Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&folder),
        )?;
        complete(&folder)?;
    }
    let package: serde_json::Value = serde_json::from_str(&fs::read_to_string(&pins[0])?)?;
    println!("Node clients: {}", package["dependencies"]);
    Ok(Some(folder))
}

fn folder(kind: &str, pins: &[&Path]) -> anyhow::Result<PathBuf> {
    let mut hash = DefaultHasher::new();
    for pin in pins {
        fs::read(pin).with_context(|| format!("cannot read {}", pin.display()))?.hash(&mut hash);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: no place for the interoperability clients")?;
    Ok(cache.join(format!("sortie/interop-{kind}-{:016x}", hash.finish())))
}

fn is_complete(folder: &Path) -> bool {
    folder.join(COMPLETE).exists()
}

fn start_over(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn complete(folder: &Path) -> anyhow::Result<()> {
    fs::write(folder.join(COMPLETE), "").with_context(|| format!("cannot write to {}", folder.display()))
}

/// Written last, so that an interrupted installation is made anew.
const COMPLETE: &str = ".complete";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_chosen_pins_are_told() {
        let pins = "# Ours.\nmsal==1.39.0\nmsgraph-sdk==1.65.0\n# What they pull in.\nidna==3.20\n";
        assert_eq!(chosen(pins), ["msal==1.39.0", "msgraph-sdk==1.65.0"]);
    }
}
