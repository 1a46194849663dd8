//! Guardrails as they are kept, and the ledger of what they admitted: the one place that every effect passes, whichever
//! door it came through.

use jiff::Timestamp;
use rusqlite::{Connection as Sqlite, OptionalExtension, params};
use serde_json::{Value, json};

use crate::{
    Admission, EffectRequest, Guardrails, Hold, Permission, Rule, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act, record},
    database::instant,
    feed::{ChangeKind, note},
    guardrails::{Counted, HOUR},
    writer::Writing,
};

/// What is changed of the guardrails of a tenant; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardrailChange {
    /// Rules that are added.
    pub protect: Vec<Rule>,
    /// Rules that go; one that is not there is no error.
    pub unprotect: Vec<Rule>,
    /// Ceilings by operation; without a number the setting goes, and what comes with Sortie holds again.
    pub ceilings: Vec<(String, Option<u32>)>,
    /// Whether nothing is sent.
    pub observe: Option<bool>,
}

impl Store {
    /// What is set for the scope's tenant itself, apart from what is shared.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant.
    pub async fn guardrails(&self, scope: Scope) -> Result<Guardrails, StoreError> {
        self.read("read guardrails", move |sqlite| own(sqlite, scope.owner()?)).await
    }

    /// What holds for the scope's tenant: its own settings and the shared ones.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant.
    pub async fn guardrails_in_force(&self, scope: Scope) -> Result<Guardrails, StoreError> {
        let (edition, tenant) =
            (self.settings_edition(), scope.owner().map_err(|kind| StoreError::new("read guardrails", kind))?);
        if let Some(known) = self.inner.guardrails.get(edition, &tenant) {
            return Ok(known);
        }
        let rails = self.read("read guardrails", move |sqlite| in_force(sqlite, tenant)).await?;
        self.inner.guardrails.put(edition, tenant, rails.clone());
        Ok(rails)
    }

    /// Changes what is protected, ceilings and whether it is only observed.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom it is not granted, [`StoreErrorKind::TooMany`] beyond 1,000 rules.
    pub async fn change_guardrails(&self, scope: Scope, change: GuardrailChange) -> Result<Guardrails, StoreError> {
        let detail = json!({
            "protect": texts(&change.protect), "unprotect": texts(&change.unprotect), "observe": change.observe,
            "ceilings": change.ceilings.iter().map(|(name, ceiling)| (name.clone(), json!(ceiling))).collect::<serde_json::Map<_, _>>(),
        });
        self.set_guardrails("change guardrails", scope, ("guardrail.set", detail), move |mut rails, _| {
            rails.protected.retain(|rule| !change.unprotect.contains(rule));
            rails.protected.extend(change.protect);
            rails.protected.sort();
            rails.protected.dedup();
            for (operation, ceiling) in change.ceilings {
                match ceiling {
                    Some(ceiling) => drop(rails.ceilings.insert(operation, ceiling)),
                    None => drop(rails.ceilings.remove(&operation)),
                }
            }
            rails.observe = change.observe.unwrap_or(rails.observe);
            let count = rails.protected.len().max(rails.ceilings.len()) as u64;
            if count > RULES_MAX {
                let what = "the list of guardrails".to_owned();
                return Err(StoreErrorKind::TooMany { what, count, count_max: RULES_MAX });
            }
            Ok(rails)
        })
        .await
    }

