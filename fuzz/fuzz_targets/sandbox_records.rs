//! What a child of a script may say to its parent: any bytes are records within their bounds or refused, however the pipe
//! cuts them, and what is read is written again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_sandbox::{Record, Records};

/// The records in these bytes, and whether they end in something that no child of ours says.
fn heard(bytes: &[u8], piece: usize) -> (Vec<Record>, bool) {
    let (mut records, mut heard) = (Records::default(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        records.push(piece);
        loop {
            match records.next_record() {
                Ok(Some(record)) => heard.push(record),
                Ok(None) => break,
                Err(_) => return (heard, true),
            }
        }
    }
    (heard, false)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = heard(bytes, bytes.len());
    assert_eq!(heard(bytes, 1), whole);
    let said: Vec<u8> = whole.0.iter().flat_map(Record::to_bytes).collect();
    assert_eq!(heard(&said, 7), (whole.0, false));
});
