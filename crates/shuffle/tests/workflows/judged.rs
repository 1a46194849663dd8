//! Workflows judged one by one: which steps there must be, what they wait for, and when they run.

use sortie_engine::document::{Run, Step, Verb};
use sortie_shuffle::{NoApps, import};

/// A step on one line: what it does, what it waits for, whether it waits for all ends, and whether it rests.
fn line(step: &Step) -> String {
    let verb = match &step.verb {
        Verb::Call(call) => format!("{}/{}", call.connector, call.operation),
        Verb::Workflow(_) => "workflow".to_owned(),
        Verb::Approval(_) => "approval".to_owned(),
        Verb::Wait(_) => "wait".to_owned(),
        Verb::Set(_) => "set".to_owned(),
        other => panic!("nothing becomes {other:?}"),
    };
    let after: Vec<&str> = step.after.iter().map(|after| after.step.value.as_str()).collect();
    let mut line = format!("{} {verb} <", step.id.value);
    after.iter().for_each(|id| line.push_str(&format!(" {id}")));
    for (is_so, mark) in [
        (step.run == Run::Always, " any"),
        (step.when.is_some(), " when"),
        (step.for_each.is_some(), " each"),
        (step.disabled, " off"),
    ] {
        line.push_str(if is_so { mark } else { "" });
    }
    line
}

#[test]
fn workflows_become_what_is_read_in_them() {
    let Some(corpus) = crate::corpus() else { return };
    for (file, expected) in JUDGED {
        let (file, part) =
            file.split_once('/').map_or((*file, None), |(file, part)| (file, part.parse::<usize>().ok()));
        let mut found = import(&corpus[file], &NoApps);
        if let Some(part) = part {
            found = found.parts.remove(part - 1);
        }
        let workflow = crate::sound(&found);
        let lines: Vec<String> = workflow.steps.iter().map(line).collect();
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, expected, "{file}\n{}", found.document);
    }
    assert!(JUDGED.len() >= 10);
}

#[test]
fn conditions_of_the_wazuh_handler_are_those_that_stand_there() {
    let Some(corpus) = crate::corpus() else { return };
    let workflow = crate::sound(&import(&corpus["67f2"], &NoApps));
    let when = |id: &str| {
        let step = workflow.steps.iter().find(|step| step.id.value == id).unwrap();
        step.when.as_ref().unwrap().value.clone()
    };
    let id = "trigger.body.rule_id | default('') | string";
    assert_eq!(when("ftp-block-ip"), format!("{id} | lower == '11401'"));
    assert_eq!(when("ssh-block-ip"), format!("{id} | lower is containing('5712')"));
    assert_eq!(when("run-s3-workflow"), format!("{id} is matching('80250|80202|80203')"));
    assert_eq!(when("handle-vulnerabilities"), format!("{id} is matching('23503|23504')"));
    assert_eq!(
        when("create-alert-shuffle"),
        format!("not ({id} is matching('5710|5712|11401|80203|80250|80202|23503'))")
    );
}

