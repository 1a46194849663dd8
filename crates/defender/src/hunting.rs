//! Advanced hunting: a query in, typed columns and rows out, however large the answer is.
//!
//! Graph is the way on; the other two APIs are being retired since January 2026 (message centre MC1220762). A large
//! answer lies in a temporary file and is read row by row. Nothing is handed on before the whole answer was seen to be
//! sound, so that a call may be repeated without a row coming twice.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json, value::RawValue};
use sortie_transport::{Effect, Request, Response, RetryPolicy};

use crate::{
    Defender, Document,
    client::{MALFORMED_ATTEMPTS_MAX, MALFORMED_PAUSE, malformed},
    error::{DefenderError, DefenderErrorKind, ServiceError},
    operation::Operation,
    pages::is_too_large,
};

/// Which API runs the query; all three read the same data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HuntApi {
    /// Microsoft Graph, `/v1.0/security/runHuntingQuery`.
    #[default]
    Graph,
    /// Defender XDR, `/api/advancedhunting/run`; being retired.
    Xdr,
    /// Defender for Endpoint, `/api/advancedqueries/run`, which knows the device tables alone; being retired.
    Endpoint,
}

/// A question to the service.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Kusto Query Language.
    pub query: String,
    /// ISO 8601: `P7D`, `start/end`, `start/duration`, `duration/end` or a start. Graph alone takes one; 30 days without.
    pub timespan: Option<String>,
    /// Who is asked.
    pub api: HuntApi,
}

/// One column of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuntColumn {
    /// Its name.
    pub name: String,
    /// What its cells hold.
    pub kind: HuntType,
}

/// The type of a column, whatever dialect the service names it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntType {
    /// Text.
    String,
    /// An instant in UTC.
    DateTime,
    /// Yes or no; older answers say `SByte` and send 0 or 1.
    Bool,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Real,
    /// A span of time.
    TimeSpan,
    /// A GUID.
    Guid,
    /// Any JSON.
    Dynamic,
    /// A type that this version does not know.
    Other(String),
}

/// The answer: its columns, and its rows for as often as they are read.
#[derive(Debug)]
pub struct HuntAnswer {
    columns: Vec<HuntColumn>,
    row_count: u64,
    response: Response,
}

impl HuntAnswer {
    /// The columns in the service's order.
    pub fn columns(&self) -> &[HuntColumn] {
        &self.columns
    }

    /// How many rows there are.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Whether the answer has as many rows as the services give at most, so that there may be more: what is beyond is
    /// left out, and nothing in the answer tells.
    pub fn is_at_the_limit(&self) -> bool {
        self.row_count >= ROWS_MAX
    }

    /// Hands every row to `each`, one after another, as the object that the service sent.
    ///
    /// # Errors
    /// The first error of `each`, or an unreadable temporary file.
    pub fn read<E>(&self, each: impl FnMut(Document) -> Result<(), E>) -> Result<(), E>
    where
        E: From<std::io::Error>,
    {
        let mut taker = Rows { each, failed: None };
        let read = read_answer(&self.response, &mut taker)?;
        match (taker.failed, read) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(E::from(error.into())),
            (None, Ok(_)) => Ok(()),
        }
    }
}

impl Defender {
    /// Asks the question and gives the whole answer.
    ///
    /// # Errors
    /// [`DefenderError`]; `Query` when the service does not take or finish the query, with its reason.
    pub async fn hunt(&self, hunt: &Hunt) -> Result<HuntAnswer, DefenderError> {
        let doing = "hunt";
        let (operation, path): (_, &[&str]) = match hunt.api {
            HuntApi::Graph => (Operation::GraphHunt, &["v1.0", "security", "runHuntingQuery"]),
            HuntApi::Xdr => (Operation::XdrHunt, &["api", "advancedhunting", "run"]),
            HuntApi::Endpoint => (Operation::EndpointHunt, &["api", "advancedqueries", "run"]),
        };
        let mut body = json!({ "Query": hunt.query });
        match (&hunt.timespan, hunt.api) {
            (Some(timespan), HuntApi::Graph) => body["Timespan"] = json!(timespan),
            (Some(_), _) => {
                let sentence = "only Microsoft Graph takes a time span with a query".to_owned();
                return Err(DefenderError::new(doing, DefenderErrorKind::Unsupported(sentence)));
            }
            (None, _) => {}
        }
        let url = self.address(operation, path, doing)?;
        // Without the character set, letters beyond ASCII arrive broken (page of runHuntingQuery).
        let request = Request::post(url)
            .body("application/json; charset=utf-8", body.to_string())
            .effect(Effect::Safe)
            .long()
            .spool_above(SPOOL_ABOVE_BYTES)
            .body_bytes_max(ANSWER_BYTES_MAX);
        self.run_query(operation, request, doing).await
    }

