//! Effects that a command carries out itself: the guardrails are asked here, where the database is.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_store::{Admission, Door, EffectRequest, KnownAs, ProtectedBy};

use crate::{
    Problem,
    request::{Request, ok},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskEffect {
    operation: String,
    target: String,
    /// Everything by which the target may be protected.
    names: Vec<Known>,
    /// By what it might be protected that nobody has looked up.
    unlooked: Vec<String>,
    door: String,
    reference: String,
    undoes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    by: String,
    text: String,
}

pub(super) async fn ask(request: Request) -> Result<Response, Problem> {
    let wish: AskEffect = request.json()?;
    let by = |word: &str| {
        let known = ProtectedBy::ALL.iter().copied().find(|by| by.as_str() == word);
        known.ok_or_else(|| {
            Problem::content(format!("`{word}` protects nothing"), "Give device-name, user-id and so on.")
        })
    };
    let names: Result<Vec<KnownAs>, Problem> =
        wish.names.into_iter().map(|known| Ok(KnownAs { by: by(&known.by)?, text: known.text })).collect();
    let unlooked: Result<Vec<ProtectedBy>, Problem> = wish.unlooked.iter().map(|word| by(word)).collect();
    if [&wish.operation, &wish.reference].into_iter().any(|text| text.trim().is_empty()) {
        return Err(Problem::content("an effect has an operation and a reference", "Give both."));
    }
    // What runs do they ask for themselves.
    let door = [Door::Call, Door::Device].into_iter().find(|door| door.as_str() == wish.door);
    let door = door.ok_or_else(|| Problem::content(format!("`{}` is no door", wish.door), "Give call or device."))?;
    let effect = EffectRequest {
        operation: wish.operation,
        target: wish.target,
        names: names?,
        unlooked: unlooked?,
        door,
        reference: wish.reference,
        override_approved: false,
        undoes: wish.undoes,
        now: request.shared.app.clock.now(),
    };
    ok(&shown(&request.store().admit_effect(request.scope(), effect).await?))
}

fn shown(admission: &Admission) -> Value {
    match admission {
        Admission::Admitted => json!({ "admission": "admitted" }),
        Admission::Observed => json!({ "admission": "observed" }),
        Admission::Held { why, by, since } => {
            json!({ "admission": "held", "why": why, "by": by, "since": since.to_string() })
        }
        Admission::OverCeiling { ceiling, until } => {
            json!({ "admission": "over_ceiling", "ceiling": ceiling, "until": until.map(|until| until.to_string()) })
        }
        Admission::Protected { rule } => json!({ "admission": "protected", "rule": rule.to_string() }),
    }
}
