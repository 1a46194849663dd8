//! The shapes, field by field.

use super::{Field, FieldKind, Shape, words};

/// An incident.
pub static INCIDENT: Shape = Shape {
    name: "incident",
    about: "An incident of Microsoft Defender with its alerts, and what they are about",
    fields: &[
        text("id", "The same number in Graph and in Defender XDR, as a text"),
        text("displayName", "What it is called"),
        text("description", "What happened, in the service's words"),
        word("severity", words::SEVERITY, "How bad the service thinks it is"),
        word("status", words::INCIDENT_STATUS, "Where it stands"),
        word("classification", words::CLASSIFICATION, "What it turned out to be"),
        word("determination", words::DETERMINATION, "Why it is classified so"),
        text("assignedTo", "Who works on it: mostly a user principal name"),
        instant("createdDateTime", "When the service made it"),
        instant("lastUpdateDateTime", "When anything of it last changed"),
        text("lastModifiedBy", "Who changed it last"),
        text("resolvingComment", "What was said when it was resolved"),
        whole("priorityScore", "The service's ranking, 0 to 100"),
        texts("customTags", "The organisation's own tags"),
        texts("systemTags", "The service's tags"),
        text("redirectIncidentId", "The incident that it was merged into"),
        text("tenantId", "The Entra tenant that it belongs to"),
        text("incidentWebUrl", "Its page in the portal"),
        list("comments", &COMMENT, "Comments, oldest first"),
        list("alerts", &ALERT, "Its alerts"),
        list("devices", &DEVICE, "The devices of all alerts, each once"),
        list("users", &USER, "The users of all alerts, each once"),
        list("files", &FILE, "The files of all alerts, on each device once"),
        list("processes", &PROCESS, "The processes of all alerts, on each device once"),
        list("urls", &URL, "The web addresses of all alerts, each once"),
        list("ips", &IP, "The IP addresses of all alerts, each once"),
        list("mailboxes", &MAILBOX, "The mailboxes of all alerts, each once"),
        list("messages", &MESSAGE, "The mails of all alerts, each once"),
        raw("What the service sent, but for its alerts, which have their own; those without an id stay here"),
    ],
};

/// An alert.
pub static ALERT: Shape = Shape {
    name: "alert",
    about: "An alert of Microsoft Defender with what it is about",
    fields: &[
        text("id", "Opaque"),
        text("incidentId", "The incident that it belongs to"),
        text("title", "What happened"),
        text("description", "The same at length"),
        word("severity", words::SEVERITY, "How bad the service thinks it is"),
        word("status", words::ALERT_STATUS, "Where it stands"),
        word("classification", words::CLASSIFICATION, "What it turned out to be"),
        word("determination", words::DETERMINATION, "Why it is classified so"),
        text("assignedTo", "Who works on it"),
        text("category", "The stage of an attack: CredentialAccess, Ransomware and so on"),
        word("serviceSource", words::SERVICE_SOURCE, "The product that raised it"),
        text("detectionSource", "What found it, as the service says it"),
        text("detectorId", "The rule that found it"),
        text("productName", "The product's name"),
        word("investigationState", words::INVESTIGATION_STATE, "Where the automated investigation stands"),
        text("threatDisplayName", "The threat"),
        text("threatFamilyName", "The threat's family"),
        text("actorDisplayName", "Who is behind it"),
        texts("mitreTechniques", "MITRE ATT&CK technique ids"),
        instant("createdDateTime", "When the service made it"),
        instant("lastUpdateDateTime", "When it last changed"),
        instant("resolvedDateTime", "When it was resolved"),
        instant("firstActivityDateTime", "The first thing that it is about"),
        instant("lastActivityDateTime", "The last thing that it is about"),
        text("recommendedActions", "What the service advises"),
        text("tenantId", "The Entra tenant that it belongs to"),
        text("alertWebUrl", "Its page in the portal"),
        list("comments", &COMMENT, "Comments, oldest first"),
        list("devices", &DEVICE, "The devices that it is about"),
        list("users", &USER, "The users that it is about"),
        list("files", &FILE, "The files that it is about"),
        list("processes", &PROCESS, "The processes that it is about"),
        list("urls", &URL, "The web addresses that it is about"),
        list("ips", &IP, "The IP addresses that it is about"),
        list("mailboxes", &MAILBOX, "The mailboxes that it is about"),
        list("messages", &MESSAGE, "The mails that it is about"),
        raw("What the service sent, with evidence of kinds that have no list here"),
    ],
};

