//! Documents that describe a product: any bytes are a description or a refusal, and an export gives the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_openapi::{Limits, NoSources, Options, export, import};

fuzz_target!(|input: &[u8]| {
    let limits = Limits { values_max: 200_000, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let Ok(found) = import(input, &NoSources, &options) else { return };
    assert_eq!(found.report.callable, found.description.operations.len());
    let exported = export(&found.description).to_string();
    let again = import(exported.as_bytes(), &NoSources, &Options::default()).expect("an export is a document");
    assert_eq!(found.description, again.description);
});
