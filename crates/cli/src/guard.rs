//! The guardrails in front of everything that leaves by hand: `call`, orders to devices, changes of incidents and so on.
//!
//! The store decides (`Store::admit_effect`); here is told to it what an effect meets, and to a person what it said.

mod lookup;

pub(crate) use lookup::names;

use anyhow::Context as _;
use serde_json::{Value, json};
use sortie_connector::{BuiltRequest, Caller, Credential, MetKind, Subject};
use sortie_defender::Machine;
use sortie_model::Clock;
use sortie_store::{
    Admission, Door, EffectRequest, KnownAs, ProtectedBy, Scope, Store, StoreError, StoreErrorKind, TenantKey,
};

use crate::{
    asking::{Api, at},
    context::{Context, Session},
    database,
    exit::{Exit, Problem},
    output::say,
};

/// What wants to leave.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    /// `connector/operation`.
    pub operation: String,
    /// Whom or what it meets.
    pub target: String,
    pub names: Vec<KnownAs>,
    /// By what it might be protected that nobody has looked up.
    pub unlooked: Vec<ProtectedBy>,
    pub door: Door,
    /// The same one is the same effect.
    pub reference: String,
    pub undoes: bool,
}

/// It may go on, in one of two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Admitted,
    /// Say what would be sent, and send nothing.
    Observed,
}

/// Asks for an effect.
///
/// # Errors
/// A [`Problem`] with [`Exit::Guarded`] where it may not leave; nothing was sent.
pub(crate) async fn pass(
    store: &Store,
    tenant: TenantKey,
    effect: &Effect,
    context: &Context,
) -> anyhow::Result<Passed> {
    if store.is_beside() {
        return Ok(verdict(elsewhere(store, tenant, effect, context).await?, effect)?);
    }
    let request = EffectRequest {
        operation: effect.operation.clone(),
        target: effect.target.clone(),
        names: effect.names.clone(),
        unlooked: effect.unlooked.clone(),
        door: effect.door,
        reference: effect.reference.clone(),
        override_approved: false,
        undoes: effect.undoes,
        now: context.clock.now(),
    };
    Ok(verdict(store.admit_effect(Scope::Tenant(tenant), request).await?, effect)?)
}

/// Asks the server that has the database.
async fn elsewhere(store: &Store, tenant: TenantKey, effect: &Effect, context: &Context) -> anyhow::Result<Admission> {
    let tenants = store.tenants(Scope::Tenant(tenant)).await?;
    let name = tenants.into_iter().find(|one| one.key == tenant).map(|one| one.name);
    let names = effect.names.iter().map(|known| json!({ "by": known.by.as_str(), "text": known.text }));
    let body = json!({
        "operation": effect.operation, "target": effect.target, "names": names.collect::<Vec<_>>(),
        "unlooked": effect.unlooked.iter().map(|by| by.as_str()).collect::<Vec<_>>(), "door": effect.door.as_str(), "reference": effect.reference, "undoes": effect.undoes,
    });
    let api = Api::connect(context).await?;
    let said = api.post(at(["effects"]).with("tenant", name.as_deref()), body).await?;
    admission(&said).context("the server answers in a way that this version does not know")
}

fn admission(said: &Value) -> Option<Admission> {
    let own = |key: &str| said[key].as_str().map(str::to_owned);
    Some(match said["admission"].as_str()? {
        "admitted" => Admission::Admitted,
        "observed" => Admission::Observed,
        "held" => Admission::Held { why: own("why")?, by: own("by")?, since: own("since")?.parse().ok()? },
        "over_ceiling" => Admission::OverCeiling {
            ceiling: u32::try_from(said["ceiling"].as_u64()?).ok()?,
            until: own("until").map(|until| until.parse()).transpose().ok()?,
        },
        "protected" => Admission::Protected { rule: own("rule")?.parse().ok()? },
        _ => return None,
    })
}

