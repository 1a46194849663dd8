//! The dialogue with a mail server (RFC 5321, RFC 3207, RFC 4954), with every line and every wait bounded.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sortie_model::Secret;
use sortie_transport::{Stream, Transport};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::email::{EmailError, Mail, MailServer};

/// One reply: its code and its lines.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

struct Dialogue<S> {
    stream: S,
    /// What was read beyond the last line.
    rest: Vec<u8>,
    /// What no message may repeat.
    hidden: Vec<String>,
}

/// Sends the mail, and gives the server's last words.
pub(super) async fn send(mail: &Mail, server: &MailServer, transport: &Transport) -> Result<String, EmailError> {
    let (mut dialogue, offers) = opened(server, transport).await?;
    if let Some((user, password)) = &server.account {
        dialogue.sign_in(user, password, &offers).await?;
    }
    dialogue.ask(&format!("MAIL FROM:<{}>", mail.sender), "the sender", 250).await?;
    for recipient in &mail.recipients {
        // One that is refused stops the mail: nobody gets it, so that nobody has to find out who did.
        let reply = dialogue.command(&format!("RCPT TO:<{recipient}>"), "the recipient").await?;
        if !matches!(reply.code, 250 | 251) {
            return Err(dialogue.refused(format!("the recipient {recipient}"), &reply));
        }
    }
    dialogue.ask("DATA", "the mail", 354).await?;
    dialogue.write(&stuffed(&mail.bytes), "the mail").await?;
    // From here on the mail may be on its way, whatever happens.
    let lost = |error: EmailError| match error {
        EmailError::Broken { why, .. } => EmailError::Lost(why),
        error => error,
    };
    dialogue.write(b".\r\n", "the mail").await.map_err(lost)?;
    let reply = dialogue.read("the mail", FINAL_TIME_MAX).await.map_err(lost)?;
    if reply.code != 250 {
        return Err(dialogue.refused("the mail".to_owned(), &reply));
    }
    // Politeness; what comes of it does not matter any more.
    let _ = dialogue.write(b"QUIT\r\n", "the end").await;
    Ok(dialogue.shown(&reply))
}

/// Connected, greeted and encrypted; and what the server offers then.
async fn opened(
    server: &MailServer,
    transport: &Transport,
) -> Result<(Dialogue<Box<dyn Stream>>, Vec<String>), EmailError> {
    let tcp = transport.connect(&server.host, server.port).await?;
    let is_loopback = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    let hidden = server.account.as_ref().map(|(user, password)| hidden(user, password)).unwrap_or_default();
    if server.is_implicit {
        let stream = transport.encrypt(tcp, &server.host).await?;
        let mut dialogue = Dialogue { stream, rest: Vec::new(), hidden };
        let offers = dialogue.greet().await?;
        return Ok((dialogue, offers));
    }
    let mut plain = Dialogue { stream: tcp, rest: Vec::new(), hidden };
    let offers = plain.greet().await?;
    if !offers.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        if !is_loopback {
            return Err(EmailError::Unencrypted);
        }
        let Dialogue { stream, rest, hidden } = plain;
        return Ok((Dialogue { stream: Box::new(stream), rest, hidden }, offers));
    }
    plain.ask("STARTTLS", "encryption", 220).await?;
    if !plain.rest.is_empty() {
        // Somebody in between put answers in front of the encrypted ones.
        return Err(EmailError::Broken { step: "STARTTLS", why: "it sent more than was asked for" });
    }
    let stream = transport.encrypt(plain.stream, &server.host).await?;
    let mut dialogue = Dialogue { stream, rest: Vec::new(), hidden: plain.hidden };
    // What was said before the encryption counts no more (RFC 3207 section 4.2).
    let offers = dialogue.hello().await?;
    Ok((dialogue, offers))
}

impl<S: Stream> Dialogue<S> {
    async fn greet(&mut self) -> Result<Vec<String>, EmailError> {
        let reply = self.read("the connection", REPLY_TIME_MAX).await?;
        if reply.code != 220 {
            return Err(self.refused("the connection".to_owned(), &reply));
        }
        self.hello().await
    }

    /// What the server offers.
    async fn hello(&mut self) -> Result<Vec<String>, EmailError> {
        // An address literal: this machine's own name may say more than the server needs to know.
        let reply = self.ask("EHLO [127.0.0.1]", "EHLO", 250).await?;
        Ok(reply.lines)
    }

