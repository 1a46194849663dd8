//! How long a cached token takes to read, in nanoseconds: the cost of every call after the first.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figure")]

use std::{hint::black_box, sync::Arc, time::Instant};

use sortie_identity::{Application, Audience, Cloud, Credential, EndpointVersion, Hosts, TokenSource};
use sortie_model::{Secret, SystemClock};
use sortie_testkit::TestCloud;
use sortie_transport::{Transport, TransportSettings};

const READS: u32 = 1_000_000;
const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let cloud = TestCloud::start().await;
        let registered = cloud.application(&[("graph", "SecurityIncident.Read.All")]).await;
        let base = cloud.url().parse().expect("the emulator's address is a URL");
        let application = Application {
            cloud: Cloud::Global,
            hosts: Hosts::all_at(&base),
            tenant: registered.tenant.parse().expect("the emulator's tenant is a GUID"),
            client_id: registered.client_id.parse().expect("the emulator's application id is a GUID"),
            credential: Credential::Secret(Secret::new(registered.secret)),
            endpoint: EndpointVersion::V2,
        };
        let transport = Transport::new(TransportSettings::default()).expect("the default settings are usable");
        let tokens = TokenSource::new(transport, Arc::new(SystemClock), application);
        tokens.token(&Audience::Graph).await.expect("the emulator gives a token");
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..READS {
                black_box(tokens.token(black_box(&Audience::Graph)).await.expect("the token lives"));
            }
            rounds.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(READS));
        }
        rounds.sort_by(f64::total_cmp);
        // The best round is the least disturbed one on a shared machine; the median tells how disturbed it was.
        println!("{:.0} {:.0}", rounds[0], rounds[ROUNDS / 2]);
    });
}
