//! Products that run on the devices of a simulated company. Versions, weaknesses and updates are invented: no real
//! product is said to have any of them.

/// A product.
#[derive(Debug)]
pub(crate) struct Product {
    pub vendor: &'static str,
    pub name: &'static str,
    /// As people read it.
    pub label: &'static str,
    pub platforms: &'static [&'static str],
    /// Percent of the fitting devices that have it.
    pub share: usize,
    pub is_system: bool,
    /// Oldest first; the newest has no weakness.
    pub versions: &'static [Version],
}

/// One version of a product.
#[derive(Debug)]
pub(crate) struct Version {
    pub number: &'static str,
    pub flaws: &'static [&'static Flaw],
    /// The update that takes this version's weaknesses away, where there is one.
    pub update: Option<&'static Update>,
}

/// A weakness.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub cve: &'static str,
    pub description: &'static str,
    pub severity: &'static str,
    pub cvss: f64,
    pub vector: &'static str,
    pub published: &'static str,
    pub updated: &'static str,
    pub public_exploit: bool,
    pub verified: bool,
    pub in_kit: bool,
    /// Chance that it is exploited within 30 days.
    pub epss: f64,
}

/// A security update.
#[derive(Debug)]
pub(crate) struct Update {
    pub id: &'static str,
    pub name: &'static str,
}

/// A setting that should be different.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub id: &'static str,
    pub name: &'static str,
    pub product: &'static str,
    pub category: &'static str,
    pub sub_category: &'static str,
    pub platforms: &'static [&'static str],
    pub score_impact: f64,
}

impl Product {
    /// `vendor-_-name`.
    pub(crate) fn id(&self) -> String {
        format!("{}-_-{}", self.vendor, self.name)
    }
}

const WINDOWS: &[&str] = &["Windows10", "Windows11", "WindowsServer2019", "WindowsServer2022"];
const CLIENTS: &[&str] = &["Windows10", "Windows11", "macOS"];
const SERVERS: &[&str] = &["WindowsServer2019", "WindowsServer2022", "Linux"];

const LOCAL: &str = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
const NETWORK: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const CLICK: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:N";

const fn flaw(cve: &'static str, severity: &'static str, cvss: f64, description: &'static str) -> Flaw {
    Flaw {
        cve,
        description,
        severity,
        cvss,
        vector: CLICK,
        published: "2026-08-11T00:00:00Z",
        updated: "2026-09-02T09:30:00Z",
        public_exploit: false,
        verified: false,
        in_kit: false,
        epss: 0.004,
    }
}

static ELEVATION: Flaw = Flaw {
    vector: LOCAL,
    public_exploit: true,
    verified: true,
    epss: 0.41,
    ..flaw("CVE-2026-90011", "High", 7.8, "A local user becomes administrator through the print queue.")
};
static REMOTE_CODE: Flaw = Flaw {
    vector: NETWORK,
    public_exploit: true,
    verified: true,
    in_kit: true,
    epss: 0.93,
    ..flaw("CVE-2026-90014", "Critical", 9.8, "A packet from the network runs code in the directory service.")
};
static SPOOFING: Flaw = flaw("CVE-2026-90019", "Medium", 5.4, "A page shows the address of another one.");
static BROWSER_MEMORY: Flaw = Flaw {
    public_exploit: true,
    epss: 0.22,
    ..flaw("CVE-2026-90023", "High", 8.8, "A page runs code through a flaw in the layout engine.")
};
static MACRO_BYPASS: Flaw =
    flaw("CVE-2026-90027", "High", 7.3, "A document runs a macro without asking when it comes from a container file.");
static READER_OVERFLOW: Flaw = flaw("CVE-2026-90031", "High", 7.8, "A form in a document overwrites memory.");
static ARCHIVE_PATH: Flaw =
    flaw("CVE-2026-90034", "Medium", 6.1, "An archive puts files outside of the folder that it is opened in.");
static VPN_BYPASS: Flaw = Flaw {
    vector: NETWORK,
    epss: 0.3,
    ..flaw("CVE-2026-90038", "Critical", 9.1, "A stranger takes over the session of a signed-in employee.")
};
static DATABASE_LEAK: Flaw = flaw("CVE-2026-90042", "Low", 3.7, "An error message shows a part of another query.");
static SHELL_TIMING: Flaw =
    flaw("CVE-2026-90045", "Low", 3.1, "The time of an answer tells whether an account exists.");

static WINDOWS_UPDATE: Update = Update { id: "5099011", name: "September 2026 Security Updates" };
static OFFICE_UPDATE: Update = Update { id: "5099027", name: "September 2026 Office Updates" };

