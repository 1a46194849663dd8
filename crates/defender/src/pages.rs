//! Lists, page by page: every object once, whatever happens between two pages.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sortie_transport::{Request, Response, RetryPolicy, SendErrorKind};
use url::Url;

use crate::{
    Api, Classification, Defender, Determination, Document, Incident, Severity, Status,
    client::{MALFORMED_ATTEMPTS_MAX, MALFORMED_PAUSE, is_service_failure, malformed},
    document::{Page, read_page},
    error::{DefenderError, DefenderErrorKind},
    operation::Operation,
};

/// Which incidents are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Where they stand.
    pub status: Option<Status>,
    /// How bad; XDR cannot filter by it, so it is compared here.
    pub severity: Option<Severity>,
    /// Exactly this person.
    pub assigned_to: Option<String>,
    /// Made at or after.
    pub created_since: Option<Timestamp>,
    /// Changed at or after.
    pub updated_since: Option<Timestamp>,
    /// Changed before.
    pub updated_before: Option<Timestamp>,
    /// Bring the alerts along.
    pub with_alerts: bool,
}

/// Which alerts are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Where they stand.
    pub status: Option<Status>,
    /// How bad.
    pub severity: Option<Severity>,
    /// Exactly this person.
    pub assigned_to: Option<String>,
    /// What it turned out to be.
    pub classification: Option<Classification>,
    /// Why.
    pub determination: Option<Determination>,
    /// The product that raised it, in Graph's spelling: `microsoftDefenderForEndpoint`.
    pub service_source: Option<String>,
    /// Made at or after.
    pub created_since: Option<Timestamp>,
    /// Changed at or after.
    pub updated_since: Option<Timestamp>,
}

/// A list that is being read. Each object comes once, also when pages overlap or shift while they are read, and a list
/// that brought less than the service counted is read a second time.
#[derive(Debug)]
pub struct Pages<'a> {
    defender: &'a Defender,
    operation: Operation,
    doing: &'static str,
    id_name: &'static str,
    /// The list from its start, for pages that no link leads to.
    list: Url,
    /// `None` at the end.
    next: Option<Url>,
    /// A page with fewer objects and without a link is the last one.
    last_below: usize,
    /// The service answers 404 where nothing matches.
    empty_when_not_found: bool,
    severity: Option<Severity>,
    /// Alerts by incident, once `$expand` has failed for good.
    separate: Option<HashMap<String, Vec<Document>>>,
    seen: Seen,
    /// How many objects the service counted in the list, where it counts.
    counted: Option<u64>,
    links: HashSet<String>,
    notes: Vec<Note>,
}

/// What has come so far.
#[derive(Debug, Default)]
struct Seen {
    /// By id: the reading in which it came last.
    last: HashMap<String, Reading>,
    reading: Reading,
    /// Different objects of this reading.
    in_reading: usize,
    /// Objects without an id; they cannot be told apart.
    unnamed: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    First,
    Second,
}

/// What a reader of the list should know, though nothing was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// `nextLink` named another host; the page was asked from the configured one, and no token left for the other.
    ForeignNextLink {
        /// The host that the link named.
        host: String,
    },
    /// An object had to be mended to be read.
    Mended {
        /// Its id, where it has one.
        id: Option<String>,
        /// What was wrong with it.
        defect: crate::Defect,
    },
    /// `$expand=alerts` kept failing, so incidents and alerts were asked for separately.
    ExpandFailed,
    /// Fewer objects came than the service had counted, so the list was read a second time.
    ReadAgain {
        /// What the service counted.
        counted: u64,
        /// How many had come.
        listed: usize,
    },
}

