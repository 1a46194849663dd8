//! The operations: whose token each needs, which roles open it, and which budget it draws on.

use std::time::Duration;

use sortie_identity::Audience;
use sortie_transport::QuotaWindow;

/// What the services list under its own quota and roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    AlertRead,
    AlertWrite,
    GraphHunt,
    IncidentRead,
    IncidentWrite,
    XdrHunt,
    XdrIncidentList,
    XdrIncidentRead,
    XdrIncidentWrite,
    ActionCancel,
    DeviceCollect,
    DeviceIsolate,
    DeviceOffboard,
    DeviceQuarantine,
    DeviceRestrict,
    DeviceScan,
    DomainRead,
    EndpointAlertRead,
    EndpointHunt,
    FileRead,
    IndicatorBatch,
    IndicatorRead,
    IndicatorWrite,
    IpRead,
    MachineRead,
    MachineWrite,
    PackageUri,
}

impl Operation {
    pub(crate) fn audience(self) -> Audience {
        match self {
            Self::AlertRead | Self::AlertWrite | Self::GraphHunt | Self::IncidentRead | Self::IncidentWrite => {
                Audience::Graph
            }
            Self::XdrHunt | Self::XdrIncidentList | Self::XdrIncidentRead | Self::XdrIncidentWrite => Audience::Xdr,
            _ => Audience::DefenderForEndpoint,
        }
    }

    /// Any one of them opens the operation.
    pub(crate) fn roles(self) -> &'static [&'static str] {
        match self {
            Self::AlertRead => &["SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"],
            Self::AlertWrite => &["SecurityAlert.ReadWrite.All"],
            Self::GraphHunt => &["ThreatHunting.Read.All"],
            Self::IncidentRead => &["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"],
            Self::IncidentWrite => &["SecurityIncident.ReadWrite.All"],
            Self::XdrHunt => &["AdvancedHunting.Read.All"],
            Self::XdrIncidentList | Self::XdrIncidentRead => &["Incident.Read.All", "Incident.ReadWrite.All"],
            Self::XdrIncidentWrite => &["Incident.ReadWrite.All"],
            Self::ActionCancel => &[
                "Machine.Isolate",
                "Machine.Scan",
                "Machine.RestrictExecution",
                "Machine.CollectForensics",
                "Machine.StopAndQuarantine",
                "Machine.Offboard",
                "Machine.LiveResponse",
            ],
            Self::DeviceCollect | Self::PackageUri => &["Machine.CollectForensics"],
            Self::DeviceIsolate => &["Machine.Isolate"],
            Self::DeviceOffboard => &["Machine.Offboard"],
            Self::DeviceQuarantine => &["Machine.StopAndQuarantine"],
            Self::DeviceRestrict => &["Machine.RestrictExecution"],
            Self::DeviceScan => &["Machine.Scan"],
            Self::DomainRead => &["URL.Read.All"],
            Self::EndpointAlertRead => &["Alert.Read.All", "Alert.ReadWrite.All"],
            Self::EndpointHunt => &["AdvancedQuery.Read.All"],
            Self::FileRead => &["File.Read.All"],
            Self::IndicatorBatch | Self::IndicatorRead | Self::IndicatorWrite => &["Ti.ReadWrite.All", "Ti.ReadWrite"],
            Self::IpRead => &["Ip.Read.All"],
            Self::MachineRead => &["Machine.Read.All", "Machine.ReadWrite.All"],
            Self::MachineWrite => &["Machine.ReadWrite.All"],
        }
    }

    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::AlertRead | Self::AlertWrite => "graph-alerts",
            Self::GraphHunt => "graph-hunting",
            Self::IncidentRead | Self::IncidentWrite => "graph-incidents",
            Self::XdrHunt => "xdr-hunting",
            Self::XdrIncidentList => "xdr-incident-list",
            Self::XdrIncidentRead => "xdr-incident-read",
            Self::XdrIncidentWrite => "xdr-incident-write",
            Self::EndpointHunt => "mde-hunting",
            Self::IndicatorBatch => "mde-indicator-batch",
            Self::PackageUri => "mde-package-uri",
            _ => "mde",
        }
    }
}

/// The documented limits; Graph's incidents have none and are limited by the 429 alone.
pub(crate) fn quotas() -> [(&'static str, Vec<QuotaWindow>); 10] {
    let minute = |count| QuotaWindow { count, per: Duration::from_secs(60) };
    let hour = |count| QuotaWindow { count, per: Duration::from_secs(3600) };
    [
        ("graph-alerts", vec![minute(150)]),
        ("graph-hunting", vec![minute(45)]),
        ("xdr-hunting", vec![minute(45)]),
        ("xdr-incident-list", vec![minute(50), hour(1500)]),
        ("xdr-incident-read", vec![minute(100), hour(1500)]),
        ("xdr-incident-write", vec![minute(50), hour(1500)]),
        ("mde", vec![minute(100), hour(1500)]),
        ("mde-hunting", vec![minute(45), hour(1500)]),
        ("mde-indicator-batch", vec![minute(30)]),
        ("mde-package-uri", vec![minute(2), hour(120)]),
    ]
}
