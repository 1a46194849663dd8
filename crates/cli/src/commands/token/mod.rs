//! `sortie token`: acquire a token, look into it, prove it, or print the request that gets one; and the tokens of Sortie's own.

mod kept;
mod request;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sortie_identity::{
    Audience, EndpointVersion, ScopeNote,
    inspect::{DecodedToken, Finding, Verifier, VerifyError, Wanted, decode, diagnose},
    parse_scope,
};

use crate::{
    context::{Context, Session},
    exit::{Exit, Problem},
    output::{Field, Tone, properties, say},
    settings::write_private,
};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    kept: Option<kept::Command>,
    /// For which API: graph, xdr, mde, cloudapps, a resource URI or a GUID; a trailing /.default is fine
    #[arg(long, short = 'a', default_value = "graph", value_name = "API", allow_hyphen_values = true)]
    audience: String,
    /// Ask the v1 endpoint (resource=) instead of the connection's own
    #[arg(long)]
    v1: bool,
    /// Prove signature, issuer, audience and time by the tenant's published keys
    #[arg(long)]
    verify: bool,
    /// Look into this token instead of acquiring one: a file, or `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "raw", "as_request", "v1"])]
    from: Option<PathBuf>,
    /// Write the token to a file of mode 0600
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the token itself, and nothing else, on standard output
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print the claims as JSON
    #[arg(long)]
    json: bool,
    /// Print the request that gets the token, with the secret as a variable, and make none
    #[arg(long, value_enum, value_name = "LANGUAGE", conflicts_with_all = ["verify", "out", "raw", "json"])]
    as_request: Option<Language>,
}

/// In which language a request is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Curl,
    Python,
    Powershell,
    Csharp,
}

pub(crate) async fn run(mut arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    if let Some(command) = arguments.kept.take() {
        return kept::run(command, context).await;
    }
    let (audience, note) = parse_scope(&arguments.audience, &Audience::Graph).map_err(|error| {
        Problem::usage(error.to_string(), "Write graph, xdr, mde, cloudapps, a resource URI or a GUID.")
    })?;
    if let Some(ScopeNote::BareDefault { taken }) = note {
        context.note(&format!("a bare `.default` names no resource; {} is taken", taken.label()));
    }
    if let Some(language) = arguments.as_request {
        let mut connection = context.choose().await?;
        if arguments.v1 {
            connection.microsoft.endpoint = EndpointVersion::V1;
        }
        say(&request::text(language, &connection, &audience)?)?;
        return Ok(Exit::Success);
    }
    let (text, session) = match &arguments.from {
        // A pasted token can be looked into without any connection.
        Some(path) => (read_token(path)?, context.session().await.ok()),
        None => {
            let mut session = context.session().await?;
            if arguments.v1 {
                session = session.with_endpoint(EndpointVersion::V1, context);
            }
            let token = session.client.tokens().token(&audience).await?;
            (token.secret().expose().to_owned(), Some(session))
        }
    };
    if let Some(path) = &arguments.out {
        write_private(path, text.as_bytes())
            .with_context(|| format!("the token cannot be written to {}", path.display()))?;
        context.note(&format!(
            "the token is in {} (mode 0600); it is as good as a password until it expires",
            path.display()
        ));
    }
    if arguments.raw {
        say(&text)?;
        return Ok(Exit::Success);
    }
    let acquired = arguments.from.is_none().then_some(&audience);
    show(&arguments, &text, acquired, session.as_ref(), context).await
}

/// Claims, findings and, if asked for, the proof.
async fn show(
    arguments: &Arguments,
    text: &str,
    audience: Option<&Audience>,
    session: Option<&Session>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let decoded = match decode(text) {
        Ok(decoded) => decoded,
        // Microsoft calls access tokens opaque: one that is no JWT may still work.
        Err(error) if audience.is_some() => {
            say(&format!("A token was issued, and it cannot be looked into: {error}. It may work all the same."))?;
            return Ok(Exit::Success);
        }
        Err(error) => {
            let next = "Give the access token itself: three parts of letters and digits with dots between.";
            return Err(Problem {
                exit: Exit::Failure,
                what: format!("this is no token: {error}"),
                next: next.to_owned(),
            }
            .into());
        }
    };
    if arguments.json {
        say(&serde_json::Value::Object(decoded.raw.clone()).to_string())?;
    } else {
        say(&claims_text(&decoded))?;
    }
    let wanted = Wanted { audience, now: context.clock.now(), ..Wanted::default() };
    let mut exit = Exit::Success;
    for finding in diagnose(&decoded, &wanted) {
        if finding.is_mistake() {
            exit = Exit::Findings;
        }
        context.note(&finding_text(&finding));
    }
    if arguments.verify {
        let proof = verify(text, &decoded, arguments, session, context).await?;
        if proof == Exit::Findings {
            exit = proof;
        }
    }
    Ok(exit)
}

