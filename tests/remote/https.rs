//! Servers behind https whose certificates an authority of one's own has signed, as in a cluster.

use crate::KEY;
use crate::common::{Desk, Ended, ended};
use crate::program::through;
use crate::server::{Server, good};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut about = CertificateParams::default();
    about.distinguished_name.push(DnType::CommonName, name);
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap()).unwrap()
}

/// What a server at `host` shows.
fn certificate(authority: &Authority, host: &str) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let about = CertificateParams::new([host.to_owned()]).unwrap();
    let certificate = about.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// A command on a machine that trusts what stands in `authorities`, and nobody else.
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
fn labels_come_through_https() {
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
fn a_server_that_nobody_vouches_for_is_refused_and_gets_no_key() {
    let server = Server::secure(certificate(&authority("ours"), "127.0.0.1"), good);
    let desk = Desk::with_icons(&["천 모자"]);
    let others = authority("others").pem();
    let refused = trusting(&desk, &others, &through(&server, &[])).expect(1);
    let checked = trusting(&desk, &others, &["doctor", "--endpoint", &server.url]).expect(1);
    for told in [&refused.err, &checked.out] {
        assert!(told.contains("no authority that is trusted here"), "{told}");
        assert!(told.contains("SSL_CERT_FILE"), "{told}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[test]
fn a_certificate_of_another_host_is_refused() {
    let ours = authority("ours");
    let server = Server::secure(certificate(&ours, "elsewhere"), good);
    let desk = Desk::with_icons(&["천 모자"]);
    let refused = trusting(&desk, &ours.pem(), &through(&server, &[])).expect(1);
    let told = refused.err;
    assert!(told.contains("its certificate is refused"), "{told}");
    assert!(told.contains("elsewhere"), "{told}");
}

#[test]
fn only_https_wants_authorities() {
    let desk = Desk::with_icons(&["천 모자"]);
    let secure = Server::secure(certificate(&authority("ours"), "127.0.0.1"), good);
    let refused = trusting(&desk, "", &through(&secure, &[])).expect(1);
    assert!(refused.err.contains("ca-certificates"), "{}", refused.err);
    let plain = Server::start(good);
    trusting(&desk, "", &through(&plain, &["--resume"])).expect(0);
    assert_eq!(desk.names(), ["천 모자"]);
}
