//! What each document does, by its own words.

use serde_json::{Value, json};

use crate::{
    Case,
    Start::{Called, Schedule, Webhook},
};

/// Workflows that the documents run and that were never published: Shuffle's id, and what stands for it here.
pub(crate) const CALLED: &[(&str, &str)] = &[
    ("66038181-ee20-4ae7-92ec-e5054a7c445a", "ftp"),
    ("132d4fd9-29d1-4d98-9717-ee809f958f2e", "ssh"),
    ("6044a201-8885-443b-ab4c-5167d993bd8a", "s3"),
    ("32dde0b4-991b-47b1-ad14-0ebd5edb028a", "vulnerabilities"),
    ("70f5a22f-086e-4f7b-9853-38f3a40cbaa9", "urls"),
];
/// Documents that others run.
pub(crate) const RUN_BY_OTHERS: &[&str] = &["c466", "9893", "b73f"];
/// Documents that are not run, and why.
pub(crate) const NOT_RUN: &[(&str, &str)] =
    &[("4f8d", "it is about files of Shuffle's own store"), ("63b5", "it is about files of Shuffle's own store")];

/// A workflow that tells the service what it was run with, and gives its answer.
pub(crate) fn called(name: &str, base: &str) -> String {
    format!(
        "workflow: {name}\ntriggers: [{{ workflow: {{ inputs: {{ argument: any }} }} }}]\nsteps:\n  - id: told\n    call: http/post\n    \
         with: {{ url: '{base}/called/{name}', json: '{{{{ inputs.argument }}}}' }}\noutput: '{{{{ steps.told.output.body }}}}'\n"
    )
}

pub(crate) fn all() -> Vec<Case> {
    let parts = [
        webhooks_of_thehive(),
        other_webhooks_of_thehive(),
        ioc_parser(),
        wazuh(),
        firewall(),
        plain(),
        threatlist_of_addresses(),
        threatlist_of_hashes(),
        mails(),
        enrichment(),
    ];
    parts.into_iter().flatten().collect()
}

fn case(file: &'static str, about: &'static str, start: crate::Start) -> Case {
    Case {
        file,
        about,
        start,
        answers: Vec::new(),
        calls: Vec::new(),
        ends: &[],
        gives: Vec::new(),
        end: "succeeded",
        differs: &[],
    }
}

fn ioc_parser() -> Vec<Case> {
    let body = |kind: &str| json!({ "objectType": kind, "operation": "Creation", "object": { "data": "evil.example", "dataType": "domain" } });
    const BY_HAND: &[(&str, &str)] =
        &[("shuffle-tools-1", "SKIPPED"), ("create-thehive-case", "SKIPPED"), ("add-observables-to-case", "SKIPPED")];
    vec![
        Case {
            calls: vec![vec![(
                "POST /cortex/run_analyzer",
                json!({ "analyzer_name": "MISP_2_0", "data": "evil.example", "datatype": "domain" }),
            )]],
            ends: BY_HAND,
            gives: vec![(
                "repeat-thehive-webhook",
                json!("Got a webhook for objectType \"case_artifact\" operation \"Creation\""),
            )],
            ..case("35d7", "an artifact is analysed", Webhook(body("case_artifact")))
        },
        Case {
            ends: &[
                ("shuffle-tools-1", "SKIPPED"),
                ("create-thehive-case", "SKIPPED"),
                ("add-observables-to-case", "SKIPPED"),
                ("case-artifact", "SKIPPED"),
                ("run-misp-analyzer", "SKIPPED"),
            ],
            ..case("35d7", "anything else is not", Webhook(body("alert")))
        },
        Case {
            ends: &[
                ("create-thehive-case", "SKIPPED"),
                ("add-observables-to-case", "SKIPPED"),
                ("repeat-thehive-webhook", "SKIPPED"),
                ("case-artifact", "SKIPPED"),
                ("run-misp-analyzer", "SKIPPED"),
            ],
            gives: vec![("shuffle-tools-1", json!([]))],
            ..case("35d7", "by hand it begins at its start node, whose text is empty", Called(json!({})))
        },
    ]
}

