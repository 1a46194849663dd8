//! kill -9 amid writes: what was acknowledged is there, and nothing is half-written.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use sortie_store::{Feed, Scope, conformance::stage};

#[tokio::test(flavor = "multi_thread")]
async fn killed_amid_a_thousand_writes_nothing_acknowledged_is_lost() {
    if let Some(folder) = std::env::var_os("SORTIE_STORE_KILLS") {
        return write_until_killed(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let first = stage(folder.path());
    let scope = Scope::Tenant(first.store.add_tenant("contoso", None, "global").await.unwrap().key);
    drop(first);
    let kills = std::env::var("SORTIE_TEST_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(KILLS);
    // The tenant's own change is the first.
    let (mut all, mut cut, mut seen) = (0, 0, 1);
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::killed_amid_a_thousand_writes_nothing_acknowledged_is_lost", "--nocapture"])
            .env("SORTIE_STORE_KILLS", folder.path())
            .env("SORTIE_STORE_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From run to run after another number of writes.
        let enough = 1 + (round * 37) as usize % 900;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = Vec::new();
        for line in lines {
            let Ok(line) = line else { break };
            let Some(at) = line.find("acknowledged ") else { continue };
            acknowledged.push(line[at + "acknowledged ".len()..].to_owned());
            if acknowledged.len() == enough {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        cut += usize::from(acknowledged.len() < 1_000);
        let stage = stage(folder.path());
        let names = stage.store.value_names(scope, &format!("{round}-"), "", 10_000).await.unwrap();
        for name in &acknowledged {
            assert!(names.contains(name), "round {round}: {name} was acknowledged and is lost");
        }
        for name in &names {
            let kept = stage.store.value(scope, name).await.unwrap().unwrap();
            assert_eq!((kept.value, kept.version), (format!("value of {name}"), 1), "half-written");
        }
        let Feed::Changes(changes) = stage.store.changes(scope, seen, 10_000).await.unwrap() else {
            panic!("unpruned")
        };
        let numbers: Vec<i64> = changes.iter().map(|change| change.seq).collect();
        let due = seen + i64::try_from(names.len()).unwrap();
        assert_eq!(numbers, (seen + 1..=due).collect::<Vec<_>>(), "round {round}: one change a value, without a gap");
        seen = due;
        assert!(acknowledged.len() >= enough, "round {round}: it ended early");
        all += names.len();
    }
    println!("{kills} kills, {cut} of them amid the writes, {all} values kept");
    assert!(cut > 0);
}

/// The test runs itself as the child that it kills: this is the child, which says what was acknowledged.
async fn write_until_killed(folder: &Path) {
    let stage = stage(folder);
    let tenants = stage.store.tenants(Scope::Every).await.unwrap();
    let tenant = tenants.iter().find(|tenant| tenant.name == "contoso").unwrap();
    let scope = Scope::Tenant(tenant.key);
    let round = std::env::var("SORTIE_STORE_ROUND").unwrap();
    let writers = (0..8).map(|writer| {
        let (store, round) = (stage.store.clone(), round.clone());
        tokio::spawn(async move {
            for at in 0..125 {
                let name = format!("{round}-{writer}-{at}");
                store.set_value(scope, &name, format!("value of {name}"), None, Some(0)).await.unwrap();
                println!("acknowledged {name}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// `cargo xtask soak` asks for more.
const KILLS: u32 = 50;
