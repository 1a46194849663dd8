//! A call with nothing left to decide: its request, the connection that it goes through, what it acts on.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;
use sortie_connector::{BuiltRequest, Engine, HttpCall, LinkError, NativeCall, Subject, build};
use sortie_engine::decide::Class;
use sortie_openapi::{EffectClass, Location, Operation};
use sortie_store::TenantKey;

use super::{Calls, Order};
use crate::{
    compiled::CallClass,
    outside::{Connected, Product, Trouble, TroubleKind, Wanted},
};

/// A call that is ready to leave.
pub(crate) struct Prepared {
    pub tenant: TenantKey,
    pub order: Arc<Order>,
    pub product: Arc<Product>,
    /// Its operation's place in the product's description.
    pub at: usize,
    pub way: Way,
    /// What it acts on: one call at a time does the same to it.
    pub target: String,
}

/// How it is made.
pub(crate) enum Way {
    Remote { connected: Arc<Connected>, built: BuiltRequest },
    Native { call: Box<NativeCall>, connected: Option<Arc<Connected>> },
}

impl Calls {
    /// Finds operation and connection, and makes the request.
    pub(crate) async fn prepare(&self, tenant: TenantKey, order: impl Into<Arc<Order>>) -> Result<Prepared, Trouble> {
        let order: Arc<Order> = order.into();
        let product = self.outside.product(tenant, &order.connector, order.pinned.as_deref()).await?;
        let at = product.description.place_of(&order.operation).ok_or_else(|| {
            let what = format!("{} has no operation `{}`", order.connector, order.operation);
            Trouble::refused(TroubleKind::Document, what, "Correct the step's `call`.")
        })?;
        let operation = &product.description.operations[at];
        let inputs = keyed(operation, &order);
        let native = NativeCall::of(&product.description, operation, &inputs).map_err(|error| unfit(&order, &error))?;
        let way = match native {
            Some(call) => {
                let connected = self.native_connection(tenant, &product, &order, &call).await?;
                Way::Native { call: Box::new(call), connected }
            }
            None => {
                let name = order.connection.as_deref();
                let wanted = Wanted { tenant, product: &product, operation: Some(operation), name };
                let connected = self.outside.connect(wanted).await?;
                let built = build(&product.description, operation, &inputs, &connected.target).map_err(|error| {
                    let what = format!("{} cannot be called: {error}", order.name());
                    Trouble::refused(TroubleKind::Document, what, error.remedy())
                })?;
                Way::Remote { connected, built }
            }
        };
        let target = target(operation, &way, &order);
        Ok(Prepared { tenant, order, product, at, way, target })
    }

    /// Only what leaves needs a connection; `http` does without where there is none.
    async fn native_connection(
        &self,
        tenant: TenantKey,
        product: &Arc<Product>,
        order: &Order,
        call: &NativeCall,
    ) -> Result<Option<Arc<Connected>>, Trouble> {
        if matches!(call.engine, Engine::Data | Engine::Kv) {
            return Ok(None);
        }
        let wanted = Wanted { tenant, product, operation: None, name: order.connection.as_deref() };
        self.outside.connect(wanted).await.map(Some)
    }
}

impl Prepared {
    /// What is called.
    pub(crate) fn operation(&self) -> &Operation {
        &self.product.description.operations[self.at]
    }

    /// Whether it changes nothing.
    pub(crate) fn is_safe(&self) -> bool {
        match &self.way {
            Way::Remote { .. } => self.operation().effect.class == EffectClass::Safe,
            Way::Native { call, .. } => call.is_safe(),
        }
    }

    /// Whom it meets, told from the request itself: by whatever connector it was made, an isolation is one.
    pub(crate) fn subject(&self) -> Subject {
        match &self.way {
            Way::Remote { built, .. } => Subject::of(built),
            Way::Native { call, .. } if call.engine == Engine::Http => {
                HttpCall::of(call).map(|call| Subject::of(&call.built)).unwrap_or_default()
            }
            Way::Native { .. } => Subject::default(),
        }
    }

    /// The connection that it leaves through.
    pub(crate) fn connected(&self) -> Option<&Connected> {
        match &self.way {
            Way::Remote { connected, .. } => Some(connected),
            Way::Native { connected, .. } => connected.as_deref(),
        }
    }

    /// The request as it would leave, for a dry run; without any credential.
    pub(crate) fn shown(&self) -> Value {
        match &self.way {
            Way::Remote { built, .. } => serde_json::json!({
                "method": built.method,
                "url": built.url.as_str(),
                "headers": built.headers,
                "body": built.body.as_ref().map(|body| String::from_utf8_lossy(body)),
            }),
            Way::Native { call, .. } => serde_json::json!({ "call": call.name(), "inputs": call.inputs }),
        }
    }
}

/// What is known of an operation's effect, for a plan.
pub fn class_of(operation: &Operation) -> CallClass {
    // What can be read is looked at before it is written again.
    let readable = |class| if class == Class::Overwrite && is_readable(operation) { Class::Probed } else { class };
    let class = readable(engine_class(operation.effect.class));
    let probe = operation.guidance.probe.as_ref().map(|probe| &probe.settings);
    let text = |key: &str| probe.and_then(|settings| settings.get(key)).and_then(Value::as_str);
    let unkeyed = match text("unkeyed") {
        Some("overwrite") => readable(Class::Overwrite),
        Some("safe") => Class::Safe,
        _ => Class::Unsafe,
    };
    CallClass { class, carry: text("carry").map(|key| (key.to_owned(), unkeyed)) }
}

fn is_readable(operation: &Operation) -> bool {
    operation.guidance.more.contains_key("read")
}

fn engine_class(class: EffectClass) -> Class {
    match class {
        EffectClass::Safe => Class::Safe,
        EffectClass::Overwrite => Class::Overwrite,
        EffectClass::Keyed => Class::Keyed,
        EffectClass::Probed => Class::Probed,
        EffectClass::Unsafe => Class::Unsafe,
    }
}

/// The inputs with our key where the operation takes it.
fn keyed<'a>(operation: &Operation, order: &'a Order) -> Cow<'a, serde_json::Map<String, Value>> {
    let probe = operation.guidance.probe.as_ref();
    let carry = probe.and_then(|probe| probe.settings.get("carry")).and_then(Value::as_str);
    if carry.is_none() && operation.effect.key.is_none() {
        return Cow::Borrowed(&order.inputs);
    }
    let mut inputs = order.inputs.clone();
    if let Some(Value::String(text)) = carry.and_then(|key| inputs.get_mut(key)) {
        let space = if text.is_empty() { "" } else { " " };
        *text = format!("{text}{space}{}", order.mark());
    }
    if let Some(key) = &operation.effect.key {
        inputs.entry(key.clone()).or_insert_with(|| format!("sortie-{}", order.key).into());
    }
    Cow::Owned(inputs)
}

/// An object that has an address of its own is acted on by one call at a time; for everything else the call itself is it.
fn target(operation: &Operation, way: &Way, order: &Order) -> String {
    let names_object = operation.parameters.iter().any(|parameter| parameter.location == Location::Path);
    match way {
        Way::Remote { built, .. } if names_object => {
            let mut url = built.url.clone();
            url.set_query(None);
            url.into()
        }
        _ => format!("call {}", order.key),
    }
}

fn unfit(order: &Order, error: &LinkError) -> Trouble {
    let what = format!("{} cannot be called: {error}", order.name());
    Trouble::refused(TroubleKind::Document, what, error.remedy())
}