fn webhooks_of_thehive() -> Vec<Case> {
    let body = |kind: &str, severity: u32| {
        json!({ "objectType": kind, "operation": "Creation", "rootId": "AX1", "objectId": "AX9",
            "details": { "title": "C:\\new \"quoted\"" }, "object": { "id": "AX1", "title": "Phish", "severity": severity } })
    };
    let search = || {
        let query = r#"{"_and":[{"_string":"(status:\"Open\") AND C:\\new \"quoted\""}]}"#;
        ("POST /thehive-1-1-1/custom_search", json!({ "search_for": "case", "custom_query": query }))
    };
    let analysed = |analyzer: &str| {
        let body = json!({ "cortex_id": "Cortex-Infopercept", "analyzer_id": analyzer, "artifact_id": "AX9" });
        ("POST /thehive-1-1-1/run_analyzer", body)
    };
    let teams = json!({ "title": "High severity alert: Phish", "choices": "Close alert", "added_information": "AX1",
        "message": "An alert of high severity was detected. Verify it as soon as possible here: \n\nhttp://10.0.2.190:9000/index.html#!/alert/list" });
    vec![
        Case {
            answers: vec![("POST /thehive-1-1-1/custom_search", json!([{ "id": "case-7" }]))],
            calls: vec![
                vec![search()],
                vec![("POST /thehive-1-1-1/merge_alert_into_case", json!({ "alert_id": "AX1", "case_id": "case-7" }))],
            ],
            ends: &[
                ("open-scan-new-artifact", "SKIPPED"),
                ("scan-new-artifact", "SKIPPED"),
                ("send-high-severity-message", "SKIPPED"),
            ],
            differs: &["a backslash in the title breaks Shuffle's JSON; here it arrives as it was"],
            ..case("413f", "an alert with one case like it is merged", Webhook(body("alert", 1)))
        },
        Case {
            answers: vec![("POST /thehive-1-1-1/custom_search", json!([{ "id": "a" }, { "id": "b" }]))],
            calls: vec![vec![search()], vec![("POST /microsoft-teams/send_actionable_msg", teams)]],
            ends: &[
                ("open-scan-new-artifact", "SKIPPED"),
                ("scan-new-artifact", "SKIPPED"),
                ("merge-alert-with-case", "SKIPPED"),
            ],
            differs: &["an empty field (`callback_url`) is left out"],
            ..case("413f", "with two cases somebody is told", Webhook(body("alert", 1)))
        },
        Case {
            calls: vec![vec![analysed("MISP_2_1"), analysed("Abuse_Finder_3_0"), analysed("CyberCrime-Tracker_1_0")]],
            ends: &[
                ("find-similar-cases", "SKIPPED"),
                ("merge-alert-with-case", "SKIPPED"),
                ("send-high-severity-message", "SKIPPED"),
            ],
            ..case("413f", "an artifact goes through every analyser", Webhook(body("case_artifact", 3)))
        },
        Case {
            calls: vec![vec![("POST /thehive-1-1-3/close_alert", json!({ "alert_id": "AX1" }))]],
            ..case("413f/1", "the second webhook closes an alert, and does nothing else", Webhook(json!("AX1")))
        },
    ]
}

fn other_webhooks_of_thehive() -> Vec<Case> {
    let thehive = json!({ "objectType": "alert", "operation": "Creation", "objectId": "AX1", "id": "AX1", "type": "{'name': 'x'}",
        "title": "SSH Login failure from 198.51.100.9", "description": "seen 198.51.100.9" });
    vec![
        Case {
            calls: vec![vec![
                ("POST /thehive/close_alert", json!({ "alert_id": "AX1" })),
                (
                    "POST /thehive/update_field",
                    json!({ "field_type": "alert", "cur_id": "AX1", "field": "type", "data": "AWS" }),
                ),
            ]],
            ends: &[("user", "SKIPPED"), ("case", "SKIPPED")],
            gives: vec![
                ("alert", json!("Handle Alert from TheHive with operation Creation")),
                ("get-iocs", json!([{ "type": "ip", "value": "198.51.100.9", "private": true }])),
            ],
            differs: &["an indicator has `value`, `type` and `private` here; readers of it are changed with it"],
            ..case("ba40", "an alert of a brute force is closed and corrected", Webhook(thehive))
        },
        Case {
            ends: &[
                ("alert", "SKIPPED"),
                ("close-ssh-alert", "SKIPPED"),
                ("get-iocs", "SKIPPED"),
                ("fix-type-field", "SKIPPED"),
                ("case", "SKIPPED"),
            ],
            gives: vec![("user", json!("Handle user edit"))],
            ..case("ba40", "letter case does not count", Webhook(json!({ "objectType": "USER" })))
        },
    ]
}

