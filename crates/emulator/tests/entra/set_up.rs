//! The portal's steps by Graph: register, consent, credentials; who may, and what is refused.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, App, Signer, Stage, base64url, claims, sha256, start_second};

const CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";
const MTP: &str = "8ee8fdad-f234-4243-8f3b-15c294843740";
const XDR: &str = "https://api.security.microsoft.com/.default";

/// A token of the administrator, who holds these directory roles.
async fn administrator(stage: &Stage, roles: &[&str]) -> String {
    stage.admin(Method::PUT, "/directory/administrator", json!({ "decision": "accept", "roles": roles })).await;
    let scope = "https://graph.microsoft.com/.default";
    let started = stage.post("/oauth2/v2.0/devicecode", &[("client_id", CLIENT), ("scope", scope)]).await.json;
    let code = started["device_code"].as_str().unwrap();
    let form =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("client_id", CLIENT), ("device_code", code)];
    let answer = stage.post("/oauth2/v2.0/token", &form).await;
    answer.json["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.json["error"]["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.text
    );
    let inner = &answer.json["error"]["innerError"];
    assert!(inner["date"].is_string() && inner["request-id"].is_string() && inner["client-request-id"].is_string());
    assert_eq!(answer.headers["request-id"], inner["request-id"].as_str().unwrap());
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The service principal of Defender XDR with the id of the role that reads incidents.
async fn resource(stage: &Stage, token: &str) -> (String, Value) {
    let filter = format!("/v1.0/servicePrincipals?$filter=appId%20eq%20'{MTP}'&$select=id,appRoles");
    let found = stage.graph(Method::GET, &filter, token, None).await;
    let resource = &found.json["value"][0];
    assert!(resource.get("displayName").is_none(), "$select leaves two properties: {}", found.text);
    let roles = resource["appRoles"].as_array().unwrap();
    let role = roles.iter().find(|role| role["value"] == "Incident.Read.All").unwrap();
    assert_eq!(role["displayName"], "Read all incidents");
    (text(&resource["id"]), role["id"].clone())
}

/// Application, service principal and secret, as `app register` makes them; nothing is granted.
async fn register(stage: &Stage, token: &str, role: &Value) -> App {
    let access = json!([{ "resourceAppId": MTP, "resourceAccess": [{ "id": role, "type": "Role" }] }]);
    let new = json!({ "displayName": "Sortie", "signInAudience": "AzureADMyOrg", "requiredResourceAccess": access });
    let made = stage.graph(Method::POST, "/v1.0/applications", token, Some(new)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.json["@odata.context"].as_str().unwrap().ends_with("/v1.0/$metadata#applications/$entity"));
    let id = text(&made.json["appId"]);
    let principal = stage.graph(Method::POST, "/v1.0/servicePrincipals", token, Some(json!({ "appId": id }))).await;
    assert_eq!(principal.status, 201, "{}", principal.text);
    let path = format!("/v1.0/applications(appId='{id}')/addPassword");
    let body = json!({ "passwordCredential": { "displayName": "demo" } });
    let secret = stage.graph(Method::POST, &path, token, Some(body)).await;
    assert_eq!(secret.status, 200, "{}", secret.text);
    assert!(text(&secret.json["secretText"]).starts_with(secret.json["hint"].as_str().unwrap()));
    App {
        id,
        object_id: text(&made.json["id"]),
        principal_id: text(&principal.json["id"]),
        secret: text(&secret.json["secretText"]),
        secret_id: text(&secret.json["keyId"]),
    }
}

async fn held_roles(stage: &Stage, app: &App) -> Value {
    claims(&stage.access_token(app, XDR).await)["roles"].clone()
}

