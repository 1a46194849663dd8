//! `sortie call CONNECTOR/OPERATION key=value …`: one call of any connector.

use std::{fs, io::Read as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Map, Value};
use sortie_connector::{
    Answer, AnswerBody, BuiltRequest, CallError, Engine, NativeCall, PageLimits, Paged, Subject, build, cast,
};
use sortie_model::ConnectionName;
use sortie_openapi::{Description, EffectClass, Operation};
use sortie_transport::Delivery;

use super::native::{self, Place};
use crate::{
    connections,
    context::Context,
    database,
    exit::{Exit, Problem, sentence},
    guard::{self, Gate, Passed},
    input::confirm,
    output::{say, visible},
    product::{Authentication, Product, Ready, connection},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to call, such as jira/create-issue
    #[arg(value_name = "CONNECTOR/OPERATION")]
    operation: String,
    /// Inputs as key=value; lists and objects as JSON
    #[arg(value_name = "KEY=VALUE")]
    inputs: Vec<String>,
    /// JSON object with inputs; `-` for standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Follow all pages of a list and print its items, one a line
    #[arg(long)]
    all_pages: bool,
    /// Print the exact request and a curl line for it, and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write an answer that is no text into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Through a connection of this tenant of `sortie tenant list`, else one for all; also whose values `kv` keeps
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Do not ask before a call that changes something
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let Some((connector, name)) = arguments.operation.split_once('/') else {
        let next = "Write it as CONNECTOR/OPERATION; `sortie connector list` and `show` list both.";
        return Err(Problem::usage(format!("`{}` names no operation", arguments.operation), next).into());
    };
    let store = database::look(context).await?;
    let product = Product::load(&store, connector).await?;
    let operation = product.operation(name)?;
    let inputs = inputs(&arguments, &product.description, operation)?;
    let tenant = match &arguments.tenant {
        Some(name) => Some(connections::tenant(&store, name.as_str()).await?),
        None => None,
    };
    if let Some(call) = NativeCall::of(&product.description, operation, &inputs)? {
        // Values are changed where the database is.
        let is_kept = call.engine == Engine::Kv && !call.is_safe();
        let store = if is_kept && store.is_beside() { database::open(context).await? } else { store };
        return native::run(call, Place { store, product: &product, tenant }, &arguments, context).await;
    }
    let connection = connection(&store, &product, context.global.connection.as_ref(), tenant.as_ref()).await?;
    let authentication = product.authentication(operation)?;
    let wants_secret = !arguments.dry_run && authentication != Authentication::None;
    let ready = Ready::load(&store, &connection, &product, wants_secret, context).await?;
    let own = tenant.as_ref().map_or(connection.row.tenant, |tenant| tenant.key);
    let whose = guard::tenant_of(&store, own, connection.leads_to()).await?;
    // The call may take minutes, and another process may want the database.
    drop(store);
    let target = ready.target(operation)?;
    let built = build(&product.description, operation, &inputs, &target).map_err(CallError::from)?;
    if arguments.dry_run {
        return dry_run(&built, &authentication);
    }
    let is_safe = operation.effect.class == EffectClass::Safe;
    let question = format!("{} ({} {})?", operation.title, built.method, built.url);
    if !is_safe && !confirm(&visible(&question), arguments.yes)? {
        context.note("nothing was sent");
        return Ok(Exit::Usage);
    }
    if authentication != Authentication::None {
        ready.permits(&built.url)?;
    }
    // An order to a device or a user is an effect, whatever the connector's document calls it.
    let gate = match is_safe && Subject::of(&built).operation.is_none() {
        true => None,
        false => Some(Gate::of(whose, format!("{}/{}", product.info.id, operation.id), &built, context).await?),
    };
    let host = product.host(operation).unwrap_or_else(|| built.url.clone());
    let credential = ready.credential(&authentication, operation, &host, context).await?;
    if let Some(gate) = gate
        && gate.pass(&ready.caller, &credential, context).await? == Passed::Observed
    {
        return dry_run(&built, &authentication);
    }
    let failed = |error: CallError| match error.delivery() {
        Delivery::Unknown if !is_safe => in_doubt(error),
        _ => error.into(),
    };
    if arguments.all_pages {
        let (description, limits) = (&product.description, PageLimits::default());
        let all = ready.caller.all_pages(description, operation, &inputs, &target, &credential, limits).await;
        return print_all(&all.map_err(failed)?, context);
    }
    let answer = ready.caller.send(&built, operation.effect.class, &credential).await.map_err(failed)?;
    print(&answer, arguments.out.as_deref(), context)
}

