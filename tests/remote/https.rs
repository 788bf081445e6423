//! Tests of https servers with certificates of a private authority, as in a cluster.

use crate::KEY;
use crate::common::{Desk, Ended, ended};
use crate::program::through;
use crate::server::{Server, good};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// TLS configuration of a server at `host`.
fn certificate(authority: &Authority, host: &str) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// Runs a command on a machine that trusts only these authorities (PEM).
fn trusting(desk: &Desk, authorities: &str, args: &[&str]) -> Ended {
    let file = desk.path().join("authorities.pem");
    std::fs::write(&file, authorities).unwrap();
    let mut command = desk.plain(args);
    ended(
        command
            .env("SSL_CERT_FILE", file)
            .env("LABELER_API_KEY", KEY),
    )
}

#[test]
fn a_run_works_over_https() {
    let ours = authority("ours");
    let server = Server::secure(certificate(&ours, "127.0.0.1"), good);
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    trusting(&desk, &ours.pem(), &through(&server, &[])).expect(0);
    assert_eq!(desk.names(), ["가죽 모자", "천 모자"]);
    let seen = server.seen.lock().unwrap();
    let sent = |sent: &str| seen.iter().any(|r| r.headers["authorization"] == sent);
    assert!(server.url.starts_with("https://") && sent(&format!("Bearer {KEY}")));
}

#[test]
fn a_server_with_an_untrusted_certificate_gets_no_key() {
    let server = Server::secure(certificate(&authority("ours"), "127.0.0.1"), good);
    let desk = Desk::with_icons(&["천 모자"]);
    let others = authority("others").pem();
    let refused = trusting(&desk, &others, &through(&server, &[])).expect(1);
    let checked = trusting(&desk, &others, &["doctor", "--endpoint", &server.url]).expect(1);
    for message in [&refused.err, &checked.out] {
        assert!(
            message.contains("not signed by a trusted authority"),
            "{message}"
        );
        assert!(message.contains("SSL_CERT_FILE"), "{message}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[test]
fn a_certificate_for_another_host_is_rejected() {
    let ours = authority("ours");
    let server = Server::secure(certificate(&ours, "elsewhere"), good);
    let desk = Desk::with_icons(&["천 모자"]);
    let refused = trusting(&desk, &ours.pem(), &through(&server, &[])).expect(1);
    let message = refused.err;
    assert!(message.contains("its certificate is invalid"), "{message}");
    assert!(message.contains("elsewhere"), "{message}");
}

#[test]
fn only_https_requires_authorities() {
    let desk = Desk::with_icons(&["천 모자"]);
    let secure = Server::secure(certificate(&authority("ours"), "127.0.0.1"), good);
    let refused = trusting(&desk, "", &through(&secure, &[])).expect(1);
    assert!(refused.err.contains("ca-certificates"), "{}", refused.err);
    let plain = Server::start(good);
    trusting(&desk, "", &through(&plain, &["--resume"])).expect(0);
    assert_eq!(desk.names(), ["천 모자"]);
}
