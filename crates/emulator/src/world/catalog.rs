//! What can be detected in a simulated company: kinds of alerts with the traces that each leaves.

use super::terms::{DetectionSource, ServiceSource, Severity};

/// A detection. `{device}`, `{user}` and `{family}` in the title are filled in.
#[derive(Debug)]
pub(crate) struct AlertKind {
    pub title: &'static str,
    pub description: &'static str,
    pub recommended: &'static str,
    pub category: &'static str,
    pub severity: Severity,
    pub service: ServiceSource,
    pub detection: DetectionSource,
    pub techniques: &'static [&'static str],
    pub family: Option<&'static str>,
    pub tool: Option<&'static Tool>,
    /// What the alert shows, in order.
    pub traces: &'static [Trace],
}

/// A program that an alert is about.
#[derive(Debug)]
pub(crate) struct Tool {
    pub file: &'static str,
    pub folder: &'static str,
    pub command_line: &'static str,
    pub parent: &'static str,
    pub size: i64,
    pub publisher: Option<&'static str>,
}

/// One kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    Device,
    User,
    Ip,
    Url,
    File,
    Process,
    Mailbox,
    Message,
    MailCluster,
    MailboxRule,
    Submission,
    RegistryKey,
    RegistryValue,
    CloudApp,
    OauthApp,
    ServicePrincipal,
    Group,
    AzureResource,
    Malware,
    Session,
    Connection,
    Dns,
    Blob,
    Pod,
}

const NONE: AlertKind = AlertKind {
    title: "",
    description: "",
    recommended: "Validate the alert, collect artifacts from the affected assets, and contain them where the activity is not expected.",
    category: "SuspiciousActivity",
    severity: Severity::Low,
    service: ServiceSource::Endpoint,
    detection: DetectionSource::Endpoint,
    techniques: &[],
    family: None,
    tool: None,
    traces: &[],
};

static POWERSHELL: Tool = Tool {
    file: "powershell.exe",
    folder: "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
    command_line: "powershell.exe -NoProfile -WindowStyle Hidden -EncodedCommand SQBuAHYAbwBrAGUALQBQAGkAYwBrAGwAZQA=",
    parent: "winword.exe",
    size: 455_680,
    publisher: Some("Microsoft Corporation"),
};
static LOADER: Tool = Tool {
    file: "InvoiceViewer.exe",
    folder: "C:\\Users\\Public\\Downloads",
    command_line: "\"C:\\Users\\Public\\Downloads\\InvoiceViewer.exe\" /quiet /from mail",
    parent: "explorer.exe",
    size: 812_544,
    publisher: None,
};
static DUMPER: Tool = Tool {
    file: "procdmp64.exe",
    folder: "C:\\ProgramData\\cache",
    command_line: "procdmp64.exe -ma lsass.exe C:\\ProgramData\\cache\\a.dmp",
    parent: "cmd.exe",
    size: 424_856,
    publisher: None,
};
static REMOTE_EXEC: Tool = Tool {
    file: "svcrun.exe",
    folder: "C:\\Windows\\Temp",
    command_line: "svcrun.exe \\\\* -s -d cmd.exe /c C:\\Windows\\Temp\\stage.bat",
    parent: "services.exe",
    size: 383_872,
    publisher: None,
};
static SHADOW: Tool = Tool {
    file: "vssadmin.exe",
    folder: "C:\\Windows\\System32",
    command_line: "vssadmin.exe delete shadows /all /quiet",
    parent: "cmd.exe",
    size: 145_920,
    publisher: Some("Microsoft Corporation"),
};
static EXFIL: Tool = Tool {
    file: "rcl.exe",
    folder: "C:\\ProgramData\\cache",
    command_line: "rcl.exe copy D:\\Shares remote:drop --transfers 16 --no-check-certificate",
    parent: "cmd.exe",
    size: 41_238_016,
    publisher: None,
};
static SCOUT: Tool = Tool {
    file: "adfnd.exe",
    folder: "C:\\ProgramData\\cache",
    command_line: "adfnd.exe -f (objectcategory=person) > ad_users.txt",
    parent: "cmd.exe",
    size: 1_619_968,
    publisher: None,
};
static TOOLBAR: Tool = Tool {
    file: "SpeedyPdfSetup.exe",
    folder: "C:\\Users\\Public\\Downloads",
    command_line: "\"SpeedyPdfSetup.exe\" /S",
    parent: "msedge.exe",
    size: 2_930_176,
    publisher: Some("Speedy Document Tools"),
};
static SCANNER: Tool = Tool {
    file: "vulnscan-agent.exe",
    folder: "C:\\Program Files\\VulnScan",
    command_line: "vulnscan-agent.exe --range 10.0.0.0/8 --profile weekly",
    parent: "services.exe",
    size: 9_221_120,
    publisher: Some("VulnScan Example Ltd"),
};
static LOB: Tool = Tool {
    file: "BerthPlanner.exe",
    folder: "C:\\Program Files\\BerthPlanner",
    command_line: "\"C:\\Program Files\\BerthPlanner\\BerthPlanner.exe\" --sync",
    parent: "explorer.exe",
    size: 6_136_392,
    publisher: Some("Internal Development"),
};

