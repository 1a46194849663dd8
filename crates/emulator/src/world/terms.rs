//! The closed vocabularies, each word with its spelling per API (reference `facts.md` 4 and 5, `details.md` 5).

/// A word of a closed vocabulary and its spellings.
pub(crate) trait Term: Copy + PartialEq + 'static {
    /// Each meaning: Graph's spelling, the Defender XDR API's, and others that are accepted.
    const WORDS: &'static [Word<Self>];

    /// As Microsoft Graph writes it.
    fn graph(self) -> &'static str {
        self.word().graph
    }

    /// As the Defender XDR API writes it.
    fn xdr(self) -> &'static str {
        self.word().xdr
    }

    /// Any spelling of any API, in any letter case.
    fn parse(text: &str) -> Option<Self> {
        let is = |word: &&str| word.eq_ignore_ascii_case(text);
        let found = Self::WORDS.iter().find(|word| is(&word.graph) || is(&word.xdr) || word.others.iter().any(is));
        found.map(|word| word.term)
    }

    /// Whether a Graph filter may name it so.
    fn is_graph_word(text: &str) -> bool {
        Self::WORDS.iter().any(|word| word.graph.eq_ignore_ascii_case(text))
    }

    /// Whether a filter of the Defender XDR API may name it so.
    fn is_xdr_word(text: &str) -> bool {
        Self::WORDS.iter().any(|word| word.xdr.eq_ignore_ascii_case(text))
    }

    /// The row of this meaning.
    fn word(self) -> &'static Word<Self> {
        Self::WORDS.iter().find(|word| word.term == self).expect("the table is made from the same list as the type")
    }
}

/// One meaning and its spellings.
#[derive(Debug)]
pub(crate) struct Word<T: 'static> {
    term: T,
    graph: &'static str,
    xdr: &'static str,
    others: &'static [&'static str],
}

/// Declares vocabularies: variant, Graph spelling, XDR spelling, further accepted spellings.
macro_rules! terms {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident: $graph:literal, $xdr:literal $(, $other:literal)*;)+ })+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant),+ }

        impl Term for $name {
            const WORDS: &'static [Word<Self>] = &[
                $(Word { term: Self::$variant, graph: $graph, xdr: $xdr, others: &[$($other),*] }),+
            ];
        }
    )+ };
}