    /// An answer that is not the API's, or has no end, is asked for again: a gateway gave it.
    async fn run_query(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
    ) -> Result<HuntAnswer, DefenderError> {
        let policy = RetryPolicy { attempts_max: self.policy.attempts_max.min(3), ..self.policy.clone() };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let called = self.call_with(operation, request.clone(), doing, &policy).await;
            let response = match called {
                Err(error) if is_too_large(&error) && attempt == 1 => {
                    tokio::time::sleep(MALFORMED_PAUSE).await;
                    continue;
                }
                called => called.map_err(|error| of_query(doing, error))?,
            };
            let mut count = Count(0);
            let reason = match read_answer(&response, &mut count) {
                Err(error) => return Err(malformed(doing, &format!("the answer cannot be read back ({error})"))),
                Ok(Ok(Some(columns))) => return Ok(HuntAnswer { columns, row_count: count.0, response }),
                Ok(Ok(None)) => "JSON without columns and rows".to_owned(),
                Ok(Err(_)) if response.is_html() => "a web page instead of JSON, from a proxy or gateway".to_owned(),
                Ok(Err(error)) => format!("not an answer in JSON ({error})"),
            };
            if attempt >= MALFORMED_ATTEMPTS_MAX {
                return Err(malformed(doing, &reason));
            }
            tokio::time::sleep(MALFORMED_PAUSE * attempt).await;
        }
    }
}

/// A query that the service took for a query and refused or gave up.
fn of_query(doing: &str, error: DefenderError) -> DefenderError {
    match *error.kind {
        DefenderErrorKind::Refused(error) if error.status == 400 => {
            DefenderError::new(doing, DefenderErrorKind::Query(error))
        }
        kind => DefenderError { doing: error.doing, kind: Box::new(kind) },
    }
}

/// What a person can do about a query that was refused, by the service's own words (advanced-hunting-errors page).
pub(crate) fn query_remedy(error: &ServiceError) -> &'static str {
    let message = error.message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["timeout period", "timed out"]) {
        "Narrow the query: filter on Timestamp first, read fewer tables, or summarize less at once."
    } else if says(&["result size", "allowed size"]) {
        "Ask for fewer columns (`project`) or rows (`take`, a shorter `--timespan`), one span of time after the other."
    } else if says(&["resource consumption", "processing resources"]) {
        "Narrow the query, or wait until the tenant's quota is free again; its other queries draw on the same one."
    } else if says(&["failed to resolve"]) {
        "Check the name: tables that the tenant has no licence for do not exist either, and names are case-sensitive."
    } else {
        "Correct the query as the service says."
    }
}

impl HuntType {
    /// Reads the CLR-like names of the services and Kusto's own.
    pub fn of(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().trim_start_matches("system.") {
            "string" => Self::String,
            "datetime" | "date" => Self::DateTime,
            "bool" | "boolean" | "sbyte" => Self::Bool,
            "int" | "int32" | "long" | "int64" => Self::Integer,
            "real" | "double" | "single" | "decimal" | "sqldecimal" => Self::Real,
            "timespan" | "time" => Self::TimeSpan,
            "guid" | "uuid" => Self::Guid,
            "dynamic" | "object" => Self::Dynamic,
            _ => Self::Other(name.to_owned()),
        }
    }
}

impl HuntColumn {
    /// The cell of a row as text: what a table and CSV show.
    pub fn cell(&self, row: &Value) -> String {
        match (row.get(&self.name), &self.kind) {
            (None | Some(Value::Null), _) => String::new(),
            (Some(Value::String(text)), _) => text.clone(),
            (Some(Value::Number(number)), HuntType::Bool) => (number.as_f64() != Some(0.0)).to_string(),
            (Some(other), _) => other.to_string(),
        }
    }
}

/// What is done with the rows while an answer is read.
trait TakeRow {
    /// `false` ends the reading.
    fn take(&mut self, row: &RawValue) -> bool;
}

struct Count(u64);

impl TakeRow for Count {
    fn take(&mut self, _: &RawValue) -> bool {
        self.0 += 1;
        true
    }
}

struct Rows<F, E> {
    each: F,
    failed: Option<E>,
}

impl<F: FnMut(Document) -> Result<(), E>, E> TakeRow for Rows<F, E> {
    fn take(&mut self, row: &RawValue) -> bool {
        self.failed = (self.each)(Document::of_item(row)).err();
        self.failed.is_none()
    }
}

/// Reads an answer once from its start; `None` where it has no list of columns or none of rows.
fn read_answer(
    response: &Response,
    rows: &mut dyn TakeRow,
) -> std::io::Result<Result<Option<Vec<HuntColumn>>, serde_json::Error>> {
    let mut deserializer = serde_json::Deserializer::from_reader(response.reader()?);
    let read = deserializer.deserialize_map(Answer { rows });
    Ok(read.and_then(|columns| deserializer.end().map(|()| columns)))
}

/// `{"schema": [..], "results": [..]}`, in either letter case and any order, with anything beside it.
struct Answer<'a> {
    rows: &'a mut dyn TakeRow,
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = Option<Vec<HuntColumn>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with columns and rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut columns, mut has_rows) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            if key.eq_ignore_ascii_case("schema") {
                columns = columns_of(&map.next_value::<Value>()?);
            } else if key.eq_ignore_ascii_case("results") {
                map.next_value_seed(RowList(&mut *self.rows))?;
                has_rows = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(columns.filter(|_| has_rows))
    }
}