/// The answer in words.
fn verdict(admission: Admission, effect: &Effect) -> Result<Passed, Problem> {
    let guarded = |what: String, next: String| Err(Problem { exit: Exit::Guarded, what, next });
    match admission {
        Admission::Admitted => Ok(Passed::Admitted),
        Admission::Observed => Ok(Passed::Observed),
        Admission::Held { why, by, since } => guarded(
            format!("{by} has held all effects since {since:.0} ({why}); nothing was sent"),
            "Wait until it is released; an administrator does that with `sortie guardrail release`.".to_owned(),
        ),
        Admission::Protected { rule } => guarded(
            format!("{} is protected by the rule {rule}; nothing was sent", effect.target),
            format!("An administrator can take the rule away: `sortie guardrail set --unprotect '{rule}'`."),
        ),
        Admission::OverCeiling { ceiling, until } => {
            let operation = &effect.operation;
            let raise =
                format!("an administrator can raise the ceiling: `sortie guardrail set --ceiling {operation}=N`.");
            match until {
                Some(until) => guarded(
                    format!("{operation} may be carried out {ceiling} times in an hour, and was; nothing was sent"),
                    format!("It is possible again at {until:.0}; {raise}"),
                ),
                None => guarded(
                    format!("{operation} may not be carried out at all; nothing was sent"),
                    format!("Leave it, or {raise}"),
                ),
            }
        }
    }
}

/// Whose guardrails count: those of the tenant that owns the connection, else of the one to which it leads.
pub(crate) async fn tenant_of(store: &Store, own: TenantKey, leads_to: Option<&str>) -> Result<TenantKey, StoreError> {
    if own != TenantKey::SHARED {
        return Ok(own);
    }
    let tenants = store.tenants(Scope::Every).await?;
    let same = |known: &Option<String>| leads_to.is_some() && known.as_deref() == leads_to;
    Ok(tenants.into_iter().find(|tenant| same(&tenant.entra_id)).map_or(TenantKey::SHARED, |tenant| tenant.key))
}

/// The same for an effect through a session of Defender's own commands. In observe mode it is printed.
pub(crate) async fn pass_session(session: &Session, effect: &Effect, context: &Context) -> anyhow::Result<Passed> {
    let store = database::look(context).await?;
    let tenant = tenant_of(&store, session.owner, Some(session.application.tenant.as_str())).await?;
    pass(&store, tenant, effect, context).await
}

/// For a change that meets no device or user: an incident, an alert, an indicator.
pub(crate) async fn pass_change(
    session: &Session,
    operation: &str,
    target: &str,
    context: &Context,
) -> anyhow::Result<Passed> {
    let effect = Effect::by_hand(format!("{DEFENDER}/{operation}"), target.to_owned(), &*context.clock);
    let passed = pass_session(session, &effect, context).await?;
    if passed == Passed::Observed {
        effect.say(context)?;
    }
    Ok(passed)
}

impl Effect {
    /// One that nobody will ask for twice.
    pub(crate) fn by_hand(operation: String, target: String, clock: &dyn Clock) -> Self {
        let reference = format!("call-{}-{}", clock.now().as_microsecond(), std::process::id());
        let (names, unlooked, door) = (Vec::new(), Vec::new(), Door::Call);
        Self { operation, target, names, unlooked, door, reference, undoes: false }
    }

    /// In observe mode: what would have been done.
    pub(crate) fn say(&self, context: &Context) -> anyhow::Result<()> {
        say(&json!({ "operation": self.operation, "target": self.target }).to_string())?;
        tell_observed(context);
        Ok(())
    }
}

pub(crate) fn tell_observed(context: &Context) {
    context.note("observe mode: this would have been done, and nothing was sent");
}

/// By what a device may be protected.
pub(crate) fn names_of(machine: &Machine) -> Vec<KnownAs> {
    let known = |by, text: &str| KnownAs { by, text: text.to_owned() };
    let mut names = vec![known(ProtectedBy::DeviceId, &machine.id.0)];
    names.extend(machine.name.as_ref().map(|name| known(ProtectedBy::DeviceName, name)));
    names.extend(machine.tags.iter().map(|tag| known(ProtectedBy::DeviceTag, tag)));
    names
}

/// A request of `call` on its way to the guardrails.
pub(crate) struct Gate {
    tenant: TenantKey,
    effect: Effect,
    subject: Subject,
    /// What has to be known of whom it meets.
    wanted: Vec<ProtectedBy>,
}

