//! Changes: fields are overwritten, comments are added once, and each API reads its own spelling.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sortie_model::{AlertId, IncidentId};
use sortie_transport::{Effect, Priority, Request};
use url::Url;

use crate::{
    Alert, Api, Classification, Comment, Defender, Determination, Followed, Status,
    error::{DefenderError, DefenderErrorKind},
    operation::Operation,
};

/// What to change; `None` leaves a member alone.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it stands now.
    pub status: Option<Status>,
    /// Who works on it; an empty text takes the person off.
    pub assigned_to: Option<String>,
    /// What it turned out to be.
    pub classification: Option<Classification>,
    /// Why.
    pub determination: Option<Determination>,
    /// All tags from now on; incidents only.
    pub tags: Option<Vec<String>>,
    /// One more comment.
    pub comment: Option<String>,
}

impl Change {
    /// Whether nothing at all is to be changed.
    pub fn is_empty(&self) -> bool {
        self.fields_are_empty() && self.comment.is_none()
    }

    fn fields_are_empty(&self) -> bool {
        self.status.is_none()
            && self.assigned_to.is_none()
            && self.classification.is_none()
            && self.determination.is_none()
            && self.tags.is_none()
    }

    fn body(&self, api: Api, determination: Option<&str>) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("status", self.status.as_ref().map(|status| status.spelled(api).into()));
        // Graph takes null for "nobody"; the XDR page documents a string only.
        let nobody = if api == Api::Graph { Value::Null } else { json!("") };
        put(
            "assignedTo",
            self.assigned_to.as_ref().map(|person| if person.is_empty() { nobody } else { person.as_str().into() }),
        );
        put("classification", self.classification.as_ref().map(|word| word.spelled(api).into()));
        put("determination", determination.map(Value::from));
        let tags = if api == Api::Graph { "customTags" } else { "tags" };
        put(tags, self.tags.as_ref().map(|tags| tags.clone().into()));
        Value::Object(body)
    }
}

impl Defender {
    /// Changes an incident, or the one that it was merged into, and returns it as it stands afterwards.
    ///
    /// Fields first, then the comment: a repeated field changes nothing, a repeated comment would be read twice.
    ///
    /// # Errors
    /// [`DefenderError`]; `InDoubt` when the answer to the comment was lost and looking did not settle it.
    pub async fn change_incident(&self, api: Api, id: &IncidentId, change: &Change) -> Result<Followed, DefenderError> {
        let Followed { incident, via } = self.incident(api, id).await?;
        let id = incident.id.clone();
        let doing = format!("change incident {id}");
        let (operation, path) = match api {
            Api::Graph => (Operation::IncidentWrite, ["v1.0", "security", "incidents", &id.0].to_vec()),
            Api::Xdr => (Operation::XdrIncidentWrite, ["api", "incidents", &id.0].to_vec()),
        };
        let url = self.address(operation, &path, &doing)?;
        if !change.fields_are_empty() {
            self.patch(operation, api, &url, change, &doing).await?;
        }
        if let Some(text) = &change.comment {
            let before = count(&incident.comments, text);
            let request = match api {
                Api::Graph => comment_request(&url, text),
                Api::Xdr => Request::patch(url).json(&json!({ "comment": text })).effect(Effect::Probed),
            };
            let look = async || {
                let comments = self.incident(api, &id).await?.incident.comments;
                Ok(count(&comments, text) > before)
            };
            self.comment_once(operation, request, &doing, look).await?;
        }
        let after = self.incident(api, &id).await?;
        Ok(Followed { incident: after.incident, via: [via, after.via].concat() })
    }

    /// Changes an alert and returns it as it stands afterwards. Alerts have no tags.
    ///
    /// # Errors
    /// As [`Defender::change_incident`].
    pub async fn change_alert(&self, id: &AlertId, change: &Change) -> Result<Alert, DefenderError> {
        let doing = format!("change alert {id}");
        if change.tags.is_some() {
            let sentence = "alerts have no tags; tag their incident".to_owned();
            return Err(DefenderError::new(&doing, DefenderErrorKind::Unsupported(sentence)));
        }
        let url = self.graph(&["v1.0", "security", "alerts_v2", &id.0]);
        if !change.fields_are_empty() {
            self.patch(Operation::AlertWrite, Api::Graph, &url, change, &doing).await?;
        }
        if let Some(text) = &change.comment {
            let before = count(&self.alert(id).await?.comments, text);
            let look = async || Ok(count(&self.alert(id).await?.comments, text) > before);
            self.comment_once(Operation::AlertWrite, comment_request(&url, text), &doing, look).await?;
        }
        self.alert(id).await
    }

    /// Overwrites the fields; a determination that the deployment spells the old way is tried again that way.
    async fn patch(
        &self,
        operation: Operation,
        api: Api,
        url: &Url,
        change: &Change,
        doing: &str,
    ) -> Result<(), DefenderError> {
        let usual = change.determination.as_ref().map(|word| word.spelled(api));
        let request = |determination| {
            let body = change.body(api, determination);
            Request::patch(url.clone()).json(&body).effect(Effect::Overwrite).priority(Priority::Response)
        };
        let refused = match self.call(operation, request(usual), doing).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let alternate = change.determination.as_ref().and_then(|word| word.alternate(api));
        match (&*refused.kind, alternate) {
            (DefenderErrorKind::Refused(error), Some(_)) if error.status == 400 => {
                self.call(operation, request(alternate), doing).await.map(drop)
            }
            _ => Err(refused),
        }
    }

    /// Adds a comment. When its fate is unknown, looks for it before anything is sent again.
    async fn comment_once(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
        look: impl AsyncFn() -> Result<bool, DefenderError>,
    ) -> Result<(), DefenderError> {
        // Transport repeats what surely did nothing (429, never sent); everything else comes back here.
        let mut doubt = None;
        for _ in 0..COMMENT_SENDS_MAX {
            match self.call(operation, request.clone(), doing).await {
                Ok(_) => return Ok(()),
                Err(error) if !is_in_doubt(&error) => return Err(error),
                Err(error) => doubt = Some(error),
            }
            // Absent counts only when the last look, after the settle time, could see: a look that fails shows nothing.
            let mut absent = false;
            for pause in LOOK_PAUSES {
                tokio::time::sleep(pause).await;
                match look().await {
                    Ok(true) => return Ok(()),
                    Ok(false) => absent = true,
                    Err(_) => absent = false,
                }
            }
            if !absent {
                break;
            }
        }
        let reason = doubt.map_or_else(String::new, |error| error.kind.to_string());
        Err(DefenderError::new(doing, DefenderErrorKind::InDoubt(reason)))
    }
}

fn comment_request(url: &Url, text: &str) -> Request {
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push("comments");
    }
    let body = json!({ "@odata.type": "microsoft.graph.security.alertComment", "comment": text });
    Request::post(url).json(&body).effect(Effect::Probed).priority(Priority::Response)
}

fn count(comments: &[Comment], text: &str) -> usize {
    comments.iter().filter(|comment| comment.text.trim() == text.trim()).count()
}

fn is_in_doubt(error: &DefenderError) -> bool {
    match &*error.kind {
        DefenderErrorKind::Send(error) => error.delivery() == sortie_transport::Delivery::Unknown,
        DefenderErrorKind::Failed(_) | DefenderErrorKind::Malformed(_) => true,
        _ => false,
    }
}

/// The second send happens only after a comment stayed absent for all looks.
const COMMENT_SENDS_MAX: usize = 2;
/// Together the time after which an accepted comment is surely shown (G).
const LOOK_PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(6)];
