//! The request-forgery guard on the wire: by address, by name, and along redirects.

use sortie_model::Secret;
use sortie_transport::{
    Class, Delivery, Guard, ProxySetting, Request, SendErrorKind as Kind, Transport, TransportSettings,
};

use crate::{
    fails,
    peers::{Script, answer, authority, peer, proxy, tls_peer},
    settings, transport, trusting,
};

fn guarded(allowed: &[String]) -> Transport {
    transport().guarded(Guard::allowing(allowed).unwrap())
}

#[tokio::test]
async fn this_machine_is_reached_only_where_the_list_names_it() {
    let end = peer(Script::Say(answer("200 OK", "", b"end"))).await;
    let refused = fails(&guarded(&[]), Request::get(end.url("/"))).await;
    assert!(matches!(*refused.kind, Kind::Guarded { class: Class::Loopback, .. }), "{refused:?}");
    assert_eq!((refused.delivery(), end.hits()), (Delivery::NotSent, 0));
    assert!(refused.remedy().contains("allowed hosts"), "{}", refused.remedy());
    let listed = guarded(&[end.address.to_string()]);
    assert_eq!(listed.send(Request::get(end.url("/"))).await.unwrap().text(), "end");
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_looked_at() {
    let end = peer(Script::Say(answer("200 OK", "", b"end"))).await;
    let port = end.address.port();
    for target in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
    ] {
        let hop = peer(Script::Say(answer("302 Found", &format!("Location: {target}\r\n"), b""))).await;
        let error = fails(&guarded(&[hop.address.to_string()]), Request::get(hop.url("/"))).await;
        assert!(matches!(*error.kind, Kind::Guarded { class: Class::Loopback, .. }), "{target}: {error:?}");
        assert_eq!(hop.hits(), 1);
        // A credential is not even carried to a host that the list names, if it is another one.
        let both = guarded(&[hop.address.to_string(), end.address.to_string(), format!("localhost:{port}")]);
        let carried = fails(&both, Request::get(hop.url("/")).bearer(&Secret::new("s"))).await;
        assert!(matches!(*carried.kind, Kind::Redirect(_)), "{target}: {carried:?}");
    }
    assert_eq!(end.hits(), 0);
}

/// What a name resolves to is what is judged, for the connection is made to that very answer: an answer that changes
/// between two look-ups gains nothing.
#[tokio::test]
async fn a_name_that_leads_inside_is_refused_when_it_is_connected_to() {
    let Some(name) = name_of_this_machine().await else {
        eprintln!("left out: this machine has no name that leads to itself");
        return;
    };
    let authority = authority(&name, (2020, 2090));
    let end = tls_peer(authority.acceptor, Script::Say(answer("200 OK", "", b"end"))).await;
    let url: url::Url = format!("https://{name}:{}/", end.address.port()).parse().unwrap();
    let (trusting, _file) = trusting(&authority.pem);
    let refused = fails(&trusting.guarded(Guard::default()), Request::get(url.clone())).await;
    assert!(matches!(*refused.kind, Kind::Guarded { .. }), "{refused:?}");
    assert_eq!(end.hits(), 0);
    let wrong_port = trusting.guarded(Guard::allowing([format!("{name}:1")]).unwrap());
    assert!(matches!(*fails(&wrong_port, Request::get(url.clone())).await.kind, Kind::Guarded { .. }));
    let listed = trusting.guarded(Guard::allowing([format!("{name}:{}", end.address.port())]).unwrap());
    assert_eq!(listed.send(Request::get(url.clone())).await.unwrap().text(), "end");
    // The same through a proxy, which would resolve the name itself.
    let tunnel = proxy("200 OK", Some(end.address)).await;
    let through = TransportSettings { proxy: ProxySetting::Url(tunnel.url("/")), ..settings() };
    let through = Transport::new(through).unwrap().guarded(Guard::default());
    assert!(matches!(*fails(&through, Request::get(url)).await.kind, Kind::Guarded { .. }));
    assert_eq!(tunnel.hits(), 0);
}

/// A name other than localhost with a loopback address, as in most hosts files.
async fn name_of_this_machine() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await.ok()?.collect();
    let is_own = !addresses.is_empty() && addresses.iter().all(|address| address.ip() == std::net::Ipv4Addr::LOCALHOST);
    (is_own && name != "localhost").then_some(name)
}
