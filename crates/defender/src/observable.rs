//! Files, addresses, domains and users: what Defender for Endpoint knows of one, and where the organisation met it.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{
    Defender, Document, Pages,
    client::malformed,
    document::{instant, number, text, texts},
    error::DefenderError,
    indicators::kind_of_value,
    operation::Operation,
};

/// Something that alerts and devices are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observable {
    /// By its hash.
    File(FileHash),
    /// Version 4 or 6.
    Ip(IpAddr),
    /// In lower case.
    Domain(String),
    /// The account's name alone: the service finds nobody by `ada@contoso.com` or `CONTOSO\ada`.
    User(String),
}

/// The hash that names a file, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileHash {
    /// 40 hexadecimal digits; what lists of alerts and devices are asked by.
    Sha1(String),
    /// 64 hexadecimal digits.
    Sha256(String),
}

/// What kind of thing a text is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservableKind {
    /// A file.
    File,
    /// An address.
    Ip,
    /// A domain.
    Domain,
    /// A user.
    User,
}

/// Why a text names nothing that could be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObservableError {
    /// The service keeps no records by it.
    #[error("files are found by SHA-1 or SHA-256, not by MD5")]
    Md5,
    /// Neither of the two lengths, or other characters.
    #[error("a file is named by its SHA-1 (40 hexadecimal digits) or its SHA-256 (64)")]
    NoHash,
    /// No such address.
    #[error("an address looks like 203.0.113.9 or 2001:db8::1")]
    NoAddress,
    /// No such name.
    #[error("a domain looks like example.com")]
    NoDomain,
    /// Empty, or with characters that no account has.
    #[error("a user is named by the account: ada, CONTOSO\\ada or ada@contoso.com")]
    NoUser,
}

/// What is known of a file all over the world.
#[derive(Clone, Debug)]
pub struct FileProfile {
    /// The name for lists.
    pub sha1: Option<String>,
    /// The longer one.
    pub sha256: Option<String>,
    /// In bytes.
    pub size: Option<i64>,
    /// Devices in the world that have it.
    pub prevalence: Option<i64>,
    /// When it was first met anywhere.
    pub first_seen: Option<Timestamp>,
    /// Who says that they made it.
    pub publisher: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// Whether the signature holds.
    pub is_signature_valid: Option<bool>,
    /// `Unknown`, `Clean`, `Malware`, `Pua` and so on.
    pub determination: Option<String>,
    /// The name of the threat.
    pub threat: Option<String>,
    /// Everything that the service sent.
    pub document: Document,
}

/// How often and when the organisation met it, within the hours that were asked about.
#[derive(Clone, Debug)]
pub struct Sightings {
    /// Devices of the organisation.
    pub devices: i64,
    /// The first time.
    pub first: Option<Timestamp>,
    /// The last time.
    pub last: Option<Timestamp>,
    /// A file's names.
    pub names: Vec<String>,
    /// Everything that the service sent.
    pub document: Document,
}

impl Observable {
    /// Takes the text for `kind`, or for what its form tells: a hash, an address, a domain, else a user.
    ///
    /// # Errors
    /// [`ObservableError`] when it cannot be that.
    pub fn parse(text: &str, kind: Option<ObservableKind>) -> Result<Self, ObservableError> {
        let text = text.trim();
        match kind.unwrap_or_else(|| ObservableKind::of(text)) {
            ObservableKind::File => FileHash::parse(text).map(Self::File),
            ObservableKind::Ip => text.parse().map(Self::Ip).map_err(|_| ObservableError::NoAddress),
            ObservableKind::Domain if kind_of_value(text) == Some("DomainName") => {
                Ok(Self::Domain(text.to_lowercase()))
            }
            ObservableKind::Domain => Err(ObservableError::NoDomain),
            ObservableKind::User => account(text).map(Self::User),
        }
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Ip(_) => "ip",
            Self::Domain(_) => "domain",
            Self::User(_) => "user",
        }
    }

    fn path(&self) -> (&'static str, String) {
        match self {
            Self::File(hash) => ("files", hash.as_str().to_owned()),
            Self::Ip(address) => ("ips", address.to_string()),
            Self::Domain(domain) => ("domains", domain.clone()),
            Self::User(name) => ("users", name.clone()),
        }
    }
}

impl std::fmt::Display for Observable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path().1)
    }
}

impl ObservableKind {
    fn of(text: &str) -> Self {
        match kind_of_value(text) {
            Some("IpAddress") => Self::Ip,
            Some("DomainName") => Self::Domain,
            Some(hash) if hash.starts_with("File") => Self::File,
            _ => Self::User,
        }
    }
}

impl FileHash {
    fn parse(text: &str) -> Result<Self, ObservableError> {
        let hash = text.to_ascii_lowercase();
        match kind_of_value(&hash) {
            Some("FileSha1") => Ok(Self::Sha1(hash)),
            Some("FileSha256") => Ok(Self::Sha256(hash)),
            Some("FileMd5") => Err(ObservableError::Md5),
            _ => Err(ObservableError::NoHash),
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha1(digits) | Self::Sha256(digits) => digits,
        }
    }
}

/// The account out of `CONTOSO\ada` or `ada@contoso.com`.
fn account(text: &str) -> Result<String, ObservableError> {
    let name = text.rsplit('\\').next().unwrap_or(text);
    let name = name.split('@').next().unwrap_or(name);
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '$' | '\'' | ' ');
    let named = !name.trim().is_empty() && name.len() <= 104 && name.chars().all(allowed);
    if named { Ok(name.to_owned()) } else { Err(ObservableError::NoUser) }
}

