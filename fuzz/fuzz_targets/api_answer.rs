//! Pages and single objects of the Defender APIs: whatever arrives is kept on one line and read without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_defender::{Alert, Defect, Document, Incident, read_page};

fuzz_target!(|body: &[u8]| {
    for item in read_page(body).map(|page| page.items).unwrap_or_default() {
        check(&item);
    }
    check(&Document::new(&String::from_utf8_lossy(body)));
});

fn check(document: &Document) {
    assert!(!document.as_str().contains(['\n', '\r']), "a document is one line of JSON lines");
    let readable = serde_json::from_str::<serde_json::Value>(document.as_str()).is_ok();
    assert_eq!(readable, document.defect() != Some(Defect::Unreadable), "the defect says whether it can be read");
    if let Some(incident) = Incident::read(document) {
        let _ = incident.badness();
    }
    let _ = Alert::read(document);
}