    /// Holds every effect of the tenant, or of all with the shared one. Held again, the first reason stays.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn hold_effects(&self, scope: Scope, why: &str) -> Result<Guardrails, StoreError> {
        let (why, by) = (why.to_owned(), self.actor().name.clone());
        let detail = json!({ "why": why });
        self.set_guardrails("hold all effects", scope, ("guardrail.hold", detail), move |rails, since| {
            let hold = rails.hold.or(Some(Hold { by, since, why }));
            Ok(Guardrails { hold, ..rails })
        })
        .await
    }

    /// Lets effects leave again.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn release_effects(&self, scope: Scope) -> Result<Guardrails, StoreError> {
        self.set_guardrails("release effects", scope, ("guardrail.release", json!({})), |rails, _| {
            Ok(Guardrails { hold: None, ..rails })
        })
        .await
    }

    /// Asks for an effect that leaves by hand, and writes the answer into the audit log.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom no effect is granted there.
    pub async fn admit_effect(&self, scope: Scope, request: EffectRequest) -> Result<Admission, StoreError> {
        let actor = self.actor();
        self.write(&format!("admit {}", request.operation), move |writing| {
            actor.require(Permission::Act, scope)?;
            let tenant = scope.owner()?;
            let admission = admit(writing, tenant, &request)?;
            let action = match &admission {
                Admission::Admitted => "effect.admit",
                Admission::Held { .. } => "effect.hold",
                Admission::OverCeiling { .. } | Admission::Protected { .. } => "effect.refuse",
                Admission::Observed => "effect.observe",
            };
            let rule = match &admission {
                Admission::Protected { rule } => Some(rule.to_string()),
                Admission::OverCeiling { ceiling, .. } => Some(format!("{ceiling} in an hour")),
                _ => None,
            };
            let detail = json!({
                "target": request.target, "door": request.door.as_str(), "reference": request.reference, "rule": rule,
            });
            record(writing, &actor, tenant, (action, &request.operation, &detail), request.now)?;
            Ok(admission)
        })
        .await
    }

    async fn set_guardrails(
        &self,
        doing: &str,
        scope: Scope,
        (action, detail): (&'static str, Value),
        change: impl FnOnce(Guardrails, Timestamp) -> Result<Guardrails, StoreErrorKind> + Send + 'static,
    ) -> Result<Guardrails, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(doing, move |writing| {
            let tenant = scope.owner()?;
            let object = tenant.to_string();
            let deed = Deed { permission: Permission::ManageGuardrails, scope, action, object: object.clone(), detail };
            act(writing, &actor, &deed, now)?;
            let rails = change(own(writing, tenant)?, now)?;
            keep(writing, tenant, &rails, now)?;
            note(writing, tenant, ChangeKind::Guardrail, &object, now);
            Ok(rails)
        })
        .await
    }
}

/// Decides about an effect and counts it where it is admitted, within the transaction that lets it leave.
pub(crate) fn admit(
    writing: &Writing<'_>,
    tenant: TenantKey,
    request: &EffectRequest,
) -> Result<Admission, StoreErrorKind> {
    let admission = judge(writing, tenant, request)?;
    if admission == Admission::Admitted {
        count(writing, tenant, request)?;
    }
    Ok(admission)
}

/// Decides about an effect, and writes nothing.
pub(crate) fn judge(
    writing: &Writing<'_>,
    tenant: TenantKey,
    request: &EffectRequest,
) -> Result<Admission, StoreErrorKind> {
    let rails = writing.guardrails(tenant, |sqlite| in_force(sqlite, tenant))?;
    let counted = counted(writing, tenant, request, rails.ceiling(&request.operation))?;
    Ok(rails.decide(request, counted))
}

