//! Access tokens: claims as each token version has them (facts section 2.4), lifetime, signature.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    caller::Resource,
    cloud::Cloud,
    directory::{Principal, User},
};

/// How the client proved who it is: the claim `appidacr` or `azpacr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientProof {
    Public,
    Secret,
    Certificate,
}

/// For whom and for what an app-only token is issued.
#[derive(Clone, Debug)]
pub(crate) struct AppToken<'a> {
    pub tenant: &'a str,
    pub client_app_id: &'a str,
    /// The client's service principal: `oid` and `sub`.
    pub client_object_id: &'a str,
    pub client_name: &'a str,
    pub proof: ClientProof,
    pub resource: &'a Principal,
    /// The resource as the client named it: `aud` of a v1.0 token.
    pub audience: &'a str,
    /// Start of the issuer of v2.0 tokens; see `discovery` for why it follows the host that was asked.
    pub issuer_base: &'a str,
}

/// A signed token with what the answer around it says.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub token: String,
    pub lifetime_s: i64,
    pub not_before: Timestamp,
    pub expires: Timestamp,
}

impl AppToken<'_> {
    pub(crate) fn issue(&self, cloud: &Cloud) -> Issued {
        let now = cloud.clock.now();
        let roles = cloud.directory().granted_roles(self.tenant, self.client_object_id, self.resource, now);
        let mut claims = self.shared_claims();
        let object_id = json!(self.client_object_id);
        claims.extend([("oid".to_owned(), object_id.clone()), ("sub".to_owned(), object_id)]);
        if !roles.is_empty() {
            claims.insert("roles".into(), json!(roles));
        }
        if self.is_graph() {
            claims.insert("idtyp".into(), json!("app"));
            claims.insert("app_displayname".into(), json!(self.client_name));
        }
        self.sign(cloud, claims, now)
    }

    /// A token for a person: scopes instead of roles.
    pub(crate) fn issue_delegated(&self, cloud: &Cloud, user: &User, scopes: &[String]) -> Issued {
        let mut claims = self.shared_claims();
        let subject =
            crate::jwt::base64url(&crate::signing::sha256(format!("{}/{}", self.client_app_id, user.id).as_bytes()));
        let roles: Vec<_> = user.directory_roles.iter().filter_map(|name| role_template(name)).collect();
        claims.extend([
            ("oid".to_owned(), json!(user.id)),
            ("sub".to_owned(), json!(subject)),
            ("upn".to_owned(), json!(user.upn)),
            ("unique_name".to_owned(), json!(user.upn)),
            ("name".to_owned(), json!(user.name)),
            ("scp".to_owned(), json!(scopes.join(" "))),
            ("wids".to_owned(), json!(roles)),
            ("amr".to_owned(), json!(["pwd", "mfa"])),
            ("acr".to_owned(), json!("1")),
        ]);
        if self.is_graph() {
            claims.insert("idtyp".into(), json!("user"));
            claims.insert("app_displayname".into(), json!(self.client_name));
        }
        self.sign(cloud, claims, cloud.clock.now())
    }

    fn is_graph(&self) -> bool {
        self.resource.description.is_some_and(|description| description.kind == Some(Resource::Graph))
    }

    /// What both kinds of token and both versions share, and what the version decides.
    fn shared_claims(&self) -> Map<String, Value> {
        let proof = match self.proof {
            ClientProof::Public => "0",
            ClientProof::Secret => "1",
            ClientProof::Certificate => "2",
        };
        let tenant = self.tenant;
        let versioned = if self.resource.token_version == 2 {
            json!({
                "ver": "2.0", "iss": format!("{}/{tenant}/v2.0", self.issuer_base),
                "aud": self.resource.service_principal.app_id, "azp": self.client_app_id, "azpacr": proof,
            })
        } else {
            let issuer = format!("https://sts.windows.net/{tenant}/");
            json!({
                "ver": "1.0", "iss": issuer, "idp": issuer, "aud": self.audience,
                "appid": self.client_app_id, "appidacr": proof,
            })
        };
        let Value::Object(mut claims) = versioned else { unreachable!("both literals are objects") };
        claims.insert("tid".into(), json!(tenant));
        claims
    }

    fn sign(&self, cloud: &Cloud, mut claims: Map<String, Value>, now: Timestamp) -> Issued {
        let (lifetime_s, uti, aio, rh, nonce) = {
            let mut directory = cloud.directory();
            let lifetime_s = directory.draw_lifetime_s();
            (lifetime_s, directory.opaque(16), directory.opaque(30), directory.opaque(24), directory.opaque(32))
        };
        // Live tokens are dated five minutes back, so that a resource with a slow clock takes them (M).
        let not_before = shifted(now, -BACKDATED_S);
        let expires = shifted(now, lifetime_s);
        claims.extend([
            ("iat".to_owned(), json!(not_before.as_second())),
            ("nbf".to_owned(), json!(not_before.as_second())),
            ("exp".to_owned(), json!(expires.as_second())),
            ("uti".to_owned(), json!(uti)),
            ("aio".to_owned(), json!(aio)),
            ("rh".to_owned(), json!(format!("1.{rh}."))),
        ]);
        let nonce = self.is_graph().then_some(nonce.as_str());
        let token = cloud.signing.current().sign(&claims, self.resource.token_version == 1, nonce);
        // The answer counts one second less than the token lives, as live answers do (3599).
        Issued { token, lifetime_s: lifetime_s - 1, not_before, expires }
    }
}

