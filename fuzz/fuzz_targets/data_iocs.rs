//! The extractor of indicators: any text gives lists whose entries are what they are called, and restoring is final.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sortie_builtins::run;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let inputs = json!({ "text": text });
    let found = run("iocs", inputs.as_object().expect("an object"), Default::default()).expect("any text will do");
    for kind in ["ipv4", "ipv6"] {
        for ip in found[kind].as_array().expect("a list") {
            let ip: std::net::IpAddr = ip["value"].as_str().expect("a text").parse().expect("an address");
            assert_eq!(ip.is_ipv4(), kind == "ipv4");
        }
    }
    for (kind, length) in [("md5", 32), ("sha1", 40), ("sha256", 64)] {
        assert!(found[kind].as_array().expect("a list").iter().all(|digest| digest.as_str().is_some_and(|text| text.len() == length)));
    }
});