terms! {
    IncidentStatus {
        Active: "active", "Active";
        Resolved: "resolved", "Resolved";
        InProgress: "inProgress", "InProgress";
        Redirected: "redirected", "Redirected";
        AwaitingAction: "awaitingAction", "AwaitingAction";
    }
    AlertStatus {
        New: "new", "New";
        InProgress: "inProgress", "InProgress", "Active";
        Resolved: "resolved", "Resolved";
    }
    Severity {
        Informational: "informational", "Informational";
        Low: "low", "Low";
        Medium: "medium", "Medium";
        High: "high", "High";
    }
    Classification {
        Unknown: "unknown", "Unknown";
        FalsePositive: "falsePositive", "FalsePositive";
        TruePositive: "truePositive", "TruePositive";
        Expected: "informationalExpectedActivity", "InformationalExpectedActivity";
    }
    /// The words of one row are one meaning, whichever API wrote it.
    Determination {
        Unknown: "unknown", "NotAvailable";
        Apt: "apt", "Apt";
        Malware: "malware", "Malware";
        SecurityPersonnel: "securityPersonnel", "SecurityPersonnel";
        SecurityTesting: "securityTesting", "SecurityTesting";
        UnwantedSoftware: "unwantedSoftware", "UnwantedSoftware";
        Other: "other", "Other";
        MultiStagedAttack: "multiStagedAttack", "MultiStagedAttack";
        CompromisedAccount: "compromisedAccount", "CompromisedAccount", "CompromisedUser";
        Phishing: "phishing", "Phishing";
        MaliciousUserActivity: "maliciousUserActivity", "MaliciousUserActivity";
        NotMalicious: "notMalicious", "Clean";
        NotEnoughData: "notEnoughDataToValidate", "NoEnoughDataToValidate", "InsufficientData";
        ConfirmedActivity: "confirmedActivity", "ConfirmedActivity", "ConfirmedUserActivity";
        LineOfBusinessApplication: "lineOfBusinessApplication", "LineOfBusinessApplication";
    }
    /// Only the first two XDR spellings with "ATP" were seen in samples; the others rest on (M).
    ServiceSource {
        Endpoint: "microsoftDefenderForEndpoint", "MicrosoftDefenderATP", "MicrosoftDefenderForEndpoint";
        Identity: "microsoftDefenderForIdentity", "MicrosoftDefenderForIdentity";
        CloudApps: "microsoftDefenderForCloudApps", "MicrosoftCloudAppSecurity";
        Office365: "microsoftDefenderForOffice365", "OfficeATP", "MicrosoftDefenderForOffice365";
        Xdr: "microsoft365Defender", "MicrosoftThreatProtection";
        EntraProtection: "azureAdIdentityProtection", "AzureADIdentityProtection";
        AppGovernance: "microsoftAppGovernance", "MicrosoftAppGovernance";
        LossPrevention: "dataLossPrevention", "MicrosoftDataLossPrevention";
        Cloud: "microsoftDefenderForCloud", "MicrosoftDefenderForCloud";
        Sentinel: "microsoftSentinel", "MicrosoftSentinel";
    }
    DetectionSource {
        Endpoint: "microsoftDefenderForEndpoint", "WindowsDefenderAtp";
        Antivirus: "antivirus", "WindowsDefenderAv";
        SmartScreen: "smartScreen", "WindowsDefenderSmartScreen";
        CustomTi: "customTi", "CustomerTI";
        CustomDetection: "customDetection", "CustomDetection";
        Office365: "microsoftDefenderForOffice365", "OfficeATP";
        Identity: "microsoftDefenderForIdentity", "MicrosoftDefenderForIdentity";
        CloudApps: "cloudAppSecurity", "MCAS";
        Xdr: "microsoft365Defender", "MTP";
        EntraProtection: "azureAdIdentityProtection", "AzureADIdentityProtection";
        Automated: "automatedInvestigation", "AutomatedInvestigation";
        AppGovernance: "appGovernanceDetection", "AppGovernanceDetection";
        LossPrevention: "microsoftDataLossPrevention", "MicrosoftDataLossPrevention";
        Servers: "microsoftDefenderForServers", "MicrosoftDefenderForServers";
        Storage: "microsoftDefenderForStorage", "MicrosoftDefenderForStorage";
        Containers: "microsoftDefenderForContainers", "MicrosoftDefenderForContainers";
        Scheduled: "scheduledAlerts", "ScheduledAlerts";
    }
    InvestigationState {
        Unknown: "unknown", "Unknown";
        Benign: "benign", "Benign";
        SuccessfullyRemediated: "successfullyRemediated", "SuccessfullyRemediated";
        PartiallyRemediated: "partiallyRemediated", "PartiallyRemediated";
        Running: "running", "Running";
        PendingApproval: "pendingApproval", "PendingApproval";
        Queued: "queued", "Queued";
        UnsupportedOs: "unsupportedOs", "UnsupportedOs";
        UnsupportedAlertType: "unsupportedAlertType", "UnsupportedAlertType";
        TerminatedByUser: "terminatedByUser", "TerminatedByUser";
    }
    Verdict {
        Unknown: "unknown", "Unknown";
        Suspicious: "suspicious", "Suspicious";
        Malicious: "malicious", "Malicious";
        NoThreatsFound: "noThreatsFound", "NoThreatsFound";
    }
    Remediation {
        None: "none", "None";
        Remediated: "remediated", "Remediated";
        Prevented: "prevented", "Prevented";
        Blocked: "blocked", "Blocked";
        Active: "active", "Active";
        PendingApproval: "pendingApproval", "PendingApproval";
        PartiallyRemediated: "partiallyRemediated", "PartiallyRemediated";
    }
    /// Order to a machine. Only Defender for Endpoint's spelling (the second) is Microsoft's.
    ActionKind {
        Scan: "runAntiVirusScan", "RunAntiVirusScan";
        Offboard: "offboard", "Offboard";
        LiveResponse: "liveResponse", "LiveResponse";
        CollectPackage: "collectInvestigationPackage", "CollectInvestigationPackage";
        Isolate: "isolate", "Isolate";
        Unisolate: "unisolate", "Unisolate";
        QuarantineFile: "stopAndQuarantineFile", "StopAndQuarantineFile";
        Restrict: "restrictCodeExecution", "RestrictCodeExecution";
        Unrestrict: "unrestrictCodeExecution", "UnrestrictCodeExecution";
    }
    /// Where a machine action stands.
    ActionStatus {
        Pending: "pending", "Pending";
        InProgress: "inProgress", "InProgress";
        Succeeded: "succeeded", "Succeeded";
        Failed: "failed", "Failed";
        TimeOut: "timeOut", "TimeOut";
        Cancelled: "cancelled", "Cancelled";
    }
    /// What the cloud hears from a device's sensor.
    DeviceHealth {
        Active: "active", "Active";
        Inactive: "inactive", "Inactive";
        ImpairedCommunication: "impairedCommunication", "ImpairedCommunication";
        NoSensorData: "noSensorData", "NoSensorData";
        NoSensorDataImpairedCommunication: "noSensorDataImpairedCommunication", "NoSensorDataImpairedCommunication";
        Unknown: "unknown", "Unknown";
    }
    /// How much a device matters to its owner.
    DeviceValue {
        Normal: "normal", "Normal";
        Low: "low", "Low";
        High: "high", "High";
    }
    Role {
        Contextual: "contextual", "Contextual";
        Source: "source", "Source";
        Destination: "destination", "Destination";
        Compromised: "compromised", "Compromised";
        Attacked: "attacked", "Attacked";
        Attacker: "attacker", "Attacker";
        CommandAndControl: "commandAndControl", "CommandAndControl";
        Suspicious: "suspicious", "Suspicious";
    }
}