impl Defender {
    /// The incidents that match, newest first, as the services list them.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn incidents(&self, api: Api, filter: &IncidentFilter) -> Result<Pages<'_>, DefenderError> {
        let doing = "list incidents";
        let (operation, id_name, list, last_below) = match api {
            Api::Graph => {
                let mut url = self.address(Operation::IncidentRead, &["v1.0", "security", "incidents"], doing)?;
                url.query_pairs_mut()
                    .append_pair("$top", &GRAPH_INCIDENTS_TOP.to_string())
                    .append_pair("$count", "true");
                if filter.with_alerts {
                    url.query_pairs_mut().append_pair("$expand", "alerts");
                }
                add_filter(&mut url, &filter.graph_terms());
                (Operation::IncidentRead, "id", url, GRAPH_INCIDENTS_TOP)
            }
            Api::Xdr => {
                let mut url = self.address(Operation::XdrIncidentList, &["api", "incidents"], doing)?;
                url.query_pairs_mut().append_pair("$top", XDR_TOP);
                add_filter(&mut url, &filter.xdr_terms());
                // No link is documented for this list, and an object that is indexed late makes any page short.
                (Operation::XdrIncidentList, "incidentId", url, 1)
            }
        };
        let severity = filter.severity.clone().filter(|_| api == Api::Xdr);
        Ok(Pages { last_below, severity, ..Pages::of(self, operation, doing, id_name, list) })
    }

    /// The alerts that match, newest first, through Graph.
    pub fn alerts(&self, filter: &AlertFilter) -> Pages<'_> {
        let mut url = self.graph(&["v1.0", "security", "alerts_v2"]);
        url.query_pairs_mut().append_pair("$top", &GRAPH_ALERTS_TOP.to_string()).append_pair("$count", "true");
        add_filter(&mut url, &filter.terms());
        Pages { last_below: GRAPH_ALERTS_TOP, ..Pages::of(self, Operation::AlertRead, "list alerts", "id", url) }
    }
}

impl<'a> Pages<'a> {
    /// The list at this address.
    pub(crate) fn of(
        defender: &'a Defender,
        operation: Operation,
        doing: &'static str,
        id_name: &'static str,
        list: Url,
    ) -> Self {
        Self {
            defender,
            operation,
            doing,
            id_name,
            next: Some(list.clone()),
            list,
            last_below: 1,
            empty_when_not_found: false,
            severity: None,
            separate: None,
            seen: Seen::default(),
            counted: None,
            links: HashSet::new(),
            notes: Vec::new(),
        }
    }

    /// A page of this size without a link is not taken for the last one.
    pub(crate) fn full_at(self, count: usize) -> Self {
        Self { last_below: count, ..self }
    }

    /// Graph sorts by the time of change; what changes meanwhile moves to the end.
    pub(crate) fn oldest_change_first(mut self) -> Self {
        self.list.query_pairs_mut().append_pair("$orderby", "lastUpdateDateTime asc");
        self.next = Some(self.list.clone());
        self
    }

    pub(crate) fn empty_when_not_found(self) -> Self {
        Self { empty_when_not_found: true, ..self }
    }

