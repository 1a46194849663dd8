//! The administrator's consent by browser: the links, and the answer that the browser brings back.

use std::{io, time::Duration};

use sortie_model::{ClientId, TenantId};
use url::Url;

use crate::{answer, cloud::below, error::TokenError, redirect::RedirectListener};

/// Which consent page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentKind {
    /// `/{tenant}/adminconsent`: everything that the app registration lists.
    V1,
    /// `/{tenant}/v2.0/adminconsent`: one resource; application permissions come only by its `/.default`.
    V2 {
        /// The scope, usually [`crate::Audience::scope`].
        scope: String,
    },
    /// `/common/oauth2/authorize?prompt=consent`: the link of older Defender pages.
    Legacy,
}

/// Everything that a link says.
#[derive(Clone, Debug)]
pub struct ConsentLink<'a> {
    /// The login host.
    pub login: &'a Url,
    /// The tenant; without one, the tenant of whoever opens the link (`common`, v1 and legacy; `organizations`, v2).
    pub tenant: Option<&'a TenantId>,
    /// The app.
    pub client_id: &'a ClientId,
    /// Which page.
    pub kind: ConsentKind,
    /// Where the browser goes afterwards; must be registered with the app. The legacy page can do without.
    pub redirect_uri: Option<&'a Url>,
    /// Comes back unchanged; proves that the answer belongs to this link.
    pub state: Option<&'a str>,
}

/// The answer on loopback.
#[derive(Debug)]
pub struct ConsentListener(RedirectListener);

/// What the browser brought. It is a claim of whoever opened the link, not a proof: never let `tenant` decide about access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentAnswer {
    /// The tenant that consented.
    pub tenant: Option<String>,
    /// What was consented to (v2).
    pub scope: Option<String>,
}

/// Why there is no consent.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// The page said no.
    #[error("consent was not given")]
    Refused(#[source] TokenError),
    /// Nobody came back in time.
    #[error("no answer from the browser within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer neither consents nor refuses.
    #[error("the consent page answered without saying yes or no")]
    Unclear,
    /// The listener failed.
    #[error("the answer could not be received on loopback")]
    Listen(#[source] io::Error),
}

impl ConsentLink<'_> {
    /// The address to open as administrator.
    pub fn url(&self) -> Url {
        let tenant = |alias: &'static str| self.tenant.map_or(alias, TenantId::as_str);
        let mut url = match &self.kind {
            ConsentKind::V1 => below(self.login, &format!("{}/adminconsent", tenant("common"))),
            ConsentKind::V2 { .. } => below(self.login, &format!("{}/v2.0/adminconsent", tenant("organizations"))),
            ConsentKind::Legacy => below(self.login, &format!("{}/oauth2/authorize", tenant("common"))),
        };
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", self.client_id.as_str());
        match &self.kind {
            ConsentKind::V1 => {}
            ConsentKind::V2 { scope } => {
                query.append_pair("scope", scope);
            }
            ConsentKind::Legacy => {
                query.append_pair("prompt", "consent").append_pair("response_type", "code");
                query.append_pair("sso_reload", "true");
            }
        }
        if let Some(redirect_uri) = self.redirect_uri {
            query.append_pair("redirect_uri", redirect_uri.as_str());
        }
        if let Some(state) = self.state {
            query.append_pair("state", state);
        }
        drop(query);
        url
    }
}

impl ConsentListener {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(port: u16, path: &str) -> io::Result<Self> {
        RedirectListener::bind(port, path).await.map(Self)
    }

    /// Where the browser must come back to.
    pub fn redirect_uri(&self) -> &Url {
        self.0.uri()
    }

    /// What must come back with it.
    pub fn state(&self) -> &str {
        self.0.state()
    }

    /// Waits for the browser. Answers with another state are turned away and do not end the wait.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn wait(&self, patience: Duration) -> Result<ConsentAnswer, ConsentError> {
        let parameters = self.0.wait(patience).await.map_err(ConsentError::Listen)?;
        read(&parameters.ok_or(ConsentError::TimedOut(patience))?)
    }
}

/// `error` first: refusals of the v2 page carry `admin_consent=True`, too (entra-docs `v2-admin-consent.md`).
fn read(parameters: &[(String, String)]) -> Result<ConsentAnswer, ConsentError> {
    if let Some(refusal) = refusal(parameters) {
        return Err(ConsentError::Refused(refusal));
    }
    let value = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let consented = value("admin_consent").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    // The legacy page answers with a code instead.
    if consented || value("code").is_some() {
        Ok(ConsentAnswer { tenant: value("tenant"), scope: value("scope") })
    } else {
        Err(ConsentError::Unclear)
    }
}

/// The refusal that a redirect carries, read like an error body.
pub(crate) fn refusal(parameters: &[(String, String)]) -> Option<TokenError> {
    parameters.iter().find(|(name, _)| name == "error")?;
    let body: serde_json::Map<String, serde_json::Value> =
        parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let mut details = answer::refusal(400, &body.into());
    details.status = None; // It came by redirect.
    Some(details.into_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TokenErrorCause;

    fn pairs(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn a_refusal_is_read_before_the_consent() {
        let query = "admin_consent=True&error=consent_required&error_description=AADSTS65004%3A+Declined.%0D%0ATrace+ID%3A+t1&state=s";
        match read(&pairs(query)) {
            Err(ConsentError::Refused(error)) => {
                assert_eq!(error.cause, TokenErrorCause::ConsentDeclined);
                assert_eq!(error.code, Some(65004));
                assert_eq!(error.trace_id.as_deref(), Some("t1"));
            }
            other => panic!("{other:?}"),
        }
        let denied = read(&pairs("error=permission_denied&error_description=no"));
        assert!(matches!(denied, Err(ConsentError::Refused(error)) if error.cause == TokenErrorCause::ConsentDeclined));
    }

    #[test]
    fn a_consent_names_tenant_and_scope() {
        let answer = read(&pairs("admin_consent=True&tenant=t&scope=x&state=s")).unwrap();
        assert_eq!(answer, ConsentAnswer { tenant: Some("t".into()), scope: Some("x".into()) });
        assert!(matches!(read(&pairs("state=s")), Err(ConsentError::Unclear)));
        assert!(matches!(read(&pairs("admin_consent=False")), Err(ConsentError::Unclear)));
    }

    #[test]
    fn links_are_those_of_the_documents() {
        let (login, redirect): (Url, Url) =
            ("https://login.microsoftonline.com".parse().unwrap(), "http://localhost:1/".parse().unwrap());
        let client_id = ClientId::parse("11111111-2222-3333-4444-555555555555").unwrap();
        let tenant = TenantId::parse("contoso.com").unwrap();
        let link = |kind, tenant, redirect_uri, state| {
            ConsentLink { login: &login, tenant, client_id: &client_id, kind, redirect_uri, state }.url().to_string()
        };
        assert_eq!(
            link(ConsentKind::V1, Some(&tenant), Some(&redirect), Some("s")),
            "https://login.microsoftonline.com/contoso.com/adminconsent?client_id=11111111-2222-3333-4444-555555555555&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F&state=s"
        );
        assert_eq!(
            link(ConsentKind::V2 { scope: "https://x/.default".into() }, None, None, None),
            "https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=11111111-2222-3333-4444-555555555555&scope=https%3A%2F%2Fx%2F.default"
        );
        assert_eq!(
            link(ConsentKind::Legacy, None, None, None),
            "https://login.microsoftonline.com/common/oauth2/authorize?client_id=11111111-2222-3333-4444-555555555555&prompt=consent&response_type=code&sso_reload=true"
        );
    }
}