/// A call that changes something, whose answer was lost or came from who knows where.
pub(super) fn in_doubt(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let what = format!("it is not known whether the call was carried out: {}", sentence(&error.into()));
    let next = "Look at the product whether it was, before you repeat it.".to_owned();
    Problem { exit: Exit::InDoubt, what, next }.into()
}

fn inputs(
    arguments: &Arguments,
    description: &Description,
    operation: &Operation,
) -> anyhow::Result<Map<String, Value>> {
    let mut inputs = match &arguments.input {
        None => Map::new(),
        Some(path) => {
            let text = if path.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin()
                    .lock()
                    .take(INPUT_BYTES_MAX)
                    .read_to_string(&mut text)
                    .context("cannot read the inputs")?;
                text
            } else {
                fs::read_to_string(path).with_context(|| format!("cannot read the inputs from {}", path.display()))?
            };
            serde_json::from_str(&text).map_err(|error| {
                let what = format!("the inputs are no JSON object: {error}");
                Problem::usage(what, "Write them as {\"key\": value}.")
            })?
        }
    };
    let schema = operation.input_schema(0);
    for pair in &arguments.inputs {
        let next = "Write each input as key=value.";
        let (key, text) = pair.split_once('=').ok_or_else(|| Problem::usage(format!("`{pair}` is no input"), next))?;
        let value = match schema["properties"].get(key) {
            Some(schema) => cast(description, schema, text),
            None => Value::String(text.to_owned()),
        };
        inputs.insert(key.to_owned(), value);
    }
    Ok(inputs)
}

fn print_all(all: &Paged, context: &Context) -> anyhow::Result<Exit> {
    for item in &all.items {
        say(&item.to_string())?;
    }
    if let Some(cut) = &all.cut {
        context.note(&format!("{} items of {} pages; there may be more: {cut}", all.items.len(), all.pages));
    }
    Ok(Exit::Success)
}

/// The request without its credential, and the same as curl, which takes the credential from a variable.
pub(super) fn dry_run(built: &BuiltRequest, authentication: &Authentication) -> anyhow::Result<Exit> {
    say(&visible(&format!("{} {}", built.method, built.url)))?;
    let (header, argument) = match authentication {
        Authentication::None => (None, None),
        Authentication::Bearer | Authentication::Oauth2Application(_) | Authentication::Oauth2Delegated(_) => {
            (Some("authorization: Bearer ***".to_owned()), Some(r#"-H "Authorization: Bearer $TOKEN""#.to_owned()))
        }
        Authentication::Basic => {
            (Some("authorization: Basic ***".to_owned()), Some(r#"-u "$USER_AND_PASSWORD""#.to_owned()))
        }
        Authentication::ApiKey { header, prefix } => {
            let prefix = prefix.as_deref().unwrap_or_default();
            // The document's words are quoted whole; only the variable is left to the shell.
            let words = quoted(&format!("{header}: {prefix}"));
            (Some(format!("{header}: {prefix}***")), Some(format!(r#"-H {words}"$API_KEY""#)))
        }
    };
    for (name, value) in &built.headers {
        say(&visible(&format!("{name}: {value}")))?;
    }
    if let Some(header) = header {
        say(&visible(&header))?;
    }
    let mut curl = format!("curl -sS -X {} {}", built.method, quoted(built.url.as_str()));
    for (name, value) in &built.headers {
        curl += &format!(" -H {}", quoted(&format!("{name}: {value}")));
    }
    if let Some(argument) = argument {
        curl += &format!(" {argument}");
    }
    if let Some(body) = &built.body {
        let text = String::from_utf8_lossy(body);
        say(&format!("\n{text}"))?;
        curl += &format!(" --data-binary {}", quoted(&text));
    }
    say(&format!("\n{curl}"))?;
    Ok(Exit::Success)
}

/// One word for a POSIX shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn print(answer: &Answer, out: Option<&std::path::Path>, context: &Context) -> anyhow::Result<Exit> {
    match (&answer.body, out) {
        (AnswerBody::Blob(bytes), Some(path)) => {
            fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            context.note(&format!("{} bytes written to {}", bytes.len(), path.display()));
        }
        (AnswerBody::Blob(bytes), None) => {
            let kind = answer.media_type.as_deref().unwrap_or("no media type");
            context.note(&format!("the answer is {} bytes of {kind}; `--out FILE` keeps them", bytes.len()));
        }
        (AnswerBody::Json(value), _) => say(&serde_json::to_string_pretty(value)?)?,
        (AnswerBody::Text(text), _) => say(text)?,
        (AnswerBody::Empty, _) => context.note(&format!("status {}, nothing else", answer.status)),
    }
    Ok(Exit::Success)
}

const INPUT_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_the_shell_ends_where_it_should() {
        assert_eq!(quoted("it's $HOME `x`"), r"'it'\''s $HOME `x`'");
    }
}
