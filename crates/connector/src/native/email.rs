//! `email/send`: one mail, made from its inputs and handed to a server.

use std::{fmt::Write as _, time::SystemTime};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart, header::ContentType};
use serde_json::{Map, Value, json};
use sortie_model::Secret;
use sortie_transport::{Delivery, SendError, Transport};
use url::Url;

use super::smtp;

/// A mail that can be sent, with its envelope.
pub struct Mail {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) bytes: Vec<u8>,
    message_id: String,
}

/// The server of a connection.
pub struct MailServer {
    /// `smtps` encrypts from the start, `smtp` by STARTTLS.
    pub(super) is_implicit: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Name and password, where the server wants them.
    pub(super) account: Option<(String, Secret)>,
}

/// Why a mail was not sent, or why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// An input is of no use.
    #[error("the input `{key}` {why}")]
    Input {
        /// Its key.
        key: &'static str,
        /// Why.
        why: String,
    },
    /// The connection names no server.
    #[error("the connection's base address names no mail server")]
    NoServer,
    /// No encrypted connection came about.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server offers no encryption, and it is another machine.
    #[error("the mail server offers no STARTTLS, and nothing is sent unencrypted to another machine")]
    Unencrypted,
    /// The server wants no name and password in any way that is spoken here.
    #[error("the mail server offers none of AUTH PLAIN and AUTH LOGIN")]
    NoWayToSignIn,
    /// The server said no.
    #[error("the mail server refuses {step}: {code} {text}")]
    Refused {
        /// What it refuses.
        step: String,
        /// RFC 5321 section 4.2.
        code: u16,
        /// Its words, bounded.
        text: String,
    },
    /// The connection ended, or made no sense, before the mail was handed over.
    #[error("the mail server did not answer {step} as SMTP has it: {why}")]
    Broken {
        /// What was asked.
        step: &'static str,
        /// What happened.
        why: &'static str,
    },
    /// The mail was handed over, and no answer came.
    #[error("the mail was handed over, and the server's answer was lost: {0}")]
    Lost(&'static str),
}

impl EmailError {
    /// Whether the mail may be on its way.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Input { .. } | Self::NoServer | Self::Send(_) | Self::Unencrypted => Delivery::NotSent,
            Self::NoWayToSignIn | Self::Broken { .. } => Delivery::NotSent,
            Self::Refused { .. } => Delivery::Refused,
            Self::Lost(_) => Delivery::Unknown,
        }
    }

    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::Input { .. } => {
                "Correct the input; `sortie connector show email send` lists what it takes.".to_owned()
            }
            Self::NoServer => "Give it as `--base smtps://mail.example.com:465`, or smtp://… for STARTTLS.".to_owned(),
            Self::Send(error) => error.remedy(),
            Self::Unencrypted => "Use a server with TLS, such as `--base smtps://mail.example.com:465`.".to_owned(),
            Self::NoWayToSignIn => "Use a relay that takes name and password, or one that needs none.".to_owned(),
            Self::Refused { code: 530..=538, .. } => {
                "Enter name (`--client-id`) and password of the connection again.".to_owned()
            }
            Self::Refused { code: 400..=499, .. } => "Try again later.".to_owned(),
            Self::Refused { .. } => "Correct what the server refuses.".to_owned(),
            Self::Broken { .. } => "Check that the address and port are those of a mail server.".to_owned(),
            Self::Lost(_) => "Look whether the mail arrived before you send it again.".to_owned(),
        }
    }
}

impl MailServer {
    /// The server of a base address, with the account that it is to be used with.
    ///
    /// # Errors
    /// [`EmailError::NoServer`].
    pub fn of(base: Option<&Url>, account: Option<(String, Secret)>) -> Result<Self, EmailError> {
        let base = base.filter(|base| matches!(base.scheme(), "smtp" | "smtps")).ok_or(EmailError::NoServer)?;
        let host = base.host_str().filter(|host| !host.is_empty()).ok_or(EmailError::NoServer)?.to_owned();
        let is_implicit = base.scheme() == "smtps";
        Ok(Self { is_implicit, host, port: base.port().unwrap_or(if is_implicit { 465 } else { 587 }), account })
    }
}

