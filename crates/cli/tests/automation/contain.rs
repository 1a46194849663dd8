//! A workflow of the gallery by commands alone, against the simulated cloud: nothing happens in a dry run, and everything once
//! after somebody has said yes.

use serde_json::{Value, json};
use sortie_testkit::{Sortie, TestCloud};

use crate::stage::{Stage, run_of};

const ROLES: &[(&str, &str)] =
    &[("mde", "Machine.Isolate"), ("mde", "Machine.ReadWrite.All"), ("graph", "SecurityIncident.ReadWrite.All")];
const CONTAIN: &str = include_str!("../../../../gallery/contain-risky-device.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_contained_by_commands_once_and_only_after_a_yes() {
    for is_served in [false, true] {
        let cloud = TestCloud::start().await;
        cloud.put("/world/actions", &json!({ "start_s": 0, "run_s": 0, "repeat": "accept" })).await;
        let application = cloud.application(ROLES).await;
        let sortie = Sortie::connected(env!("CARGO_BIN_EXE_sortie"), &cloud, &application).await;
        let mut stage = Stage::of(sortie, cloud.leaks().clone());
        let incident = stage.json(&["incidents", "list", "--limit", "1", "--json"]).await[0]["id"].clone();
        let device = cloud.get("/truth").await["tenants"][0]["machines"][0]["id"].clone();
        let effects = async || cloud.get("/counters").await["effects"].clone();
        let before = effects().await;
        if is_served {
            stage.serve().await;
        }
        stage.write("flows/contain.yaml", CONTAIN);
        stage.run(&["workflow", "apply", "flows"]).await.succeeded();
        let given =
            [format!("device={}", device.as_str().unwrap()), format!("incident={}", incident.as_str().unwrap())];
        let inputs = ["--input", &given[0], "--input", &given[1], "--input", "hold=1s"];
        let dry =
            stage.run(&[&["workflow", "dry-run", "contain-risky-device"], &inputs[..]].concat()).await.succeeded();
        let isolate = format!("/api/machines/{}/isolate", device.as_str().unwrap());
        for part in [
            "calls microsoft-365-defender/get-device",
            "\"method\": \"POST\"",
            &isolate,
            "IsolationType",
            "back on the network",
        ] {
            assert!(dry.stdout.contains(part), "{part}: {}", dry.stdout);
        }
        assert_eq!(effects().await, before, "a dry run changes nothing");
        let run =
            run_of(&stage.run(&[&["workflow", "run", "contain-risky-device"], &inputs[..]].concat()).await.succeeded());
        let asks = |run: &Value| run["status"] == "waiting" && !run["approvals"].as_array().unwrap().is_empty();
        let asked = stage.until(&["runs", "show", &run, "--json"], asks).await;
        assert_eq!(effects().await, before, "nobody has said yes");
        let approval = asked["approvals"][0]["id"].as_str().unwrap();
        stage.run(&["approvals", "approve", approval, "--why", "drill"]).await.succeeded();
        let ended = stage.run(&["runs", "show", &run, "--follow"]).await.succeeded();
        assert!(ended.stdout.contains("the run has ended: succeeded"), "{}", ended.stdout);
        let counted = effects().await.to_string();
        let orders = |kind: &str| format!("machines/{}/{kind}", device.as_str().unwrap());
        for kind in ["Isolate", "Unisolate"] {
            assert!(counted.contains(&orders(kind)), "{kind}: {counted}");
        }
        let after = effects().await;
        let count = |kind: &str| {
            let entity = orders(kind);
            let own = after.as_array().unwrap().iter().filter(|effect| effect["entity"] == entity.as_str());
            own.filter_map(|effect| effect["orders"].as_u64()).sum::<u64>()
        };
        assert_eq!((count("Isolate"), count("Unisolate")), (1, 1));
    }
}
