//! A running cloud, the built-in connector over it, and applications that hold some roles.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use sortie_connector::{
    Answer, AnswerBody, BuiltIn, CallError, Caller, ClientProof, Credential, Grant, OAuthClient, Target,
};
use sortie_emulator::{ClockMode, EmulatorConfig};
use sortie_model::{Secret, SystemClock};
use sortie_openapi::{Description, Operation};
use sortie_testkit::{Registered, TestCloud};
use sortie_transport::{Guard, ProxySetting, RetryPolicy, Transport, TransportSettings};

/// One cloud with a clock that stands still, and no limit of calls but those that a test orders.
pub(crate) struct Stage {
    pub(crate) cloud: TestCloud,
    pub(crate) description: Description,
    transport: Transport,
    caller: Caller,
    target: Target,
    /// Holds every role of the connector: its reads show what others have done.
    reader: Option<Registered>,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let start = Some("2026-11-22T08:00:00Z".parse().unwrap());
        let config = EmulatorConfig { clock: ClockMode::Manual, start, ..EmulatorConfig::default() };
        let cloud = TestCloud::start_with(config).await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let guard = Guard::allowing([cloud.emulator().http().to_string()]).unwrap();
        let transport = Transport::new(settings).unwrap().guarded(guard);
        let policy = RetryPolicy { attempts_max: 2, wait_total_max: WAIT_MAX, ..RetryPolicy::default() };
        let caller = Caller::new(transport.clone(), Arc::new(SystemClock), 8).with_policy(policy);
        let target = Target { base: Some(cloud.url().parse().unwrap()), variables: Map::new() };
        let description = BuiltIn::of("microsoft-365-defender").unwrap().description();
        let mut stage = Self { cloud, description, transport, caller, target, reader: None };
        stage.reader = Some(stage.of_all_roles().await);
        stage
    }

    pub(crate) fn reader(&self) -> &Registered {
        self.reader.as_ref().expect("it was registered at the start")
    }

    /// An application with every role that any operation names.
    pub(crate) async fn of_all_roles(&self) -> Registered {
        let operations = self.description.operations.iter();
        let mut roles: Vec<(&str, &str)> = operations
            .flat_map(|operation| alternatives(operation).into_iter().flatten().map(|role| (audience(operation), role)))
            .collect();
        roles.sort_unstable();
        roles.dedup();
        self.cloud.application(&roles).await
    }

    /// An application with these roles of the operation's API.
    pub(crate) async fn with_roles(&self, operation: &Operation, roles: &[&str]) -> Registered {
        let roles: Vec<(&str, &str)> = roles.iter().map(|role| (audience(operation), *role)).collect();
        self.cloud.application(&roles).await
    }

    #[track_caller]
    pub(crate) fn operation(&self, id: &str) -> &Operation {
        self.description.operation(id).unwrap_or_else(|| panic!("there is no operation `{id}`"))
    }

    /// Asks for a token for the operation's API and calls it.
    pub(crate) async fn call(&self, actor: &Registered, id: &str, inputs: &Value) -> Result<Answer, CallError> {
        let operation = self.operation(id);
        let inputs = inputs.as_object().unwrap();
        let credential = self.credential(actor, operation).await;
        self.caller.call(&self.description, operation, inputs, &self.target, &credential).await
    }

    async fn credential(&self, actor: &Registered, operation: &Operation) -> Credential {
        let base = self.target.base.as_ref().unwrap();
        let client = OAuthClient {
            token_url: base.join(&format!("/{}/oauth2/v2.0/token", actor.tenant)).unwrap(),
            client_id: actor.client_id.clone(),
            proof: ClientProof::Post(Secret::new(actor.secret.clone())),
        };
        let wanted = client.wanted(&[".default".to_owned()], operation, base).unwrap();
        let token = client.token(&self.transport, &SystemClock, Grant::ClientCredentials, &wanted).await;
        Credential::Bearer(token.unwrap_or_else(|error| panic!("{}: {error}", operation.id)).secret)
    }

    /// The JSON of a call by the application that holds every role.
    pub(crate) async fn read(&self, id: &str, inputs: Value) -> Value {
        let answer = self.call(self.reader(), id, &inputs).await;
        json_of(&answer.unwrap_or_else(|error| panic!("{id} with {inputs}: {error}")))
    }

    /// The list of such an answer.
    pub(crate) async fn list(&self, id: &str, inputs: Value) -> Vec<Value> {
        let answer = self.read(id, inputs.clone()).await;
        let list = ["value", "data", "results"].iter().find_map(|name| answer[*name].as_array());
        list.unwrap_or_else(|| panic!("{id} with {inputs} gives no list: {answer}")).clone()
    }

    pub(crate) async fn hunt(&self, query: &str) -> Vec<Value> {
        self.list("run-hunting-query", json!({ "Query": query })).await
    }

    pub(crate) async fn advance(&self, seconds: u32) {
        self.cloud.post("/clock/advance", &json!({ "seconds": seconds })).await;
    }

    /// Calls of an application that reached an API, by status.
    pub(crate) async fn calls(&self, actor: &Registered) -> Vec<(u64, u64)> {
        let counters = self.cloud.get("/counters").await;
        let calls = counters["calls"].as_array().unwrap().iter();
        let own = calls.filter(|call| call["appId"] == actor.client_id.as_str() && call["service"] != "entra");
        own.map(|call| (call["status"].as_u64().unwrap(), call["count"].as_u64().unwrap())).collect()
    }
}

/// What the token is for.
pub(crate) fn audience(operation: &Operation) -> &str {
    operation.guidance.audience.as_deref().unwrap_or_else(|| panic!("{} names no audience", operation.id))
}

/// Sets of roles, each of which suffices.
pub(crate) fn alternatives(operation: &Operation) -> Vec<Vec<&str>> {
    operation.guidance.roles.iter().map(|roles| roles.split(" + ").collect()).collect()
}

/// The body as JSON; null where there is none.
pub(crate) fn json_of(answer: &Answer) -> Value {
    match &answer.body {
        AnswerBody::Json(value) => value.clone(),
        _ => Value::Null,
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// No call of these tests waits longer for the service.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(5);