impl Mail {
    /// Makes the mail.
    ///
    /// # Errors
    /// [`EmailError::Input`] names what is wrong; a line break can begin no header.
    pub fn of(inputs: &Map<String, Value>, user: Option<&str>, now: Timestamp) -> Result<Self, EmailError> {
        let text = |key: &str| inputs.get(key).and_then(Value::as_str);
        let from = text("from").or(user).ok_or_else(|| wrong("from", "is missing, and the connection has no name"))?;
        let from = mailbox("from", from)?;
        let (to, cc, bcc) = (mailboxes(inputs, "to")?, mailboxes(inputs, "cc")?, mailboxes(inputs, "bcc")?);
        let everyone = to.iter().chain(&cc).chain(&bcc);
        let mut recipients: Vec<String> = everyone.map(|mailbox| mailbox.email.to_string()).collect();
        recipients.sort_unstable();
        recipients.dedup();
        if to.is_empty() || recipients.len() > RECIPIENT_COUNT_MAX {
            return Err(wrong(
                "to",
                format!("gives {} recipients; 1 to {RECIPIENT_COUNT_MAX} are possible", recipients.len()),
            ));
        }
        let subject = text("subject").unwrap_or_default();
        if subject.chars().any(char::is_control) || subject.len() > SUBJECT_BYTES_MAX {
            return Err(wrong("subject", "is no single line of at most 900 bytes"));
        }
        let domain = from.email.domain().to_owned();
        let message_id = format!("<{}@{domain}>", uuid::Uuid::new_v4());
        let mut builder = Message::builder()
            .from(from.clone())
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(message_id.clone()));
        for mailbox in to {
            builder = builder.to(mailbox);
        }
        for mailbox in cc {
            builder = builder.cc(mailbox);
        }
        if let Some(reply_to) = text("reply_to") {
            builder = builder.reply_to(mailbox("reply_to", reply_to)?);
        }
        let message = builder.multipart(content(inputs)?).map_err(|error| wrong("to", error.to_string()))?;
        Ok(Self { sender: from.email.to_string(), recipients, bytes: message.formatted(), message_id })
    }

    /// Hands it to the server.
    ///
    /// # Errors
    /// [`EmailError`]; its [`EmailError::delivery`] says whether the mail may be on its way.
    pub async fn send(&self, server: &MailServer, transport: &Transport) -> Result<Value, EmailError> {
        let answer = smtp::send(self, server, transport).await?;
        Ok(json!({ "accepted": self.recipients, "answer": answer, "message_id": self.message_id }))
    }
}

/// Text, HTML or both, and the files beside them.
fn content(inputs: &Map<String, Value>) -> Result<MultiPart, EmailError> {
    let text = |key: &str| inputs.get(key).and_then(Value::as_str).map(str::to_owned);
    let body = match (text("text"), text("html")) {
        (text, None) => MultiPart::mixed().singlepart(SinglePart::plain(text.unwrap_or_default())),
        (None, Some(html)) => MultiPart::mixed().singlepart(SinglePart::html(html)),
        (Some(text), Some(html)) => MultiPart::mixed().multipart(MultiPart::alternative_plain_html(text, html)),
    };
    let mut whole = body;
    let mut size = 0;
    let files = inputs.get("attachments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if files.len() > FILE_COUNT_MAX {
        return Err(wrong("attachments", format!("has {} files, {FILE_COUNT_MAX} are possible", files.len())));
    }
    for file in files {
        let name = file["name"].as_str().filter(|name| !name.is_empty() && name.len() <= 200);
        let name = name.filter(|name| !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '"')));
        let name = name.ok_or_else(|| wrong("attachments", "has a file without a `name` that can be one"))?;
        let bytes = match (file["base64"].as_str(), file["text"].as_str()) {
            (Some(base64), None) => BASE64_STANDARD
                .decode(base64.trim())
                .map_err(|_| wrong("attachments", "has a file that is no base64"))?,
            (None, Some(text)) => text.as_bytes().to_vec(),
            _ => return Err(wrong("attachments", "has a file without one of `base64` and `text`")),
        };
        size += bytes.len();
        if size > FILES_BYTES_MAX {
            return Err(wrong("attachments", "has more than 20 MB"));
        }
        let kind = file["media_type"].as_str().unwrap_or("application/octet-stream");
        let kind = ContentType::parse(kind).map_err(|_| wrong("attachments", "has a `media_type` that is none"))?;
        whole = whole.singlepart(Attachment::new(name.to_owned()).body(bytes, kind));
    }
    Ok(whole)
}

