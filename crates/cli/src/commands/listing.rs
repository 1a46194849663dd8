//! Printing a list as its pages arrive: what `incidents list` and `alerts list` have in common.

use serde::Serialize;
use serde_json::value::RawValue;
use sortie_defender::{DefenderError, Document, Note, Pages};

use crate::{
    context::{Context, Session, Sessions},
    exit::{Exit, is_broken_pipe, report},
    output::{Field, Format, Listing, Progress},
};

/// How one kind of object is listed.
pub(super) struct PrintedList {
    /// In the plural: `incidents`.
    pub what: &'static str,
    pub columns: &'static [&'static str],
    /// The columns of one object.
    pub fields: fn(&Document) -> Vec<Field>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl PrintedList {
    /// Reads to the end or the limit, and hands each page on before the next is asked for. Where all tenants are asked every row
    /// says whose it is, and one tenant that cannot be read does not hide the others.
    pub(super) async fn print<'a>(
        self,
        Sessions { sessions, all, exit }: &'a Sessions,
        pages: impl Fn(&'a Session) -> Result<Pages<'a>, DefenderError>,
        format: Format,
        context: &Context,
    ) -> anyhow::Result<Exit> {
        let ([session], false) = (&sessions[..], all) else {
            return self.print_all(sessions, *exit, pages, format, context).await;
        };
        let mut listing = Listing::start(format, self.columns)?;
        self.read(pages(session)?, &mut listing, None, format, context).await?;
        listing.finish(&format!("No {} match.", self.what))?;
        Ok(Exit::Success)
    }

    async fn print_all<'a>(
        &self,
        sessions: &'a [Session],
        exit: Exit,
        pages: impl Fn(&'a Session) -> Result<Pages<'a>, DefenderError>,
        format: Format,
        context: &Context,
    ) -> anyhow::Result<Exit> {
        let mut exit = exit;
        let mut listing = Listing::start(format, &[&["connection"], self.columns].concat())?;
        for session in sessions {
            let read = match pages(session) {
                Ok(pages) => self.read(pages, &mut listing, Some(session), format, context).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = read {
                if is_broken_pipe(&error) {
                    return Err(error);
                }
                exit = report(&error.context(format!("connection `{}`", session.name)));
            }
        }
        listing.finish(&format!("No {} match.", self.what))?;
        Ok(exit)
    }

    async fn read(
        &self,
        mut pages: Pages<'_>,
        listing: &mut Listing,
        session: Option<&Session>,
        format: Format,
        context: &Context,
    ) -> anyhow::Result<()> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        let progress = Progress::start(&format!("{} read", self.what), format, context.global.quiet);
        while left > 0 {
            let page = pages.next().await?;
            tell_notes(context, pages.notes());
            let Some(page) = page else { break };
            progress.add(page.len() as u64);
            for document in page.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                left -= 1;
                // JSON is the document itself; its members need not be read.
                let needed = matches!(format, Format::Table | Format::Csv);
                let fields = if needed { (self.fields)(document) } else { Vec::new() };
                put(listing, session, fields, document)?;
            }
            listing.flush()?;
        }
        Ok(())
    }
}

/// One row; of several tenants, with the connection that it came by.
pub(super) fn put(
    listing: &mut Listing,
    session: Option<&Session>,
    mut fields: Vec<Field>,
    document: &Document,
) -> anyhow::Result<()> {
    let Some(session) = session else { return listing.row(&fields, document.as_str()) };
    fields.insert(0, Field::plain(&session.name));
    listing.row(&fields, &of_connection(session, document)?)
}

fn of_connection(session: &Session, document: &Document) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        connection: &'a str,
        tenant: &'a str,
        document: &'a RawValue,
    }
    // What cannot be read as JSON goes as a text.
    let quoted = serde_json::value::to_raw_value(document.as_str())?;
    let document = serde_json::from_str(document.as_str()).unwrap_or(&*quoted);
    let line = Line { connection: &session.name, tenant: session.application.tenant.as_str(), document };
    Ok(serde_json::to_string(&line)?)
}

/// What a list wants the reader to know, on standard error.
pub(super) fn tell_notes(context: &Context, notes: Vec<Note>) {
    for note in notes {
        context.note(&match note {
            Note::ForeignNextLink { host } => {
                format!("the list's next link named another host ({host}); it was asked from the configured host, and nothing was sent to the other")
            }
            Note::Mended { id, defect } => format!("object {}: {defect}", id.unwrap_or_else(|| "without an id".to_owned())),
            Note::ExpandFailed => "the service could not bring the alerts along; they were asked for separately".to_owned(),
            Note::ReadAgain { counted, listed } => {
                format!("{listed} objects came where the service had counted {counted}, so the list was read a second time")
            }
        });
    }
}
