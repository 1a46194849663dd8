//! `sortie workflow validate FILE …`

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use sortie_engine::text::Problem as Wrong;

use crate::{
    asking::{Api, at, text},
    context::Context,
    exit::Exit,
    output::{say, visible},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For this tenant of `sortie tenant list`: through its connections
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print the problems as JSON, a line each
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let mut exit = Exit::Success;
    for file in &arguments.files {
        let document = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let address = at(["validate"]).with("tenant", arguments.tenant.as_ref());
        let judged = api.post_text(address, document).await?;
        let problems = judged["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
        if problems.is_empty() {
            context.note(&format!("{}: nothing is wrong", file.display()));
        }
        for problem in problems {
            exit = Exit::Usage;
            match arguments.json {
                true => say(&problem.to_string())?,
                false => say_problem(&file.display().to_string(), problem)?,
            }
        }
    }
    Ok(exit)
}

/// What is wrong with a document, as compilers say it.
pub(super) fn say_problem(file: &str, problem: &Value) -> anyhow::Result<()> {
    match serde_json::from_value::<Wrong>(problem.clone()) {
        Ok(wrong) => say(&visible(&format!("{file}:{wrong}"))),
        // A kind of a later version.
        Err(_) => {
            say(&visible(&format!("{file}:{}:{}: {}", problem["line"], problem["column"], text(problem, "what"))))
        }
    }
}
