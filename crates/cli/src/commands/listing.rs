//! Printing a list as its pages arrive: what `incidents list` and `alerts list` have in common.

use sortie_defender::{Document, Note, Pages};

use crate::{
    context::Context,
    exit::Exit,
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
    /// Reads to the end or the limit, and hands each page on before the next is asked for.
    pub(super) async fn print(self, mut pages: Pages<'_>, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let mut listing = Listing::start(format, self.columns)?;
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
                listing.row(&fields, document.as_str())?;
            }
            listing.flush()?;
        }
        drop(progress);
        listing.finish(&format!("No {} match.", self.what))?;
        Ok(Exit::Success)
    }
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