/// An event of Wazuh, and the alert that is made of it.
fn event(rule: &str) -> (Value, Value) {
    let event = json!({ "id": "ev-1", "title": "Bad login", "severity": 3, "rule_id": rule, "text": "FTP login",
        "all_fields": { "decoder": { "parent": "sshd" }, "full_log": "line", "rule": { "level": 6, "firedtimes": 2 },
            "data": { "srcip": "198.51.100.9", "srcuser": "root", "srcport": 22 },
            "agent": { "id": "001", "name": "web-1", "ip": "10.0.0.5" } } });
    let tags = format!("Rule: {rule}, Level: 6, Fired amount: 2");
    let alert = json!({ "type": "sshd", "source": "Wazuh", "sourceref": "ev-1", "title": "Bad login", "severity": "3", "tags": tags,
        "description": "line\n\n{\"srcip\":\"198.51.100.9\",\"srcport\":22,\"srcuser\":\"root\"}" });
    (event, alert)
}

const WAZUH: &str = "JSON within a text has no blanks between its parts here";

fn wazuh() -> Vec<Case> {
    let told = |to: &'static str, rule: &str| vec![(to, event(rule).0)];
    let alone = |about, to, rule: &str, ends| Case {
        calls: vec![told(to, rule)],
        ends,
        ..case("67f2", about, Webhook(event(rule).0))
    };
    vec![
        alone(
            "5712 runs the workflow about SSH, and makes no alert",
            "POST /called/ssh",
            "5712",
            &[
                ("create-alert-shuffle", "SKIPPED"),
                ("ftp-block-ip", "SKIPPED"),
                ("run-s3-workflow", "SKIPPED"),
                ("handle-vulnerabilities", "SKIPPED"),
            ],
        ),
        alone(
            "11401 is about FTP",
            "POST /called/ftp",
            "11401",
            &[
                ("create-alert-shuffle", "SKIPPED"),
                ("ssh-block-ip", "SKIPPED"),
                ("run-s3-workflow", "SKIPPED"),
                ("handle-vulnerabilities", "SKIPPED"),
            ],
        ),
        alone(
            "80202 is about buckets",
            "POST /called/s3",
            "80202",
            &[
                ("create-alert-shuffle", "SKIPPED"),
                ("ssh-block-ip", "SKIPPED"),
                ("ftp-block-ip", "SKIPPED"),
                ("handle-vulnerabilities", "SKIPPED"),
            ],
        ),
        Case {
            calls: vec![vec![
                ("POST /called/vulnerabilities", event("23504").0),
                ("POST /thehive/create_alert", event("23504").1),
            ]],
            ends: &[("ssh-block-ip", "SKIPPED"), ("ftp-block-ip", "SKIPPED"), ("run-s3-workflow", "SKIPPED")],
            differs: &[WAZUH],
            ..case("67f2", "23504 is none of those that make no alert", Webhook(event("23504").0))
        },
    ]
}

