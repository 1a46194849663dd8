//! The Microsoft clouds and the base address of every service in them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::audience::Audience;

/// A Microsoft cloud. A tenant lives in exactly one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Global,
    /// US government community cloud: the public login, its own Defender hosts.
    Gcc,
    /// US government, GCC High.
    GccHigh,
    /// US Department of Defense.
    Dod,
    /// China, operated by 21Vianet. Microsoft documents no Defender API there.
    China,
}

/// Base addresses, without API paths. Each can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Entra: tokens, discovery, consent.
    pub login: Url,
    /// Microsoft Graph, without `/v1.0`.
    pub graph: Url,
    /// Defender XDR, without `/api`; none in China.
    pub xdr: Option<Url>,
    /// Defender for Endpoint, without `/api`; none in China.
    pub mde: Option<Url>,
    /// The tenant's own Cloud Apps address, which only its portal knows (Settings > Cloud apps > About).
    pub cloud_apps: Option<Url>,
    /// The Defender portal, for links.
    pub portal: Option<Url>,
    /// The instance metadata service of a cloud machine.
    pub imds: Url,
}

/// Replacements for single addresses, as a settings file holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostOverrides {
    /// Instead of the cloud's login host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Url>,
    /// Instead of the cloud's Graph host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<Url>,
    /// Instead of the cloud's Defender XDR host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xdr: Option<Url>,
    /// Instead of the cloud's Defender for Endpoint host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mde: Option<Url>,
    /// The tenant's Cloud Apps address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_apps: Option<Url>,
    /// Instead of the cloud's portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal: Option<Url>,
    /// Instead of the metadata service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imds: Option<Url>,
}

/// A geography with Defender hosts of its own; nearer is faster. The token's resource stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// United States.
    Us,
    /// Europe.
    Eu,
    /// United Kingdom.
    Uk,
    /// Australia.
    Au,
    /// Switzerland.
    Swa,
}

/// A service that this cloud or tenant has no address for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address is known for {service}: {reason}")]
pub struct HostMissing {
    /// In the portal's words.
    pub service: String,
    /// Why, and what to set.
    pub reason: &'static str,
}

impl Cloud {
    /// All, in the order in which a list shows them.
    pub const ALL: [Self; 5] = [Self::Global, Self::Gcc, Self::GccHigh, Self::Dod, Self::China];

    /// The presets. Sources: defender-docs `usgov.md` and `gov.md`, entra-docs `authentication-national-cloud.md`.
    pub fn hosts(self) -> Hosts {
        let [login, graph, xdr, mde, portal] = match self {
            Self::Global => [
                "https://login.microsoftonline.com",
                "https://graph.microsoft.com",
                "https://api.security.microsoft.com",
                "https://api.security.microsoft.com",
                "https://security.microsoft.com",
            ],
            Self::Gcc => [
                "https://login.microsoftonline.com",
                "https://graph.microsoft.com",
                "https://api-gcc.security.microsoft.us",
                "https://api-gcc.securitycenter.microsoft.us",
                "https://security.microsoft.com",
            ],
            Self::GccHigh => [
                "https://login.microsoftonline.us",
                "https://graph.microsoft.us",
                "https://api-gov.security.microsoft.us",
                "https://api-gov.securitycenter.microsoft.us",
                "https://security.microsoft.us",
            ],
            Self::Dod => [
                "https://login.microsoftonline.us",
                "https://dod-graph.microsoft.us",
                "https://api-gov.security.microsoft.us",
                "https://api-gov.securitycenter.microsoft.us",
                "https://security.apps.mil",
            ],
            Self::China => {
                ["https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", "", "", ""]
            }
        };
        let url = |text: &str| Url::parse(text).ok();
        let known = |text: &str| url(text).expect("a preset is a valid address");
        Hosts {
            login: known(login),
            graph: known(graph),
            xdr: url(xdr),
            mde: url(mde),
            cloud_apps: None,
            portal: url(portal),
            imds: known("http://169.254.169.254"),
        }
    }

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Gcc => "gcc",
            Self::GccHigh => "gcc-high",
            Self::Dod => "dod",
            Self::China => "china",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        let plain: String = text.trim().to_ascii_lowercase().replace(['-', '_', ' '], "");
        Self::ALL
            .into_iter()
            .find(|cloud| cloud.name().replace('-', "") == plain)
            .ok_or_else(|| UnknownCloud(text.trim().to_owned()))
    }
}

