//! Calls that run inside of Sortie: `data`, `kv`, `http` and `email`, and whatever refers to them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sortie_connector::{Caller, Credential, Engine, HttpCall, Mail, MailServer, NativeCall, as_data};
use sortie_runner::TroubleKind;
use sortie_store::{Store, Tenant, TenantKey};
use sortie_transport::{Delivery, Guard};

use super::call::{Arguments, dry_run, in_doubt};
use crate::{
    connections::{self, Named},
    context::Context,
    exit::{Exit, Problem},
    guard::{self, Effect, Gate, Passed},
    input::confirm,
    output::{say, visible},
    product::{Authentication, Product, Ready, connection},
};

/// Where a call happens.
pub(super) struct Place<'a> {
    pub store: Store,
    pub product: &'a Product,
    /// Whose connections and values are meant.
    pub tenant: Option<Tenant>,
}

pub(super) async fn run(
    call: NativeCall,
    place: Place<'_>,
    arguments: &Arguments,
    context: &Context,
) -> anyhow::Result<Exit> {
    if arguments.dry_run && call.engine != Engine::Http {
        let shown = json!({ "call": call.name(), "inputs": call.inputs });
        say(&format!("{shown:#}"))?;
        context.note("this runs inside of Sortie; nothing was done");
        return Ok(Exit::Success);
    }
    let question = format!("{} ({})?", call.operation.title, call.name());
    let ask = || confirm(&visible(&question), arguments.yes);
    if !arguments.dry_run && !call.is_safe() && !ask()? {
        context.note("nothing was done");
        return Ok(Exit::Usage);
    }
    let value = match call.engine {
        Engine::Data => data(call, context).await?,
        Engine::Kv => {
            let owner = place.tenant.as_ref().map_or(TenantKey::SHARED, |tenant| tenant.key);
            if !call.is_safe() && passed(&place.store, owner, &call, context).await? == Passed::Observed {
                return Ok(Exit::Success);
            }
            kv(&call, &place, context.clock.now()).await?
        }
        Engine::Http => return http(&call, place, arguments, context).await,
        Engine::Email => match email(&call, place, context).await? {
            Some(sent) => sent,
            None => return Ok(Exit::Success),
        },
    };
    say(&serde_json::to_string_pretty(&value)?)?;
    Ok(Exit::Success)
}

/// Asks for an effect that meets no device and no user.
async fn passed(store: &Store, owner: TenantKey, call: &NativeCall, context: &Context) -> anyhow::Result<Passed> {
    let target = ["name", "to"].iter().find_map(|key| call.inputs.get(*key)).map_or_else(String::new, Value::to_string);
    let effect = Effect::by_hand(call.name(), target, &*context.clock);
    let passed = guard::pass(store, owner, &effect, context).await?;
    if passed == Passed::Observed {
        effect.say(context)?;
    }
    Ok(passed)
}

async fn data(call: NativeCall, context: &Context) -> anyhow::Result<Value> {
    let (name, id, now) = (call.name(), call.operation.id.clone(), context.clock.now());
    // Off this thread, so that a person who waits too long can end it.
    let computed = tokio::task::spawn_blocking(move || sortie_connector::data(&call, now)).await?;
    computed.map_err(|error| {
        let next = format!("`sortie connector show data {id}` says what it takes.");
        Problem::usage(format!("{name}: {error}"), next).into()
    })
}

/// What connection the call goes through: the named one, the only one there is, or none.
async fn chosen(call: &NativeCall, place: &Place<'_>, context: &Context) -> anyhow::Result<Option<Ready>> {
    let Place { store, product, tenant } = place;
    let path = context.global.connection.as_ref();
    let all = connections::all(store).await?;
    let is_reached = |one: &Named| tenant.as_ref().is_none_or(|tenant| one.serves(tenant));
    if path.is_none() && !all.iter().any(|one| one.row.connector == product.info.id && is_reached(one)) {
        return Ok(None);
    }
    let connection = connection(store, product, path, tenant.as_ref()).await?;
    let wants_secret = call.inputs.get("authenticate").is_none_or(|way| way != "none");
    Ok(Some(Ready::load(store, &connection, product, wants_secret, context).await?))
}