async fn verify(
    text: &str,
    decoded: &DecodedToken,
    arguments: &Arguments,
    session: Option<&Session>,
    context: &Context,
) -> anyhow::Result<Exit> {
    let session = session.ok_or_else(|| {
        Problem::usage(
            "nothing says which tenant and login host to verify by",
            "Choose a connection with `--connection`.",
        )
    })?;
    let audience = match &arguments.from {
        Some(_) => decoded.claims.audience.first().map_or(Audience::Graph, |aud| Audience::of_claim(aud)),
        None => parse_scope(&arguments.audience, &Audience::Graph)?.0,
    };
    let verifier =
        Verifier::new(session.transport.clone(), Arc::clone(&context.clock), session.application.hosts.login.clone());
    // Issuers name the tenant's GUID; a connection may hold a domain.
    let tenant = decoded.claims.tenant.as_deref().and_then(|tenant| tenant.parse().ok());
    let tenant =
        tenant.filter(|_| !session.application.tenant.is_guid()).unwrap_or_else(|| session.application.tenant.clone());
    match verifier.verify(text, &tenant, &audience).await {
        Ok(_) => {
            context.note("verified: signature, issuer, audience and time are right");
            Ok(Exit::Success)
        }
        Err(error @ VerifyError::OnlyItsResource) => {
            context.note(&format!("not verified: {error}. Calling the API proves it."));
            Ok(Exit::Success)
        }
        Err(error) => {
            let next = error.remedy();
            let error = anyhow::Error::from(error);
            eprintln!("error: not verified: {}", crate::exit::sentence(&error));
            eprintln!("next:  {next}");
            Ok(Exit::Findings)
        }
    }
}

/// The claims that matter, for a person.
fn claims_text(decoded: &DecodedToken) -> String {
    let claims = &decoded.claims;
    let proof = match claims.proof.as_deref() {
        Some("0") => Some("nothing (public client)"),
        Some("1") => Some("client secret"),
        Some("2") => Some("certificate or other assertion"),
        _ => None,
    };
    let roles = match claims.roles.is_empty() {
        true => Field::toned("none", Tone::Warning),
        false => Field::toned(claims.roles.join(", "), Tone::Good),
    };
    properties(&[
        ("Issuer", Field::maybe(claims.issuer.as_ref())),
        ("Audience", Field::plain(claims.audience.join(", "))),
        ("Tenant", Field::maybe(claims.tenant.as_ref())),
        ("Application", Field::maybe(claims.application.as_ref())),
        ("Name", Field::maybe(claims.application_name.as_ref())),
        ("Service principal", Field::maybe(claims.object.as_ref())),
        ("Roles", roles),
        ("Scopes", Field::plain(claims.scopes.join(" "))),
        ("User", Field::maybe(claims.user.as_ref())),
        ("Proved by", Field::maybe(proof)),
        ("Version", Field::maybe(claims.version.as_ref())),
        ("Issued", Field::maybe(claims.issued_at)),
        ("Not before", Field::maybe(claims.not_before)),
        ("Expires", Field::maybe(claims.expires_at)),
    ])
}

/// A finding and what to do about it, in one line.
pub(crate) fn finding_text(finding: &Finding) -> String {
    let what = match finding {
        Finding::DelegatedToken { scopes } => {
            format!("this is the token of a person (scp: {}), not of the application", scopes.join(" "))
        }
        Finding::WrongAudience { found, wanted } => {
            format!("this token is for {}, not for {}", found.join(", "), wanted.label())
        }
        Finding::Expired { at } => format!("it expired at {at}"),
        Finding::NotYetValid { at } => format!("it is not valid before {at}"),
        Finding::NotConsented => "permissions are listed, but nobody has consented to them".to_owned(),
        Finding::NothingGranted => "no application permission of this API is listed".to_owned(),
        Finding::GrantedJustNow { at } => format!("the permissions were granted at {at} and do not show yet"),
        Finding::OlderThanGrant { granted_at } => format!("this token is older than the grant of {granted_at}"),
        Finding::NoRoles => {
            "it carries no roles: nothing is granted, nobody consented, or the grant is seconds old".to_owned()
        }
        Finding::MissingRoles(roles) => format!("it lacks {}", roles.join(", ")),
        Finding::ExcessRoles(roles) => format!("it holds more than is needed: {}", roles.join(", ")),
    };
    format!("{what}. {}", finding.remedy())
}

fn read_token(path: &std::path::Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut text).context("the token cannot be read")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(TOKEN_BYTES_MAX)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(text.trim().to_owned())
}

const TOKEN_BYTES_MAX: u64 = 1 << 20;