pub(crate) static PHISH_DELIVERED: AlertKind = AlertKind {
    title: "Email messages containing malicious URL removed after delivery",
    description: "Messages with a link that was found malicious after delivery were taken out of the mailboxes.",
    category: "InitialAccess",
    severity: Severity::Informational,
    service: ServiceSource::Office365,
    detection: DetectionSource::Office365,
    techniques: &["T1566.002"],
    traces: &[Trace::Mailbox, Trace::Message, Trace::MailCluster, Trace::Url, Trace::Ip, Trace::User],
    ..NONE
};
pub(crate) static PHISH_CLICK: AlertKind = AlertKind {
    title: "A potentially malicious URL click was detected",
    description: "{user} opened a link from a message that was later classified as phishing.",
    category: "InitialAccess",
    severity: Severity::High,
    service: ServiceSource::Office365,
    detection: DetectionSource::Office365,
    techniques: &["T1566.002", "T1204.001"],
    traces: &[Trace::User, Trace::Url, Trace::Message, Trace::Mailbox],
    ..NONE
};
pub(crate) static UNFAMILIAR_SIGN_IN: AlertKind = AlertKind {
    title: "Unfamiliar sign-in properties",
    description: "A sign-in of {user} has properties that were not seen for this account before.",
    category: "InitialAccess",
    severity: Severity::Medium,
    service: ServiceSource::EntraProtection,
    detection: DetectionSource::EntraProtection,
    techniques: &["T1078.004"],
    traces: &[Trace::User, Trace::Ip, Trace::Session],
    ..NONE
};
pub(crate) static ANONYMOUS_IP: AlertKind = AlertKind {
    title: "Anonymous IP address involving one user",
    description: "{user} signed in from an address of an anonymizing network.",
    category: "InitialAccess",
    severity: Severity::Medium,
    service: ServiceSource::CloudApps,
    detection: DetectionSource::CloudApps,
    techniques: &["T1078", "T1090.003"],
    traces: &[Trace::User, Trace::Ip, Trace::CloudApp],
    ..NONE
};
pub(crate) static INBOX_RULE: AlertKind = AlertKind {
    title: "Suspicious inbox manipulation rule",
    description: "A rule that hides incoming messages was made in the mailbox of {user}.",
    category: "DefenseEvasion",
    severity: Severity::Medium,
    service: ServiceSource::CloudApps,
    detection: DetectionSource::CloudApps,
    techniques: &["T1564.008", "T1114.003"],
    traces: &[Trace::User, Trace::Mailbox, Trace::MailboxRule, Trace::Ip, Trace::CloudApp],
    ..NONE
};
pub(crate) static LOADER_RUN: AlertKind = AlertKind {
    title: "Suspicious file launched from a mail download on {device}",
    description: "An unsigned program that came with a message was started and called out to the internet.",
    category: "Execution",
    severity: Severity::Medium,
    techniques: &["T1204.002", "T1105"],
    tool: Some(&LOADER),
    traces: &[Trace::Device, Trace::User, Trace::File, Trace::Process, Trace::Url, Trace::Connection],
    ..NONE
};
pub(crate) static POWERSHELL_RUN: AlertKind = AlertKind {
    title: "Suspicious PowerShell command line",
    description: "An Office program started PowerShell with an encoded command on {device}.",
    category: "Execution",
    severity: Severity::Medium,
    techniques: &["T1059.001", "T1027"],
    tool: Some(&POWERSHELL),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File, Trace::Ip],
    ..NONE
};
pub(crate) static RUN_KEY: AlertKind = AlertKind {
    title: "Anomaly detected in ASEP registry",
    description: "A program wrote itself to a start-up place of the registry on {device}.",
    category: "Persistence",
    severity: Severity::Medium,
    techniques: &["T1547.001"],
    tool: Some(&LOADER),
    traces: &[Trace::Device, Trace::RegistryKey, Trace::RegistryValue, Trace::File, Trace::Process],
    ..NONE
};
pub(crate) static LSASS: AlertKind = AlertKind {
    title: "Sensitive credential memory read",
    description: "The memory of the Local Security Authority was read on {device}.",
    category: "CredentialAccess",
    severity: Severity::High,
    techniques: &["T1003.001"],
    tool: Some(&DUMPER),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File],
    ..NONE
};
pub(crate) static KERBEROAST: AlertKind = AlertKind {
    title: "Suspected Kerberos SPN exposure (external ID 2410)",
    description: "{user} asked for service tickets of many accounts from {device}.",
    category: "CredentialAccess",
    severity: Severity::High,
    service: ServiceSource::Identity,
    detection: DetectionSource::Identity,
    techniques: &["T1558.003"],
    traces: &[Trace::User, Trace::Device, Trace::Ip],
    ..NONE
};
pub(crate) static AD_SCOUT: AlertKind = AlertKind {
    title: "User and group membership reconnaissance (SAMR)",
    description: "{device} listed privileged accounts and groups of the domain.",
    category: "Discovery",
    severity: Severity::Medium,
    service: ServiceSource::Identity,
    detection: DetectionSource::Identity,
    techniques: &["T1087.002", "T1069.002"],
    tool: Some(&SCOUT),
    traces: &[Trace::Device, Trace::User, Trace::Group, Trace::Process],
    ..NONE
};
pub(crate) static REMOTE_SERVICE: AlertKind = AlertKind {
    title: "Suspicious remote service execution on {device}",
    description: "A service was created from another device and started a program in a temporary folder.",
    category: "LateralMovement",
    severity: Severity::High,
    techniques: &["T1021.002", "T1569.002"],
    tool: Some(&REMOTE_EXEC),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File, Trace::Ip, Trace::Connection],
    ..NONE
};
pub(crate) static PASS_THE_HASH: AlertKind = AlertKind {
    title: "Suspected identity theft (pass-the-hash)",
    description: "The credentials of {user} were used from {device} without a sign-in there.",
    category: "LateralMovement",
    severity: Severity::High,
    service: ServiceSource::Identity,
    detection: DetectionSource::Identity,
    techniques: &["T1550.002"],
    traces: &[Trace::User, Trace::Device, Trace::Ip],
    ..NONE
};
pub(crate) static GROUP_CHANGE: AlertKind = AlertKind {
    title: "Suspicious additions to sensitive groups",
    description: "{user} was added to a group with administrative rights.",
    category: "Persistence",
    severity: Severity::High,
    service: ServiceSource::Identity,
    detection: DetectionSource::Identity,
    techniques: &["T1098"],
    traces: &[Trace::User, Trace::Group, Trace::Device],
    ..NONE
};
pub(crate) static TAMPER: AlertKind = AlertKind {
    title: "Attempt to turn off Microsoft Defender Antivirus protection",
    description: "Protection settings were changed by a script on {device}.",
    category: "DefenseEvasion",
    severity: Severity::Medium,
    techniques: &["T1562.001"],
    tool: Some(&POWERSHELL),
    traces: &[Trace::Device, Trace::Process, Trace::RegistryValue, Trace::User],
    ..NONE
};
pub(crate) static BEACON: AlertKind = AlertKind {
    title: "Connection to a custom network indicator",
    description: "{device} talks at a steady pace to an address on the indicator list.",
    category: "CommandAndControl",
    severity: Severity::High,
    detection: DetectionSource::CustomTi,
    techniques: &["T1071.001", "T1573"],
    tool: Some(&LOADER),
    traces: &[Trace::Device, Trace::Ip, Trace::Url, Trace::Process, Trace::Dns, Trace::Connection],
    ..NONE
};
pub(crate) static EXFILTRATION: AlertKind = AlertKind {
    title: "Data exfiltration to an unsanctioned cloud storage",
    description: "A large volume left {device} through a copy tool.",
    category: "Exfiltration",
    severity: Severity::High,
    techniques: &["T1567.002"],
    tool: Some(&EXFIL),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File, Trace::Ip, Trace::Url],
    ..NONE
};
pub(crate) static SHADOW_COPIES: AlertKind = AlertKind {
    title: "Possible ransomware activity based on deletion of shadow copies",
    description: "Restore points were deleted on {device}; attackers do this shortly before they encrypt.",
    category: "Ransomware",
    severity: Severity::High,
    techniques: &["T1490"],
    tool: Some(&SHADOW),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File],
    ..NONE
};
pub(crate) static HANDS_ON: AlertKind = AlertKind {
    title: "Hands-on-keyboard attack was launched from a compromised account (attack disruption)",
    description: "{user} is used by a person who moves through the network; automatic attack disruption is on.",
    category: "LateralMovement",
    severity: Severity::High,
    service: ServiceSource::Xdr,
    detection: DetectionSource::Xdr,
    techniques: &["T1021", "T1486"],
    traces: &[Trace::User, Trace::Device, Trace::Ip],
    ..NONE
};
pub(crate) static CONSENT: AlertKind = AlertKind {
    title: "Suspicious OAuth app consented by {user}",
    description: "An app from an unverified publisher was given access to mail and files.",
    category: "Persistence",
    severity: Severity::Medium,
    service: ServiceSource::AppGovernance,
    detection: DetectionSource::AppGovernance,
    techniques: &["T1528", "T1098.003"],
    traces: &[Trace::OauthApp, Trace::User, Trace::ServicePrincipal, Trace::CloudApp],
    ..NONE
};
pub(crate) static APP_MAIL_ACCESS: AlertKind = AlertKind {
    title: "App with unusual volume of mail reads",
    description: "An app that {user} consented to read far more messages than apps of its kind do.",
    category: "Collection",
    severity: Severity::High,
    service: ServiceSource::AppGovernance,
    detection: DetectionSource::AppGovernance,
    techniques: &["T1114.002"],
    traces: &[Trace::OauthApp, Trace::Mailbox, Trace::User, Trace::Ip],
    ..NONE
};
pub(crate) static APP_CREDENTIAL: AlertKind = AlertKind {
    title: "Unusual addition of credentials to an OAuth app",
    description: "A new secret was added to an app that already holds high privileges.",
    category: "Persistence",
    severity: Severity::Medium,
    service: ServiceSource::CloudApps,
    detection: DetectionSource::CloudApps,
    techniques: &["T1098.001"],
    traces: &[Trace::OauthApp, Trace::ServicePrincipal, Trace::User, Trace::Ip, Trace::Session],
    ..NONE
};
pub(crate) static BLOB_DOWNLOAD: AlertKind = AlertKind {
    title: "Unusual amount of data extracted from a storage account",
    description: "An identity read far more from a storage container than before.",
    category: "Exfiltration",
    severity: Severity::Medium,
    service: ServiceSource::Cloud,
    detection: DetectionSource::Storage,
    techniques: &["T1530"],
    traces: &[Trace::AzureResource, Trace::Blob, Trace::Ip, Trace::ServicePrincipal],
    ..NONE
};
pub(crate) static PUA: AlertKind = AlertKind {
    title: "'{family}' unwanted software was detected",
    description: "An installer that brings advertising along was found and kept from running on {device}.",
    category: "UnwantedSoftware",
    severity: Severity::Low,
    detection: DetectionSource::Antivirus,
    family: Some("SpeedyBundle"),
    tool: Some(&TOOLBAR),
    traces: &[Trace::Device, Trace::User, Trace::File, Trace::Malware],
    ..NONE
};
pub(crate) static EICAR: AlertKind = AlertKind {
    title: "'{family}' malware was prevented",
    description: "A test file for antivirus products was written and removed on {device}.",
    category: "Malware",
    severity: Severity::Informational,
    detection: DetectionSource::Antivirus,
    family: Some("EICAR_Test_File"),
    tool: Some(&LOB),
    traces: &[Trace::Device, Trace::File, Trace::Malware, Trace::User],
    ..NONE
};
pub(crate) static FAILED_LOGONS: AlertKind = AlertKind {
    title: "Suspected brute-force attack (Kerberos, NTLM)",
    description: "Many sign-ins of {user} failed within a short time.",
    category: "CredentialAccess",
    severity: Severity::Medium,
    service: ServiceSource::Identity,
    detection: DetectionSource::Identity,
    techniques: &["T1110.001"],
    traces: &[Trace::User, Trace::Device, Trace::Ip],
    ..NONE
};
pub(crate) static PORT_SCAN: AlertKind = AlertKind {
    title: "Suspicious network scan from {device}",
    description: "One device asked for many ports of many addresses.",
    category: "Discovery",
    severity: Severity::Low,
    techniques: &["T1046"],
    tool: Some(&SCANNER),
    traces: &[Trace::Device, Trace::Process, Trace::File, Trace::Ip, Trace::Connection],
    ..NONE
};
pub(crate) static LOB_FALSE: AlertKind = AlertKind {
    title: "Suspicious behavior of a low-prevalence program on {device}",
    description: "A program that few organizations have changed files at a high rate.",
    category: "SuspiciousActivity",
    severity: Severity::Medium,
    techniques: &["T1486"],
    tool: Some(&LOB),
    traces: &[Trace::Device, Trace::User, Trace::Process, Trace::File],
    ..NONE
};
pub(crate) static REPORTED_MAIL: AlertKind = AlertKind {
    title: "Email reported by user as malware or phish",
    description: "{user} reported a message.",
    category: "InitialAccess",
    severity: Severity::Low,
    service: ServiceSource::Office365,
    detection: DetectionSource::Office365,
    techniques: &["T1566"],
    traces: &[Trace::Submission, Trace::Message, Trace::Mailbox, Trace::MailCluster, Trace::User],
    ..NONE
};
pub(crate) static TEST_MAIL: AlertKind = AlertKind {
    title: "Phishing simulation message delivered",
    description: "A message of the awareness training reached {user}.",
    category: "InitialAccess",
    severity: Severity::Informational,
    service: ServiceSource::Office365,
    detection: DetectionSource::Office365,
    techniques: &["T1566.002"],
    traces: &[Trace::Message, Trace::Mailbox, Trace::Url],
    ..NONE
};
pub(crate) static IMPOSSIBLE_TRAVEL: AlertKind = AlertKind {
    title: "Impossible travel activity",
    description: "{user} was seen in two far places within an hour.",
    category: "InitialAccess",
    severity: Severity::Medium,
    service: ServiceSource::CloudApps,
    detection: DetectionSource::CloudApps,
    techniques: &["T1078"],
    traces: &[Trace::User, Trace::Ip, Trace::CloudApp, Trace::Session],
    ..NONE
};
pub(crate) static DLP_MATCH: AlertKind = AlertKind {
    title: "DLP policy match for document shared with an external recipient",
    description: "{user} shared a document that matches a rule for financial data.",
    category: "Exfiltration",
    severity: Severity::Low,
    service: ServiceSource::LossPrevention,
    detection: DetectionSource::LossPrevention,
    techniques: &[],
    traces: &[Trace::User, Trace::File, Trace::CloudApp],
    ..NONE
};
pub(crate) static SMARTSCREEN: AlertKind = AlertKind {
    title: "Connection to a suspicious site was blocked on {device}",
    description: "The browser was kept from opening a page with a poor reputation.",
    category: "InitialAccess",
    severity: Severity::Low,
    detection: DetectionSource::SmartScreen,
    techniques: &["T1189"],
    traces: &[Trace::Device, Trace::User, Trace::Url],
    ..NONE
};
pub(crate) static PRIVILEGED_POD: AlertKind = AlertKind {
    title: "Privileged container detected",
    description: "A container was started with rights on its node.",
    category: "PrivilegeEscalation",
    severity: Severity::Low,
    service: ServiceSource::Cloud,
    detection: DetectionSource::Containers,
    techniques: &["T1610"],
    traces: &[Trace::Pod, Trace::AzureResource],
    ..NONE
};
pub(crate) static SENTINEL_RULE: AlertKind = AlertKind {
    title: "Rare administrative sign-in from a new address",
    description: "A scheduled rule of the company matched an administrator's sign-in.",
    category: "InitialAccess",
    severity: Severity::Low,
    service: ServiceSource::Sentinel,
    detection: DetectionSource::Scheduled,
    techniques: &["T1078.002"],
    traces: &[Trace::User, Trace::Ip, Trace::AzureResource],
    ..NONE
};
/// Its words are those of the caller.
pub(crate) static CREATED_BY_CALLER: AlertKind = AlertKind {
    title: "Reported event on {device}",
    description: "A caller reported an event on {device}.",
    detection: DetectionSource::CustomDetection,
    traces: &[Trace::Device, Trace::User],
    ..NONE
};
