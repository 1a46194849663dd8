//! The few Graph calls that set an application up, as an administrator makes them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sortie_model::{Clock, Secret};
use sortie_transport::{Effect, Request, Response, RetryPolicy, Transport};
use url::Url;

use crate::exit::{Exit, Problem};

/// Graph with an administrator's token.
pub(super) struct Graph<'a> {
    pub transport: &'a Transport,
    pub base: &'a Url,
    pub token: &'a Secret,
    pub clock: &'a dyn Clock,
}

/// An app registration: what describes the app in its home tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppObject {
    /// Object id; the client id is `app_id`.
    pub id: String,
    pub app_id: String,
    pub sign_in_audience: Option<String>,
    #[serde(default)]
    pub required_resource_access: Vec<RequiredResource>,
    #[serde(default)]
    pub password_credentials: Vec<PasswordCredential>,
    #[serde(default)]
    pub web: Option<Web>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Web {
    pub redirect_uris: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequiredResource {
    pub resource_app_id: String,
    #[serde(default)]
    pub resource_access: Vec<RequiredRole>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RequiredRole {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordCredential {
    pub key_id: String,
    pub display_name: Option<String>,
    pub end_date_time: Option<String>,
    #[serde(default)]
    pub secret_text: Option<String>,
}

/// An application's presence in a tenant; a resource's one lists the roles that it publishes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServicePrincipal {
    pub id: String,
    pub display_name: Option<String>,
    #[serde(default)]
    pub app_roles: Vec<AppRole>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppRole {
    pub id: String,
    pub value: Option<String>,
    #[serde(default)]
    pub is_enabled: bool,
    #[serde(default)]
    pub allowed_member_types: Vec<String>,
}

/// A grant: this role of that resource for our application.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assignment {
    pub app_role_id: String,
    pub resource_id: String,
    #[serde(default)]
    pub created_date_time: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
}

impl Graph<'_> {
    pub(super) async fn applications_named(&self, name: &str) -> anyhow::Result<Vec<AppObject>> {
        let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
        self.list("find the application", &["applications"], &[("$filter", &filter)]).await
    }

    pub(super) async fn application_with_id(&self, app_id: &str) -> anyhow::Result<Option<AppObject>> {
        let filter = format!("appId eq '{app_id}'");
        Ok(self.list("find the application", &["applications"], &[("$filter", &filter)]).await?.into_iter().next())
    }

    pub(super) async fn create_application(&self, body: &Value) -> anyhow::Result<AppObject> {
        let response = self.send("create the application", self.post(&["applications"], body)).await?;
        read("create the application", &response)
    }

    pub(super) async fn update_application(&self, object_id: &str, body: &Value) -> anyhow::Result<()> {
        let request = Request::patch(self.url(&["applications", object_id])).json(body).effect(Effect::Overwrite);
        self.send_until_known("update the application", request).await.map(drop)
    }

    pub(super) async fn service_principal(&self, app_id: &str) -> anyhow::Result<Option<ServicePrincipal>> {
        let filter = format!("appId eq '{app_id}'");
        let query = [("$filter", filter.as_str()), ("$select", "id,appId,displayName,appRoles")];
        Ok(self.list("find the service principal", &["servicePrincipals"], &query).await?.into_iter().next())
    }

    /// Of an application of our own, which replicas may not know yet.
    pub(super) async fn create_service_principal(&self, app_id: &str) -> anyhow::Result<ServicePrincipal> {
        let doing = "create the service principal";
        let request = self.post(&["servicePrincipals"], &json!({ "appId": app_id }));
        read(doing, &self.send_until_known(doing, request).await?)
    }

    /// Of one of Microsoft's APIs: what the tenant does not know now, it has no licence for.
    pub(super) async fn add_resource(&self, app_id: &str) -> anyhow::Result<ServicePrincipal> {
        let doing = "create the service principal";
        read(doing, &self.send(doing, self.post(&["servicePrincipals"], &json!({ "appId": app_id }))).await?)
    }

    pub(super) async fn assignments(&self, service_principal: &str) -> anyhow::Result<Vec<Assignment>> {
        let path = ["servicePrincipals", service_principal, "appRoleAssignments"];
        self.list("read the granted roles", &path, &[("$top", "999")]).await
    }

    pub(super) async fn assign(&self, principal: &str, resource: &str, role: &str) -> anyhow::Result<()> {
        let body = json!({ "principalId": principal, "resourceId": resource, "appRoleId": role });
        let request = self.post(&["servicePrincipals", resource, "appRoleAssignedTo"], &body);
        self.send_until_known("grant a role", request).await.map(drop)
    }

    pub(super) async fn add_password(&self, object_id: &str, body: &Value) -> anyhow::Result<PasswordCredential> {
        let doing = "add a client secret";
        let request = self.post(&["applications", object_id, "addPassword"], body);
        read(doing, &self.send_until_known(doing, request).await?)
    }

    pub(super) async fn remove_password(&self, object_id: &str, key_id: &str) -> anyhow::Result<()> {
        let request = self.post(&["applications", object_id, "removePassword"], &json!({ "keyId": key_id }));
        self.send("remove a client secret", request).await.map(drop)
    }

    /// The administrator's own directory roles, by display name; empty where they may not be read.
    pub(super) async fn own_directory_roles(&self) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct DirectoryRole {
            display_name: Option<String>,
        }
        let path = ["me", "transitiveMemberOf", "microsoft.graph.directoryRole"];
        let roles: anyhow::Result<Vec<DirectoryRole>> = self.list("read your directory roles", &path, &[]).await;
        roles.unwrap_or_default().into_iter().filter_map(|role| role.display_name).collect()
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        doing: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<Vec<T>> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        if query.is_empty() {
            url.set_query(None);
        }
        let response = self.send(doing, Request::get(url)).await?;
        Ok(read::<List<T>>(doing, &response)?.value)
    }

    fn post(&self, path: &[&str], body: &Value) -> Request {
        Request::post(self.url(path)).json(body)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1.0").extend(path);
        }
        url
    }

    /// Repeats while the directory does not know yet what was created a moment ago: replicas answer 400 or 404 (M).
    async fn send_until_known(&self, doing: &str, request: Request) -> anyhow::Result<Response> {
        let mut pauses = REPLICATION_PAUSES.iter();
        loop {
            let response =
                self.transport.call(request.clone().bearer(self.token), &RetryPolicy::default(), self.clock).await?;
            let unknown = matches!(response.status.as_u16(), 400 | 404) && says_unknown(&response);
            match pauses.next() {
                Some(pause) if unknown => tokio::time::sleep(*pause).await,
                _ => return accept(doing, response),
            }
        }
    }

    async fn send(&self, doing: &str, request: Request) -> anyhow::Result<Response> {
        let response = self.transport.call(request.bearer(self.token), &RetryPolicy::default(), self.clock).await?;
        accept(doing, response)
    }
}