/// A text that names no cloud.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no Microsoft cloud; expected global, gcc, gcc-high, dod or china")]
pub struct UnknownCloud(String);

impl Hosts {
    /// Everything at one address: how the emulator is plugged in.
    pub fn all_at(base: &Url) -> Self {
        let some = || Some(base.clone());
        Self {
            login: base.clone(),
            graph: base.clone(),
            xdr: some(),
            mde: some(),
            cloud_apps: some(),
            portal: some(),
            imds: base.clone(),
        }
    }

    /// These, with the given addresses replaced.
    #[must_use]
    pub fn with(mut self, overrides: &HostOverrides) -> Self {
        let set = |own: &mut Url, other: &Option<Url>| {
            if let Some(other) = other {
                own.clone_from(other);
            }
        };
        let set_optional = |own: &mut Option<Url>, other: &Option<Url>| {
            if other.is_some() {
                own.clone_from(other);
            }
        };
        set(&mut self.login, &overrides.login);
        set(&mut self.graph, &overrides.graph);
        set(&mut self.imds, &overrides.imds);
        set_optional(&mut self.xdr, &overrides.xdr);
        set_optional(&mut self.mde, &overrides.mde);
        set_optional(&mut self.cloud_apps, &overrides.cloud_apps);
        set_optional(&mut self.portal, &overrides.portal);
        self
    }

    /// These, with the Defender hosts of a region (public cloud only; the documents name no others).
    #[must_use]
    pub fn in_region(mut self, region: Region) -> Self {
        let name = match region {
            Region::Us => "us",
            Region::Eu => "eu",
            Region::Uk => "uk",
            Region::Au => "au",
            Region::Swa => "swa",
        };
        let base = Url::parse(&format!("https://{name}.api.security.microsoft.com")).ok();
        self.xdr.clone_from(&base);
        self.mde = base;
        self
    }

    /// Where the API of an audience lives.
    ///
    /// # Errors
    /// [`HostMissing`] when the cloud has none or the tenant's own address was not set.
    pub fn base(&self, audience: &Audience) -> Result<&Url, HostMissing> {
        let missing = |reason| HostMissing { service: audience.label().into_owned(), reason };
        let not_here = "Microsoft documents no such API in this cloud; set the address if there is one";
        match audience {
            Audience::Graph => Ok(&self.graph),
            Audience::Xdr => self.xdr.as_ref().ok_or_else(|| missing(not_here)),
            Audience::DefenderForEndpoint => self.mde.as_ref().ok_or_else(|| missing(not_here)),
            Audience::CloudApps => self.cloud_apps.as_ref().ok_or_else(|| {
                missing("the tenant has its own address; the portal shows it under Settings > Cloud apps > About")
            }),
            Audience::Other(_) => Err(missing("only the four Microsoft security APIs have preset addresses")),
        }
    }
}

/// `base` with `path` below it; unlike `Url::join` it keeps a path that the base has.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&joined);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_is_read_back_by_its_name() {
        for cloud in Cloud::ALL {
            assert_eq!(cloud.name().parse(), Ok(cloud));
            assert_eq!(serde_json::to_value(cloud).unwrap(), cloud.name());
        }
        assert_eq!(" GCC High ".parse(), Ok(Cloud::GccHigh));
        assert!("moon".parse::<Cloud>().is_err());
    }

    #[test]
    fn each_address_can_be_replaced() {
        let url: Url = "http://127.0.0.1:8080/base".parse().unwrap();
        let overrides = HostOverrides { xdr: Some(url.clone()), ..HostOverrides::default() };
        let hosts = Cloud::China.hosts().with(&overrides);
        assert_eq!(hosts.base(&Audience::Xdr), Ok(&url));
        assert_eq!(hosts.login, Cloud::China.hosts().login);
        assert!(hosts.base(&Audience::DefenderForEndpoint).is_err());
        assert!(Cloud::Global.hosts().base(&Audience::CloudApps).unwrap_err().to_string().contains("Cloud apps"));
        assert_eq!(below(&url, "t/token").as_str(), "http://127.0.0.1:8080/base/t/token");
    }

    #[test]
    fn a_region_moves_the_defender_hosts_only() {
        let hosts = Cloud::Global.hosts().in_region(Region::Eu);
        assert_eq!(hosts.xdr.unwrap().as_str(), "https://eu.api.security.microsoft.com/");
        assert_eq!(hosts.graph.as_str(), "https://graph.microsoft.com/");
    }
}
