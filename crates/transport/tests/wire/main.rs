//! What goes over the wire, and what each way of failing is called.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic like the tests themselves")]
#![expect(clippy::print_stderr, reason = "what is left out is said")]

mod environment;
mod guarded;
mod peers;
mod secrets;

use std::{io::Write as _, time::Duration};

use base64::Engine as _;
use peers::{Script, answer, authority, peer, proxy, tls_peer};
use sortie_model::Secret;
use sortie_transport::{
    Delivery, ProxyCause, ProxySetting, RedirectCause, Request, SendError, SendErrorKind as Kind, TimeoutPhase,
    TlsCause, Transport, TransportSettings, TransportSettingsError,
};

fn settings() -> TransportSettings {
    TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() }
}

fn transport() -> Transport {
    Transport::new(settings()).unwrap()
}

fn trusting(pem: &str) -> (Transport, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    let settings = TransportSettings { ca_bundle: Some(file.path().to_owned()), ..settings() };
    (Transport::new(settings).unwrap(), file)
}

async fn fails(transport: &Transport, request: Request) -> SendError {
    transport.send(request).await.expect_err("no answer is expected")
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let peer = peer(Script::Say(answer("503 Busy", "x-ms-request-id: r1\r\n", b"{\"a\":1}"))).await;
    let response = transport().send(Request::get(peer.url("/x?q=1"))).await.unwrap();
    assert_eq!(response.status.as_u16(), 503);
    assert_eq!(response.request_id(), Some("r1"));
    assert_eq!(response.json::<serde_json::Value>().unwrap()["a"], 1);
}

#[tokio::test]
async fn a_head_request_may_be_told_of_a_large_body() {
    let peer =
        peer(Script::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n".to_vec())).await;
    let request = Request::new(sortie_transport::Method::HEAD, peer.url("/")).body_bytes_max(10);
    assert_eq!(transport().send(request).await.unwrap().header("content-length"), Some("5000"));
}

#[tokio::test]
async fn a_set_proxy_is_never_used_for_loopback() {
    let peer = peer(Script::Say(answer("200 OK", "", b"direct"))).await;
    let dead = ProxySetting::Url("http://127.0.0.1:9/".parse().unwrap());
    let transport = Transport::new(TransportSettings { proxy: dead, ..settings() }).unwrap();
    assert_eq!(transport.send(Request::get(peer.url("/"))).await.unwrap().text(), "direct");
}

#[tokio::test]
async fn a_body_beyond_its_bound_is_refused_declared_or_not() {
    let declared = peer(Script::Say(answer("200 OK", "", &[b'x'; 2000]))).await;
    let streamed = peer(Script::Say([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 2000]].concat())).await;
    for peer in [declared, streamed] {
        let error = fails(&transport(), Request::get(peer.url("/")).body_bytes_max(1999)).await;
        assert!(matches!(*error.kind, Kind::TooLarge { limit: 1999 }), "{error:?}");
        let fits = transport().send(Request::get(peer.url("/")).body_bytes_max(2000)).await.unwrap();
        assert_eq!(fits.body.len(), 2000);
    }
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_large_one_is_refused() {
    let packed = base64::engine::general_purpose::STANDARD.decode(PACKED_ZEROS).unwrap();
    assert!(packed.len() < 1000);
    let peer = peer(Script::Say(answer("200 OK", "Content-Encoding: gzip\r\n", &packed))).await;
    let error = fails(&transport(), Request::get(peer.url("/")).body_bytes_max(100_000)).await;
    assert!(matches!(*error.kind, Kind::TooLarge { .. }), "{error:?}");
    assert_eq!(transport().send(Request::get(peer.url("/"))).await.unwrap().body.len(), 200_000);
}

#[tokio::test]
async fn cut_and_broken_bodies_are_told_apart() {
    let packed = base64::engine::general_purpose::STANDARD.decode(PACKED_ZEROS).unwrap();
    let gzip = "Content-Encoding: gzip\r\n";
    let cut = |headers: &str, body: &[u8]| {
        let whole = answer("200 OK", headers, body);
        whole[..whole.len() - body.len() / 2].to_vec()
    };
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel".to_vec();
    for (what, script, expected) in [
        ("plain, cut", cut("", b"half of it is missing"), "CutBody"),
        ("chunked, cut", chunked, "CutBody"),
        ("gzip, cut", cut(gzip, &packed), "CutBody"),
        ("gzip, no gzip at all", answer("200 OK", gzip, b"this is no gzip"), "InvalidEncoding"),
    ] {
        let error = fails(&transport(), Request::get(peer(Script::Say(script)).await.url("/"))).await;
        assert_eq!(format!("{:?}", error.kind), expected, "{what}");
        assert_eq!(error.delivery(), Delivery::Unknown, "{what}");
    }
}

#[tokio::test]
async fn each_way_of_giving_no_answer_has_its_name_and_verdict() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fails(&transport(), Request::get(format!("http://{nobody}/").parse().unwrap())).await;
    assert!(matches!(*error.kind, Kind::ConnectRefused), "{error:?}");
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert_eq!(error.host, nobody.to_string());

    let error = fails(&transport(), Request::post(peer(Script::Close).await.url("/"))).await;
    assert!(matches!(*error.kind, Kind::Reset), "{error:?}");
    assert_eq!(error.delivery(), Delivery::Unknown);

    let error = fails(&transport(), Request::get(peer(Script::Say(b"SSH-2.0-x\r\n".to_vec())).await.url("/"))).await;
    assert!(matches!(*error.kind, Kind::Protocol), "{error:?}");

    let error = fails(&transport(), Request::get("https://no-such-name.invalid/".parse().unwrap())).await;
    assert!(matches!(*error.kind, Kind::Dns(_)), "{error:?}");
    assert_eq!(error.delivery(), Delivery::NotSent);
}