fn firewall() -> Vec<Case> {
    let block = |ip: &str| {
        ("POST /aws-ec2/block_ip", json!({ "ACL_id": "acl-09e8c9f757d3638d5", "ip": ip, "direction": "inbound" }))
    };
    let mut ssh = event("5712").1;
    ssh["title"] = json!("SSH Login failure from 198.51.100.9");
    ssh["description"] = json!(
        "SSH login failure from:\n* User: root\n* IP: 198.51.100.9\n* Port: 22\n\nTo agent:\n* web-1\n* 10.0.0.5\n* 001\n\nAction: Blocking IP"
    );
    let about = "FTP login\n\nFTP connection from: 198.51.100.9\n\nAgent:\n* ID: 001\n* Name: web-1\n* IP: 10.0.0.5";
    let mut ftp = event("11401").1;
    ftp["title"] = json!("FTP honeypot connection from 198.51.100.9");
    ftp["description"] = json!(about);
    let analysed = |ip: &str| {
        let body = json!({ "data": ip, "datatype": "ip", "message": "This is a test" });
        ("POST /cortex/run_available_analyzers", body)
    };
    let result = |id: &str| ("POST /cortex/get_analyzer_result", json!({ "result_id": id }));
    let ticket = json!({ "field_type": "alert", "cur_id": "$Create_FTP_alert.id", "field": "description",
        "data": format!("{about}\n\n\n________________________\n\nCortex: [{{\"report\":\"clean\"}},{{\"report\":\"clean\"}}]") });
    vec![
        Case {
            calls: vec![vec![block("198.51.100.9"), ("POST /thehive/create_alert", ssh)]],
            ..case("80a4", "the address is blocked and a ticket made", Called(event("5712").0))
        },
        Case {
            answers: vec![
                ("POST /cortex/run_available_analyzers", json!(["job-1"])),
                ("POST /cortex/run_available_analyzers", json!(["job-2"])),
                ("POST /cortex/get_analyzer_result", json!({ "report": "clean" })),
            ],
            calls: vec![
                vec![
                    block("198.51.100.9"),
                    ("POST /thehive/create_alert", ftp),
                    analysed("198.51.100.9"),
                    analysed("10.0.0.5"),
                ],
                vec![result("job-1"), result("job-2")],
                vec![("POST /thehive/update_field", ticket)],
            ],
            differs: &[
                "the ticket names `$Create_FTP_alert`, which is no node: there an empty text, here the words as they are",
                WAZUH,
                "a list of one (the address to block) is the item itself in Shuffle",
            ],
            ..case("e6fe", "results are waited for, then the ticket is written", Called(event("11401").0))
        },
    ]
}

/// Documents that only repeat, fail and wait.
fn plain() -> Vec<Case> {
    let owner = r"IP owner: Example AS \\\r\\\n\\\r\\\n Country: NO \\\r\\\n\\\r\\\nReputation: 3";
    let alert = json!({ "type": "Informationnnnnnn", "source": "Shuffle", "sourceref": "whois-203.0.113.50",
        "title": "Info for 203.0.113.50", "description": owner });
    let looked_up = json!({ "data": { "attributes": { "as_owner": "Example AS", "reputation": 3 }, "country": "NO" } });
    let ids = json!([6_180_352_115_244_794_000_u64, 6_180_351_977_805_840_000_u64]);
    vec![
        Case {
            gives: vec![("print-loop-ids", ids)],
            differs: &[
                "a condition on a whole list never holds in Shuffle; here it does where an item fits, as is written there",
            ],
            ..case("806d", "a list is gone through", Called(json!("")))
        },
        Case {
            gives: vec![("testing-1", json!("Test node 1")), ("testing-5", json!(""))],
            ..case("a863", "the first schedule begins at its own node", Schedule)
        },
        Case {
            gives: vec![("testing-2", json!("Test node 2")), ("testing-5", json!(""))],
            ..case("a863/1", "so does the second", Schedule)
        },
        Case {
            gives: vec![("testing-3", json!("")), ("testing-5", json!(""))],
            ..case("a863/2", "and the third", Schedule)
        },
        Case {
            ends: &[
                ("testing-2", "FAILURE"),
                ("testing-6", "SKIPPED"),
                ("testing-7", "SKIPPED"),
                ("testing-9", "SKIPPED"),
                ("testing-11", "SKIPPED"),
            ],
            end: "failed",
            differs: &["a failure fails the run at its end; Shuffle ends it as FINISHED"],
            ..case("ea1c", "a failure skips what only it leads to", Called(json!("")))
        },
        Case {
            answers: vec![
                ("GET /ipify/", json!({ "ip": "203.0.113.50" })),
                ("GET /virustotal-v3/", looked_up),
                ("POST /thehive/create_alert", json!({ "id": "al-1" })),
            ],
            calls: vec![
                vec![("GET /ipify/?format=json", Value::Null)],
                vec![("GET /virustotal-v3/ip_addresses/203.0.113.50", Value::Null)],
                vec![("POST /thehive/create_alert", alert)],
                vec![("POST /thehive/close_alert", json!({ "alert_id": "al-1" }))],
            ],
            gives: vec![("print-ip", json!("My IP is 203.0.113.50"))],
            ..case("fbe3", "one after the other", Schedule)
        },
        Case {
            calls: vec![
                vec![(
                    "POST /aws-iam/attach_user_policy",
                    json!({ "policy_arn": "arn:aws:iam::aws:policy/AlexaForBusinessDeviceSetup" }),
                )],
                vec![("POST /aws-iam/change_password", json!({}))],
                vec![("POST /aws-iam/get_user", json!({}))],
            ],
            differs: &["fields that were left empty are left out"],
            ..case("a364", "three calls in a line", Called(json!("")))
        },
    ]
}

