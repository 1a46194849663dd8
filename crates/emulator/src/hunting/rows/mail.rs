//! Mail: ordinary messages, phishing with its links and clicks, and what happened to it after delivery.

use serde_json::json;

use super::{Source, network::host_of};
use crate::{
    hunting::{
        activity::{hours, within},
        programs::odd_text,
        scene::{Scene, scenes},
        sheet::Sheet,
    },
    world::{Dice, Person, Ticks},
};

/// A message as all tables show it.
struct Mail<'w> {
    at: Ticks,
    network_id: String,
    internet_id: String,
    sender: String,
    sender_name: String,
    sender_ip: String,
    recipient: &'w Person,
    subject: String,
    urls: Vec<String>,
    /// Name and size.
    attachment: Option<(String, i64)>,
    threat: Option<&'static str>,
    is_delivered: bool,
    is_inbound: bool,
    seed: u64,
}

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    for mail in mails(source) {
        let domain = mail.sender_domain();
        let mut dice = Dice::new(&[mail.seed, 1]);
        let (action, location) =
            if mail.is_delivered { ("Delivered", "Inbox/folder") } else { ("Blocked", "Quarantine") };
        let latest = if mail.threat.is_some() { "Quarantine" } else { location };
        let checks = if mail.threat.is_some() { ("fail", "none", "fail") } else { ("pass", "pass", "pass") };
        let mut row = sheet.row(mail.at);
        row.text("NetworkMessageId", &mail.network_id)
            .text("InternetMessageId", &mail.internet_id)
            .text("SenderMailFromAddress", &mail.sender)
            .text("SenderFromAddress", &mail.sender)
            .text("SenderDisplayName", &mail.sender_name)
            .text("SenderMailFromDomain", domain)
            .text("SenderFromDomain", domain)
            .text("SenderIPv4", &mail.sender_ip)
            .text("RecipientEmailAddress", &mail.recipient.upn)
            .text("RecipientObjectId", &mail.recipient.object_id)
            .text("RecipientDomain", source.world.company.domain)
            .text("To", &mail.recipient.upn)
            .text("Subject", &mail.subject)
            .whole("EmailClusterId", dice.between(1, 4_000_000_000))
            .text("EmailDirection", if mail.is_inbound { "Inbound" } else { "Intra-org" })
            .text("DeliveryAction", action)
            .text("DeliveryLocation", location)
            .text("LatestDeliveryAction", action)
            .text("LatestDeliveryLocation", latest)
            .maybe("ThreatTypes", mail.threat)
            .maybe(
                "DetectionMethods",
                mail.threat.map(|threat| json!({ threat: ["URL detonation reputation"] }).to_string()),
            )
            .maybe("ConfidenceLevel", mail.threat.map(|threat| json!({ threat: "High" }).to_string()))
            .text("EmailAction", if mail.is_delivered { "" } else { "Send to quarantine" })
            .json("AuthenticationDetails", &json!({ "SPF": checks.0, "DKIM": checks.1, "DMARC": checks.2 }))
            .whole("AttachmentCount", i64::from(mail.attachment.is_some()))
            .whole("UrlCount", i64::try_from(mail.urls.len()).unwrap_or(0))
            .text("EmailLanguage", "en")
            .whole("EmailSize", dice.between(4_000, 900_000))
            .whole("IsFirstContact", i64::from(mail.threat.is_some()));
    }
}

pub(super) fn links(source: &Source<'_>, sheet: &mut Sheet) {
    for mail in mails(source) {
        for url in &mail.urls {
            sheet
                .row(mail.at)
                .text("NetworkMessageId", &mail.network_id)
                .text("Url", url)
                .text("UrlDomain", host_of(url).unwrap_or_default())
                .text("UrlLocation", "Body");
        }
    }
}

pub(super) fn attachments(source: &Source<'_>, sheet: &mut Sheet) {
    for mail in mails(source) {
        let Some((name, size)) = &mail.attachment else { continue };
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        sheet
            .row(mail.at)
            .text("NetworkMessageId", &mail.network_id)
            .text("SenderFromAddress", &mail.sender)
            .text("SenderDisplayName", &mail.sender_name)
            .text("RecipientEmailAddress", &mail.recipient.upn)
            .text("RecipientObjectId", &mail.recipient.object_id)
            .text("FileName", name)
            .text("FileType", extension)
            .text("FileExtension", extension)
            .text("SHA256", Dice::new(&[mail.seed, 2]).hex(64))
            .whole("FileSize", *size);
    }
}

/// What was taken out of mailboxes after its links turned out to be malicious.
pub(super) fn post_delivery(source: &Source<'_>, sheet: &mut Sheet) {
    for mail in mails(source).into_iter().filter(|mail| mail.threat.is_some()) {
        sheet
            .row(mail.at.plus_s(1_900))
            .text("NetworkMessageId", &mail.network_id)
            .text("InternetMessageId", &mail.internet_id)
            .text("Action", "Moved to quarantine")
            .text("ActionType", "Phish ZAP")
            .text("ActionTrigger", "ZAP")
            .text("ActionResult", "Success")
            .text("RecipientEmailAddress", &mail.recipient.upn)
            .text("DeliveryLocation", "Quarantine")
            .text("SourceLocation", "Inbox/folder")
            .text("ThreatTypes", "Phish")
            .text("DetectionMethods", json!({ "Phish": ["URL detonation reputation"] }).to_string())
            .text("SenderFromAddress", &mail.sender)
            .text("EmailDirection", "Inbound");
    }
}