    /// The next objects that have not come before; `None` at the end. A page may be empty and still not be the last.
    ///
    /// # Errors
    /// [`DefenderError`]; what was delivered before stays valid, and the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<Document>>, DefenderError> {
        let Some(url) = self.next.clone() else { return Ok(None) };
        match self.read(&url).await {
            Err(error) if is_service_failure(&error) && without_expand(&url) != url => {
                Box::pin(self.without_expand(&url)).await
            }
            Err(error) if self.empty_when_not_found && matches!(&*error.kind, DefenderErrorKind::NotFound(_)) => {
                self.next = None;
                Ok(Some(Vec::new()))
            }
            page => Ok(Some(self.take(page?, &url)?)),
        }
    }

    /// What the reader should know so far; each note once.
    pub fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Reads one page; an answer with status 200 that is not the API's is asked for again, for a gateway gave it. So is,
    /// once, a page that is too large: no page of the API is, and what stood in its place may have passed.
    async fn read(&self, url: &Url) -> Result<Page, DefenderError> {
        let policy = match url.query().is_some_and(|query| query.contains("expand")) {
            true => RetryPolicy { attempts_max: 3, ..self.defender.policy.clone() },
            false => self.defender.policy.clone(),
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let response = match self.ask(url, &policy).await {
                Err(error) if is_too_large(&error) && attempt == 1 => {
                    tokio::time::sleep(MALFORMED_PAUSE).await;
                    continue;
                }
                response => response?,
            };
            let reason = match read_page(&response.body) {
                Ok(page) => return Ok(page),
                Err(_) if response.is_html() => "a web page instead of JSON, from a proxy or gateway".to_owned(),
                Err(error) => format!("not a list in JSON ({error})"),
            };
            if attempt >= MALFORMED_ATTEMPTS_MAX {
                return Err(malformed(self.doing, &reason));
            }
            tokio::time::sleep(MALFORMED_PAUSE * attempt).await;
        }
    }

    async fn ask(&self, url: &Url, policy: &RetryPolicy) -> Result<Response, DefenderError> {
        self.defender.call_with(self.operation, Request::get(url.clone()), self.doing, policy).await
    }

    /// Goes on without `$expand` and brings the alerts by a list of their own.
    async fn without_expand(&mut self, url: &Url) -> Result<Option<Vec<Document>>, DefenderError> {
        self.note(Note::ExpandFailed);
        if self.separate.is_none() {
            self.separate = Some(self.alerts_by_incident().await?);
        }
        self.list = without_expand(&self.list);
        let plain = without_expand(url);
        let page = self.read(&plain).await?;
        Ok(Some(self.take(page, &plain)?))
    }

    /// All alerts: the incident's id is no documented filter.
    async fn alerts_by_incident(&mut self) -> Result<HashMap<String, Vec<Document>>, DefenderError> {
        let mut pages = self.defender.alerts(&AlertFilter::default());
        let mut by_incident: HashMap<String, Vec<Document>> = HashMap::new();
        while let Some(page) = Box::pin(pages.next()).await? {
            for alert in page {
                if let Some(incident) = alert.id("incidentId") {
                    by_incident.entry(incident).or_default().push(alert);
                }
            }
        }
        for note in pages.notes() {
            self.note(note);
        }
        Ok(by_incident)
    }

    /// What is new in a page, and where the next one is.
    ///
    /// Alerts asked for with `$top` are known to come without a link although there are more, so a full page without one
    /// goes on by `$skip`, as both services document it, until a page brings nothing new.
    fn take(&mut self, page: Page, asked: &Url) -> Result<Vec<Document>, DefenderError> {
        let link = page.next_link.as_deref().map(|link| self.followed(link, asked)).transpose()?;
        self.counted = self.counted.or(page.count);
        let (count, seen_before) = (page.items.len(), self.seen.in_reading);
        let fresh = self.fresh(page.items);
        let goes_on = count >= self.last_below && self.seen.in_reading > seen_before;
        self.next = link.or_else(|| goes_on.then(|| self.skipping(self.seen.in_reading)));
        if self.next.is_none() {
            self.read_again_where_less_came();
        }
        Ok(fresh)
    }

    /// An object that is indexed while its page is read is in no page, but it is in the count of the list.
    fn read_again_where_less_came(&mut self) {
        let listed = self.seen.last.len() + self.seen.unnamed;
        match self.counted {
            Some(counted) if self.seen.reading == Reading::First && counted > listed as u64 => {
                self.note(Note::ReadAgain { counted, listed });
                self.seen.reading = Reading::Second;
                self.seen.in_reading = 0;
                self.links.clear();
                self.next = Some(self.list.clone());
            }
            _ => {}
        }
    }

    /// The list from its start without the first `count` objects. Pages overlap rather than leave a gap: what is known is
    /// counted instead of what was sent, and an object that leaves a filtered list between two pages moves the others up.
    fn skipping(&self, count: usize) -> Url {
        let mut url = self.list.clone();
        url.query_pairs_mut().append_pair("$skip", &count.saturating_sub(SKIP_OVERLAP).to_string());
        url
    }

    fn followed(&mut self, link: &str, asked: &Url) -> Result<Url, DefenderError> {
        let url = self.own(link, asked)?;
        if self.links.insert(url.as_str().to_owned()) {
            return Ok(url);
        }
        Err(malformed(self.doing, "a list whose pages run in a circle"))
    }

    /// The link on our own host. A link to another host would carry the token there; its query is asked of ours instead.
    fn own(&mut self, link: &str, asked: &Url) -> Result<Url, DefenderError> {
        let link = asked.join(link).map_err(|_| malformed(self.doing, "a next link that is no address"))?;
        if link.origin() == asked.origin() {
            return Ok(link);
        }
        if !link.path().eq_ignore_ascii_case(asked.path()) {
            return Err(malformed(self.doing, "a next link to another host and another path"));
        }
        self.note(Note::ForeignNextLink { host: link.host_str().unwrap_or_default().to_owned() });
        let mut own = asked.clone();
        own.set_query(link.query());
        Ok(own)
    }

    fn fresh(&mut self, items: Vec<Document>) -> Vec<Document> {
        let mut fresh = Vec::with_capacity(items.len());
        for item in items {
            let id = item.id(self.id_name);
            if let Some(defect) = item.defect() {
                self.note(Note::Mended { id: id.clone(), defect });
            }
            let wanted = match &self.severity {
                Some(severity) => {
                    Incident::read(&item).is_some_and(|incident| incident.severity.as_ref() == Some(severity))
                }
                None => true,
            };
            if self.seen.is_first_time(id.as_ref()) && wanted {
                fresh.push(self.with_separate_alerts(item, id));
            }
        }
        fresh
    }

    fn with_separate_alerts(&self, incident: Document, id: Option<String>) -> Document {
        let Some(by_incident) = &self.separate else { return incident };
        let alerts = id.and_then(|id| by_incident.get(&id)).map_or(&[][..], Vec::as_slice);
        incident.with_list("alerts", alerts)
    }

    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl Seen {
    /// What has no id is handed on in the first reading: better twice than never.
    fn is_first_time(&mut self, id: Option<&String>) -> bool {
        let Some(id) = id else {
            self.unnamed += usize::from(self.reading == Reading::First);
            return self.reading == Reading::First;
        };
        let before = self.last.insert(id.clone(), self.reading);
        self.in_reading += usize::from(before != Some(self.reading));
        before.is_none()
    }
}