fn looked_up(ip: &str, classification: &str) -> Value {
    json!({ "ip": ip, "classification": classification, "link": format!("https://viz/{ip}") })
}

const NEW_ONES: &str =
    "a loop over an empty list runs once over empty texts in Shuffle, and its result breaks what comes behind";
const RACE: &str = "what is read from an execution variable is what its node gave; Shuffle does not wait for that node";

fn threatlist_of_addresses() -> Vec<Case> {
    let ask = |to: &'static str| (to, Value::Null);
    let answers = || {
        vec![
            ("GET /greynoise/v3/community/198.51.100.1", looked_up("198.51.100.1", "benign")),
            ("GET /greynoise/v3/community/198.51.100.2", looked_up("198.51.100.2", "malicious")),
            ("GET /greynoise/v3/community/203.0.113.3", looked_up("203.0.113.3", "malicious")),
            ("GET /greynoise/v3/community/203.0.113.4", looked_up("203.0.113.4", "unknown")),
        ]
    };
    let first = [ask("GET /greynoise/v3/community/198.51.100.1"), ask("GET /greynoise/v3/community/198.51.100.2")];
    let then = [ask("GET /greynoise/v3/community/203.0.113.3"), ask("GET /greynoise/v3/community/203.0.113.4")];
    let known = |ip: &str| json!({ "name": ip, "found": true, "value": 2, "version": 1, "expires": null });
    let kept = |ip: &str, version: u32| json!({ "name": ip, "version": version });
    let nothing = json!({ "message": "", "items": [] });
    vec![
        Case {
            answers: answers(),
            calls: vec![first.to_vec()],
            gives: vec![
                ("add-to-cache", json!([kept("198.51.100.1", 1), kept("198.51.100.2", 1)])),
                ("shuffle-tools-1", json!("Malicious: 198.51.100.2: https://viz/198.51.100.2")),
                ("default-return-message", nothing.clone()),
            ],
            differs: &[NEW_ONES, RACE],
            ..case("9893", "addresses are looked up and remembered", Webhook(json!("198.51.100.1 and 198.51.100.2")))
        },
        Case {
            answers: answers(),
            calls: vec![[&then[..], &first[..]].concat()],
            gives: vec![
                ("return-plus-one", json!([2, 2])),
                ("merge-valid-lists", json!([known("198.51.100.1"), known("198.51.100.2")])),
                (
                    "merge-cache",
                    json!([
                        kept("203.0.113.3", 1),
                        kept("203.0.113.4", 1),
                        kept("198.51.100.1", 2),
                        kept("198.51.100.2", 2)
                    ]),
                ),
                (
                    "shuffle-tools-1",
                    json!("Malicious: 203.0.113.3: https://viz/203.0.113.3&198.51.100.2: https://viz/198.51.100.2"),
                ),
            ],
            differs: &[RACE],
            ..case(
                "9893",
                "what is known is counted, what is new is added",
                Webhook(json!({ "text": "203.0.113.3 203.0.113.4 198.51.100.1 198.51.100.2" })),
            )
        },
        Case {
            ends: NOTHING_FOUND,
            gives: vec![("default-return-message", nothing.clone()), ("#output", nothing)],
            ..case("9893", "where nothing is found, the default comes back", Webhook(json!("nothing")))
        },
    ]
}