/// Counts an effect that is admitted; what has no ceiling is not counted.
pub(crate) fn count(writing: &Writing<'_>, tenant: TenantKey, request: &EffectRequest) -> Result<(), StoreErrorKind> {
    let rails = writing.guardrails(tenant, |sqlite| in_force(sqlite, tenant))?;
    if rails.ceiling(&request.operation).is_none() {
        return Ok(());
    }
    let sql = "SELECT max(number) FROM effects WHERE tenant_id = ?1 AND operation = ?2";
    let last: Option<i64> =
        writing.prepare_cached(sql)?.query_row(params![tenant, request.operation], |row| row.get(0))?;
    let number = (!request.undoes).then(|| last.unwrap_or(0) + 1);
    let sql = "INSERT INTO effects (tenant_id, reference, operation, target, undoes, door, at_us, number)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let row = params![
        tenant,
        request.reference,
        request.operation,
        request.target,
        request.undoes,
        request.door.as_str(),
        request.now.as_microsecond(),
        number
    ];
    writing.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn counted(
    sqlite: &Sqlite,
    tenant: TenantKey,
    request: &EffectRequest,
    ceiling: Option<u32>,
) -> Result<Counted, StoreErrorKind> {
    let same = "SELECT 1 FROM effects WHERE tenant_id = ?1 AND reference = ?2 AND operation = ?3 AND target = ?4 AND undoes = ?5";
    let row = params![tenant, request.reference, request.operation, request.target, request.undoes];
    let before = sqlite.prepare_cached(same)?.exists(row)?;
    let Some(place) = ceiling.and_then(|ceiling| ceiling.checked_sub(1)) else {
        return Ok(Counted { before, oldest_that_counts: None });
    };
    let sql = "SELECT at_us FROM effects WHERE tenant_id = ?1 AND operation = ?2 AND number <=
                   (SELECT max(number) FROM effects WHERE tenant_id = ?1 AND operation = ?2) - ?3 ORDER BY number DESC LIMIT 1";
    let since = request.now.as_microsecond().saturating_sub(HOUR.as_secs() * 1_000_000);
    let row = params![tenant, request.operation, place];
    let oldest: Option<i64> = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    Ok(Counted { before, oldest_that_counts: oldest.filter(|at| *at > since).map(instant) })
}

fn in_force(sqlite: &Sqlite, tenant: TenantKey) -> Result<Guardrails, StoreErrorKind> {
    let shared = own(sqlite, TenantKey::SHARED)?;
    if tenant == TenantKey::SHARED { Ok(shared) } else { Ok(own(sqlite, tenant)?.with(&shared)) }
}

fn own(sqlite: &Sqlite, tenant: TenantKey) -> Result<Guardrails, StoreErrorKind> {
    let sql = "SELECT protected, ceilings, observe, held_us, held_by, held_why FROM guardrails WHERE tenant_id = ?1";
    let found = sqlite.prepare_cached(sql)?.query_row([tenant], |row| {
        let broken = |at: usize, what: &'static str| {
            rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, what.into())
        };
        let (protected, ceilings): (String, String) = (row.get(0)?, row.get(1)?);
        // A rule that cannot be read protects nobody, so that nothing may pass until somebody has looked.
        let rules: Vec<String> = serde_json::from_str(&protected).map_err(|_| broken(0, "no list of rules"))?;
        let rules: Result<Vec<Rule>, _> = rules.iter().map(|rule| rule.parse()).collect();
        let held: Option<(i64, String, String)> = match row.get(3)? {
            Some(since) => Some((since, row.get(4)?, row.get(5)?)),
            None => None,
        };
        Ok(Guardrails {
            protected: rules.map_err(|_| broken(0, "a rule that is none"))?,
            ceilings: serde_json::from_str(&ceilings).map_err(|_| broken(1, "no list of ceilings"))?,
            observe: row.get(2)?,
            hold: held.map(|(since, by, why)| Hold { by, since: instant(since), why }),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

fn keep(sqlite: &Sqlite, tenant: TenantKey, rails: &Guardrails, now: Timestamp) -> Result<(), StoreErrorKind> {
    let sql =
        "INSERT INTO guardrails (tenant_id, protected, ceilings, observe, held_us, held_by, held_why, changed_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant_id) DO UPDATE
               SET protected = ?2, ceilings = ?3, observe = ?4, held_us = ?5, held_by = ?6, held_why = ?7, changed_us = ?8";
    let hold = rails.hold.as_ref();
    sqlite.prepare_cached(sql)?.execute(params![
        tenant,
        json!(texts(&rails.protected)).to_string(),
        json!(rails.ceilings).to_string(),
        rails.observe,
        hold.map(|hold| hold.since.as_microsecond()),
        hold.map(|hold| &hold.by),
        hold.map(|hold| &hold.why),
        now.as_microsecond()
    ])?;
    Ok(())
}

fn texts(rules: &[Rule]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

const RULES_MAX: u64 = 1_000;