/// A device.
pub static DEVICE: Shape = Shape {
    name: "device",
    about: "A device: evidence of an alert, or as Defender for Endpoint has it",
    fields: &[
        text("id", "What tells it apart: the first that is known of mdeDeviceId, azureAdDeviceId and deviceDnsName"),
        text("mdeDeviceId", "Its id in Defender for Endpoint, 40 hexadecimal digits: what orders go to"),
        text("azureAdDeviceId", "Its id in Entra"),
        text("deviceDnsName", "Its full name in the network"),
        text("hostName", "Its name without the domain"),
        text("osPlatform", "Windows11, Linux and so on"),
        whole("osBuild", "The build of its system"),
        text("version", "The version of its system"),
        word("healthStatus", words::HEALTH, "Whether its sensor reports"),
        word("riskScore", words::RISK, "How much is wrong with it"),
        word("exposureLevel", words::EXPOSURE, "How open it is to attacks"),
        word("deviceValue", words::DEVICE_VALUE, "How much it matters to the organisation"),
        word("onboardingStatus", words::ONBOARDING, "Whether Defender for Endpoint has it"),
        word("defenderAvStatus", words::ANTIVIRUS, "How its antivirus is"),
        text("rbacGroupId", "Its device group, by id"),
        text("rbacGroupName", "Its device group, by name"),
        instant("firstSeenDateTime", "The first report"),
        instant("lastSeenDateTime", "The last full report, which comes about once a day"),
        text("lastIpAddress", "Its address inside"),
        text("lastExternalIpAddress", "Its address outside"),
        texts("ipInterfaces", "Every address of every interface"),
        texts("tags", "The organisation's own tags"),
        texts("loggedOnUsers", "Who is signed in, as DOMAIN\\account"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays: attacked, source and so on"),
        raw("What the service sent; null within an alert, whose own has it"),
    ],
};

/// A user.
pub static USER: Shape = Shape {
    name: "user",
    about: "An account that an alert is about",
    fields: &[
        text(
            "id",
            "What tells it apart: the first that is known of azureAdUserId, userPrincipalName, userSid, account",
        ),
        text("azureAdUserId", "Its object id in Entra: what orders go to"),
        text("userPrincipalName", "What it signs in with"),
        text("displayName", "What it is called"),
        text("accountName", "Its name in the domain"),
        text("domainName", "Its domain"),
        text("userSid", "Its security identifier"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays: compromised, attacked and so on"),
    ],
};

/// A file.
pub static FILE: Shape = Shape {
    name: "file",
    about: "A file that an alert is about",
    fields: &[
        text(
            "id",
            "What tells it apart: its device with the first that is known of sha256, sha1, md5, and path with name",
        ),
        text("fileName", "Its name"),
        text("filePath", "Its folder"),
        text("sha1", "Its SHA-1, 40 hexadecimal digits: what orders go by"),
        text("sha256", "Its SHA-256, 64 hexadecimal digits"),
        text("md5", "Its MD5, 32 hexadecimal digits"),
        whole("fileSize", "Bytes"),
        text("filePublisher", "Who published it"),
        text("signer", "Who signed it"),
        text("issuer", "Who issued the signer's certificate"),
        word("detectionStatus", words::DETECTION_STATUS, "What the antivirus did"),
        text("mdeDeviceId", "The device that has it"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// A process.
pub static PROCESS: Shape = Shape {
    name: "process",
    about: "A process that an alert is about",
    fields: &[
        text("id", "What tells it apart: its device with number and beginning, or with what it was called with"),
        whole("processId", "Its number on the device"),
        text("processCommandLine", "What it was called with"),
        instant("processCreationDateTime", "When it began"),
        whole("parentProcessId", "The number of the process that began it"),
        instant("parentProcessCreationDateTime", "When that one began"),
        text("fileName", "The name of its program"),
        text("filePath", "The folder of its program"),
        text("sha1", "The SHA-1 of its program"),
        text("sha256", "The SHA-256 of its program"),
        text("parentFileName", "The name of the program that began it"),
        text("userPrincipalName", "In whose name it ran"),
        text("accountName", "In which account it ran"),
        text("mdeDeviceId", "The device that it ran on"),
        word("detectionStatus", words::DETECTION_STATUS, "What the antivirus did"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// A web address.
pub static URL: Shape = Shape {
    name: "url",
    about: "A web address that an alert is about",
    fields: &[
        text("id", "The address"),
        text("url", "The address"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// An IP address.
pub static IP: Shape = Shape {
    name: "ip",
    about: "An IP address that an alert is about",
    fields: &[
        text("id", "The address"),
        text("ipAddress", "The address"),
        text("countryLetterCode", "The country that it belongs to, in two letters"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// A mailbox.
pub static MAILBOX: Shape = Shape {
    name: "mailbox",
    about: "A mailbox that an alert is about",
    fields: &[
        text("id", "Its address"),
        text("primaryAddress", "Its address"),
        text("displayName", "What it is called"),
        text("userPrincipalName", "Whose it is"),
        text("azureAdUserId", "Whose it is, by the object id in Entra"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// A mail.
pub static MESSAGE: Shape = Shape {
    name: "message",
    about: "A mail that an alert is about",
    fields: &[
        text("id", "What tells it apart: networkMessageId with recipient, else sender, recipient and subject"),
        text("networkMessageId", "Its id in Exchange Online; the copies of all recipients share it"),
        text("internetMessageId", "Its Message-ID"),
        text("subject", "Its subject"),
        text("sender", "Who it says it is from"),
        text("recipient", "Who got it"),
        text("senderIp", "Where it came from"),
        instant("receivedDateTime", "When it came"),
        text("deliveryAction", "What was done with it at its arrival"),
        text("deliveryLocation", "Where it lies"),
        texts("urls", "The web addresses in it"),
        texts("threats", "What was found in it"),
        word("verdict", words::VERDICT, "What the service thinks of it"),
        word("remediationStatus", words::REMEDIATION, "What was done about it"),
        texts("roles", "The part that it plays"),
    ],
};

/// A comment.
pub static COMMENT: Shape = Shape {
    name: "comment",
    about: "A comment on an incident or an alert",
    fields: &[
        text("comment", "Its text"),
        text("createdByDisplayName", "Who wrote it"),
        instant("createdDateTime", "When"),
    ],
};

const fn text(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: FieldKind::Text, about }
}

const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Field {
    Field { name, kind: FieldKind::Words(words), about }
}

const fn instant(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: FieldKind::Instant, about }
}

const fn whole(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: FieldKind::Whole, about }
}

const fn texts(name: &'static str, about: &'static str) -> Field {
    Field { name, kind: FieldKind::Texts, about }
}

const fn list(name: &'static str, shape: &'static Shape, about: &'static str) -> Field {
    Field { name, kind: FieldKind::List(shape), about }
}

const fn raw(about: &'static str) -> Field {
    Field { name: "raw", kind: FieldKind::Raw, about }
}
