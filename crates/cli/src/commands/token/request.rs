//! The request for a token as other tools make it today. The secret is always a variable.

use sortie_identity::{Audience, CredentialSource, EndpointVersion};

use super::Language;
use crate::{
    exit::Problem,
    product::{DefenderConnection, Kept},
};

/// The request of this connection for `audience`.
pub(super) fn text(language: Language, connection: &DefenderConnection, audience: &Audience) -> anyhow::Result<String> {
    let unavailable = || {
        let what = format!("{} is not offered in the cloud {}", audience.label(), connection.microsoft.cloud);
        Problem::usage(what, "Choose another API or another connection.")
    };
    use CredentialSource::{Environment, File, Prompt, Stdin};
    let secret = matches!(
        &connection.credential,
        Kept::Stored(_) | Kept::Reference(Environment { .. } | File { .. } | Stdin | Prompt)
    );
    if !secret {
        return Err(Problem::usage(
            "this connection proves itself without a client secret, which these short forms cannot do",
            "Use MSAL or azure-identity in the language of your choice; they take certificates and federated tokens.",
        )
        .into());
    }
    let login = connection.microsoft.hosts().login;
    let login = login.as_str().trim_end_matches('/');
    let tenant = &connection.tenant;
    let (url, name, value) = match connection.microsoft.endpoint {
        EndpointVersion::V2 => (
            format!("{login}/{tenant}/oauth2/v2.0/token"),
            "scope",
            audience.scope(connection.microsoft.cloud).ok_or_else(unavailable)?,
        ),
        EndpointVersion::V1 => {
            let resource = audience.resource(connection.microsoft.cloud).ok_or_else(unavailable)?.into_owned();
            (format!("{login}/{tenant}/oauth2/token"), "resource", resource)
        }
    };
    let client_id = connection.client_id.as_str();
    Ok(match language {
        Language::Curl => curl(&url, client_id, name, &value),
        Language::Python => python(&url, client_id, name, &value),
        Language::Powershell => powershell(&url, client_id, name, &value),
        Language::Csharp => csharp(&url, client_id, name, &value),
    })
}

fn curl(url: &str, client_id: &str, name: &str, value: &str) -> String {
    // `@-` keeps the secret out of the process list.
    format!(
        r#"printf %s "$AZURE_CLIENT_SECRET" | curl --fail-with-body --silent --show-error '{url}' \
  --data grant_type=client_credentials \
  --data client_id={client_id} \
  --data-urlencode '{name}={value}' \
  --data-urlencode client_secret@-"#
    )
}

fn python(url: &str, client_id: &str, name: &str, value: &str) -> String {
    format!(
        r#"import json, os, urllib.parse, urllib.request

form = {{
    "grant_type": "client_credentials",
    "client_id": "{client_id}",
    "client_secret": os.environ["AZURE_CLIENT_SECRET"],
    "{name}": "{value}",
}}
request = urllib.request.Request("{url}", urllib.parse.urlencode(form).encode())
with urllib.request.urlopen(request) as answer:
    token = json.load(answer)["access_token"]"#
    )
}

fn powershell(url: &str, client_id: &str, name: &str, value: &str) -> String {
    format!(
        r#"$body = @{{
    grant_type    = 'client_credentials'
    client_id     = '{client_id}'
    client_secret = $env:AZURE_CLIENT_SECRET
    {name:<13} = '{value}'
}}
$token = (Invoke-RestMethod -Method Post -Uri '{url}' -Body $body).access_token"#
    )
}

fn csharp(url: &str, client_id: &str, name: &str, value: &str) -> String {
    format!(
        r#"using System.Text.Json;

using var http = new HttpClient();
var form = new FormUrlEncodedContent(new Dictionary<string, string>
{{
    ["grant_type"] = "client_credentials",
    ["client_id"] = "{client_id}",
    ["client_secret"] = Environment.GetEnvironmentVariable("AZURE_CLIENT_SECRET")!,
    ["{name}"] = "{value}",
}});
var answer = await http.PostAsync("{url}", form);
answer.EnsureSuccessStatusCode();
var token = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("access_token").GetString();"#
    )
}