impl ServiceSource {
    /// What `productName` says.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Endpoint => "Microsoft Defender for Endpoint",
            Self::Identity => "Microsoft Defender for Identity",
            Self::CloudApps => "Microsoft Defender for Cloud Apps",
            Self::Office365 => "Microsoft Defender for Office 365",
            Self::Xdr => "Microsoft Defender XDR",
            Self::EntraProtection => "Microsoft Entra ID Protection",
            Self::AppGovernance => "Microsoft App Governance",
            Self::LossPrevention => "Microsoft Data Loss Prevention",
            Self::Cloud => "Microsoft Defender for Cloud",
            Self::Sentinel => "Microsoft Sentinel",
        }
    }

    /// First letters of its alert ids: `da` and `fa` and `ca` were seen in samples, the rest is (M).
    pub(crate) fn id_prefix(self) -> &'static str {
        match self {
            Self::Endpoint => "da",
            Self::Identity => "aa",
            Self::CloudApps | Self::AppGovernance => "ca",
            Self::Office365 => "fa",
            Self::Xdr => "ra",
            Self::EntraProtection => "ad",
            Self::LossPrevention => "dl",
            Self::Cloud => "dc",
            Self::Sentinel => "sn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_meaning_is_understood() {
        for word in ["Clean", "notMalicious", "NOTMALICIOUS", "clean"] {
            assert_eq!(Determination::parse(word), Some(Determination::NotMalicious), "{word}");
        }
        for word in ["NoEnoughDataToValidate", "notEnoughDataToValidate", "InsufficientData"] {
            assert_eq!(Determination::parse(word), Some(Determination::NotEnoughData), "{word}");
        }
        assert_eq!(Determination::parse("CompromisedUser"), Some(Determination::CompromisedAccount));
        assert_eq!(Determination::parse("NotAWord"), None);
    }

    #[test]
    fn each_api_reads_its_own_spelling() {
        assert_eq!(Determination::NotEnoughData.xdr(), "NoEnoughDataToValidate");
        assert_eq!(Determination::NotEnoughData.graph(), "notEnoughDataToValidate");
        assert_eq!(IncidentStatus::AwaitingAction.graph(), "awaitingAction");
    }
}
