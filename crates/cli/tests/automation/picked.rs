//! A run about an incident, an alert or a device that is named by its id: read through the tenant's connection.

use serde_json::json;
use sortie_testkit::{Sortie, TestCloud};

use crate::stage::{Stage, run_of};

const ROLES: &[(&str, &str)] = &[
    ("mde", "Machine.ReadWrite.All"),
    ("graph", "SecurityIncident.ReadWrite.All"),
    ("graph", "ThreatHunting.Read.All"),
];
const ENRICH: &str = include_str!("../../../../gallery/enrich-incident.yaml");
const DEVICE: &str = "workflow: device
triggers: [{ manual: { needs: device } }]
steps: [{ id: a, set: { name: '{{ trigger.device.deviceDnsName }}' } }]
output: '{{ steps.a.output }}'
";
const ALERT: &str = "workflow: alert
triggers: [{ manual: { needs: alert } }]
steps: [{ id: a, set: { of: '{{ trigger.alert.incidentId }}' } }]
";
const NONE: &str =
    "workflow: none\ntriggers: [{ manual: { inputs: { incident: string } } }]\nsteps: [{ id: a, set: { x: 1 } }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_picked_by_its_id() {
    for is_served in [false, true] {
        let cloud = TestCloud::start().await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(env!("CARGO_BIN_EXE_sortie"), &cloud, &application).await;
        let mut stage = Stage::of(sortie, cloud.leaks().clone());
        let incident = stage.json(&["incidents", "list", "--limit", "1", "--json"]).await[0].clone();
        let id = incident["id"].as_str().unwrap();
        let device = stage.json(&["devices", "list", "--limit", "1", "--json"]).await[0].clone();
        let name = device["computerDnsName"].as_str().unwrap();
        if is_served {
            stage.serve().await;
        }
        stage.keep(&[ENRICH, DEVICE, ALERT, NONE]).await;
        let run = ["workflow", "run"];
        let enrich = [&run[..], &["enrich-incident", "--incident", id, "--follow"]].concat();
        let ended = stage.run(&enrich).await.succeeded();
        let kept = stage.json(&["runs", "show", &run_of(&ended), "--json"]).await;
        assert_eq!(kept["object"], format!("incident {id}"), "{kept}");
        let comments = stage.json(&["incidents", "show", id, "--json"]).await;
        assert!(comments.to_string().contains("alert(s) of severity"), "{comments}");
        let by_name = [&run[..], &["device", "--device", name, "--follow"]].concat();
        assert!(stage.run(&by_name).await.succeeded().stdout.contains("succeeded"));
        for (arguments, code, what) in [
            (&["device", "--incident", id][..], 2, "workflow device takes another object"),
            (&["device", "--device", " "], 2, "`pick` names one object"),
            (&["none", "--incident", id], 2, "workflow none takes no object"),
            (&["enrich-incident", "--incident", "99999999"], 5, "there is no incident 99999999"),
            (&["enrich-incident", "--incident", id, "--connection", "other"], 2, "no connection other"),
            (
                &["enrich-incident", "--incident", id, "--connection", "fabrikam/own", "--tenant", "contoso"],
                2,
                "the connection is of tenant fabrikam, and the run is for tenant contoso",
            ),
            (&["alert", "--alert", "da1_1"], 5, "there is no alert da1_1"),
            (&["enrich-incident", "--incident", id, "--device", "x"], 2, "cannot be used with"),
        ] {
            let refused = stage.run(&[&run[..], arguments].concat()).await.ended_with(code);
            assert!(refused.stderr.contains(what), "{what}: {}", refused.stderr);
        }
        let dry = stage.run(&["workflow", "dry-run", "enrich-incident", "--incident", id]).await.succeeded();
        assert!(dry.stdout.contains("would call microsoft-365-defender/comment-incident"), "{}", dry.stdout);
        let counted = cloud.get("/counters").await["effects"].clone();
        let entity = json!(format!("incidents/{id}"));
        let of_it = counted.as_array().unwrap().iter().find(|one| one["entity"] == entity).unwrap();
        assert_eq!(of_it["comments"], 1, "a dry run makes none: {counted}");
    }
}