    async fn sign_in(&mut self, user: &str, password: &Secret, offers: &[String]) -> Result<(), EmailError> {
        let ways = offers.iter().find_map(|line| line.to_ascii_uppercase().strip_prefix("AUTH ").map(str::to_owned));
        let ways = ways.unwrap_or_default();
        let offers = |way: &str| ways.split_ascii_whitespace().any(|offered| offered == way);
        let encoded = |text: &str| BASE64_STANDARD.encode(text);
        if offers("PLAIN") {
            self.ask(&format!("AUTH PLAIN {}", plain_word(user, password)), "name and password", 235).await?;
        } else if offers("LOGIN") {
            self.ask("AUTH LOGIN", "name and password", 334).await?;
            self.ask(&encoded(user), "the name", 334).await?;
            self.ask(&encoded(password.expose()), "name and password", 235).await?;
        } else {
            return Err(EmailError::NoWayToSignIn);
        }
        Ok(())
    }

    async fn ask(&mut self, line: &str, step: &'static str, expected: u16) -> Result<Reply, EmailError> {
        let reply = self.command(line, step).await?;
        if reply.code == expected { Ok(reply) } else { Err(self.refused(step.to_owned(), &reply)) }
    }

    async fn command(&mut self, line: &str, step: &'static str) -> Result<Reply, EmailError> {
        self.write(format!("{line}\r\n").as_bytes(), step).await?;
        self.read(step, REPLY_TIME_MAX).await
    }

    async fn write(&mut self, bytes: &[u8], step: &'static str) -> Result<(), EmailError> {
        let broken = |why| EmailError::Broken { step, why };
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let written = timeout(FINAL_TIME_MAX, written).await.map_err(|_| broken("it takes nothing more"))?;
        written.map_err(|_| broken("the connection was closed"))
    }

    async fn read(&mut self, step: &'static str, within: Duration) -> Result<Reply, EmailError> {
        let broken = |why| EmailError::Broken { step, why };
        timeout(within, self.reply(step)).await.map_err(|_| broken("it says nothing"))?
    }

    async fn reply(&mut self, step: &'static str) -> Result<Reply, EmailError> {
        let broken = |why| EmailError::Broken { step, why };
        let mut lines = Vec::new();
        loop {
            let line = self.line(step).await?;
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..600).contains(code));
            let code = code.ok_or_else(|| broken("its reply is none"))?;
            let is_last = !line[3..].starts_with('-');
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if is_last {
                return Ok(Reply { code, lines });
            }
            if lines.len() > LINE_COUNT_MAX {
                return Err(broken("its reply does not end"));
            }
        }
    }

    async fn line(&mut self, step: &'static str) -> Result<String, EmailError> {
        let broken = |why| EmailError::Broken { step, why };
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(broken("its line does not end"));
            }
            let mut chunk = [0; 1_024];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Err(broken("the connection was closed")),
                Ok(count) => self.rest.extend_from_slice(&chunk[..count]),
            }
        }
    }

    fn refused(&self, step: String, reply: &Reply) -> EmailError {
        EmailError::Refused { step, code: reply.code, text: self.shown(reply) }
    }

    /// The server's words without what it must not repeat.
    fn shown(&self, reply: &Reply) -> String {
        let mut text = reply.lines.join(" ");
        for hidden in &self.hidden {
            text = text.replace(hidden, "***");
        }
        text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
    }
}

/// The password, also as it travels with each way to sign in.
fn hidden(user: &str, password: &Secret) -> Vec<String> {
    let plain = plain_word(user, password);
    let password = password.expose();
    let texts = [plain, BASE64_STANDARD.encode(password), password.to_owned()];
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// RFC 4616.
fn plain_word(user: &str, password: &Secret) -> String {
    BASE64_STANDARD.encode(format!("\0{user}\0{}", password.expose()))
}

/// The mail with a dot before each line's first dot, and a line end at its end (RFC 5321 section 4.5.2).
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 64);
    let mut starts = true;
    for &byte in mail {
        if starts && byte == b'.' {
            out.push(b'.');
        }
        out.push(byte);
        starts = byte == b'\n';
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

const REPLY_TIME_MAX: Duration = Duration::from_secs(60);
const FINAL_TIME_MAX: Duration = Duration::from_secs(180);
const LINE_COUNT_MAX: usize = 100;
const LINE_BYTES_MAX: usize = 4_096;
const TEXT_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_beginning_of_a_line_ends_nothing() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b"), b"a\r\n..\r\n...b\r\n");
        assert_eq!(stuffed(b".\r\n"), b"..\r\n");
    }
}