const NOTHING_FOUND: &[(&str, &str)] = &[
    ("filter-ips", "SKIPPED"),
    ("open-search-ip", "SKIPPED"),
    ("search-ip", "SKIPPED"),
    ("open-find-item", "SKIPPED"),
    ("find-item", "SKIPPED"),
    ("filter-found-ips", "SKIPPED"),
    ("add-to-cache", "SKIPPED"),
    ("return-plus-one", "SKIPPED"),
    ("merge-valid-lists", "SKIPPED"),
    ("update-cache", "SKIPPED"),
    ("merge-cache", "SKIPPED"),
    ("merge-results", "SKIPPED"),
    ("fix-greynoise-list", "SKIPPED"),
    ("find-malicious", "SKIPPED"),
    ("open-set-malicious", "SKIPPED"),
    ("set-malicious", "SKIPPED"),
    ("shuffle-tools-1", "SKIPPED"),
    ("parse-result", "SKIPPED"),
];

fn threatlist_of_hashes() -> Vec<Case> {
    let bad = "9e107d9d372bb6826bd81d3542a419d6";
    let good = "d41d8cd98f00b204e9800998ecf8427e";
    let report = |hash: &str, positives: u32| json!({ "resource": hash, "positives": positives, "total": 70 });
    vec![Case {
        answers: vec![
            ("GET /virustotal/file/report?resource=9e1", report(bad, 5)),
            ("GET /virustotal/file/report?resource=d41", report(good, 0)),
        ],
        calls: vec![vec![
            ("GET /virustotal/file/report?resource=9e107d9d372bb6826bd81d3542a419d6", Value::Null),
            ("GET /virustotal/file/report?resource=d41d8cd98f00b204e9800998ecf8427e", Value::Null),
        ]],
        gives: vec![
            ("filter-positives", json!({ "kept": [report(bad, 5)], "dropped": [report(good, 0)] })),
            ("parsed-malicious-list", json!(format!("Malicious hashes:  {bad}: ( 5 / 70 ) "))),
        ],
        differs: &[NEW_ONES, RACE, "a header of its own (`Content-Type` of a GET) is left out"],
        ..case("b73f", "digests are looked up and remembered", Called(json!(format!("{bad} {good}"))))
    }]
}

/// A mail as the mailbox gives it.
fn mail(id: &str, body: &str) -> Value {
    json!({ "message_id": id,
        "header": { "subject": "Invoice", "from": "a@evil.example", "to": ["b@ours.example"], "date": "today",
            "received_ip": ["192.0.2.1"], "received_domain": ["mx.example"] },
        "body": { "raw_body": body, "content": "hi", "uri": ["https://x.example/1", "https://x.example/2"],
            "domain": ["x.example", "y.example"] } })
}

const LOOKED_UP: &[&str] = &[
    "GET /virustotal/url/report?resource=https%3A%2F%2Fx.example%2F1",
    "GET /virustotal/url/report?resource=https%3A%2F%2Fx.example%2F2",
    "GET /virustotal/domain/report?domain=x.example",
    "GET /virustotal/domain/report?domain=y.example",
    "GET /urlscanio/search?q=domain%3Dx.example",
    "GET /urlscanio/search?q=domain%3Dy.example",
];