fn mailboxes(inputs: &Map<String, Value>, key: &'static str) -> Result<Vec<Mailbox>, EmailError> {
    let list = inputs.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|item| mailbox(key, item.as_str().unwrap_or_default())).collect()
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, EmailError> {
    let found: Option<Mailbox> =
        Some(text).filter(|text| !text.chars().any(char::is_control)).and_then(|text| text.trim().parse().ok());
    // What travels in the dialogue must be one word of it.
    let is_plain = |mailbox: &Mailbox| {
        mailbox.email.to_string().bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
    };
    found.filter(is_plain).ok_or_else(|| {
        let mut shown = String::new();
        for c in text.chars().take(80) {
            let _ = write!(shown, "{}", c.escape_debug());
        }
        wrong(key, format!("holds `{shown}`, which is no mail address"))
    })
}

fn wrong(key: &'static str, why: impl Into<String>) -> EmailError {
    EmailError::Input { key, why: why.into() }
}

const RECIPIENT_COUNT_MAX: usize = 100;
const SUBJECT_BYTES_MAX: usize = 900;
const FILE_COUNT_MAX: usize = 50;
const FILES_BYTES_MAX: usize = 20 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn made(inputs: Value) -> Result<String, String> {
        let mail = Mail::of(inputs.as_object().unwrap(), Some("soc@example.com"), Timestamp::UNIX_EPOCH);
        mail.map(|mail| String::from_utf8(mail.bytes).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn no_input_begins_a_header() {
        let base = || json!({ "to": ["a@example.com"], "subject": "x", "text": "y" });
        for (key, value) in [
            ("subject", json!("x\r\nBcc: evil@example.com")),
            ("to", json!(["a@example.com\r\nBcc: evil@example.com"])),
            ("to", json!(["A <a@example.com>\nX: y"])),
            ("from", json!("a@example.com>\r\nRCPT TO:<b@example.com")),
            ("reply_to", json!("x\n@example.com")),
            ("to", json!(["not an address"])),
            ("to", json!([])),
            ("attachments", json!([{ "name": "a\"\r\nX: y", "text": "" }])),
            ("attachments", json!([{ "name": "a", "text": "", "media_type": "text/plain\r\nX: y" }])),
        ] {
            let mut inputs = base();
            inputs[key] = value.clone();
            let error = made(inputs).unwrap_err();
            assert!(error.starts_with(&format!("the input `{key}` ")) && !error.contains('\n'), "{value}: {error}");
        }
        assert!(made(base()).unwrap().contains("Subject: x\r\n"));
    }

    #[test]
    fn a_mail_holds_what_was_given() {
        let mail = made(json!({
            "to": ["Älice <a@example.com>"], "bcc": ["secret@example.com"], "subject": "Größe", "text": "t", "html": "<b>h</b>",
            "attachments": [{ "name": "ä.csv", "text": "a,b", "media_type": "text/csv" }],
        }))
        .unwrap();
        assert!(!mail.contains("secret@example.com"), "nobody sees them");
        for part in
            ["From: soc@example.com", "multipart/alternative", "text/html", "text/csv", "Date: Thu, 01 Jan 1970"]
        {
            assert!(mail.contains(part), "{part}: {mail}");
        }
        assert!(mail.is_ascii());
    }
}