const fn version(number: &'static str, flaws: &'static [&'static Flaw]) -> Version {
    Version { number, flaws, update: None }
}

pub(super) static PRODUCTS: &[Product] = &[
    Product {
        vendor: "microsoft",
        name: "windows_11",
        label: "Windows 11",
        platforms: &["Windows11"],
        share: 100,
        is_system: true,
        versions: &[
            Version { number: "10.0.26100.3001", flaws: &[&ELEVATION, &SPOOFING], update: Some(&WINDOWS_UPDATE) },
            version("10.0.26100.4400", &[]),
        ],
    },
    Product {
        vendor: "microsoft",
        name: "windows_10",
        label: "Windows 10",
        platforms: &["Windows10"],
        share: 100,
        is_system: true,
        versions: &[
            Version { number: "10.0.19045.5001", flaws: &[&ELEVATION, &SPOOFING], update: Some(&WINDOWS_UPDATE) },
            version("10.0.19045.6200", &[]),
        ],
    },
    Product {
        vendor: "microsoft",
        name: "windows_server_2022",
        label: "Windows Server 2022",
        platforms: &["WindowsServer2022"],
        share: 100,
        is_system: true,
        versions: &[
            Version { number: "10.0.20348.3001", flaws: &[&ELEVATION, &REMOTE_CODE], update: Some(&WINDOWS_UPDATE) },
            version("10.0.20348.4100", &[]),
        ],
    },
    Product {
        vendor: "microsoft",
        name: "windows_server_2019",
        label: "Windows Server 2019",
        platforms: &["WindowsServer2019"],
        share: 100,
        is_system: true,
        versions: &[
            Version { number: "10.0.17763.7001", flaws: &[&ELEVATION, &REMOTE_CODE], update: Some(&WINDOWS_UPDATE) },
            version("10.0.17763.7900", &[]),
        ],
    },
    Product {
        vendor: "microsoft",
        name: "office",
        label: "Office",
        platforms: &["Windows10", "Windows11"],
        share: 95,
        is_system: false,
        versions: &[
            Version { number: "16.0.18000.20", flaws: &[&MACRO_BYPASS], update: Some(&OFFICE_UPDATE) },
            version("16.0.19100.10", &[]),
        ],
    },
    Product {
        vendor: "northlight",
        name: "web_browser",
        label: "Northlight Web Browser",
        platforms: CLIENTS,
        share: 90,
        is_system: false,
        versions: &[
            version("139.0.2", &[&BROWSER_MEMORY, &SPOOFING]),
            version("141.0.1", &[&SPOOFING]),
            version("142.0.0", &[]),
        ],
    },
    Product {
        vendor: "harborsoft",
        name: "pdf_reader",
        label: "Harborsoft PDF Reader",
        platforms: CLIENTS,
        share: 70,
        is_system: false,
        versions: &[version("24.1", &[&READER_OVERFLOW]), version("25.3", &[])],
    },
    Product {
        vendor: "tidewell",
        name: "archive_tool",
        label: "Tidewell Archive Tool",
        platforms: WINDOWS,
        share: 60,
        is_system: false,
        versions: &[version("8.9", &[&ARCHIVE_PATH]), version("9.0", &[])],
    },
    Product {
        vendor: "corridor",
        name: "vpn_client",
        label: "Corridor VPN Client",
        platforms: CLIENTS,
        share: 80,
        is_system: false,
        versions: &[version("5.2.0", &[&VPN_BYPASS]), version("5.4.1", &[])],
    },
    Product {
        vendor: "oakbase",
        name: "database_server",
        label: "Oakbase Database Server",
        platforms: SERVERS,
        share: 40,
        is_system: false,
        versions: &[version("14.2", &[&DATABASE_LEAK]), version("15.1", &[])],
    },
    Product {
        vendor: "openshore",
        name: "secure_shell",
        label: "Openshore Secure Shell",
        platforms: &["Linux", "macOS"],
        share: 100,
        is_system: false,
        versions: &[version("9.6", &[&SHELL_TIMING]), version("10.0", &[])],
    },
];

pub(super) static CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        id: "sca-_-scid-90011",
        name: "Turn on tamper protection",
        product: "windows",
        category: "SecurityControls",
        sub_category: "Antivirus",
        platforms: WINDOWS,
        score_impact: 2.4,
    },
    Configuration {
        id: "sca-_-scid-90020",
        name: "Set the minimum password length to 14 characters",
        product: "windows",
        category: "Accounts",
        sub_category: "Password policy",
        platforms: WINDOWS,
        score_impact: 1.1,
    },
    Configuration {
        id: "sca-_-scid-90034",
        name: "Disable the old file sharing protocol",
        product: "windows",
        category: "Network",
        sub_category: "Services",
        platforms: &["WindowsServer2019", "WindowsServer2022"],
        score_impact: 3.0,
    },
];
