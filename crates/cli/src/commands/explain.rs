//! `sortie explain CODE`: what an error of Entra means, who must act, and what to do.

use clap::Args;
use sortie_identity::{Explanation, Who, explain, explanations};

use crate::{
    exit::{Exit, Problem},
    output::{Field, Format, Listing, OutputArguments, properties, say},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A code such as 7000215 or AADSTS7000215, or a whole error message; all codes when absent
    code: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let format = arguments.output.format();
    let Some(text) = &arguments.code else {
        print_all(format)?;
        return Ok(Exit::Success);
    };
    let code = code_in(text).ok_or_else(|| {
        Problem::usage(
            "there is no code in that text",
            "Give the number after AADSTS, such as `sortie explain 7000215`.",
        )
    })?;
    let row = explain(code).ok_or_else(|| Problem {
        exit: Exit::NotFound,
        what: format!("AADSTS{code} is not in Sortie's list"),
        next: format!("Microsoft's own page may know it: https://login.microsoftonline.com/error?code={code}"),
    })?;
    if format == Format::Table {
        say(&properties(&[
            ("Code", Field::plain(format!("AADSTS{code}"))),
            ("Title", Field::plain(row.title)),
            ("Meaning", Field::plain(row.meaning)),
            ("Who acts", Field::plain(who_text(row.who))),
            ("What to do", Field::plain(row.remedy)),
            ("Passes by itself", Field::plain(if row.retryable { "yes" } else { "no" })),
            ("Source", Field::plain(row.source)),
        ]))?;
    } else {
        let mut listing = Listing::start(format, COLUMNS)?;
        listing.row(&fields(row), &json(row))?;
        listing.finish("")?;
    }
    Ok(Exit::Success)
}

/// Who must act, in words.
pub(crate) fn who_text(who: Who) -> &'static str {
    match who {
        Who::Operator => "you, who set up this connection",
        Who::TenantAdministrator => "an administrator of the tenant",
        Who::Microsoft => "Microsoft",
        Who::Nobody => "nobody: it passes",
    }
}

fn print_all(format: Format) -> anyhow::Result<()> {
    let mut listing = Listing::start(format, COLUMNS)?;
    for row in explanations() {
        listing.row(&fields(row), &json(row))?;
    }
    listing.finish("")?;
    Ok(())
}

fn fields(row: &Explanation) -> [Field; 4] {
    [Field::plain(row.code), Field::plain(who_text(row.who)), Field::plain(row.title), Field::plain(row.remedy)]
}

fn json(row: &Explanation) -> String {
    let value = serde_json::json!({
        "code": row.code, "title": row.title, "meaning": row.meaning, "who": who_text(row.who),
        "remedy": row.remedy, "passesByItself": row.retryable, "source": row.source,
    });
    value.to_string()
}

/// The number after the first `AADSTS`, else the first number of five to eight digits.
fn code_in(text: &str) -> Option<u32> {
    let upper = text.to_ascii_uppercase();
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    if let Some(at) = upper.find("AADSTS") {
        return digits(&upper[at + "AADSTS".len()..]).parse().ok();
    }
    upper
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| (5..=8).contains(&word.len()))
        .and_then(|word| word.parse().ok())
}

const COLUMNS: &[&str] = &["code", "who acts", "title", "what to do"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_what_people_paste() {
        #[track_caller]
        fn check(text: &str, expected: Option<u32>) {
            assert_eq!(code_in(text), expected, "{text}");
        }
        check("7000215", Some(7_000_215));
        check("aadsts90002", Some(90_002));
        check("AADSTS700016: Application with identifier '1234567' was not found", Some(700_016));
        check("error_codes: [53003]", Some(53_003));
        check("no number", None);
        check("AADSTS", None);
    }
}
