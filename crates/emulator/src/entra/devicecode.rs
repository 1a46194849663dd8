//! The device code flow (RFC 8628): a code for a person to type elsewhere.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use jiff::SignedDuration;
use serde_json::json;

use super::{
    EntraError,
    authorize::alias_home,
    client_auth,
    form::Form,
    page::{self, Interaction},
    sessions::{self, DeviceCode, DeviceState},
};
use crate::{
    cloud::{App, Cloud},
    directory::ConsentDecision,
    dispatch::Origin,
};

/// Starts a sign-in. The v1 address also takes its parameters from the query.
pub(crate) async fn start(
    State(cloud): State<App>,
    Path(tenant): Path<String>,
    OriginalUri(uri): OriginalUri,
    origin: Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_v2 = uri.path().contains("/v2.0/");
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut form = Form::of_body(content_type, &body);
    if !is_v2 && form.text("client_id").is_none() {
        form = Form::parse(uri.query().unwrap_or_default().as_bytes());
    }
    begin(&cloud, &tenant, &origin, &form, is_v2).unwrap_or_else(|error| error.answer(&cloud, &headers))
}

/// Where the person types the code.
pub(crate) async fn page() -> Html<String> {
    Html(page::document(
        "<form method=\"post\" action=\"/devicelogin\"><label>Enter the code displayed on your app or device \
         <input name=\"user_code\" autocomplete=\"off\"></label><button>Next</button></form>",
    ))
}

/// The typed code.
pub(crate) async fn enter(State(cloud): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let typed = form.text("user_code").unwrap_or_default().replace('-', "").to_ascii_uppercase();
    let found = {
        let directory = cloud.directory();
        let waiting = |code: &&DeviceCode| code.user_code == typed && code.state == DeviceState::Pending;
        let code = directory.sessions.device_codes.values().find(waiting);
        code.filter(|code| code.expires > cloud.clock.now()).map(|code| (code.tenant.clone(), code.client_id.clone()))
    };
    match found {
        Some((tenant, client_id)) => {
            page::begin(&cloud, &headers, &tenant, Interaction::Device { user_code: typed, client_id })
        }
        None => page::message(StatusCode::OK, "That code didn't work. Check the code and try again."),
    }
}

fn begin(cloud: &Cloud, tenant: &str, origin: &Origin, form: &Form, is_v2: bool) -> Result<Response, EntraError> {
    let tenant = alias_home(cloud, tenant)?;
    let client_id = form.text("client_id").ok_or_else(|| EntraError::missing_parameter("client_id"))?.to_owned();
    let resource =
        form.text("resource").map(|resource| format!("{}/.default offline_access", resource.trim_end_matches('/')));
    let needed = if is_v2 { "scope" } else { "resource" };
    let scope =
        form.text("scope").map(str::to_owned).or(resource).ok_or_else(|| EntraError::missing_parameter(needed))?;
    client_auth::public_client(cloud, &tenant, &client_id)?;
    let mut directory = cloud.directory();
    let (device_code, user_code) = (directory.opaque(96), directory.letters(CODE_ALPHABET, CODE_LENGTH));
    let interval_s = directory.switches.device_interval_s;
    let expires = cloud.clock.now().saturating_add(SignedDuration::from_secs(LIFETIME_S));
    let state = match directory.administrator.decision {
        ConsentDecision::Accept => DeviceState::Approved,
        ConsentDecision::Decline => DeviceState::Declined,
        ConsentDecision::Ask => DeviceState::Pending,
    };
    let record = DeviceCode {
        user_code: user_code.clone(),
        tenant,
        client_id,
        scope,
        state,
        expires: expires.expect("a signed duration is no calendar span"),
        interval_s,
        last_poll: None,
    };
    sessions::keep(&mut directory.sessions.device_codes, device_code.clone(), record);
    let address = if origin.is_real_name() {
        "https://microsoft.com/devicelogin".to_owned()
    } else {
        format!("{}/devicelogin", origin.base())
    };
    let message = format!(
        "To sign in, use a web browser to open the page {address} and enter the code {user_code} to authenticate."
    );
    let body = if is_v2 {
        json!({
            "user_code": user_code, "device_code": device_code, "verification_uri": address,
            "expires_in": LIFETIME_S, "interval": interval_s, "message": message,
        })
    } else {
        json!({
            "user_code": user_code, "device_code": device_code, "verification_url": address,
            "expires_in": LIFETIME_S.to_string(), "interval": interval_s.to_string(), "message": message,
        })
    };
    Ok(Json(body).into_response())
}

/// No vowels and nothing that looks like something else.
const CODE_ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_LENGTH: usize = 9;
const LIFETIME_S: i64 = 900;
