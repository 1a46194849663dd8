//! Admin consent: the addresses of v1 and v2, and the old link that Microsoft still prints.
//!
//! The redirects are those of facts section 2.8; an error under v2 still says `admin_consent=True`.

use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::HeaderMap;

use super::{
    EntraError,
    authorize::{alias_home, allowed_redirect},
    error::Ids,
    form::Form,
    page::{self, Interaction, ResponseMode},
    sessions::{self, AuthorizationCode, SignIn},
};
use crate::{
    cloud::{App, Cloud},
    directory::WriteError,
};

/// Which address was asked; it decides how the answer looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    V1,
    V2 {
        scope: String,
    },
    /// `/common/oauth2/authorize?prompt=consent`.
    Old,
}

/// A consent that an administrator is asked for.
#[derive(Clone, Debug)]
pub(crate) struct ConsentRequest {
    pub style: Style,
    pub tenant: String,
    pub client_id: String,
    pub redirect_uri: String,
    pub state: Option<String>,
}

pub(crate) async fn v1(
    State(cloud): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    begin(&cloud, &headers, &tenant, &query, Style::V1)
}

pub(crate) async fn v2(
    State(cloud): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let Some(scope) = query.text("scope").map(str::to_owned) else {
        return page::error_page(&cloud, &headers, &EntraError::missing_parameter("scope"));
    };
    begin(&cloud, &headers, &tenant, &query, Style::V2 { scope })
}

/// Shows the consent page, or what is wrong with the link.
pub(crate) fn begin(cloud: &Cloud, headers: &HeaderMap, tenant: &str, query: &Form, style: Style) -> Response {
    match read(cloud, tenant, query, style) {
        Ok(request) => {
            let home = request.tenant.clone();
            page::begin(cloud, headers, &home, Interaction::Consent(request))
        }
        Err(error) => page::error_page(cloud, headers, &error),
    }
}

fn read(cloud: &Cloud, tenant: &str, query: &Form, style: Style) -> Result<ConsentRequest, EntraError> {
    let tenant = alias_home(cloud, tenant)?;
    let client_id = query.text("client_id").ok_or_else(|| EntraError::missing_parameter("client_id"))?.to_owned();
    let directory = cloud.directory();
    // Consent is how an application comes into a tenant, so it need not be there yet.
    let known = directory.application(&client_id).filter(|own| own.tenant == tenant || own.is_multi_tenant());
    let Some(application) = known else {
        let name = &directory.tenant(&tenant).display_name;
        let text = format!("Application with identifier '{client_id}' was not found in the directory '{name}'.");
        return Err(EntraError::new(700_016, text));
    };
    let redirect_uri = allowed_redirect(application, query.text("redirect_uri"))?;
    Ok(ConsentRequest { style, tenant, client_id, redirect_uri, state: query.get("state").map(str::to_owned) })
}

impl ConsentRequest {
    pub(crate) fn finish(&self, cloud: &Cloud, headers: &HeaderMap, accepted: bool) -> Response {
        if !accepted {
            return self.declined(cloud, headers);
        }
        if !self.administrator_may_grant(cloud) {
            let text = "The grant requires admin permission. Ask an administrator to grant permission to this app before you \
                        can use it.";
            return page::error_page(cloud, headers, &EntraError::new(90_094, text));
        }
        let granted = cloud.directory().consent(&self.tenant, &self.client_id, cloud.clock.now());
        match granted {
            Ok(()) => self.granted(cloud),
            Err(WriteError::NotLicensed) => page::error_page(cloud, headers, &EntraError::plain(650_052)),
            Err(_) => page::error_page(cloud, headers, &EntraError::plain(650_056)),
        }
    }

    fn administrator_may_grant(&self, cloud: &Cloud) -> bool {
        let directory = cloud.directory();
        let requested = directory.application(&self.client_id).map(|own| own.requested_roles()).unwrap_or_default();
        directory.tenant(&self.tenant).administrator().is_some_and(|user| {
            user.may_manage_applications() && requested.iter().all(|(resource, _)| user.may_grant(resource))
                || user.has_role(&["Privileged Role Administrator"])
        })
    }

    fn granted(&self, cloud: &Cloud) -> Response {
        let flag = ("admin_consent", "True".to_owned());
        let tenant = ("tenant", self.tenant.clone());
        let mut parameters = match &self.style {
            Style::V1 => vec![tenant, flag],
            Style::V2 { scope } => vec![flag, tenant, ("scope", scope.clone())],
            Style::Old => vec![("code", self.code(cloud)), ("session_state", cloud.directory().guid())],
        };
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        page::send_back(&self.redirect_uri, ResponseMode::Query, &parameters)
    }

    fn declined(&self, cloud: &Cloud, headers: &HeaderMap) -> Response {
        let name = cloud.directory().application(&self.client_id).map(|own| own.display_name().to_owned());
        let text = format!("User declined to consent to access the app. ({})", name.unwrap_or_default());
        let description = EntraError::new(65_004, text).description(&Ids::new(cloud, headers));
        let mut parameters = match &self.style {
            Style::V1 => vec![("error", "permission_denied".to_owned())],
            Style::V2 { .. } => vec![("admin_consent", "True".to_owned()), ("error", "consent_required".to_owned())],
            Style::Old => vec![("error", "access_denied".to_owned())],
        };
        parameters.push(("error_description", description));
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        page::send_back(&self.redirect_uri, ResponseMode::Query, &parameters)
    }

    /// The old link is a sign-in with consent: it gives a code that nobody has to redeem.
    fn code(&self, cloud: &Cloud) -> String {
        let mut directory = cloud.directory();
        let user_id = directory.tenant(&self.tenant).administrator().map(|user| user.id.clone()).unwrap_or_default();
        let (code, expires) = (directory.opaque(48), super::authorize::code_expiry(cloud.clock.now()));
        let sign_in = SignIn {
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            scope: "openid".to_owned(),
            user_id,
            nonce: None,
        };
        let redirect_uri = self.redirect_uri.clone();
        let record = AuthorizationCode { sign_in, redirect_uri, challenge: None, expires, redeemed: false };
        sessions::keep(&mut directory.sessions.authorization_codes, code.clone(), record);
        code
    }
}