fn says_unknown(response: &Response) -> bool {
    let (code, message) = graph_error(response);
    let message = message.to_ascii_lowercase();
    code == "Request_ResourceNotFound"
        || message.contains("does not exist")
        || message.contains("does not reference a valid application")
}

fn accept(doing: &str, response: Response) -> anyhow::Result<Response> {
    if response.is_success() {
        return Ok(response);
    }
    let (code, message) = graph_error(&response);
    let status = response.status.as_u16();
    let request_id = response.request_id().map(|id| format!(" (request id {id})")).unwrap_or_default();
    let (exit, next) = match status {
        401 => (Exit::SignIn, "Sign in again: the administrator's token is not accepted any more."),
        403 => (
            Exit::Forbidden,
            "Sign in as somebody who may do this: Cloud Application Administrator for the application, Privileged Role Administrator (or Global Administrator) for granting its roles.",
        ),
        429 | 500.. => (Exit::Service, "Run it again later; what was done already is found and not done twice."),
        _ => {
            (Exit::Failure, "Correct what the service names and run it again; what was done already is not done twice.")
        }
    };
    let what = format!("cannot {doing}: status {status}, {code}: {message}{request_id}");
    Err(Problem { exit, what, next: next.to_owned() }.into())
}

fn graph_error(response: &Response) -> (String, String) {
    let body: Value = response.json().unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

fn read<T: serde::de::DeserializeOwned>(doing: &str, response: &Response) -> anyhow::Result<T> {
    response.json().map_err(|_| {
        Problem {
            exit: Exit::Service,
            what: format!("cannot {doing}: the answer is not what Graph documents"),
            next: "Check whether a proxy answers in Graph's place; `sortie check` looks at the way there.".to_owned(),
        }
        .into()
    })
}

const REPLICATION_PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
