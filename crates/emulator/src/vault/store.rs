//! The vaults of this cloud with their secrets and who may read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::directory::SecretText;

/// Every vault, by its name in lower case.
#[derive(Default)]
pub(crate) struct Vaults(Mutex<Shelf>);

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Shelf {
    vaults: BTreeMap<String, Vault>,
}

struct Vault {
    tenant: String,
    /// Application ids and object ids that may read secrets, in lower case.
    readers: BTreeSet<String>,
    /// Versions of each secret, oldest first. Names keep their case and match in any.
    secrets: BTreeMap<String, Vec<Secret>>,
}

/// One version of a secret.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub version: String,
    pub value: SecretText,
    pub content_type: Option<String>,
    pub enabled: bool,
    pub created: Timestamp,
    pub not_before: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

/// How many there are; never what is in them.
impl fmt::Debug for Vaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vaults").field("count", &self.with(|shelf| shelf.vaults.len())).finish()
    }
}

impl Vaults {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Shelf) -> T) -> T {
        act(&mut self.0.lock().expect("no code panics while it holds this lock"))
    }
}

impl Shelf {
    /// Makes a vault; one that is there keeps what it has.
    pub(super) fn open(&mut self, name: &str, tenant: &str) {
        let made = || Vault { tenant: tenant.to_owned(), readers: BTreeSet::new(), secrets: BTreeMap::new() };
        self.vaults.entry(name.to_lowercase()).or_insert_with(made);
    }

    pub(super) fn tenant_of(&self, vault: &str) -> Option<String> {
        Some(self.vaults.get(&vault.to_lowercase())?.tenant.clone())
    }

    pub(super) fn may_read(&self, vault: &str, ids: &[&str]) -> bool {
        let readers = self.vaults.get(&vault.to_lowercase()).map(|vault| &vault.readers);
        readers.is_some_and(|readers| ids.iter().any(|id| readers.contains(&id.to_lowercase())))
    }

    /// Lets somebody read the secrets, or not any more. `false`: there is no such vault.
    pub(super) fn grant(&mut self, vault: &str, id: &str, may_read: bool) -> bool {
        let Some(vault) = self.vaults.get_mut(&vault.to_lowercase()) else { return false };
        if may_read {
            vault.readers.insert(id.to_lowercase());
        } else {
            vault.readers.remove(&id.to_lowercase());
        }
        true
    }

    /// The newest version, or the named one.
    pub(super) fn secret(&self, vault: &str, name: &str, version: Option<&str>) -> Option<&Secret> {
        let versions = self.versions(vault, name)?;
        match version {
            None => versions.last(),
            Some(version) => versions.iter().find(|secret| secret.version.eq_ignore_ascii_case(version)),
        }
    }

    /// Adds a version. `false`: there is no such vault.
    pub(super) fn put(&mut self, vault: &str, name: &str, secret: Secret) -> bool {
        let Some(vault) = self.vaults.get_mut(&vault.to_lowercase()) else { return false };
        let known = vault.secrets.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
        vault.secrets.entry(known.unwrap_or_else(|| name.to_owned())).or_default().push(secret);
        true
    }

    /// Switches all versions on or off, or removes them. `false`: there are none.
    pub(super) fn set_enabled(&mut self, vault: &str, name: &str, enabled: bool) -> bool {
        let secrets = self.vaults.get_mut(&vault.to_lowercase()).map(|vault| &mut vault.secrets);
        let found = secrets.and_then(|secrets| secrets.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        let Some((_, versions)) = found else { return false };
        versions.iter_mut().for_each(|secret| secret.enabled = enabled);
        true
    }

    pub(super) fn remove(&mut self, vault: &str, name: &str) -> bool {
        let Some(vault) = self.vaults.get_mut(&vault.to_lowercase()) else { return false };
        let count = vault.secrets.len();
        vault.secrets.retain(|known, _| !known.eq_ignore_ascii_case(name));
        vault.secrets.len() < count
    }

    /// Everything but the values.
    pub(super) fn overview(&self) -> Value {
        let vaults = self.vaults.iter().map(|(name, vault)| {
            let secrets = vault.secrets.iter().map(|(name, versions)| {
                let versions =
                    versions.iter().map(|secret| json!({ "version": secret.version, "enabled": secret.enabled }));
                json!({ "name": name, "versions": versions.collect::<Vec<_>>() })
            });
            json!({
                "name": name, "tenant": vault.tenant, "readers": vault.readers, "secrets": secrets.collect::<Vec<_>>(),
            })
        });
        json!({ "vaults": vaults.collect::<Vec<_>>() })
    }

    fn versions(&self, vault: &str, name: &str) -> Option<&Vec<Secret>> {
        let secrets = &self.vaults.get(&vault.to_lowercase())?.secrets;
        secrets.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, versions)| versions)
    }
}

impl Secret {
    /// The bundle that a read gives, value and all.
    pub(super) fn json(&self, base: &str, name: &str) -> Value {
        let mut attributes = json!({
            "enabled": self.enabled, "created": self.created.as_second(), "updated": self.created.as_second(),
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
        });
        for (name, at) in [("nbf", self.not_before), ("exp", self.expires)] {
            if let Some(at) = at {
                attributes[name] = json!(at.as_second());
            }
        }
        let mut bundle = json!({
            "value": self.value.0, "id": format!("{base}/secrets/{name}/{}", self.version), "attributes": attributes,
            "tags": self.tags,
        });
        if let Some(kind) = &self.content_type {
            bundle["contentType"] = json!(kind);
        }
        bundle
    }
}
