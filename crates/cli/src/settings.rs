//! The settings file: the chosen connection and the way out, without any secret. TOML, mode 0600, replaced as a whole.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sortie_identity::{Cloud, CredentialSource, EndpointVersion, HostOverrides, Region};
use sortie_model::{ClientId, ConnectionName, TenantId};
use url::Url;

use crate::{
    connections::ConnectionPath,
    exit::Problem,
    product::{DefenderConnection, Kept, Microsoft, Way},
};

/// Everything in the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The connection that is used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<ConnectionPath>,
    #[serde(skip_serializing_if = "is_default")]
    pub network: Network,
    /// Connections as earlier versions kept them here; the next command moves them into the database.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<ConnectionName, Connection>,
}

/// How this machine reaches Microsoft.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Network {
    /// PEM file with further certificate authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// Proxy for all https; the usual variables apply when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Url>,
}

/// One application in one tenant, and where its credential is found, as earlier versions kept it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    tenant: TenantId,
    client_id: ClientId,
    #[serde(default)]
    cloud: Cloud,
    #[serde(default, skip_serializing_if = "is_default")]
    endpoint: EndpointVersion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    credential: CredentialSource,
    #[serde(default, skip_serializing_if = "is_default")]
    hosts: HostOverrides,
}

impl Connection {
    /// As it is used today.
    pub(crate) fn as_defender(&self, name: &ConnectionName) -> DefenderConnection {
        let (cloud, endpoint, region, hosts) = (self.cloud, self.endpoint, self.region, self.hosts.clone());
        DefenderConnection {
            name: name.to_string(),
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            microsoft: Microsoft { cloud, endpoint, region, hosts },
            way: Way::default(),
            credential: Kept::Reference(self.credential.clone()),
            row: None,
        }
    }
}

impl Settings {
    /// Reads the file; an absent one is an empty one.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the settings file {}", path.display()));
            }
        };
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            let what = format!("the settings file {} is wrong in line {line}: {}", path.display(), error.message());
            Problem::usage(what, "Correct that line, or take it out.").into()
        })
    }

    /// Replaces the file in one step, readable by its owner alone.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = toml::to_string_pretty(self).context("cannot write the settings as TOML")?;
        write_private(path, text.as_bytes())
            .with_context(|| format!("cannot write the settings file {}", path.display()))
    }
}

/// Writes a file of mode 0600 in one step: readers see the old or the new text, never half of it.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // The file is made with mode 0600, so that nobody else can read it at any moment.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// `SORTIE_CONFIG`, else the usual place of this user.
pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("SORTIE_CONFIG").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    let base = base.ok_or_else(|| {
        Problem::usage(
            "there is no place for the settings file: HOME is not set",
            "Name the file with `--config FILE`.",
        )
    })?;
    Ok(base.join("sortie/config.toml"))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
current = "contoso"

[connections.contoso]
tenant = "contoso.onmicrosoft.com"
client_id = "11111111-2222-3333-4444-555555555555"
cloud = "gcc-high"

[connections.contoso.credential]
kind = "environment"
variable = "SORTIE_SECRET"
"#;

    #[test]
    fn a_file_is_read_and_written_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.toml");
        assert!(Settings::load(&path).unwrap().connections.is_empty());
        write_private(&path, FILE.as_bytes()).unwrap();
        let settings = Settings::load(&path).unwrap();
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap().connections, settings.connections);
        assert_eq!(settings.current.unwrap().to_string(), "contoso");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        write_private(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_wrong_file_is_named_with_its_line() {
        #[track_caller]
        fn check(text: &str, line: &str, word: &str) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            fs::write(&path, text).unwrap();
            let error = Settings::load(&path).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(word), "{error}");
        }
        check("current = \"a b\"\n", "line 1", "connection name");
        check(&FILE.replace("client_id = \"1", "client_id = \"x"), "line 6", "client");
        check(&FILE.replace("cloud = ", "secret = "), "line 7", "secret");
    }
}
