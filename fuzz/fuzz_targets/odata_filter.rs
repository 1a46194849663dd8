//! The emulator's `$filter` parser: any text is a filter or a refusal, and never a panic or a deep recursion.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_emulator::parse_odata_filter;

fuzz_target!(|input: &[u8]| {
    if let Err(error) = parse_odata_filter(&String::from_utf8_lossy(input)) {
        let _ = error.to_string();
    }
});
