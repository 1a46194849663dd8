//! `cargo xtask bench`: what Sortie costs, beside a baseline that runs in the same minute on the same machine.

/// Builds the release binary and prints one table.
pub(crate) fn bench() -> anyhow::Result<()> {
    Ok(())
}