/// What arrives about one mail: first these, then the alert's text.
fn about_mail(id: &str) -> (Vec<(&'static str, Value)>, (&'static str, Value)) {
    let mut calls: Vec<(&'static str, Value)> = LOOKED_UP.iter().map(|to| (*to, Value::Null)).collect();
    for artifact in ["https://x.example/1", "https://x.example/2", "x.example", "y.example"] {
        let body = json!({ "project": "f7575807-ed5a-4761-b73b-9425958af69e", "artifact": artifact });
        calls.push(("POST /passivetotal/add_artifact", body));
    }
    let head = "Sender: a@evil.example\nTo: [\"b@ours.example\"]\nDate: today\n\nSender IP: 192.0.2.1\nSender Domain: mx.example";
    let alert = json!({ "type": "Email", "source": "SIEM", "sourceref": id, "title": "Invoice", "description": head,
        "tags": "Email,a@evil.example,b@ours.example" });
    calls.push(("POST /thehive/create_alert", alert));
    let data = format!(
        "{head}\n\nContent:\nhi\n\n---------------------------------------------\n\nDomains - [\"x.example\",\"y.example\"]\n\n\
         Urlscan: [{{\"s\":1}},{{\"s\":1}}]\n\nVirustotal: [{{\"d\":1}},{{\"d\":1}}]\n\n\
         URLs: [\"https://x.example/1\",\"https://x.example/2\"]\n\nVirustotal: [{{\"u\":1}},{{\"u\":1}}]\n\n\n"
    );
    let update = json!({ "field_type": "alert", "cur_id": "al-7", "field": "description", "data": data });
    (calls, ("POST /thehive/update_field", update))
}

fn mails() -> Vec<Case> {
    let answers = || {
        vec![
            ("GET /virustotal/url/", json!({ "u": 1 })),
            ("GET /virustotal/domain/", json!({ "d": 1 })),
            ("GET /urlscanio/", json!({ "s": 1 })),
            ("POST /thehive/create_alert", json!({ "id": "al-7" })),
        ]
    };
    let asked = json!({ "foldername": "inbox/malware", "amount": "1", "unread": "true", "include_raw_body": "true",
        "include_attachment_data": "true", "upload_email_shuffle": "true", "upload_attachments_shuffle": "true" });
    let read = |id: &str| ("POST /owa/mark_email_as_read", json!({ "email_id": id, "foldername": "inbox/malware" }));
    let secret = mail("m1", "-----begin pgp message-----");
    let open = mail("m2", "hello");
    let (one, one_last) = about_mail("m1");
    let (two, two_last) = about_mail("m2");
    let rest = [&[read("m1"), read("m2"), one_last.clone(), two_last][..], &one, &two].concat();
    vec![
        Case {
            answers: answers(),
            calls: vec![one, vec![one_last]],
            differs: &[WAZUH],
            ..case("c466", "everything about a mail is looked up, then written down", Called(secret.clone()))
        },
        Case {
            answers: [answers(), vec![("POST /owa/get_emails", json!([secret, open]))]].concat(),
            calls: vec![vec![("POST /owa/get_emails", asked)], rest],
            ends: &[("decrypt-email", "SKIPPED")],
            gives: vec![("filter-pgp-mail", json!({ "kept": [secret], "dropped": [open] }))],
            differs: &[
                "the passphrase that stood in it does not go on, and its step rests until there is a connection",
            ],
            ..case("c6b4", "each mail is handled by another workflow", Schedule)
        },
    ]
}

fn enrichment() -> Vec<Case> {
    let (event, mut alert) = event("1");
    let mut quiet = event;
    // Neither addresses nor digests, so that the other workflows find nothing.
    quiet["all_fields"]["data"] = json!({ "user": "root" });
    quiet["all_fields"]["agent"] = json!({});
    alert["description"] = json!("line\n\n{\"user\":\"root\"}\n\n```\n\n```");
    vec![Case {
        answers: vec![("POST /called/urls", json!({ "value": [{ "url": "https://x.example" }] }))],
        calls: vec![vec![("POST /called/urls", quiet.clone())], vec![("POST /thehive-1-1-2/create_alert", alert)]],
        ends: &[("merge-url-hash", "FAILURE"), ("merge-ip-list", "FAILURE")],
        end: "failed",
        differs: &[
            "lists that cannot be merged fail the step; in Shuffle the reason is the result, and goes into the alert",
            "a failure fails the run at its end; Shuffle ends it as FINISHED",
        ],
        ..case("e7b9", "three workflows are run, and an alert made whatever they give", Webhook(quiet))
    }]
}