#[tokio::test]
async fn a_registered_application_has_the_roles_that_were_granted_and_no_others() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    let (resource, role) = resource(&stage, &token).await;
    let app = register(&stage, &token, &role).await;
    assert_eq!(held_roles(&stage, &app).await, Value::Null, "asked for is not granted");

    let grant = json!({ "principalId": app.principal_id, "resourceId": resource, "appRoleId": role });
    let path = format!("/v1.0/serviceprincipals/{resource}/approleassignedto");
    let granted = stage.graph(Method::POST, &path, &token, Some(grant.clone())).await;
    assert_eq!(granted.status, 201, "{}", granted.text);
    assert_eq!(granted.json["principalDisplayName"], "Sortie");
    assert_eq!(held_roles(&stage, &app).await, json!(["Incident.Read.All"]));
    let again = stage.graph(Method::POST, &path, &token, Some(grant)).await;
    refused(&again, 400, "Request_BadRequest");
    assert_eq!(again.json["error"]["message"], "Permission being assigned already exists on the object");
    let path = format!("/v1.0/servicePrincipals(appId='{}')/appRoleAssignments", app.id);
    let held = stage.graph(Method::GET, &path, &token, None).await;
    assert_eq!(held.json["value"].as_array().unwrap().len(), 1, "{}", held.text);
    let path = format!("/v1.0/servicePrincipals/{resource}/appRoleAssignedTo/{}", text(&granted.json["id"]));
    assert_eq!(stage.graph(Method::DELETE, &path, &token, None).await.status, 204);
    assert_eq!(held_roles(&stage, &app).await, Value::Null);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_dies_with_its_removal() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    let (_, role) = resource(&stage, &token).await;
    let app = register(&stage, &token, &role).await;
    let path = format!("/v1.0/applications/{}", app.object_id);
    let read = stage.graph(Method::GET, &path, &token, None).await;
    assert!(read.json["passwordCredentials"][0]["secretText"].is_null() && !read.text.contains(&app.secret));
    let body = Some(json!({ "keyId": app.secret_id }));
    let removed = stage.graph(Method::POST, &format!("{path}/removePassword"), &token, body).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    stage.token(&app, XDR).await.expect_error(401, "invalid_client", 7_000_215);
    assert_eq!(stage.graph(Method::DELETE, &path, &token, None).await.status, 204);
    stage.token(&app, XDR).await.expect_error(400, "unauthorized_client", 700_016);
}

#[tokio::test]
async fn the_directory_role_decides_what_the_administrator_may() {
    let stage = Stage::start().await;
    let graph_role = json!("45cc0394-e837-488b-a098-1918f48d186c");
    let app = stage.app(&[]).await;
    let resources = stage.admin(Method::GET, "/directory", Value::Null).await;
    assert!(!resources.to_string().contains(&app.secret), "the overview shows no secret");
    for (role, status) in
        [("Cloud Application Administrator", 403), ("Security Reader", 403), ("Privileged Role Administrator", 201)]
    {
        let token = administrator(&stage, &[role]).await;
        let graph = stage
            .graph(
                Method::GET,
                "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')?$select=id",
                &token,
                None,
            )
            .await;
        let body = json!({ "principalId": app.principal_id, "resourceId": graph.json["id"], "appRoleId": graph_role });
        let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", app.principal_id);
        let answer = stage.graph(Method::POST, &path, &token, Some(body)).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
    }
    stage.switch(json!({ "users_may_register": false })).await;
    for (role, status) in [("Security Reader", 403), ("Application Administrator", 201), ("Application Developer", 201)]
    {
        let token = administrator(&stage, &[role]).await;
        let answer =
            stage.graph(Method::POST, "/v1.0/applications", &token, Some(json!({ "displayName": role }))).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
    }
    let token = administrator(&stage, &["Security Reader"]).await;
    let answer = stage
        .graph(
            Method::PATCH,
            &format!("/v1.0/applications/{}", app.object_id),
            &token,
            Some(json!({ "displayName": "x" })),
        )
        .await;
    refused(&answer, 403, "Authorization_RequestDenied");
    assert_eq!(answer.json["error"]["message"], "Insufficient privileges to complete the operation.");
}

