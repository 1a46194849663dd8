//! Cases beside a document: what a run is given, what people answer, and what must come of it.
//!
//! ```yaml
//! - name: a device is isolated and released
//!   pick: { incident: worst, device: onboarded }
//!   inputs: { incident: "{{ picked.incident.id }}", device: "{{ picked.device.id }}" }
//!                                           # a workflow with `needs: incident` gets `pick.incident` itself
//!   decide: [approve]                       # reject, expire; yes where nothing is said
//!   expect:
//!     outcome: succeeded
//!     steps: { isolate: succeeded }         # those that are named
//!     effects: { "POST /api/machines/{id}/isolate": 1 }   # these, and no other
//!     output: { status: Succeeded }         # at least this
//! ```

use std::fmt;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sortie_defender::normal;
use sortie_engine::text::{Problems, read};
use sortie_runner::{Outside, Wanted};

use super::Seen;
use crate::{exit::Problem, simulation::Simulation};

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub name: String,
    /// Objects, by the name under which `inputs` read them.
    #[serde(default)]
    pub pick: Map<String, Value>,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    #[serde(default)]
    pub decide: Vec<String>,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: String,
    #[serde(default)]
    steps: Map<String, Value>,
    effects: Option<Map<String, Value>>,
    output: Option<Value>,
}

/// What is not as expected, a line each.
#[derive(Debug, Default)]
pub(super) struct Differences(Vec<String>);

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What went wrong on the way tells why something differs.
    pub(super) fn explain(&mut self, troubles: &[String]) {
        if !self.is_empty() {
            self.0.extend(troubles.iter().map(|trouble| format!("({trouble})")));
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n"))
    }
}

impl Case {
    /// Reads the cases of a file.
    pub(super) fn all(text: &str) -> Result<Vec<Self>, String> {
        let mut problems = Problems::default();
        let root = read(text, &mut problems);
        if let Some(problem) = problems.into_sorted().first() {
            return Err(problem.to_string());
        }
        let root = root.ok_or("it is empty")?;
        let cases: Vec<Self> = serde_json::from_value(root.to_json()).map_err(|error| error.to_string())?;
        let words = ["approve", "reject", "expire"];
        match cases.iter().flat_map(|case| &case.decide).find(|word| !words.contains(&word.as_str())) {
            Some(word) => Err(format!("`decide` takes approve, reject or expire, and not `{word}`")),
            None => Ok(cases),
        }
    }

    /// What is not as expected.
    pub(super) fn compare(&self, seen: &Seen) -> Differences {
        let Expect { outcome, steps, effects, output } = &self.expect;
        let mut differences = Differences::default();
        let mut differ = |what: String, found: &Value, wanted: &Value| {
            if found != wanted {
                differences.0.push(format!("{what}: {found} instead of {wanted}"));
            }
        };
        differ("outcome".to_owned(), &json!(seen.outcome), &json!(outcome));
        for (step, wanted) in steps {
            differ(format!("step {step}"), seen.steps.get(step).unwrap_or(&Value::Null), wanted);
        }
        if let Some(effects) = effects {
            for (call, wanted) in effects {
                differ(format!("effect {call}"), seen.effects.get(call).unwrap_or(&json!(0)), wanted);
            }
            for (call, found) in seen.effects.iter().filter(|(call, _)| !effects.contains_key(*call)) {
                differ(format!("effect {call}"), found, &json!(0));
            }
        }
        if let Some(wanted) = output.as_ref().filter(|wanted| !has(&seen.output, wanted)) {
            differences.0.push(format!("output: {} instead of {wanted}", seen.output));
        }
        differences
    }
}

/// Whether everything that is wanted is there.
fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| has(found, wanted)))
        }
        (found, wanted) => found == wanted,
    }
}

/// Objects of the cloud, or as the case itself has them; incidents, alerts and devices in their normal shape.
pub(super) async fn pick(simulation: &Simulation, wishes: &Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    let mut picked = Map::new();
    for (name, wish) in wishes {
        let kind = name.split('_').next().unwrap_or(name);
        let found = match (kind, wish.as_str().unwrap_or_default()) {
            _ if wish.is_object() => Some(wish.clone()),
            ("incident", "worst") => worst(&list(simulation, "list-incidents", json!({ "$expand": "alerts" })).await?),
            ("incident", _) => {
                list(simulation, "list-incidents", json!({ "$expand": "alerts" })).await?.into_iter().next()
            }
            ("device", _) => {
                let wanted = json!({ "$filter": "onboardingStatus eq 'Onboarded'" });
                list(simulation, "list-devices", wanted).await?.into_iter().next()
            }
            ("alert", _) => list(simulation, "list-alerts", json!({})).await?.into_iter().next(),
            ("user", _) => user(simulation).await?,
            _ => None,
        };
        let shaped = found.and_then(|found| match kind {
            "incident" => normal::incident(&found),
            "alert" => normal::alert(&found),
            "device" => normal::device(&found),
            _ => Some(found),
        });
        let found = shaped.ok_or_else(|| {
            let next =
                "It takes incident: worst, incident: any, device: onboarded, alert: any, user: any, or an object with its id.";
            Problem::usage(format!("`pick` finds no `{name}: {wish}`"), next)
        })?;
        picked.insert(name.clone(), found);
    }
    Ok(picked)
}

