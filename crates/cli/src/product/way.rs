//! A connection's own way out: whom it trusts, what proves it, how often and how many at once.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sortie_connector::Caller;
use sortie_store::Connection;
use sortie_transport::{ClientCertificate, Guard, QuotaKey, QuotaWindow, Transport};

use super::ConnectionSettings;
use crate::{context::Context, exit::Problem};

/// What is set of it; no secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Way {
    /// PEM file of authorities that are trusted beside the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<PathBuf>,
    /// `PEM` or `PEM,KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u8>,
}

/// So many calls in each second or minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Rate {
    count: u32,
    is_minute: bool,
}

impl Way {
    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the files, so that a wrong one is told when it is set.
    pub(crate) fn check(&self, context: &Context) -> anyhow::Result<()> {
        self.unguarded(context).map(drop)
    }

    pub(super) fn transport(&self, connection: &Connection, context: &Context) -> anyhow::Result<Transport> {
        let guard = Guard::allowing(&connection.allowed_hosts)
            .map_err(|error| Problem::usage(error.to_string(), "Correct the connection's allowed hosts."))?;
        Ok(self.unguarded(context)?.guarded(guard))
    }

    pub(super) fn caller(
        &self,
        transport: &Transport,
        connection: &Connection,
        settings: &ConnectionSettings,
        context: &Context,
    ) -> Caller {
        let at_once = self.at_once.map_or(CALLS_AT_ONCE, usize::from);
        let caller = Caller::new(transport.clone(), Arc::clone(&context.clock), at_once);
        let Some(rate) = self.rate else { return caller };
        let family = format!("connection {}", connection.id);
        transport.gate().set_windows(family.clone(), vec![rate.window()]);
        caller.with_quota(QuotaKey {
            tenant: settings.tenant.clone().unwrap_or_default(),
            application: settings.client_id.clone().unwrap_or_default(),
            family: family.into(),
        })
    }

    /// The same without the guard: to Microsoft's own services, and to the machine's own identity.
    pub(crate) fn unguarded(&self, context: &Context) -> anyhow::Result<Transport> {
        let certificate = self.client_certificate.as_deref().map(|text| {
            let (certificate, key) =
                text.split_once(',').map_or((text, None), |(certificate, key)| (certificate, Some(key.trim().into())));
            ClientCertificate { certificate: certificate.trim().into(), key }
        });
        context.transport_with(&context.settings()?, self.trust.clone(), certificate)
    }
}

impl Rate {
    fn window(self) -> QuotaWindow {
        QuotaWindow { count: self.count, per: Duration::from_secs(if self.is_minute { 60 } else { 1 }) }
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected so many calls a second or a minute, such as 10/s or 100/m";
        let (count, unit) = text.trim().split_once('/').ok_or(wrong)?;
        let count = count.trim().parse().ok().filter(|count| (1..=RATE_MAX).contains(count)).ok_or(wrong)?;
        match unit.trim() {
            "s" => Ok(Self { count, is_minute: false }),
            "m" => Ok(Self { count, is_minute: true }),
            _ => Err(wrong),
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, if self.is_minute { 'm' } else { 's' })
    }
}

const CALLS_AT_ONCE: usize = 8;
/// The gate remembers the start of each call of a window.
const RATE_MAX: u32 = 100_000;
