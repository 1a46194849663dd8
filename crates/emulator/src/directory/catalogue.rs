//! The first-party resources of every tenant and the permissions that they publish, as data.
//!
//! Names and ids of the roles are Microsoft's where they are public; the others get an id derived from the name, so
//! that it is stable here and wrong everywhere else: clients must resolve roles by name at run time.

use crate::caller::Resource;

/// A first-party resource application.
#[derive(Debug)]
pub(crate) struct ResourceDescription {
    /// `None` for a resource whose API is not simulated.
    pub kind: Option<Resource>,
    pub name: &'static str,
    pub app_id: &'static str,
    /// The names that a token may be asked for, beside the application id. No trailing slash.
    pub uris: &'static [&'static str],
    pub roles: &'static [Permission],
    pub scopes: &'static [Permission],
}

/// An application role or a delegated scope.
#[derive(Debug)]
pub(crate) struct Permission {
    pub value: &'static str,
    /// What the portal shows.
    pub display_name: &'static str,
    published_id: Option<&'static str>,
}

impl Permission {
    /// The id under which `resource` publishes the permission.
    pub(crate) fn id(&self, resource: &ResourceDescription) -> String {
        self.published_id.map_or_else(|| derived_id(resource.app_id, self.value), str::to_owned)
    }
}

impl ResourceDescription {
    pub(crate) fn role_by_id(&self, id: &str) -> Option<&'static Permission> {
        self.roles.iter().find(|role| role.id(self).eq_ignore_ascii_case(id))
    }

    pub(crate) fn role_by_value(&self, value: &str) -> Option<&'static Permission> {
        self.roles.iter().find(|role| role.value == value)
    }

    pub(crate) fn scope_by_value(&self, value: &str) -> Option<&'static Permission> {
        self.scopes.iter().find(|scope| scope.value.eq_ignore_ascii_case(value))
    }
}

/// Finds a resource by application id or by one of its names; a slash at the end does not matter.
pub(crate) fn resource_by_name(name: &str) -> Option<&'static ResourceDescription> {
    let name = name.trim_end_matches('/');
    RESOURCES.iter().find(|resource| {
        resource.app_id.eq_ignore_ascii_case(name) || resource.uris.iter().any(|uri| uri.eq_ignore_ascii_case(name))
    })
}

pub(crate) fn resource_by_app_id(app_id: &str) -> Option<&'static ResourceDescription> {
    RESOURCES.iter().find(|resource| resource.app_id.eq_ignore_ascii_case(app_id))
}

pub(crate) fn resource_by_kind(kind: Resource) -> &'static ResourceDescription {
    RESOURCES.iter().find(|resource| resource.kind == Some(kind)).expect("every kind has an entry below")
}