/// A person whom an alert is about.
async fn user(simulation: &Simulation) -> anyhow::Result<Option<Value>> {
    let alerts = list(simulation, "list-alerts", json!({})).await?;
    let evidence = alerts.iter().filter_map(|alert| alert["evidence"].as_array()).flatten();
    let account =
        evidence.map(|evidence| &evidence["userAccount"]).find(|account| account["azureAdUserId"].is_string());
    Ok(account
        .map(|account| json!({ "id": account["azureAdUserId"], "userPrincipalName": account["userPrincipalName"] })))
}

fn worst(incidents: &[Value]) -> Option<Value> {
    let rank = |incident: &&Value| {
        let severity = incident["severity"].as_str().unwrap_or_default();
        let severity =
            ["unknown", "informational", "low", "medium", "high"].iter().position(|known| *known == severity);
        (incident["status"] == "active", severity, incident["alerts"].as_array().map_or(0, Vec::len))
    };
    incidents.iter().max_by_key(rank).cloned()
}

async fn list(simulation: &Simulation, operation: &str, inputs: Value) -> anyhow::Result<Vec<Value>> {
    let answer = call(simulation, operation, inputs).await?;
    Ok(answer["value"].as_array().cloned().unwrap_or_default())
}

/// Calls Defender's connector through the simulation's own connection.
async fn call(simulation: &Simulation, operation: &str, inputs: Value) -> anyhow::Result<Value> {
    let tenant = simulation.tenant.key;
    let product = simulation.products.product(tenant, "microsoft-365-defender", None).await?;
    let operation = product.description.operation_called(operation).context("the connector has this operation")?;
    let wanted = Wanted { tenant, product: &product, operation: Some(operation), name: None };
    let connected = simulation.products.connect(wanted).await?;
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    let (target, credential) = (&connected.target, &connected.credential);
    let answer = connected.caller.call(&product.description, operation, &inputs, target, credential).await?;
    match answer.body {
        sortie_connector::AnswerBody::Json(value) => Ok(value),
        _ => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let case = |expect: &str| {
            Case::all(&format!("- {{ name: a, decide: [approve], expect: {{ {expect} }} }}\n")).unwrap().remove(0)
        };
        let seen = Seen {
            outcome: "succeeded".to_owned(),
            steps: json!({ "a": "skipped" }).as_object().unwrap().clone(),
            output: json!({ "x": { "y": 1, "z": 2 } }),
            effects: json!({ "POST /a": 2 }).as_object().unwrap().clone(),
            troubles: Vec::new(),
        };
        #[track_caller]
        fn check(case: &Case, seen: &Seen, expected: &[&str]) {
            assert_eq!(case.compare(seen).0, expected);
        }
        check(&case("outcome: succeeded, steps: { a: skipped }, output: { x: { y: 1 } }"), &seen, &[]);
        check(&case("outcome: failed"), &seen, &[r#"outcome: "succeeded" instead of "failed""#]);
        check(&case("outcome: succeeded, steps: { b: failed }"), &seen, &[r#"step b: null instead of "failed""#]);
        check(&case("outcome: succeeded, effects: {}"), &seen, &["effect POST /a: 2 instead of 0"]);
        check(
            &case("outcome: succeeded, effects: { POST /b: 1, POST /a: 2 }"),
            &seen,
            &["effect POST /b: 0 instead of 1"],
        );
        check(
            &case("outcome: succeeded, output: { x: { y: 2 } }"),
            &seen,
            &[r#"output: {"x":{"y":1,"z":2}} instead of {"x":{"y":2}}"#],
        );
        for wrong in ["- name: a\n", "- { name: a, decide: [maybe], expect: { outcome: x } }\n", "a: [", ""] {
            assert!(Case::all(wrong).is_err(), "{wrong}");
        }
    }
}