#[tokio::test]
async fn slowness_is_named_by_its_phase() {
    let quick = TransportSettings {
        first_byte_timeout: Duration::from_millis(100),
        total_timeout: Duration::from_millis(300),
        ..settings()
    };
    let transport = Transport::new(quick).unwrap();
    let error = fails(&transport, Request::get(peer(Script::Silence).await.url("/"))).await;
    assert!(matches!(*error.kind, Kind::Timeout { phase: TimeoutPhase::FirstByte, .. }), "{error:?}");
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec();
    let error = fails(&transport, Request::get(peer(Script::SayAndHang(head)).await.url("/"))).await;
    assert!(matches!(*error.kind, Kind::Timeout { phase: TimeoutPhase::Total, .. }), "{error:?}");
}

#[tokio::test]
async fn redirects_are_followed_only_where_nothing_leaks() {
    let end = peer(Script::Say(answer("200 OK", "", b"end"))).await;
    let there = format!("Location: http://{}/end\r\n", end.address);
    let hop = peer(Script::Say(answer("302 Found", &there, b""))).await;

    assert_eq!(transport().send(Request::get(hop.url("/"))).await.unwrap().text(), "end");
    let secret = Secret::new("s");
    let error = fails(&transport(), Request::get(hop.url("/")).bearer(&secret)).await;
    assert!(matches!(*error.kind, Kind::Redirect(RedirectCause::CrossOrigin)), "{error:?}");
    assert_eq!(end.hits(), 1, "the credential went nowhere");
    assert_eq!(transport().send(Request::post(hop.url("/"))).await.unwrap().status.as_u16(), 302);

    let around = peer(Script::Say(answer("302 Found", "Location: /again\r\n", b""))).await;
    let error = fails(&transport(), Request::get(around.url("/")).bearer(&secret)).await;
    assert!(matches!(*error.kind, Kind::Redirect(RedirectCause::TooMany)), "{error:?}");
    assert_eq!(around.hits(), 6);

    let out = peer(Script::Say(answer("302 Found", "Location: http://example.com/\r\n", b""))).await;
    assert!(matches!(*fails(&transport(), Request::get(out.url("/"))).await.kind, Kind::PlainHttp));
    let metadata = peer(Script::Say(answer("302 Found", "Location: http://169.254.169.254/\r\n", b""))).await;
    assert!(matches!(*fails(&transport(), Request::get(metadata.url("/"))).await.kind, Kind::ForbiddenAddress));
}