#[tokio::test]
async fn a_daemon_needs_the_role_and_owned_by_reaches_its_own_only() {
    let stage = Stage::start().await;
    let stranger = stage.app(&[("graph", "SecurityIncident.Read.All")]).await;
    let graph = "https://graph.microsoft.com/.default";
    let token = stage.access_token(&stranger, graph).await;
    refused(&stage.graph(Method::GET, "/v1.0/applications", &token, None).await, 403, "Authorization_RequestDenied");
    let own =
        stage.graph(Method::GET, &format!("/v1.0/servicePrincipals/{}", stranger.principal_id), &token, None).await;
    assert_eq!(own.status, 200, "a service principal may read itself: {}", own.text);
    let wrong = stage.access_token(&stranger, XDR).await;
    refused(&stage.graph(Method::GET, "/v1.0/applications", &wrong, None).await, 401, "InvalidAuthenticationToken");
    refused(&stage.get("/v1.0/applications").await, 401, "InvalidAuthenticationToken");

    let owner = stage.app(&[("graph", "Application.ReadWrite.OwnedBy")]).await;
    let token = stage.access_token(&owner, graph).await;
    let made = stage.graph(Method::POST, "/v1.0/applications", &token, Some(json!({ "displayName": "Child" }))).await;
    let change = |id: &str| format!("/v1.0/applications/{id}");
    let body = Some(json!({ "displayName": "Renamed" }));
    assert_eq!(
        stage.graph(Method::PATCH, &change(made.json["id"].as_str().unwrap()), &token, body.clone()).await.status,
        204
    );
    refused(
        &stage.graph(Method::PATCH, &change(&stranger.object_id), &token, body).await,
        403,
        "Authorization_RequestDenied",
    );
    refused(&stage.graph(Method::GET, "/v1.0/me", &token, None).await, 400, "BadRequest");
}

#[tokio::test]
async fn the_person_and_the_tenant_are_shown() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Application Administrator"]).await;
    let me = stage.graph(Method::GET, "/v1.0/me?$select=displayName", &token, None).await;
    assert_eq!((&me.json["displayName"], me.json.get("id")), (&json!("Ingrid Solvang"), None), "{}", me.text);
    let roles =
        stage.graph(Method::GET, "/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole", &token, None).await;
    assert_eq!(roles.json["value"][0]["displayName"], "Application Administrator");
    let tenant = stage.graph(Method::GET, "/v1.0/organization", &token, None).await;
    assert_eq!(
        (&tenant.json["value"][0]["displayName"], &tenant.json["value"][0]["id"]),
        (&json!("Halden Marine"), &json!(stage.tenant))
    );
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    for name in ["Alpha", "Beta", "Beta two"] {
        stage.app_from(json!({ "displayName": name })).await;
    }
    let names = |answer: &Answer| -> Vec<String> {
        answer.json["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|app| app["displayName"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = stage
        .graph(Method::GET, "/v1.0/applications?$filter=startswith(displayName,'beta')&$count=true", &token, None)
        .await;
    assert_eq!(
        (names(&found), &found.json["@odata.count"]),
        (vec!["Beta".to_owned(), "Beta two".to_owned()], &json!(2))
    );
    let first = stage.graph(Method::GET, "/v1.0/applications?$top=2", &token, None).await;
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    let path = next.split_once("/v1.0").map(|(_, rest)| format!("/v1.0{rest}")).unwrap();
    let second = stage.graph(Method::GET, &path, &token, None).await;
    assert_eq!(
        (names(&first).len(), names(&second), second.json.get("@odata.nextLink")),
        (2, vec!["Beta two".to_owned()], None)
    );
    refused(
        &stage.graph(Method::GET, "/v1.0/applications?$filter=displayName%20like%20'x'", &token, None).await,
        400,
        "BadRequest",
    );
    refused(
        &stage.graph(Method::GET, "/v1.0/applications?$top=1000", &token, None).await,
        400,
        "Request_UnsupportedQuery",
    );
}

#[tokio::test]
async fn a_new_application_may_need_a_moment_and_an_unlicensed_product_never_comes() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    stage.switch(json!({ "replication_failures": 1, "unlicensed_resource": MTP })).await;
    let made = stage.graph(Method::POST, "/v1.0/applications", &token, Some(json!({ "displayName": "New" }))).await;
    let body = json!({ "appId": made.json["appId"] });
    refused(
        &stage.graph(Method::POST, "/v1.0/servicePrincipals", &token, Some(body.clone())).await,
        400,
        "NoBackingApplicationObject",
    );
    assert_eq!(stage.graph(Method::POST, "/v1.0/servicePrincipals", &token, Some(body.clone())).await.status, 201);
    refused(
        &stage.graph(Method::POST, "/v1.0/servicePrincipals", &token, Some(body)).await,
        409,
        "Request_MultipleObjectsWithSameKeyValue",
    );
    let found =
        stage.graph(Method::GET, &format!("/v1.0/servicePrincipals?$filter=appId%20eq%20'{MTP}'"), &token, None).await;
    assert_eq!(found.json["value"], json!([]));
    refused(
        &stage.graph(Method::POST, "/v1.0/servicePrincipals", &token, Some(json!({ "appId": MTP }))).await,
        400,
        "NoBackingApplicationObject",
    );
}

