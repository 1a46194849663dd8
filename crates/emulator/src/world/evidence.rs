//! Evidence of an alert, in one form from which each API makes its own.

use super::{
    company::Device,
    terms::{Remediation, Role, Verdict},
    ticks::Ticks,
};

/// One thing that an alert points at.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub created: Ticks,
    pub verdict: Verdict,
    pub remediation: Remediation,
    pub roles: Vec<Role>,
    pub detailed_roles: Vec<&'static str>,
    pub tags: Vec<&'static str>,
    pub clue: Clue<'a>,
}

/// An account, of a person or of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub name: String,
    pub domain: String,
    pub display_name: Option<String>,
    pub sid: Option<String>,
    pub object_id: Option<String>,
    pub ad_guid: Option<String>,
    pub upn: Option<String>,
}

/// A file as it was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileFacts {
    pub name: String,
    pub path: String,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
    pub md5: Option<String>,
    pub size: i64,
    pub publisher: Option<&'static str>,
}

/// What kind of thing, with its properties.
#[derive(Debug)]
pub(crate) enum Clue<'a> {
    Device { device: &'a Device, user: Account },
    User(Account),
    Ip { address: String, country: &'static str, city: &'static str },
    Url(String),
    File { file: FileFacts, machine_id: Option<&'a str>, blocked: bool },
    Process(Box<ProcessFacts<'a>>),
    Mailbox(Account),
    Message(Box<MessageFacts>),
    MailCluster { subject: String, sender_ip: String, message_ids: Vec<String>, count: i64, urn: String },
    MailboxRule { owner: Account, rule_id: String },
    Submission { message: Box<MessageFacts>, id: String, submitter: String },
    RegistryKey { hive: &'static str, key: &'static str },
    RegistryValue { hive: &'static str, key: &'static str, name: String, value: String, machine_id: &'a str },
    CloudApp { name: &'static str, app_id: i64 },
    OauthApp { name: &'static str, app_id: String, object_id: String, publisher: &'static str },
    ServicePrincipal { name: &'static str, app_id: String, object_id: String, owner_tenant: String },
    Group { name: &'static str, id: String, sid: String, distinguished_name: String },
    AzureResource { id: String, kind: &'static str, name: String },
    Malware { name: &'static str, category: &'static str, file: FileFacts, machine_id: &'a str },
    Session { id: String, account: Account, browser: &'static str, system: &'static str, started: Ticks },
    Connection { from: String, to: String, port: i32 },
    Dns { domain: String, addresses: Vec<String> },
    Blob { name: String, container: String, url: String, storage: String, sha256: String },
    Pod { name: String, namespace: &'static str, image: String, cluster: String },
}

/// A process and its parent.
#[derive(Debug)]
pub(crate) struct ProcessFacts<'a> {
    pub image: FileFacts,
    pub parent: FileFacts,
    pub pid: i64,
    pub parent_pid: i64,
    pub started: Ticks,
    pub parent_started: Ticks,
    pub command_line: String,
    pub account: Account,
    pub machine_id: &'a str,
}

/// A message as the mail filter saw it.
#[derive(Debug)]
pub(crate) struct MessageFacts {
    pub network_id: String,
    pub internet_id: String,
    pub subject: String,
    pub sender: String,
    pub sender_name: &'static str,
    pub sender_domain: String,
    pub sender_ip: String,
    pub recipient: String,
    pub received: Ticks,
    pub urls: Vec<String>,
    pub urn: String,
    pub delivered: bool,
}