impl FileProfile {
    fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        let word = |name: &str| text(&value, &[name]);
        let (sha1, sha256) = (word("sha1"), word("sha256"));
        if sha1.is_none() && sha256.is_none() {
            return None;
        }
        Some(Self {
            sha1,
            sha256,
            size: number(&value, &["size"]),
            prevalence: number(&value, &["globalPrevalence"]),
            first_seen: instant(&value, &["globalFirstObserved"]),
            publisher: word("filePublisher"),
            signer: word("signer"),
            is_signature_valid: word("isValidCertificate").map(|word| word.eq_ignore_ascii_case("true")),
            determination: word("determinationType"),
            threat: word("determinationValue"),
            document: document.clone(),
        })
    }
}

impl Sightings {
    fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        Some(Self {
            devices: number(&value, &["organizationPrevalence", "orgPrevalence"])?,
            first: instant(&value, &["orgFirstSeen"]),
            last: instant(&value, &["orgLastSeen"]),
            names: texts(&value, "topFileNames"),
            document: document.clone(),
        })
    }
}

impl Defender {
    /// What the world knows of a file.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for a file that the service never met.
    pub async fn file(&self, hash: &FileHash) -> Result<FileProfile, DefenderError> {
        let doing = format!("read file {}", hash.as_str());
        let request = self.get(Operation::FileRead, &["api", "files", hash.as_str()], &doing)?;
        self.read_one(Operation::FileRead, request, &doing, FileProfile::read).await
    }

    /// How often the organisation met it within the last `hours`, 1 to 720. `None` for a user, who is not counted.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for a file that the service never met.
    pub async fn sightings(&self, of: &Observable, hours: u16) -> Result<Option<Sightings>, DefenderError> {
        let operation = match of {
            Observable::File(_) => Operation::FileRead,
            Observable::Ip(_) => Operation::IpRead,
            Observable::Domain(_) => Operation::DomainRead,
            Observable::User(_) => return Ok(None),
        };
        let doing = format!("count the sightings of {of}");
        let (kind, name) = of.path();
        let mut url = self.address(operation, &["api", kind, &name, "stats"], &doing)?;
        url.query_pairs_mut().append_pair("lookBackHours", &hours.to_string());
        let response = self.call(operation, sortie_transport::Request::get(url), &doing).await?;
        let read = Sightings::read(&Document::new(&response.text()));
        read.map(Some).ok_or_else(|| malformed(&doing, "statistics without a count"))
    }

    /// The alerts of Defender for Endpoint that it plays a part in. Files are asked for by SHA-1 alone.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn alerts_about(&self, what: &Observable) -> Result<Pages<'_>, DefenderError> {
        self.about(what, Operation::EndpointAlertRead, "alerts", "list alerts about it")
    }

    /// The devices on which it was met; `None` for an address, which the service keeps no such list for.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn machines_with(&self, what: &Observable) -> Result<Option<Pages<'_>>, DefenderError> {
        match what {
            Observable::Ip(_) => Ok(None),
            _ => self.about(what, Operation::MachineRead, "machines", "list the devices that met it").map(Some),
        }
    }

    fn about(
        &self,
        what: &Observable,
        operation: Operation,
        list: &str,
        doing: &'static str,
    ) -> Result<Pages<'_>, DefenderError> {
        let (kind, name) = what.path();
        let url = self.address(operation, &["api", kind, &name, list], doing)?;
        Ok(Pages::of(self, operation, doing, "id", url).empty_when_not_found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_for_what_it_looks_like() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let read = Observable::parse(text, None);
            let said = read.map_or_else(|error| error.to_string(), |what| format!("{} {what}", what.kind()));
            assert_eq!(said, expected, "{text}");
        }
        check(&"AB".repeat(20), &format!("file {}", "ab".repeat(20)));
        check(&"0f".repeat(32), &format!("file {}", "0f".repeat(32)));
        check(&"0f".repeat(16), "files are found by SHA-1 or SHA-256, not by MD5");
        check(" 203.0.113.9 ", "ip 203.0.113.9");
        check("2001:DB8::1", "ip 2001:db8::1");
        check("Evil.Example", "domain evil.example");
        check("ada", "user ada");
        check("ada@contoso.com", "user ada");
        check("CONTOSO\\ada.lovelace", "user ada.lovelace");
        for wrong in ["", "@contoso.com", "a/b", "a?b", "CONTOSO\\"] {
            check(wrong, "a user is named by the account: ada, CONTOSO\\ada or ada@contoso.com");
        }
    }

    #[test]
    fn a_kind_that_is_told_must_fit() {
        use ObservableKind::{Domain, File, Ip, User};
        assert_eq!(Observable::parse("ada.lovelace", Some(User)), Ok(Observable::User("ada.lovelace".into())));
        for (text, kind, error) in [
            ("ada", File, ObservableError::NoHash),
            ("ada", Ip, ObservableError::NoAddress),
            ("203.0.113.9", Domain, ObservableError::NoDomain),
        ] {
            assert_eq!(Observable::parse(text, Some(kind)), Err(error), "{text}");
        }
    }

    #[test]
    fn odd_members_of_a_profile_lose_no_other() {
        let file = FileProfile::read(&Document::new(
            r#"{"sha1":"a","size":"12","globalPrevalence":null,"isValidCertificate":"True","globalFirstObserved":"soon"}"#,
        ))
        .unwrap();
        assert_eq!((file.size, file.prevalence, file.is_signature_valid), (Some(12), None, Some(true)));
        assert!(FileProfile::read(&Document::new("{}")).is_none());
    }
}
