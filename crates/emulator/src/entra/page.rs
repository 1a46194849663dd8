//! The pages of the login service, and how the administrator answers them: by hand, or as the admin API says.

use axum::{
    body::Bytes,
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode};

use super::{
    EntraError,
    authorize::SignInRequest,
    consent::ConsentRequest,
    error::Ids,
    form::Form,
    sessions::{self, DeviceState},
};
use crate::{
    cloud::{App, Cloud},
    directory::ConsentDecision,
};

/// Something that a person decides.
#[derive(Clone, Debug)]
pub(crate) enum Interaction {
    Consent(ConsentRequest),
    SignIn(SignInRequest),
    /// A device code that the person typed.
    Device {
        user_code: String,
        client_id: String,
    },
}

/// How parameters travel back to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

/// Answers at once when the admin API has decided; else shows a page that waits.
pub(crate) fn begin(cloud: &Cloud, headers: &HeaderMap, tenant: &str, interaction: Interaction) -> Response {
    let decision = cloud.directory().administrator.decision;
    match decision {
        ConsentDecision::Accept => finish(cloud, headers, &interaction, true),
        ConsentDecision::Decline => finish(cloud, headers, &interaction, false),
        ConsentDecision::Ask => {
            let mut directory = cloud.directory();
            let question = question(&interaction, |id| directory.client_name(tenant, id));
            let ticket = directory.opaque(24);
            sessions::keep(&mut directory.sessions.pages, ticket.clone(), interaction);
            Html(decision_page(tenant, &ticket, &question)).into_response()
        }
    }
}

/// The page's answer.
pub(crate) async fn decide(State(cloud): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let waiting = cloud.directory().sessions.pages.remove(form.text("ticket").unwrap_or_default());
    match waiting {
        Some(interaction) => finish(&cloud, &headers, &interaction, form.text("decision") == Some("accept")),
        None => message(StatusCode::BAD_REQUEST, "This page was answered already."),
    }
}

/// An error that has nowhere to be sent: Entra shows it as a page.
pub(crate) fn error_page(cloud: &Cloud, headers: &HeaderMap, error: &EntraError) -> Response {
    let ids = Ids::new(cloud, headers);
    let text = format!("Sorry, but we're having trouble signing you in. {}", error.description(&ids));
    ids.stamp(message(StatusCode::OK, &text), headers)
}

/// Sends parameters to a client's redirect address.
pub(crate) fn send_back(redirect_uri: &str, mode: ResponseMode, parameters: &[(&str, String)]) -> Response {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(parameters);
    let encoded = encoded.finish();
    match mode {
        ResponseMode::FormPost => Html(form_post_page(redirect_uri, parameters)).into_response(),
        ResponseMode::Fragment => found(&format!("{redirect_uri}#{encoded}")),
        ResponseMode::Query => {
            let separator = if redirect_uri.contains('?') { '&' } else { '?' };
            found(&format!("{redirect_uri}{separator}{encoded}"))
        }
    }
}

pub(crate) fn message(status: StatusCode, text: &str) -> Response {
    (status, Html(document(&format!("<p>{}</p>", escape(text))))).into_response()
}

pub(crate) fn document(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in (simulated)</title></head>\
         <body><h1>Simulated sign-in</h1>{body}</body></html>"
    )
}

pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn finish(cloud: &Cloud, headers: &HeaderMap, interaction: &Interaction, accepted: bool) -> Response {
    match interaction {
        Interaction::Consent(request) => request.finish(cloud, headers, accepted),
        Interaction::SignIn(request) => request.finish(cloud, headers, accepted),
        Interaction::Device { user_code, .. } => {
            let state = if accepted { DeviceState::Approved } else { DeviceState::Declined };
            let known = cloud.directory().sessions.settle_device(user_code, state);
            let text = match (known, accepted) {
                (true, true) => "You have signed in on your device. You may now close this window.",
                (true, false) => "You have declined. You may now close this window.",
                (false, _) => "That code didn't work. Check the code and try again.",
            };
            message(StatusCode::OK, text)
        }
    }
}

fn question(interaction: &Interaction, name: impl Fn(&str) -> String) -> String {
    match interaction {
        Interaction::Consent(request) => {
            let id = &request.client_id;
            format!("Permissions requested for your organization by {} ({id})", name(id))
        }
        Interaction::SignIn(request) => {
            format!("{} asks you to sign in, with: {}", name(&request.client_id), request.scope)
        }
        Interaction::Device { client_id, .. } => format!("Are you trying to sign in to {}?", name(client_id)),
    }
}

fn decision_page(tenant: &str, ticket: &str, question: &str) -> String {
    document(&format!(
        "<p>{}</p><form method=\"post\" action=\"/{}/oauth2/decision\"><input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <button name=\"decision\" value=\"accept\">Accept</button>\
         <button name=\"decision\" value=\"decline\">Decline</button></form>",
        escape(question),
        escape(tenant),
    ))
}

fn form_post_page(redirect_uri: &str, parameters: &[(&str, String)]) -> String {
    let input =
        |(name, value): &(&str, String)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value));
    let inputs: String = parameters.iter().map(input).collect();
    let action = escape(redirect_uri);
    document(&format!(
        "<form method=\"post\" action=\"{action}\">{inputs}<button>Continue</button></form>\
         <script>document.forms[0].submit()</script>"
    ))
}

/// 302, as Entra answers.
fn found(location: &str) -> Response {
    let mut response = Redirect::to(location).into_response();
    *response.status_mut() = StatusCode::FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_markup() {
        let page = decision_page("t", "k", "<script>alert('x')</script>\"&");
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    }
}