impl Gate {
    /// Sees what the request meets. Where everything is held the answer comes now, before anybody signs in for it.
    pub(crate) async fn of(
        tenant: TenantKey,
        operation: String,
        built: &BuiltRequest,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let (store, clock) = (database::look(context).await?, &*context.clock);
        let subject = Subject::of(built);
        let operation = subject.operation.map_or(operation, |known| format!("{DEFENDER}/{known}"));
        let ids: Vec<&str> = subject.met.iter().map(|met| met.id.as_str()).collect();
        let target = match ids[..] {
            [] => format!("{}{}", built.url.host_str().unwrap_or_default(), built.url.path()),
            _ => ids.join(", "),
        };
        let effect = Effect { undoes: subject.undoes, ..Effect::by_hand(operation, target, clock) };
        let rails = store.guardrails_in_force(Scope::Tenant(tenant)).await?;
        if rails.hold.is_some() {
            pass(&store, tenant, &effect, context).await?;
        }
        let is_met = |by: &ProtectedBy| {
            let kind = if by.is_of_users() { MetKind::User } else { MetKind::Device };
            subject.met.iter().any(|met| met.kind == kind)
        };
        let mut wanted: Vec<ProtectedBy> = rails.protected.iter().map(|rule| rule.by).filter(is_met).collect();
        wanted.dedup();
        Ok(Self { tenant, effect, subject, wanted })
    }

    /// Finds out by what the target may be protected, and asks.
    pub(crate) async fn pass(
        mut self,
        caller: &Caller,
        credential: &Credential,
        context: &Context,
    ) -> anyhow::Result<Passed> {
        // The names of a device may be written as its id, so that whatever is protected somehow is looked up.
        let is_looked_up = !self.wanted.is_empty() && !self.subject.undoes;
        if is_looked_up {
            self.effect.names = lookup::names(caller, credential, &self.subject.met, &self.wanted).await?;
        }
        // A rule that was set since, about what was not looked up, holds: the look would have to be made again.
        let meets = |kind: MetKind| self.subject.met.iter().any(|met| met.kind == kind);
        let looked_up = is_looked_up.then_some(&*self.wanted);
        self.effect.unlooked = ProtectedBy::unlooked(meets(MetKind::Device), meets(MetKind::User), looked_up);
        let store = database::look(context).await?;
        let passed = pass(&store, self.tenant, &self.effect, context).await?;
        if passed == Passed::Observed {
            tell_observed(context);
        }
        Ok(passed)
    }
}

/// May the actor of this store do that; for what the store itself does not ask, because it only reads.
pub(crate) fn require(store: &Store, permission: sortie_store::Permission, scope: Scope) -> Result<(), StoreError> {
    let actor = store.actor();
    if actor.may(permission, scope) {
        return Ok(());
    }
    let reach = if scope == Scope::Every { "for all tenants" } else { "for this tenant" };
    let kind = StoreErrorKind::Forbidden { who: actor.name.clone(), role: permission.least(), reach };
    Err(StoreError { doing: format!("let {} {}", actor.name, permission.words()), kind })
}

/// The connector to whose operations Defender's own commands come down.
pub(crate) const DEFENDER: &str = "microsoft-365-defender";

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn each_answer_is_a_sentence_with_the_next_step() {
        let clock = sortie_model::ManualClock::new(Timestamp::UNIX_EPOCH);
        let effect = Effect::by_hand("m/isolate".to_owned(), "dc-01".to_owned(), &clock);
        #[track_caller]
        fn check(admission: Admission, effect: &Effect, what: &str, next: &str) {
            let problem = verdict(admission, effect).unwrap_err();
            assert_eq!((problem.exit, problem.what.as_str()), (Exit::Guarded, what));
            assert!(problem.next.contains(next), "{}", problem.next);
        }
        let at: Timestamp = "2026-11-22T03:00:00.7Z".parse().unwrap();
        let held = Admission::Held { why: "drill".into(), by: "os:alice".into(), since: at };
        let since = "os:alice has held all effects since 2026-11-22T03:00:00Z (drill); nothing was sent";
        check(held, &effect, since, "guardrail release");
        let rule = Admission::Protected { rule: "device-name:dc-*".parse().unwrap() };
        check(rule, &effect, "dc-01 is protected by the rule device-name:dc-*; nothing was sent", "--unprotect");
        let over = Admission::OverCeiling { ceiling: 3, until: Some(at) };
        let times = "m/isolate may be carried out 3 times in an hour, and was; nothing was sent";
        check(over, &effect, times, "again at 2026-11-22T03:00:00Z; an administrator");
        let never = Admission::OverCeiling { ceiling: 0, until: None };
        check(never, &effect, "m/isolate may not be carried out at all; nothing was sent", "--ceiling m/isolate=N");
        assert_eq!(verdict(Admission::Observed, &effect).unwrap(), Passed::Observed);
    }
}