/// A GUID that depends on nothing but the two texts.
pub(super) fn derived_id(app_id: &str, value: &str) -> String {
    let hash = crate::signing::sha256(format!("{app_id}/{value}").as_bytes());
    let bytes: [u8; 16] = hash[..16].try_into().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

const fn permission(value: &'static str, display_name: &'static str, id: &'static str) -> Permission {
    Permission { value, display_name, published_id: Some(id) }
}

/// For a permission whose id was found in no trustworthy place.
const fn unpublished(value: &'static str, display_name: &'static str) -> Permission {
    Permission { value, display_name, published_id: None }
}

/// All first-party resources that this cloud knows.
pub(crate) const RESOURCES: &[ResourceDescription] = &[
    ResourceDescription {
        kind: Some(Resource::Graph),
        name: "Microsoft Graph",
        app_id: "00000003-0000-0000-c000-000000000000",
        uris: &[
            "https://graph.microsoft.com",
            "https://graph.microsoft.us",
            "https://dod-graph.microsoft.us",
            "https://microsoftgraph.chinacloudapi.cn",
        ],
        roles: GRAPH_ROLES,
        scopes: GRAPH_SCOPES,
    },
    ResourceDescription {
        kind: Some(Resource::Xdr),
        name: "Microsoft Threat Protection",
        app_id: "8ee8fdad-f234-4243-8f3b-15c294843740",
        uris: &[
            "https://api.security.microsoft.com",
            "https://api-gov.security.microsoft.us",
            "https://api-gcc.security.microsoft.us",
        ],
        roles: XDR_ROLES,
        scopes: &[],
    },
    ResourceDescription {
        kind: Some(Resource::Mde),
        name: "WindowsDefenderATP",
        app_id: "fc780465-2017-40d4-a0c5-307022471b92",
        uris: &[
            "https://api.securitycenter.microsoft.com",
            "https://api.securitycenter.windows.com",
            "https://securitycenter.onmicrosoft.com/windowsatpservice",
            "https://api-gov.securitycenter.microsoft.us",
            "https://api-gcc.securitycenter.microsoft.us",
        ],
        roles: MDE_ROLES,
        scopes: &[],
    },
    ResourceDescription {
        kind: Some(Resource::CloudApps),
        name: "Microsoft Cloud App Security",
        app_id: "05a65629-4c1b-48c1-a78b-804c4abdd4af",
        uris: &[],
        roles: CLOUD_APPS_ROLES,
        scopes: &[],
    },
    ResourceDescription {
        kind: None,
        name: "Log Analytics API",
        app_id: "ca7f3f0b-7d91-482c-8e09-c5d840d0eac5",
        uris: &["https://api.loganalytics.io"],
        roles: LOG_ANALYTICS_ROLES,
        scopes: &[],
    },
    // The id is general knowledge (M). Rights are given on a vault, not as roles of the resource.
    ResourceDescription {
        kind: Some(Resource::KeyVault),
        name: "Azure Key Vault",
        app_id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        uris: &["https://vault.azure.net"],
        roles: &[],
        scopes: &[],
    },
];

const GRAPH_ROLES: &[Permission] = &[
    permission("SecurityAlert.Read.All", "Read all security alerts", "472e4a4d-bb4a-4026-98d1-0b0d74cb74a5"),
    permission(
        "SecurityAlert.ReadWrite.All",
        "Read and write to all security alerts",
        "ed4fca05-be46-441f-9803-1873825f8fdb",
    ),
    permission("SecurityIncident.Read.All", "Read all security incidents", "45cc0394-e837-488b-a098-1918f48d186c"),
    permission(
        "SecurityIncident.ReadWrite.All",
        "Read and write to all security incidents",
        "34bf0e97-1971-4929-b999-9e2442d941d7",
    ),
    permission("ThreatHunting.Read.All", "Run hunting queries", "dd98c7f5-2d42-42d3-a0e4-633161547251"),
    permission(
        "SecurityEvents.Read.All",
        "Read your organization's security events",
        "bf394140-e372-4bf9-a898-299cfc7564e5",
    ),
    permission(
        "SecurityEvents.ReadWrite.All",
        "Read and update your organization's security events",
        "d903a879-88e0-4c09-b0c9-82f6a1333f84",
    ),
    permission(
        "SecurityActions.Read.All",
        "Read your organization's security actions",
        "5e0edab9-c148-49d0-b423-ac253e121825",
    ),
    permission(
        "SecurityActions.ReadWrite.All",
        "Read and update your organization's security actions",
        "f2bf083f-0179-402a-bedb-b2784de8a49b",
    ),
    permission("ThreatIndicators.Read.All", "Read all threat indicators", "197ee4e9-b993-4066-898f-d6aecc55125b"),
    permission(
        "ThreatIndicators.ReadWrite.OwnedBy",
        "Manage threat indicators this app creates or owns",
        "21792b6c-c986-4ffc-85de-df9da54b52fa",
    ),
    permission(
        "ThreatIntelligence.Read.All",
        "Read all Threat Intelligence Information",
        "e0b77adb-e790-44a3-b0a0-257d06303687",
    ),
    permission(
        "AttackSimulation.Read.All",
        "Read attack simulation data of an organization",
        "93283d0a-6322-4fa8-966b-8c121624760d",
    ),
    permission(
        "AttackSimulation.ReadWrite.All",
        "Read, create, and update all attack simulation data of an organization",
        "e125258e-8c8a-42a8-8f55-ab502afa52f3",
    ),
    permission(
        "ThreatSubmission.Read.All",
        "Read all of the organization's threat submissions",
        "86632667-cd15-4845-ad89-48a88e8412e1",
    ),
    permission(
        "ThreatSubmission.ReadWrite.All",
        "Read and write all of the organization's threat submissions",
        "d72bdbf4-a59b-405c-8b04-5995895819ac",
    ),
    permission("Application.Read.All", "Read all applications", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    permission("Application.ReadWrite.All", "Read and write all applications", "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"),
    permission(
        "Application.ReadWrite.OwnedBy",
        "Manage apps that this app creates or owns",
        "18a4783c-866b-4cc7-a460-3d5e5662c884",
    ),
    permission(
        "AppRoleAssignment.ReadWrite.All",
        "Manage app permission grants and app role assignments",
        "06b708a9-e830-4db3-a914-8e69da51d44f",
    ),
    permission("Directory.Read.All", "Read directory data", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    permission("Directory.ReadWrite.All", "Read and write directory data", "19dbc75e-c2e2-444c-a770-ec69d8559fc7"),
    permission("Organization.Read.All", "Read organization information", "498476ce-e0fe-48b0-b801-37ba7e2685c6"),
    permission("User.ReadBasic.All", "Read all users' basic profiles", "97235f07-e226-4f63-ace3-39588e11d3a1"),
    permission("User.Read.All", "Read all users' full profiles", "df021288-bdef-4463-88db-98f22de89214"),
    permission("User.ReadWrite.All", "Read and write all users' full profiles", "741f803b-c850-494e-b5df-cde7c675a1ca"),
    permission(
        "User.EnableDisableAccount.All",
        "Enable and disable user accounts",
        "3011c876-62b7-4ada-afa2-506cbbecc68c",
    ),
    permission(
        "User.RevokeSessions.All",
        "Revoke all sign in sessions for a user",
        "77f3a031-c388-4f99-b373-dc68676a979e",
    ),
    permission(
        "IdentityRiskyUser.Read.All",
        "Read all identity risky user information",
        "dc5007c0-2d7d-4c42-879c-2dab87571379",
    ),
    permission(
        "IdentityRiskyUser.ReadWrite.All",
        "Read and write all risky user information",
        "656f6061-f9fe-4807-9708-6a2e0934df76",
    ),
    permission("Device.Read.All", "Read all devices", "7438b122-aefc-4978-80ed-43db9fcc7715"),
    permission("AuditLog.Read.All", "Read all audit log data", "b0afded3-3588-46d8-8b3d-9842eff778da"),
    permission("Mail.Send", "Send mail as any user", "b633e1c5-b582-4048-a93e-9f11b44c7e96"),
    permission("CustomDetection.Read.All", "Read all custom detection rules", "673a007a-9e0f-4c97-b066-3c0164486909"),
    permission(
        "CustomDetection.ReadWrite.All",
        "Read and write all custom detection rules",
        "e0fd9c8d-a12e-4cc9-9827-20c8c3cd6fb8",
    ),
    unpublished("SecurityAlert.Create.All", "Create security alerts"),
    unpublished("SecurityData.Manage.All", "Manage security data"),
    unpublished("SecurityIdentitiesActions.ReadWrite.All", "Read and perform all identity security actions"),
];

const GRAPH_SCOPES: &[Permission] = &[
    permission("User.Read", "Sign in and read user profile", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"),
    permission("SecurityAlert.Read.All", "Read all security alerts", "bc257fb8-46b4-4b15-8713-01e91bfbe4ea"),
    permission(
        "SecurityAlert.ReadWrite.All",
        "Read and write to all security alerts",
        "471f2a7f-2a42-4d45-a2bf-594d0838070d",
    ),
    permission("SecurityIncident.Read.All", "Read all security incidents", "b9abcc4f-94fc-4457-9141-d20ce80ec952"),
    permission(
        "SecurityIncident.ReadWrite.All",
        "Read and write to all security incidents",
        "128ca929-1a19-45e6-a3b8-435ec44a36ba",
    ),
    permission("ThreatHunting.Read.All", "Run hunting queries", "b152eca8-ea73-4a48-8c98-1a6742673d99"),
    permission(
        "SecurityEvents.Read.All",
        "Read your organization's security events",
        "64733abd-851e-478a-bffb-e47a14b18235",
    ),
    permission(
        "SecurityEvents.ReadWrite.All",
        "Read and update your organization's security events",
        "6aedf524-7e1c-45a7-bd76-ded8cab8d0fc",
    ),
    permission(
        "SecurityActions.Read.All",
        "Read your organization's security actions",
        "1638cddf-07a4-4de2-8645-69c96cacad73",
    ),
    permission(
        "SecurityActions.ReadWrite.All",
        "Read and update your organization's security actions",
        "dc38509c-b87d-4da0-bd92-6bec988bac4a",
    ),
    permission("ThreatIndicators.Read.All", "Read all threat indicators", "9cc427b4-2004-41c5-aa22-757b755e9796"),
    permission(
        "ThreatIndicators.ReadWrite.OwnedBy",
        "Manage threat indicators this app creates or owns",
        "91e7d36d-022a-490f-a748-f8e011357b42",
    ),
    permission(
        "ThreatIntelligence.Read.All",
        "Read all Threat Intelligence Information",
        "f266d9c0-ccb9-4fb8-a228-01ac0d8d6627",
    ),
    permission(
        "AttackSimulation.Read.All",
        "Read attack simulation data of an organization",
        "104a7a4b-ca76-4677-b7e7-2f4bc482f381",
    ),
    permission(
        "AttackSimulation.ReadWrite.All",
        "Read, create, and update all attack simulation data of an organization",
        "27608d7c-2c66-4cad-a657-951d575f5a60",
    ),
    permission(
        "ThreatSubmission.Read.All",
        "Read all of the organization's threat submissions",
        "7083913a-4966-44b6-9886-c5822a5fd910",
    ),
    permission(
        "ThreatSubmission.ReadWrite.All",
        "Read and write all of the organization's threat submissions",
        "8458e264-4eb9-4922-abe9-768d58f13c7f",
    ),
    permission("Application.Read.All", "Read all applications", "c79f8feb-a9db-4090-85f9-90d820caa0eb"),
    permission("Application.ReadWrite.All", "Read and write all applications", "bdfbf15f-ee85-4955-8675-146e8e5296b5"),
    permission(
        "AppRoleAssignment.ReadWrite.All",
        "Manage app permission grants and app role assignments",
        "84bccea3-f856-4a8a-967b-dbe0a3d53a64",
    ),
    permission("Directory.Read.All", "Read directory data", "06da0dbc-49e2-44d2-8312-53f166ab848a"),
    permission("Organization.Read.All", "Read organization information", "4908d5b9-3fb2-4b1e-9336-1888b7937185"),
    permission("User.Read.All", "Read all users' full profiles", "a154be20-db9c-4678-8ab7-66f6cc099a59"),
    permission("User.ReadWrite.All", "Read and write all users' full profiles", "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4"),
    permission(
        "User.EnableDisableAccount.All",
        "Enable and disable user accounts",
        "f92e74e7-2563-467f-9dd0-902688cb5863",
    ),
    permission(
        "User.RevokeSessions.All",
        "Revoke all sign in sessions for a user",
        "fc30e98b-8810-4501-81f5-c20a3196387b",
    ),
    permission(
        "IdentityRiskyUser.Read.All",
        "Read all identity risky user information",
        "d04bb851-cb7c-4146-97c7-ca3e71baf56c",
    ),
    permission(
        "IdentityRiskyUser.ReadWrite.All",
        "Read and write all risky user information",
        "e0a7cdbb-08b0-4697-8264-0069786e9674",
    ),
    permission("Device.Read.All", "Read all devices", "951183d1-1a61-466f-a6d1-1fde911bfd95"),
    permission("AuditLog.Read.All", "Read all audit log data", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20"),
    permission("Mail.Send", "Send mail as any user", "e383f46e-2787-4529-855e-0e479a3ffac0"),
    permission("CustomDetection.Read.All", "Read all custom detection rules", "b13ff42e-f321-4d7d-a462-141c46a1b832"),
    permission(
        "CustomDetection.ReadWrite.All",
        "Read and write all custom detection rules",
        "c34088fb-0649-4714-af0b-bcbfec155897",
    ),
];

const XDR_ROLES: &[Permission] = &[
    permission("Incident.Read.All", "Read all incidents", "a9790345-4595-42e4-971a-ccdc79f19b7c"),
    permission("Incident.ReadWrite.All", "Read and write all incidents", "8d90f441-09cf-4fdc-ab45-e874fa3a28e8"),
    permission("AdvancedHunting.Read.All", "Run advanced queries", "7734e8e5-8dde-42fc-b5ae-6eafea078693"),
    permission(
        "CustomDetections.ReadWrite.All",
        "Read and write all custom detections",
        "a7deff90-e2f5-4e4e-83a3-2c74e7002e28",
    ),
];

const MDE_ROLES: &[Permission] = &[
    permission("Machine.Read.All", "Read all machine profiles", "ea8291d3-4b9a-44b5-bc3a-6cea3026dc79"),
    permission("AdvancedQuery.Read.All", "Run advanced queries", "93489bf5-0fbc-4f2d-b901-33f2fe08ff05"),
    permission(
        "Vulnerability.Read.All",
        "Read Threat and Vulnerability Management vulnerability information",
        "41269fc5-d04d-4bfd-bce7-43a51cea049a",
    ),
    permission(
        "Software.Read.All",
        "Read Threat and Vulnerability Management software information",
        "37f71c98-d198-41ae-964d-2c49aab74926",
    ),
    permission(
        "SecurityRecommendation.Read.All",
        "Read Threat and Vulnerability Management security recommendation information",
        "6443965c-7dd2-4cfd-b38f-bb7772bee163",
    ),
    permission(
        "Score.Read.All",
        "Read Threat and Vulnerability Management score",
        "02b005dd-f804-43b4-8fc7-078460413f74",
    ),
    permission("RemediationTasks.Read.All", "Read remediation tasks", "6a33eedf-ba73-4e5a-821b-f057ef63853a"),
    permission(
        "SecurityConfiguration.Read.All",
        "Read all security configurations",
        "227f2ea0-c2c2-4428-b7af-9ff40f1a720e",
    ),
    unpublished("Machine.ReadWrite.All", "Read and write all machine information"),
    unpublished("Machine.Isolate", "Isolate machine"),
    unpublished("Machine.RestrictExecution", "Restrict code execution"),
    unpublished("Machine.Scan", "Scan machine"),
    unpublished("Machine.CollectForensics", "Collect forensics"),
    unpublished("Machine.Offboard", "Offboard machine"),
    unpublished("Machine.StopAndQuarantine", "Stop And Quarantine"),
    unpublished("Machine.LiveResponse", "Run live response on a specific machine"),
    unpublished("Library.Manage", "Manage live response library files"),
    unpublished("Alert.Read.All", "Read all alerts"),
    unpublished("Alert.ReadWrite.All", "Read and write all alerts"),
    unpublished("Ti.ReadWrite", "Read and write IOCs belonging to the app"),
    unpublished("Ti.ReadWrite.All", "Read and write All Indicators"),
    unpublished("Ti.Read.All", "Read all Indicators"),
    unpublished("File.Read.All", "Read file profiles"),
    unpublished("Ip.Read.All", "Read IP address profiles"),
    unpublished("URL.Read.All", "Read URLs"),
    unpublished("User.Read.All", "Read user profiles"),
];

const CLOUD_APPS_ROLES: &[Permission] = &[
    permission("discovery.read", "Read discovery data", "e9aa7b67-ea0d-435b-ab36-592cd9b23d61"),
    permission("investigation.read", "Read investigation data", "83bc8d83-2679-44ef-b813-d5f556fc4474"),
    permission("settings.read", "Read settings", "8e41f311-31d5-43aa-bb79-8fd4e14a8745"),
    unpublished("investigation.manage", "Manage investigations"),
    unpublished("discovery.manage", "Manage discovery"),
    unpublished("settings.manage", "Manage settings"),
];

const LOG_ANALYTICS_ROLES: &[Permission] =
    &[permission("Data.Read", "Read Log Analytics data", "e8f6e161-84d0-4cd7-9441-2d46ec9ec3d5")];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_role_of_a_resource_has_its_own_id_and_is_found_by_it() {
        for resource in RESOURCES {
            let ids: HashSet<_> = resource.roles.iter().map(|role| role.id(resource)).collect();
            assert_eq!(ids.len(), resource.roles.len(), "{}", resource.name);
            assert!(resource.roles.iter().all(|role| resource.role_by_id(&role.id(resource)).is_some()));
        }
        assert_eq!(resource_by_kind(Resource::Mde).roles.len(), 26);
    }

    #[test]
    fn a_resource_is_found_by_uri_with_or_without_slash_and_by_id() {
        for name in ["https://api.security.microsoft.com/", "8EE8FDAD-f234-4243-8f3b-15c294843740"] {
            assert_eq!(resource_by_name(name).unwrap().kind, Some(Resource::Xdr), "{name}");
        }
        assert!(resource_by_name("https://foo.microsoft.com").is_none());
    }
}