#[tokio::test]
async fn certificates_come_by_patch_or_with_proof() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    let app = stage.app(&[]).await;
    let path = format!("/v1.0/applications/{}", app.object_id);
    let key = |signer: &Signer| json!({ "type": "AsymmetricX509Cert", "usage": "Verify", "key": STANDARD.encode(&signer.der) });
    let (first, second) = (Signer::shared(0), Signer::shared(1));
    let bad = json!({ "keyCredentials": [{ "type": "AsymmetricX509Cert", "usage": "Verify", "key": "AAAA" }] });
    refused(&stage.graph(Method::PATCH, &path, &token, Some(bad)).await, 400, "Request_BadRequest");
    let patched = stage.graph(Method::PATCH, &path, &token, Some(json!({ "keyCredentials": [key(first)] }))).await;
    assert_eq!(patched.status, 204, "{}", patched.text);
    let now = start_second();
    let proof = |signer: &Signer| {
        let header = json!({ "alg": "RS256", "x5t#S256": base64url(sha256(&signer.der)) });
        signer.sign(&header, &json!({ "aud": "00000002-0000-0000-c000-000000000000", "iss": app.object_id, "nbf": now, "exp": now + 600 }))
    };
    let body =
        |signer: &Signer| json!({ "keyCredential": key(second), "passwordCredential": null, "proof": proof(signer) });
    refused(
        &stage.graph(Method::POST, &format!("{path}/addKey"), &token, Some(body(second))).await,
        401,
        "Authentication_MissingOrMalformed",
    );
    let added = stage.graph(Method::POST, &format!("{path}/addKey"), &token, Some(body(first))).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let read = stage.graph(Method::GET, &path, &token, None).await;
    assert_eq!(read.json["keyCredentials"].as_array().unwrap().len(), 2);
    assert!(read.json["keyCredentials"][0]["key"].is_null());
    let with_key = stage.graph(Method::GET, &format!("{path}?$select=keyCredentials"), &token, None).await;
    assert_eq!(with_key.json["keyCredentials"][1]["key"], STANDARD.encode(&second.der));
}

#[tokio::test]
async fn federated_credentials_are_unique_and_well_formed() {
    let stage = Stage::start().await;
    let token = administrator(&stage, &["Global Administrator"]).await;
    let app = stage.app(&[]).await;
    let path = format!("/v1.0/applications/{}/federatedIdentityCredentials", app.object_id);
    let record = json!({ "name": "main", "issuer": "https://token.actions.example", "subject": "repo:a/b", "audiences": ["api://AzureADTokenExchange"] });
    let made = stage.graph(Method::POST, &path, &token, Some(record.clone())).await;
    assert_eq!(made.status, 201, "{}", made.text);
    refused(
        &stage.graph(Method::POST, &path, &token, Some(record.clone())).await,
        409,
        "Request_MultipleObjectsWithSameKeyValue",
    );
    for (changed, value) in [("name", "other"), ("subject", "repo:c/d")] {
        let mut same = record.clone();
        same[changed] = json!(value);
        let clash = stage.graph(Method::POST, &path, &token, Some(same)).await;
        refused(&clash, 409, "Request_MultipleObjectsWithSameKeyValue");
    }
    let mut plain = record.clone();
    plain["issuer"] = json!("http://token.actions.example");
    refused(&stage.graph(Method::POST, &path, &token, Some(plain)).await, 400, "Request_BadRequest");
    let removed =
        stage.graph(Method::DELETE, &format!("{path}/{}", made.json["id"].as_str().unwrap()), &token, None).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    assert_eq!(stage.graph(Method::GET, &path, &token, None).await.json["value"], json!([]));
}