/// One in twenty ordinary links is opened; of the malicious ones those that an alert is about.
pub(super) fn clicks(source: &Source<'_>, sheet: &mut Sheet) {
    for mail in mails(source).iter().filter(|mail| mail.threat.is_none()) {
        let Some(url) = mail.urls.first().filter(|_| Dice::new(&[mail.seed, 3]).percent(15)) else { continue };
        sheet
            .row(mail.at.plus_s(600))
            .text("Url", url)
            .text("ActionType", "ClickAllowed")
            .text("AccountUpn", &mail.recipient.upn)
            .text("Workload", "Email")
            .text("NetworkMessageId", &mail.network_id)
            .text("IPAddress", "203.0.113.7")
            .truth("IsClickedThrough", false)
            .json("UrlChain", &json!([url]));
    }
    for scene in scenes(source.world) {
        let techniques = scene.alert.kind.techniques;
        let (Some(url), Some(message)) = (scene.url(), scene.message()) else { continue };
        if !techniques.contains(&"T1204.001") {
            continue;
        }
        sheet
            .row(scene.alert.first_activity)
            .text("Url", url)
            .text("ActionType", "ClickAllowed")
            .text("AccountUpn", &scene.person.upn)
            .text("Workload", "Email")
            .text("NetworkMessageId", &message.network_id)
            .text("ThreatTypes", "Phish")
            .text("IPAddress", "203.0.113.7")
            .truth("IsClickedThrough", true)
            .json("UrlChain", &json!([url]));
    }
}

/// All messages: those of ordinary days, then those that alerts show, each once.
fn mails<'w>(source: &Source<'w>) -> Vec<Mail<'w>> {
    let mut all: Vec<Mail<'w>> = Vec::new();
    for hour in hours(source.reach) {
        all.extend((0..source.many(MAILS_PER_HOUR)).map(|number| ordinary(source, hour, number)));
    }
    let mut known = std::collections::HashSet::new();
    for scene in scenes(source.world) {
        all.extend(shown(&scene).filter(|mail| known.insert(mail.network_id.clone())));
    }
    all
}

fn ordinary<'w>(source: &Source<'w>, hour: i64, number: u64) -> Mail<'w> {
    let company = &source.world.company;
    let parts = [80, hour.unsigned_abs(), number];
    let mut dice = source.world.dice(&parts);
    let at = within(hour, &mut dice);
    let recipient = &company.people[dice.below(company.people.len())];
    let is_inbound = dice.percent(60);
    let (sender, sender_name) = if is_inbound {
        let (name, domain) = *dice.pick(SENDERS);
        (format!("{}@{domain}", name.to_lowercase().replace(' ', ".")), name.to_owned())
    } else {
        let sender = &company.people[dice.below(company.people.len())];
        (sender.upn.clone(), sender.display_name.clone())
    };
    let domain = sender.split_once('@').map_or("", |(_, domain)| domain).to_owned();
    let subject = if dice.percent(3) { odd_text(&mut dice) } else { *dice.pick(SUBJECTS) };
    let urls =
        if dice.percent(60) { vec![format!("https://www.{domain}/news/{}", dice.between(1, 900))] } else { Vec::new() };
    let attachment = dice.percent(20).then(|| {
        let name = if dice.percent(5) { odd_text(&mut dice).to_owned() } else { (*dice.pick(FILES)).to_owned() };
        (name, dice.between(9_000, 3_000_000))
    });
    Mail {
        at,
        network_id: dice.guid(),
        internet_id: format!("<{}@{domain}>", dice.hex(20)),
        sender,
        sender_name,
        sender_ip: format!("198.51.100.{}", dice.between(2, 250)),
        recipient,
        subject: subject.to_owned(),
        urls,
        attachment,
        threat: None,
        is_delivered: true,
        is_inbound,
        seed: dice.number(),
    }
}

fn shown<'w>(scene: &Scene<'w>) -> impl Iterator<Item = Mail<'w>> {
    let threat = if scene.alert.is_real() { Some("Phish") } else { None };
    let mail = scene.message().map(|message| Mail {
        at: message.received,
        network_id: message.network_id.clone(),
        internet_id: message.internet_id.clone(),
        sender: message.sender.clone(),
        sender_name: message.sender_name.to_owned(),
        sender_ip: message.sender_ip.clone(),
        recipient: scene.person,
        subject: message.subject.clone(),
        urls: message.urls.clone(),
        attachment: None,
        threat,
        is_delivered: true,
        is_inbound: true,
        seed: scene.alert.seed,
    });
    mail.into_iter()
}

impl Mail<'_> {
    fn sender_domain(&self) -> &str {
        self.sender.split_once('@').map_or("", |(_, domain)| domain)
    }
}

const SENDERS: &[(&str, &str)] = &[
    ("Harbour News", "harbournews.example"),
    ("Payroll Service", "payroll-partner.example"),
    ("Lena Ostrow", "ostrow-freight.example"),
    ("Customs Office", "customs-office.example"),
    ("Travel Desk", "tripdesk.example"),
];
const SUBJECTS: &[&str] = &[
    "Minutes of the meeting",
    "Re: delivery on Thursday",
    "Weekly figures",
    "Berth plan, week 47",
    "Fwd: invoice 2026-1183",
    "Lunch?",
];
const FILES: &[&str] = &["minutes.docx", "figures.xlsx", "berths.pdf", "invoice-2026-1183.pdf", "photo.jpg"];
const MAILS_PER_HOUR: u64 = 2;