impl IncidentFilter {
    fn graph_terms(&self) -> Vec<String> {
        let terms = [
            self.status.as_ref().map(|status| equals("status", status.spelled(Api::Graph))),
            self.severity.as_ref().map(|severity| equals("severity", severity.spelled(Api::Graph))),
            self.assigned_to.as_ref().map(|person| equals("assignedTo", person)),
            self.created_since.map(|at| format!("createdDateTime ge {at}")),
            self.updated_since.map(|at| format!("lastUpdateDateTime ge {at}")),
            self.updated_before.map(|at| format!("lastUpdateDateTime lt {at}")),
        ];
        terms.into_iter().flatten().collect()
    }

    fn xdr_terms(&self) -> Vec<String> {
        let terms = [
            self.status.as_ref().map(|status| equals("status", status.spelled(Api::Xdr))),
            self.assigned_to.as_ref().map(|person| equals("assignedTo", person)),
            self.created_since.map(|at| format!("createdTime ge {at}")),
            self.updated_since.map(|at| format!("lastUpdateTime ge {at}")),
            self.updated_before.map(|at| format!("lastUpdateTime lt {at}")),
        ];
        terms.into_iter().flatten().collect()
    }
}

impl AlertFilter {
    fn terms(&self) -> Vec<String> {
        let terms = [
            self.status.as_ref().map(|status| equals("status", status.spelled(Api::Graph))),
            self.severity.as_ref().map(|severity| equals("severity", severity.spelled(Api::Graph))),
            self.assigned_to.as_ref().map(|person| equals("assignedTo", person)),
            self.classification.as_ref().map(|word| equals("classification", word.spelled(Api::Graph))),
            self.determination.as_ref().map(|word| equals("determination", word.spelled(Api::Graph))),
            self.service_source.as_ref().map(|source| equals("serviceSource", source)),
            self.created_since.map(|at| format!("createdDateTime ge {at}")),
            self.updated_since.map(|at| format!("lastUpdateDateTime ge {at}")),
        ];
        terms.into_iter().flatten().collect()
    }
}

/// None of the services sends that much at once: something in between has gone wrong, and may be right the next time.
pub(crate) fn is_too_large(error: &DefenderError) -> bool {
    matches!(&*error.kind, DefenderErrorKind::Send(error) if matches!(*error.kind, SendErrorKind::TooLarge { .. }))
}

/// `name eq 'value'` with quotes doubled, so that a value stays a value (OData 4.01, URL conventions, 5.1.1.6.1).
pub(crate) fn equals(name: &str, value: &str) -> String {
    format!("{name} eq '{}'", value.replace('\'', "''"))
}

pub(crate) fn add_filter(url: &mut Url, terms: &[String]) {
    if !terms.is_empty() {
        url.query_pairs_mut().append_pair("$filter", &terms.join(" and "));
    }
}

fn without_expand(url: &Url) -> Url {
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(name, _)| name != "$expand").collect();
    if kept.len() == url.query_pairs().count() {
        return url.clone();
    }
    let mut plain = url.clone();
    plain.query_pairs_mut().clear().extend_pairs(kept);
    plain
}

/// Graph answers 400 to more.
const GRAPH_INCIDENTS_TOP: usize = 50;
const GRAPH_ALERTS_TOP: usize = 100;
/// The documented page size of the XDR list.
const XDR_TOP: &str = "100";
/// So many objects may leave a filtered list while one page is read, and none is missed.
const SKIP_OVERLAP: usize = 5;
