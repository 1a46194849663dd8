//! Calls that run inside of Sortie: `data`, `kv`, `http` and `email`, and whatever refers to them.

use serde_json::Value;
use sortie_connector::{Credential, Engine, HttpCall, Mail, NativeCall, as_data};
use sortie_engine::decide::Delivery;
use sortie_openapi::KeyPlace;
use sortie_store::Scope;
use url::Url;

use super::{Calls, Prepared, kv, send::trouble};
use crate::outside::{Connected, Trouble, TroubleKind};

impl Calls {
    pub(super) async fn native(
        &self,
        prepared: &Prepared,
        call: &NativeCall,
        connected: Option<&Connected>,
    ) -> Result<Value, Trouble> {
        let now = self.clock.now();
        match call.engine {
            Engine::Data => {
                let (call, name) = (call.clone(), prepared.order.name());
                let computed = tokio::task::spawn_blocking(move || sortie_connector::data(&call, now)).await;
                let fault = |what: String| Trouble::refused(TroubleKind::Document, what, "Correct the step's inputs.");
                computed
                    .map_err(|_| fault(format!("{name} ended by a fault in Sortie")))?
                    .map_err(|error| fault(format!("{name}: {error}")))
            }
            Engine::Kv => kv(&self.store, Scope::Tenant(prepared.tenant), call, now).await,
            Engine::Http => self.http(prepared, call, connected).await,
            Engine::Email => self.email(prepared, call, connected).await,
        }
    }

    async fn http(
        &self,
        prepared: &Prepared,
        call: &NativeCall,
        connected: Option<&Connected>,
    ) -> Result<Value, Trouble> {
        let connected = connected.ok_or_else(|| no_connection(prepared))?;
        let name = prepared.order.name();
        let request = HttpCall::of(call)
            .map_err(|error| Trouble::refused(TroubleKind::Document, format!("{name}: {error}"), error.remedy()))?;
        let credential = secret(call, connected)?;
        if !matches!(credential, Credential::Anonymous) {
            permits(connected, &request.built.url)?;
        }
        let answer = request.send(&connected.caller, &credential).await;
        answer.map(|answer| as_data(&answer)).map_err(|error| trouble(&name, &connected.name, &error, self.clock.now()))
    }

    async fn email(
        &self,
        prepared: &Prepared,
        call: &NativeCall,
        connected: Option<&Connected>,
    ) -> Result<Value, Trouble> {
        let connected = connected.ok_or_else(|| no_connection(prepared))?;
        let name = prepared.order.name();
        let refused = |error: sortie_connector::EmailError| Trouble {
            delivery: match error.delivery() {
                sortie_transport::Delivery::NotSent => Delivery::NotSent,
                sortie_transport::Delivery::Refused => Delivery::Refused,
                sortie_transport::Delivery::Unknown => Delivery::Unknown,
            },
            ..Trouble::refused(TroubleKind::Service, format!("{name}: {error}"), error.remedy())
        };
        let server = connected.mail.as_ref().ok_or_else(|| no_connection(prepared))?;
        let mail = Mail::of(&call.inputs, connected.account.0.as_deref(), self.clock.now()).map_err(refused)?;
        mail.send(server, &connected.transport).await.map_err(refused)
    }
}

/// How the connection's secret travels: as the inputs say, else as the connection suggests.
fn secret(call: &NativeCall, connected: &Connected) -> Result<Credential, Trouble> {
    let text = |key: &str| call.inputs.get(key).and_then(Value::as_str);
    let (user, secret) = connected.account.clone();
    let way = match (text("authenticate"), &user, &secret) {
        (Some(way), ..) => way,
        (None, _, None) => "none",
        (None, Some(_), Some(_)) => "basic",
        (None, None, Some(_)) => "bearer",
    };
    let missing = |what: &str| {
        let what = format!("connection {} has no {what}", connected.name);
        Trouble::refused(TroubleKind::Connection, what, "Enter it with `sortie connection add NAME --replace …`.")
    };
    let secret = || secret.ok_or_else(|| missing("secret"));
    Ok(match way {
        "none" => Credential::Anonymous,
        "bearer" => Credential::Bearer(secret()?),
        "basic" => Credential::Basic { user: user.ok_or_else(|| missing("client id"))?, password: secret()? },
        _ => {
            let next = "Such as `secret_header: X-API-Key`.";
            let name = text("secret_header")
                .ok_or_else(|| Trouble::refused(TroubleKind::Document, "the input `secret_header` is missing", next))?;
            Credential::ApiKey { place: KeyPlace::Header, name: name.to_owned(), prefix: None, key: secret()? }
        }
    })
}

/// A secret goes to the origins that its connection was set up for, and nowhere else.
fn permits(connected: &Connected, url: &Url) -> Result<(), Trouble> {
    let origin = url.origin().ascii_serialization();
    if connected.destinations.contains(&origin) {
        return Ok(());
    }
    let what = format!("connection {} was not set up for {origin}; nothing was sent", connected.name);
    let next = "If that is meant, set the connection up for it: `sortie connection add NAME --replace …`.";
    Err(Trouble::refused(TroubleKind::Forbidden, what, next))
}

fn no_connection(prepared: &Prepared) -> Trouble {
    let what = format!("{} has no connection to go through", prepared.order.name());
    let next = format!("`sortie connection add NAME --connector {}` makes one.", prepared.order.connector);
    Trouble::refused(TroubleKind::Document, what, next)
}