struct RowList<'a>(&'a mut dyn TakeRow);

impl<'de> DeserializeSeed<'de> for RowList<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(()) // `null` is a list without rows.
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            if !self.0.take(&row) {
                return Err(A::Error::custom("the reader of the rows has stopped"));
            }
        }
        Ok(())
    }
}

fn columns_of(schema: &Value) -> Option<Vec<HuntColumn>> {
    let text =
        |column: &Value, names: [&str; 2]| names.iter().find_map(|name| column[name].as_str()).map(str::to_owned);
    let column = |column: &Value| {
        let kind = text(column, ["type", "Type"]).map_or(HuntType::String, |name| HuntType::of(&name));
        Some(HuntColumn { name: text(column, ["name", "Name"])?, kind })
    };
    schema.as_array()?.iter().map(column).collect()
}

/// What the three APIs give at most. The pages of the two older ones say "a maximum of" and "up to"; of Graph it is taken
/// to be so (G).
const ROWS_MAX: u64 = 100_000;
/// Smaller answers stay in memory.
const SPOOL_ABOVE_BYTES: usize = 4 << 20;
/// The documents speak of 50, 64 and 124 MB; none of the services gives more.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Vec<String>);

    impl TakeRow for Kept {
        fn take(&mut self, row: &RawValue) -> bool {
            self.0.push(Document::of_item(row).as_str().to_owned());
            true
        }
    }

    fn read(body: &str) -> (Option<Vec<HuntColumn>>, Vec<String>) {
        let response = Response {
            status: sortie_transport::StatusCode::OK,
            headers: sortie_transport::HeaderMap::new(),
            body: body.to_owned().into(),
            spool: None,
            url: "https://api.example/".parse().unwrap(),
            elapsed: std::time::Duration::ZERO,
        };
        let mut rows = Kept(Vec::new());
        let columns = read_answer(&response, &mut rows).unwrap().ok().flatten();
        (columns, rows.0)
    }

    #[test]
    fn all_three_dialects_read_alike() {
        let graph = r#"{"@odata.context":"x","schema":[{"name":"A","type":"String"}],"results":[{"A":"1"}]}"#;
        let older = r#"{"schema":[{"Name":"A","Type":"String"}],"results":[{"A":"1"}]}"#;
        let xdr = r#"{"Stats":{"x":[1]},"Results":[{"A":"1"}],"Schema":[{"Name":"A","Type":"System.String"}]}"#;
        for body in [graph, older, xdr] {
            let (columns, rows) = read(body);
            assert_eq!(columns.unwrap(), [HuntColumn { name: "A".into(), kind: HuntType::String }], "{body}");
            assert_eq!(rows, [r#"{"A":"1"}"#], "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_is_no_answer() {
        for body in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"schema":[]}"#,
            r#"{"schema":null,"results":[]}"#,
            r#"{"schema":[],"results":[{"#,
        ] {
            assert!(read(body).0.is_none(), "{body}");
        }
        assert_eq!(read(r#"{"schema":[],"results":null}"#), (Some(Vec::new()), Vec::new()));
    }

    #[test]
    fn a_broken_character_costs_no_row() {
        let (_, rows) = read(r#"{"schema":[],"results":[{"A":"x\ud83d"},{"A":"y"}]}"#);
        assert_eq!(rows, [r#"{"A":"x\ufffd"}"#, r#"{"A":"y"}"#]);
    }

    #[test]
    fn cells_are_text_by_type() {
        #[track_caller]
        fn check(kind: &str, value: Value, expected: &str) {
            let column = HuntColumn { name: "A".into(), kind: HuntType::of(kind) };
            assert_eq!(column.cell(&json!({ "A": value })), expected, "{kind}");
        }
        check("SByte", json!(1), "true");
        check("Boolean", json!(false), "false");
        check("Int64", json!(5), "5");
        check("Object", json!({ "a": [1] }), r#"{"a":[1]}"#);
        check("String", Value::Null, "");
        check("DateTime", json!("2026-01-01T00:00:00.1234567Z"), "2026-01-01T00:00:00.1234567Z");
    }

    #[test]
    fn a_refusal_says_what_helps() {
        let error = |message: &str| ServiceError {
            status: 400,
            code: "BadRequest".into(),
            message: message.into(),
            request_id: None,
            body: Document::new("{}"),
        };
        for (message, word) in [
            ("Query exceeded the timeout period.", "Timestamp"),
            ("Query execution has exceeded the allowed result size. Optimize your query", "one span of time"),
            ("Query stopped due to excessive resource consumption.", "quota"),
            ("'project' operator: Failed to resolve scalar expression named 'x'", "case-sensitive"),
            ("A recognition error occurred.", "Correct"),
        ] {
            assert!(query_remedy(&error(message)).contains(word), "{message}");
        }
    }
}