/// A signed `id_token` for the administrator's sign-in.
pub(crate) fn id_token(
    cloud: &Cloud,
    issuer_base: &str,
    tenant: &str,
    client: &str,
    user: &User,
    nonce: Option<&str>,
) -> String {
    let now = cloud.clock.now().as_second();
    let mut claims = Map::from_iter([
        ("ver".to_owned(), json!("2.0")),
        ("iss".to_owned(), json!(format!("{issuer_base}/{tenant}/v2.0"))),
        ("aud".to_owned(), json!(client)),
        ("sub".to_owned(), json!(crate::jwt::base64url(&crate::signing::sha256(user.id.as_bytes())))),
        ("oid".to_owned(), json!(user.id)),
        ("tid".to_owned(), json!(tenant)),
        ("name".to_owned(), json!(user.name)),
        ("preferred_username".to_owned(), json!(user.upn)),
        ("iat".to_owned(), json!(now)),
        ("nbf".to_owned(), json!(now)),
        ("exp".to_owned(), json!(now + ID_TOKEN_LIFETIME_S)),
    ]);
    if let Some(nonce) = nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    cloud.signing.current().sign(&claims, false, None)
}

/// The ids of directory role templates are the same in every tenant (learn.microsoft.com, permissions reference).
pub(crate) fn role_template(name: &str) -> Option<&'static str> {
    ROLE_TEMPLATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, id)| *id)
}

fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(jiff::SignedDuration::from_secs(seconds)).expect("a signed duration is no calendar span")
}

const ROLE_TEMPLATES: &[(&str, &str)] = &[
    ("Global Administrator", "62e90394-69f5-4237-9190-012177145e10"),
    ("Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814"),
    ("Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
    ("Cloud Application Administrator", "158c047a-c907-4556-b7ef-446551a6b5f7"),
    ("Application Developer", "cf1c38e5-3621-4004-a7cb-879624dced7c"),
    ("Security Administrator", "194ae4cb-b126-40b2-bd5b-6091b380977d"),
    ("Security Reader", "5d6b6bb7-de71-4623-b4af-96380a352509"),
    ("Global Reader", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"),
];
const BACKDATED_S: i64 = 300;
const ID_TOKEN_LIFETIME_S: i64 = 3_600;
