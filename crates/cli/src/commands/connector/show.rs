//! Showing a connector: its operations, or one with its inputs, types, roles and effect.

use clap::Args;
use serde_json::Value;
use sortie_openapi::{Operation, Parameter};

use crate::{
    asking::{Api, at, items, text},
    context::Context,
    exit::Exit,
    output::{Field, Format, Listing, OutputArguments, Tone, properties, rows, say},
    product::Product,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The connector's id
    id: String,
    /// One operation, by its id or by a name of its document
    operation: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let product = Product::asked(&api, &arguments.id).await?;
    let format = arguments.output.format();
    if let Some(name) = &arguments.operation {
        let operation = product.operation(name)?;
        match format == Format::Table {
            true => say(&one(&product, operation))?,
            false => say(&serde_json::to_string(operation)?)?,
        }
        return Ok(Exit::Success);
    }
    if format == Format::Table {
        let connections = api.get(at(["connections"])).await?;
        let own = items(&connections).iter().filter(|connection| text(connection, "connector") == product.info.id);
        let names: Vec<&str> = own.map(|connection| text(connection, "name")).collect();
        let base = product.edits.base.as_ref().map(ToString::to_string);
        let base = base.or_else(|| product.description.servers.first().map(|server| server.url.clone()));
        say(&properties(&[
            ("Connector", Field::plain(&product.info.id)),
            ("Title", Field::plain(product.title())),
            ("From", Field::plain(&product.info.origin)),
            ("Version", Field::plain(&product.info.content_hash)),
            ("Base address", Field::maybe(base)),
            ("Authentication", Field::maybe(product.edits.authentication.as_ref().map(|edited| edited.describe()))),
            ("Connections", Field::plain(names.join(", "))),
        ]))?;
        say("")?;
    }
    let mut listing = Listing::start(format, &["operation", "effect", "method", "title"])?;
    for operation in &product.description.operations {
        let fields = [
            Field::plain(&operation.id),
            effect(operation),
            Field::plain(operation.method.as_str()),
            Field::plain(&operation.title),
        ];
        listing.row(&fields, &serde_json::to_string(operation)?)?;
    }
    listing.finish("It has no operation.")?;
    Ok(Exit::Success)
}

fn effect(operation: &Operation) -> Field {
    let word = operation.effect.class.as_str();
    match word {
        "safe" => Field::toned(word, Tone::Good),
        "unsafe" => Field::toned(word, Tone::Warning),
        _ => Field::plain(word),
    }
}

fn one(product: &Product, operation: &Operation) -> String {
    let authentication =
        product.authentication(operation).map_or_else(|error| error.to_string(), |found| found.describe());
    let guidance = &operation.guidance;
    let mut text = properties(&[
        ("Operation", Field::plain(format!("{}/{}", product.info.id, operation.id))),
        ("Title", Field::plain(&operation.title)),
        ("What it does", Field::maybe(operation.description.as_ref())),
        ("Call", Field::plain(format!("{} {}", operation.method.as_str(), operation.path))),
        ("Effect", effect(operation)),
        ("Audience", Field::maybe(guidance.audience.as_ref())),
        ("Roles", Field::plain(guidance.roles.join(" or "))),
        ("Authentication", Field::plain(authentication)),
        ("Undone by", Field::maybe(guidance.undo.as_ref().map(|call| &call.operation))),
    ]);
    let mut lines: Vec<Vec<Field>> = operation.parameters.iter().map(|parameter| line(product, parameter)).collect();
    if let Some(body) = &operation.body {
        for content in body.contents.iter().take(1) {
            for field in &content.fields {
                let need = if field.required { "needed" } else { "" };
                lines.push(vec![
                    Field::plain(&field.key),
                    Field::plain(kind(product, &field.schema)),
                    Field::plain(need),
                    Field::plain("body"),
                    Field::plain(describe(&field.schema)),
                ]);
            }
            let need = if body.required && content.fields.is_empty() { "needed" } else { "" };
            lines.push(vec![
                Field::plain(&body.key),
                Field::plain(&content.media_type),
                Field::plain(need),
                Field::plain("whole body"),
                Field::maybe(body.description.as_ref()),
            ]);
        }
    }
    if !lines.is_empty() {
        text += &format!("\n\n{}", rows(&["input", "type", "", "place", "meaning"], &lines));
    }
    text
}

fn line(product: &Product, parameter: &Parameter) -> Vec<Field> {
    let need = if parameter.required { "needed" } else { "" };
    let meaning = parameter.description.clone().unwrap_or_else(|| describe(&parameter.schema));
    vec![
        Field::plain(&parameter.key),
        Field::plain(kind(product, &parameter.schema)),
        Field::plain(need),
        Field::plain(parameter.location.as_str()),
        Field::plain(meaning),
    ]
}

/// The type, with the words that an enumeration lists.
fn kind(product: &Product, schema: &Value) -> String {
    let schema = product.description.resolve(schema).unwrap_or(schema);
    let words: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !words.is_empty() {
        return words.join(" | ");
    }
    let name = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{name} ({format})"),
        None => name,
    }
}

fn describe(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}
