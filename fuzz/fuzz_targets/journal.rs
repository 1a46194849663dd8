//! Pages of journals: whatever lies in the row is read as this format says, or refused in a sentence; what is read is written the
//! same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_runner::journal::Page;

fuzz_target!(|text: &str| {
    match Page::read(text) {
        Ok(page) => {
            assert_eq!(page.format, Page::FORMAT);
            let written = serde_json::to_string(&page).expect("a page is JSON");
            assert_eq!(Page::read(&written).expect("what was written is read"), page);
        }
        Err(error) => assert!(error.to_string().starts_with("its journal"), "{error}"),
    }
});