#[tokio::test]
async fn certificates_are_checked_and_the_cause_is_named() {
    for (name, years, trusted, expected) in [
        ("localhost", (2020, 2090), true, None),
        ("localhost", (2020, 2090), false, Some(TlsCause::UnknownIssuer)),
        ("localhost", (2020, 2021), true, Some(TlsCause::Expired)),
        ("localhost", (2080, 2090), true, Some(TlsCause::NotYetValid)),
        ("elsewhere.test", (2020, 2090), true, Some(TlsCause::WrongName)),
    ] {
        let authority = authority(name, years);
        let peer = tls_peer(authority.acceptor, Script::Say(answer("200 OK", "", b"safe"))).await;
        let (with_bundle, _file) = trusting(&authority.pem);
        let transport = if trusted { with_bundle } else { transport() };
        let url = format!("https://localhost:{}/", peer.address.port()).parse().unwrap();
        match (transport.send(Request::get(url)).await, expected) {
            (Ok(response), None) => assert_eq!(response.text(), "safe"),
            (Err(error), Some(expected)) => {
                // A system without any authorities says that instead of the issuer.
                let no_roots =
                    expected == TlsCause::UnknownIssuer && matches!(*error.kind, Kind::Tls(TlsCause::NoRoots));
                assert!(no_roots || matches!(&*error.kind, Kind::Tls(cause) if *cause == expected), "{error:?}");
                assert_eq!(error.delivery(), Delivery::NotSent);
            }
            (outcome, expected) => panic!("{outcome:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn https_passes_through_a_proxy_and_its_refusals_are_named() {
    let authority = authority("login.example.test", (2020, 2090));
    let (_, file) = trusting(&authority.pem);
    let target = tls_peer(authority.acceptor, Script::Say(answer("200 OK", "", b"through"))).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, expected) in [
        (proxy("200 OK", Some(target.address)).await.address, None),
        (proxy("407 Proxy Authentication Required", None).await.address, Some(ProxyCause::AuthenticationRequired)),
        (proxy("403 Forbidden", None).await.address, Some(ProxyCause::Refused)),
        (peer(Script::Close).await.address, Some(ProxyCause::Broken)),
        (nobody, Some(ProxyCause::Unreachable)),
    ] {
        let setting = ProxySetting::Url(format!("http://{address}/").parse().unwrap());
        let settings = TransportSettings {
            proxy: setting,
            ca_bundle: Some(file.path().to_owned()),
            ..TransportSettings::default()
        };
        let transport = Transport::new(settings).unwrap();
        match (transport.send(Request::get("https://login.example.test/".parse().unwrap())).await, expected) {
            (Ok(response), None) => assert_eq!(response.text(), "through"),
            (Err(error), Some(expected)) => {
                assert!(matches!(*error.kind, Kind::Proxy(cause) if cause == expected), "{error:?}");
                assert_eq!(error.delivery(), Delivery::NotSent);
            }
            (outcome, expected) => panic!("{outcome:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn a_bad_bundle_or_proxy_is_refused_at_start() {
    let new = |settings| Transport::new(settings).err();
    let missing = TransportSettings { ca_bundle: Some("no-such-file.pem".into()), ..settings() };
    assert!(matches!(new(missing), Some(TransportSettingsError::CaBundleUnreadable { .. })));
    for text in ["", "not pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let invalid = TransportSettings { ca_bundle: Some(file.path().to_owned()), ..settings() };
        assert!(matches!(new(invalid), Some(TransportSettingsError::CaBundleInvalid { .. })), "{text:?}");
    }
    let ftp = ProxySetting::Url("ftp://proxy/".parse().unwrap());
    let error = new(TransportSettings { proxy: ftp, ..settings() });
    assert!(matches!(error, Some(TransportSettingsError::ProxyScheme { .. })));
}

/// 200,000 zero bytes, packed by gzip.
const PACKED_ZEROS: &str = "H4sIAAAAAAACA+3BMQEAAADCoPVPbQZ/oAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACA1wB7WOBcQA0DAA==";