/// What each is about, and its steps: every line was compared with the nodes, branches and conditions of the export.
const JUDGED: &[(&str, &str)] = &[
    // Two starts: a webhook, and whoever starts it by hand; each has its own way.
    (
        "35d7",
        "
        argument set <
        shuffle-tools-1 data/iocs < argument when
        create-thehive-case set < shuffle-tools-1 when off
        repeat-thehive-webhook data/echo < argument when
        case-artifact data/echo < repeat-thehive-webhook when
        add-observables-to-case set < create-thehive-case each off
        run-misp-analyzer set < case-artifact off
        ",
    ),
    // The second webhook leads elsewhere.
    (
        "413f",
        "
        open-scan-new-artifact set < init-node when
        scan-new-artifact set < open-scan-new-artifact each off
        merge-alert-with-case set < find-similar-cases when off
        find-similar-cases set < init-node when off
        init-node data/echo <
        send-high-severity-message set < find-similar-cases when off
        ",
    ),
    // So it is a workflow of its own.
    (
        "413f/1",
        "
        close-alert set < off
        ",
    ),
    // One way for each rule; each but the first is a workflow of its own.
    (
        "67f2",
        "
        start-node data/echo <
        create-alert-shuffle set < start-node when off
        ftp-block-ip workflow < start-node when off
        ssh-block-ip workflow < start-node when off
        run-s3-workflow workflow < start-node when off
        handle-vulnerabilities workflow < start-node when off
        ",
    ),
    // A loop over a list, and a condition on one of its items.
    (
        "806d",
        "
        cisco-data data/echo <
        print-loop-ids data/echo < cisco-data each
        specific-detection-id data/echo < cisco-data when
        ",
    ),
    // Two ways from the start.
    (
        "80a4",
        "
        start-node data/echo <
        block-ip-aws set < start-node off
        create-ssh-bruteforce-ticket set < start-node off
        ",
    ),
    // Twenty branches, four of them with a condition; one step reads what no branch brings.
    (
        "9893",
        "
        parse-indicators data/iocs <
        filter-ips data/list-filter < parse-indicators when
        open-search-ip set < filter-ips when
        search-ip set < open-search-ip each off
        open-find-item set < filter-ips when
        find-item kv/get < open-find-item each
        filter-found-ips data/list-filter < find-item
        add-to-cache kv/set < filter-found-ips each
        return-plus-one data/echo < filter-found-ips each
        merge-valid-lists data/list-merge < return-plus-one
        update-cache kv/set < merge-valid-lists each
        merge-cache data/list-concat < update-cache add-to-cache any when
        merge-results data/list-merge < merge-cache fix-greynoise-list any when
        fix-greynoise-list data/list-merge < filter-ips search-ip any when
        find-malicious data/list-filter < search-ip
        open-set-malicious set < find-malicious when
        set-malicious data/echo < open-set-malicious each
        parse-result data/echo < merge-results shuffle-tools-1 any when
        shuffle-tools-1 data/echo < set-malicious
        default-return-message data/echo < wait-for-return
        wait-for-return wait < parse-indicators filter-ips any when
        ",
    ),
    // Three schedules with three starts; what all lead to is in each.
    (
        "a863",
        "
        testing-1 data/echo <
        testing-5 data/echo < testing-1
        ",
    ),
    (
        "a863/2",
        "
        testing-3 data/echo <
        testing-5 data/echo < testing-3
        ",
    ),
    // Ways by the kind of the object.
    (
        "ba40",
        "
        start-node data/echo <
        alert data/echo < start-node when
        close-ssh-alert set < alert when off
        get-iocs data/iocs < close-ssh-alert
        user data/echo < start-node when
        fix-type-field set < alert when off
        case data/echo < start-node when
        ",
    ),
    // Six ways lead to the last step.
    (
        "c466",
        "
        start-node data/echo <
        check-body-urls set < start-node each off
        add-indicators-to-project set < start-node each off
        get-domain-reports set < start-node each off
        add-domain-indicators set < start-node each off
        create-alert set < start-node off
        search-domains set < start-node each off
        update-alert set < create-alert search-domains add-domain-indicators get-domain-reports add-indicators-to-project check-body-urls any when off
        ",
    ),
    // A loop that starts a workflow for each mail.
    (
        "c6b4",
        "
        get-emails set < off
        filter-pgp-mail data/list-filter < get-emails
        decrypt-email set < filter-pgp-mail off
        mark-as-read set < get-emails each off
        open-handle-email-subflow set < get-emails when
        handle-email-subflow workflow < open-handle-email-subflow each off
        ",
    ),
    // A step behind two others, one of which waits.
    (
        "e6fe",
        "
        start-node data/echo <
        block-ip-aws set < parse-ip each off
        create-ftp-ticket set < start-node off
        parse-ip data/iocs < start-node
        parse-ioc data/iocs < start-node
        run-analyzers set < parse-ioc each off
        open-get-analyzer-results set < run-analyzers wait-15-seconds any when
        get-analyzer-results set < open-get-analyzer-results each off
        wait-15-seconds wait < run-analyzers
        update-ticket set < get-analyzer-results create-ftp-ticket any when off
        ",
    ),
    // Three workflows whose results are put together.
    (
        "e7b9",
        "
        create-alert-shuffle set < startnode merge-ip-list any when off
        startnode data/echo <
        merge-url-hash data/list-merge < hash-enrichment url-enrichment any when
        merge-ip-list data/list-merge < ip-enrichment merge-url-hash any when
        ip-enrichment workflow < startnode off
        url-enrichment workflow < startnode off
        hash-enrichment workflow < startnode off
        ",
    ),
    // Nothing but branches.
    (
        "ea1c",
        "
        testing-1 data/echo <
        testing-2 data/json-parse < testing-1
        testing-3 data/echo < testing-1
        testing-4 data/echo < testing-3
        testing-5 data/echo < testing-4 testing-3 any when
        testing-6 data/echo < testing-2
        testing-7 data/echo < testing-2
        testing-8 data/echo < testing-7 testing-5 testing-9 any when
        testing-9 data/echo < testing-11
        testing-10 data/echo < testing-8 testing-6 testing-1 testing-4 testing-3 testing-11 any when
        testing-11 data/echo < testing-6
        testing-12 data/echo < testing-2 testing-5 any when
        ",
    ),
    // A line with two steps side by side.
    (
        "fbe3",
        "
        hello-world-node data/echo <
        first-repeater data/echo < hello-world-node
        get-url http/get < hello-world-node
        print-ip data/echo < get-url first-repeater any when
        virustotal-v3-1 set < print-ip off
        create-alert set < virustotal-v3-1 off
        close-alert set < create-alert off
        ",
    ),
];
