//! The services' closed lists of words, read in any letter case and spelling, written in the one that the API wants.

use std::{convert::Infallible, fmt, str::FromStr};

use serde_json::Value;

/// Which of the two incident APIs is meant. Alerts are read through Graph alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Microsoft Graph security, `/v1.0/security`: the default.
    Graph,
    /// Microsoft Defender XDR, `/api/incidents`.
    Xdr,
}

macro_rules! words { ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $graph:literal, $xdr:literal $(, $also:literal)*;)+ }) => {
    $(#[$doc])*
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub enum $name {
        $($(#[$variant_doc])* $variant,)+
        /// A word that this version does not know, as the service spelled it.
        Other(String),
    }

    impl $name {
        /// Every known word, in Graph's spelling.
        pub const WORDS: &[&str] = &[$($graph),+];

        /// The spelling that `api` expects in a request.
        pub fn spelled(&self, api: Api) -> &str {
            match (self, api) {
                $((Self::$variant, Api::Graph) => $graph, (Self::$variant, Api::Xdr) => $xdr,)+
                (Self::Other(word), _) => word,
            }
        }

        /// Whether this version knows the word.
        pub fn is_known(&self) -> bool {
            !matches!(self, Self::Other(_))
        }

        /// Reads a member in any letter case; `null`, blanks and other types count as absent.
        pub(crate) fn read(value: &Value) -> Option<Self> {
            let word = value.as_str()?.trim();
            (!word.is_empty()).then(|| word.parse().unwrap_or_else(|never: Infallible| match never {}))
        }
    }

    impl FromStr for $name {
        type Err = Infallible;
        fn from_str(word: &str) -> Result<Self, Infallible> {
            let is = |known: &str| word.eq_ignore_ascii_case(known);
            $(if is($graph) || is($xdr) $(|| is($also))* { return Ok(Self::$variant); })+
            Ok(Self::Other(word.to_owned()))
        }
    }

    impl fmt::Display for $name {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.spelled(Api::Graph)) }
    }
} }

words! {
    /// How bad the service thinks it is.
    Severity {
        /// Worth knowing.
        Informational = "informational", "Informational";
        /// Low.
        Low = "low", "Low";
        /// Medium.
        Medium = "medium", "Medium";
        /// High.
        High = "high", "High";
        /// Not rated.
        Unknown = "unknown", "UnSpecified";
    }
}

impl Severity {
    /// 0 (unknown) to 4 (high), for sorting.
    pub fn rank(&self) -> u8 {
        match self {
            Self::High => 4,
            Self::Medium => 3,
            Self::Low => 2,
            Self::Informational => 1,
            Self::Unknown | Self::Other(_) => 0,
        }
    }
}

words! {
    /// Where an incident or alert stands. Alerts are `new` where incidents are `active`.
    Status {
        /// Untouched incident.
        Active = "active", "Active";
        /// Untouched alert.
        New = "new", "New";
        /// Somebody works on it.
        InProgress = "inProgress", "InProgress";
        /// Closed.
        Resolved = "resolved", "Resolved";
        /// Merged into another incident, which carries on.
        Redirected = "redirected", "Redirected";
        /// Microsoft's Defender experts wait for the customer.
        AwaitingAction = "awaitingAction", "AwaitingAction";
        /// Not said.
        Unknown = "unknown", "Unknown";
    }
}

words! {
    /// What it turned out to be, in one of three words.
    Classification {
        /// Not said.
        Unknown = "unknown", "Unknown";
        /// Wrongly reported.
        FalsePositive = "falsePositive", "FalsePositive";
        /// An attack.
        TruePositive = "truePositive", "TruePositive";
        /// Real, and meant to happen.
        InformationalExpectedActivity = "informationalExpectedActivity", "InformationalExpectedActivity";
    }
}

