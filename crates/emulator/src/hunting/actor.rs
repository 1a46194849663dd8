//! The process behind an event, in the columns that all tables of devices share.

use super::{
    programs::{Program, program},
    sheet::Row,
};
use crate::world::{Account, Device, FileFacts, Person, Ticks};

/// A process with its parent and its account.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub image: FileFacts,
    pub pid: i64,
    pub command: String,
    pub started: Ticks,
    pub parent: String,
    pub parent_pid: i64,
    pub parent_started: Ticks,
    pub account: Account,
    pub is_elevated: bool,
}

impl Actor {
    /// A well-known program, without arguments.
    pub(super) fn well_known(name: &str, pid: i64, started: Ticks, account: Account) -> Self {
        let known = program(name);
        let image = known.map_or_else(|| nameless(name), Program::facts);
        let parent = known.map_or("", |known| known.parent).to_owned();
        Self {
            image,
            pid,
            command: name.to_owned(),
            started,
            parent,
            parent_pid: pid / 2 + 4,
            parent_started: started.plus_s(-3_600),
            is_elevated: account.name == SYSTEM,
            account,
        }
    }

    /// As the process behind an event.
    pub(super) fn initiates(&self, row: &mut Row<'_>) {
        row.lenient();
        file_into(row, &self.image, "InitiatingProcess");
        version_into(row, &self.image.name, "InitiatingProcessVersionInfo");
        account_into(row, &self.account, "InitiatingProcessAccount");
        row.text("InitiatingProcessFolderPath", full_path(&self.image))
            .whole("InitiatingProcessId", self.pid)
            .text("InitiatingProcessCommandLine", &self.command)
            .instant("InitiatingProcessCreationTime", self.started)
            .text("InitiatingProcessParentFileName", &self.parent)
            .whole("InitiatingProcessParentId", self.parent_pid)
            .instant("InitiatingProcessParentCreationTime", self.parent_started)
            .text("InitiatingProcessIntegrityLevel", self.integrity())
            .text("InitiatingProcessTokenElevation", self.elevation())
            .text("InitiatingProcessSignatureStatus", if self.image.publisher.is_some() { "Valid" } else { "Unknown" })
            .text("InitiatingProcessSignerType", if self.image.publisher.is_some() { "OsVendor" } else { "" })
            .whole("InitiatingProcessLogonId", 999)
            .whole("InitiatingProcessSessionId", i64::from(!self.is_elevated))
            .truth("IsInitiatingProcessRemoteSession", false);
    }

    /// As the process that an event made.
    pub(super) fn is_created(&self, row: &mut Row<'_>) {
        row.lenient();
        file_into(row, &self.image, "");
        version_into(row, &self.image.name, "ProcessVersionInfo");
        account_into(row, &self.account, "Account");
        row.text("FolderPath", full_path(&self.image))
            .whole("ProcessId", self.pid)
            .text("ProcessCommandLine", &self.command)
            .instant("ProcessCreationTime", self.started)
            .text("ProcessIntegrityLevel", self.integrity())
            .text("ProcessTokenElevation", self.elevation())
            .whole("LogonId", 999)
            .whole("CreatedProcessSessionId", i64::from(!self.is_elevated))
            .truth("IsProcessRemoteSession", false);
    }

    fn integrity(&self) -> &'static str {
        if self.is_elevated { "System" } else { "Medium" }
    }

    fn elevation(&self) -> &'static str {
        if self.is_elevated { "TokenElevationTypeDefault" } else { "TokenElevationTypeLimited" }
    }
}

/// The device of an event.
pub(super) fn device_into(row: &mut Row<'_>, device: &Device) {
    row.text("DeviceId", &device.machine_id).text("DeviceName", &device.dns_name);
}

/// Hashes, name and size; `prefix` is empty for the file of an event.
pub(super) fn file_into(row: &mut Row<'_>, file: &FileFacts, prefix: &str) {
    row.text(&format!("{prefix}FileName"), &file.name)
        .maybe(&format!("{prefix}SHA1"), file.sha1.as_ref())
        .maybe(&format!("{prefix}SHA256"), file.sha256.as_ref())
        .maybe(&format!("{prefix}MD5"), file.md5.as_ref())
        .whole(&format!("{prefix}FileSize"), file.size);
}

/// Domain, name and ids of an account.
pub(super) fn account_into(row: &mut Row<'_>, account: &Account, prefix: &str) {
    row.text(&format!("{prefix}Domain"), &account.domain)
        .text(&format!("{prefix}Name"), &account.name)
        .maybe(&format!("{prefix}Sid"), account.sid.as_ref())
        .maybe(&format!("{prefix}Upn"), account.upn.as_ref())
        .maybe(&format!("{prefix}ObjectId"), account.object_id.as_ref());
}

fn version_into(row: &mut Row<'_>, file: &str, prefix: &str) {
    let Some(known) = program(file) else { return };
    row.text(&format!("{prefix}CompanyName"), known.publisher)
        .text(&format!("{prefix}ProductName"), known.product)
        .text(&format!("{prefix}ProductVersion"), known.version)
        .text(&format!("{prefix}OriginalFileName"), known.file)
        .text(&format!("{prefix}InternalFileName"), known.file)
        .text(&format!("{prefix}FileDescription"), known.product);
}

/// Folder and name, with the separator of the folder.
pub(super) fn full_path(file: &FileFacts) -> String {
    let separator = if file.path.contains('/') { '/' } else { '\\' };
    format!("{}{separator}{}", file.path, file.name)
}

/// A person as devices of the company's domain see them.
pub(super) fn person_account(person: &Person, nt_domain: &str) -> Account {
    Account {
        name: person.account.clone(),
        domain: nt_domain.to_lowercase(),
        display_name: Some(person.display_name.clone()),
        sid: Some(person.sid.clone()),
        object_id: Some(person.object_id.clone()),
        ad_guid: Some(person.ad_guid.clone()),
        upn: Some(person.upn.clone()),
    }
}

/// The operating system itself.
pub(super) fn system_account(is_windows: bool) -> Account {
    let (name, domain, sid) = if is_windows { (SYSTEM, "nt authority", "S-1-5-18") } else { ("root", "", "") };
    Account {
        name: name.to_owned(),
        domain: domain.to_owned(),
        sid: Some(sid.to_owned()).filter(|sid| !sid.is_empty()),
        ..Account::default()
    }
}

fn nameless(name: &str) -> FileFacts {
    FileFacts { name: name.to_owned(), path: "C:\\Windows\\System32".to_owned(), ..FileFacts::default() }
}

const SYSTEM: &str = "system";