async fn http(call: &NativeCall, place: Place<'_>, arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let request = HttpCall::of(call).map_err(sortie_connector::CallError::from)?;
    if arguments.dry_run {
        return dry_run(&request.built, &Authentication::None);
    }
    let ready = chosen(call, &place, context).await?;
    let own = |ready: &Ready| (ready.connection.row.tenant, ready.connection.leads_to().map(str::to_owned));
    let (connected, leads_to) = ready.as_ref().map_or((TenantKey::SHARED, None), own);
    let own = place.tenant.as_ref().map_or(connected, |tenant| tenant.key);
    let owner = guard::tenant_of(&place.store, own, leads_to.as_deref()).await?;
    // The call may take minutes, and another process may want the database.
    drop(place);
    let (caller, credential) = match &ready {
        None => {
            let transport = context.transport(&context.settings()?)?.guarded(Guard::default());
            (Caller::new(transport, Arc::clone(&context.clock), 1), Credential::Anonymous)
        }
        Some(ready) => {
            let credential = secret(&call.inputs, ready)?;
            if !matches!(credential, Credential::Anonymous) {
                ready.permits(&request.built.url)?;
            }
            (ready.caller.clone(), credential)
        }
    };
    if !call.is_safe() {
        let gate = Gate::of(owner, call.name(), &request.built, context).await?;
        if gate.pass(&caller, &credential, context).await? == Passed::Observed {
            return dry_run(&request.built, &Authentication::None);
        }
    }
    let answer = request.send(&caller, &credential).await.map_err(|error| match error.delivery() {
        Delivery::Unknown if !call.is_safe() => in_doubt(error),
        _ => error.into(),
    })?;
    say(&serde_json::to_string_pretty(&as_data(&answer))?)?;
    Ok(Exit::Success)
}

/// How the connection's secret travels: as the inputs say, else as the connection suggests.
fn secret(inputs: &Map<String, Value>, ready: &Ready) -> anyhow::Result<Credential> {
    let text = |key: &str| inputs.get(key).and_then(Value::as_str);
    let (user, secret) = ready.account();
    let way = match (text("authenticate"), user, &secret) {
        (Some(way), ..) => way,
        (None, _, None) => "none",
        (None, Some(_), Some(_)) => "basic",
        (None, None, Some(_)) => "bearer",
    };
    let missing = |what: &str| {
        Problem::usage(
            format!("the connection has no {what}"),
            "Enter it with `sortie connection add NAME --replace …`.",
        )
    };
    let secret = || secret.ok_or_else(|| missing("secret"));
    Ok(match way {
        "none" => Credential::Anonymous,
        "bearer" => Credential::Bearer(secret()?),
        "basic" => {
            Credential::Basic { user: user.ok_or_else(|| missing("client id"))?.to_owned(), password: secret()? }
        }
        _ => {
            let next = "Such as `secret_header=X-API-Key`.";
            let name =
                text("secret_header").ok_or_else(|| Problem::usage("the input `secret_header` is missing", next))?;
            let (place, name) = (sortie_openapi::KeyPlace::Header, name.to_owned());
            Credential::ApiKey { place, name, prefix: None, key: secret()? }
        }
    })
}

/// `None` in observe mode, where it was only said.
async fn email(call: &NativeCall, place: Place<'_>, context: &Context) -> anyhow::Result<Option<Value>> {
    let Place { store, product, tenant } = place;
    let connection = connection(&store, product, context.global.connection.as_ref(), tenant.as_ref()).await?;
    let ready = Ready::load(&store, &connection, product, true, context).await?;
    let owner = tenant.as_ref().map_or(connection.row.tenant, |tenant| tenant.key);
    let (user, secret) = ready.account();
    let mail = Mail::of(&call.inputs, user, context.clock.now())?;
    let account = user.map(str::to_owned).zip(secret);
    if let (Some(_), Some(base)) = (&account, ready.base()) {
        ready.permits(base)?;
    }
    let server = MailServer::of(ready.base(), account)?;
    if passed(&store, owner, call, context).await? == Passed::Observed {
        return Ok(None);
    }
    drop(store);
    let sent = mail.send(&server, &ready.transport).await.map_err(|error| match error.delivery() {
        Delivery::Unknown => in_doubt(error),
        _ => error.into(),
    });
    sent.map(Some)
}

async fn kv(call: &NativeCall, place: &Place<'_>, now: Timestamp) -> anyhow::Result<Value> {
    let scope = connections::scope_of(place.tenant.as_ref());
    sortie_runner::kv(&place.store, scope, call, now).await.map_err(|trouble| {
        let exit = if trouble.kind == TroubleKind::Document { Exit::Usage } else { Exit::Service };
        Problem { exit, what: trouble.what, next: trouble.next }.into()
    })
}