words! {
    /// The reason behind the classification. The APIs and their pages spell six of them differently.
    Determination {
        /// Not said.
        Unknown = "unknown", "NotAvailable";
        /// Retired for writing since 2022.
        Apt = "apt", "Apt";
        /// Malware.
        Malware = "malware", "Malware";
        /// Retired for writing since 2022.
        SecurityPersonnel = "securityPersonnel", "SecurityPersonnel";
        /// A test of the defences.
        SecurityTesting = "securityTesting", "SecurityTesting";
        /// Unwanted software.
        UnwantedSoftware = "unwantedSoftware", "UnwantedSoftware";
        /// Anything else.
        OtherReason = "other", "Other";
        /// An attack in several steps.
        MultiStagedAttack = "multiStagedAttack", "MultiStagedAttack";
        /// A stolen account.
        CompromisedAccount = "compromisedAccount", "CompromisedAccount", "compromisedUser";
        /// Phishing.
        Phishing = "phishing", "Phishing";
        /// A user who means harm.
        MaliciousUserActivity = "maliciousUserActivity", "MaliciousUserActivity";
        /// Clean.
        NotMalicious = "notMalicious", "Clean";
        /// Not enough to tell.
        NotEnoughDataToValidate = "notEnoughDataToValidate", "NoEnoughDataToValidate", "insufficientData";
        /// Confirmed with the person.
        ConfirmedActivity = "confirmedActivity", "ConfirmedActivity", "confirmedUserActivity";
        /// A line-of-business application.
        LineOfBusinessApplication = "lineOfBusinessApplication", "LineOfBusinessApplication";
    }
}

impl Determination {
    /// The older spelling that some deployments of the API still ask for, to be tried after a 400.
    pub(crate) fn alternate(&self, api: Api) -> Option<&'static str> {
        match (self, api) {
            (Self::CompromisedAccount, Api::Graph) => Some("compromisedUser"),
            (Self::NotMalicious, Api::Graph) => Some("clean"),
            (Self::NotEnoughDataToValidate, Api::Graph) => Some("insufficientData"),
            (Self::ConfirmedActivity, Api::Graph) => Some("confirmedUserActivity"),
            (Self::CompromisedAccount, Api::Xdr) => Some("CompromisedUser"),
            (Self::NotMalicious, Api::Xdr) => Some("NotMalicious"),
            (Self::NotEnoughDataToValidate, Api::Xdr) => Some("InsufficientData"),
            (Self::ConfirmedActivity, Api::Xdr) => Some("ConfirmedUserActivity"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_determination_is_one_word() {
        #[track_caller]
        fn check(spellings: &[&str], expected: Determination) {
            for spelling in spellings {
                assert_eq!(spelling.parse(), Ok(expected.clone()), "{spelling}");
            }
        }
        check(&["notMalicious", "NotMalicious", "Clean", "clean"], Determination::NotMalicious);
        check(
            &["InsufficientData", "notEnoughDataToValidate", "NoEnoughDataToValidate"],
            Determination::NotEnoughDataToValidate,
        );
        check(&["CompromisedUser", "compromisedAccount"], Determination::CompromisedAccount);
        check(&["ConfirmedUserActivity", "confirmedActivity"], Determination::ConfirmedActivity);
        check(&["NotAvailable", "unknown"], Determination::Unknown);
        check(&["brandNewWord"], Determination::Other("brandNewWord".into()));
    }

    #[test]
    fn each_api_gets_its_own_spelling() {
        assert_eq!(Determination::NotMalicious.spelled(Api::Xdr), "Clean");
        assert_eq!(Determination::NotMalicious.spelled(Api::Graph), "notMalicious");
        assert_eq!(Status::InProgress.spelled(Api::Xdr), "InProgress");
        assert_eq!(Severity::Other("weird".into()).spelled(Api::Xdr), "weird");
    }

    #[test]
    fn null_blank_and_foreign_types_are_absent() {
        for value in [Value::Null, Value::from(""), Value::from(7)] {
            assert_eq!(Severity::read(&value), None);
        }
        assert_eq!(Severity::read(&Value::from("HIGH")), Some(Severity::High));
    }
}
