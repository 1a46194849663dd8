//! PEM files as people have them, and the assertion checked with the certificate's own key.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair as CertificateKey, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

use super::*;

struct Files {
    directory: tempfile::TempDir,
    certificate: String,
    key: String,
    public: Vec<u8>,
}

impl Files {
    fn new(years: (i32, i32)) -> Self {
        let key = CertificateKey::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let public = rcgen::PublicKeyData::der_bytes(&key).to_vec();
        Self { directory: tempfile::tempdir().unwrap(), certificate, key: key.serialize_pem(), public }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn combined(&self) -> PathBuf {
        self.write("both.pem", &format!("{}\n{}", self.key, self.certificate))
    }
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn load(certificate: &Path, key: Option<&Path>) -> Result<Certificate, CredentialError> {
    Certificate::load(certificate, key, AssertionAlgorithm::Ps256, now())
}

#[test]
fn the_assertion_is_signed_by_the_key_and_names_the_certificate() {
    let files = Files::new((2020, 2090));
    let client = "11111111-2222-3333-4444-555555555555";
    for (algorithm, expected, thumbprint, length) in [
        (AssertionAlgorithm::Ps256, Algorithm::PS256, "x5t#S256", 43),
        (AssertionAlgorithm::Rs256, Algorithm::RS256, "x5t", 27),
    ] {
        let certificate = Certificate::load(&files.combined(), None, algorithm, now()).unwrap();
        let assertion = certificate.assertion(client, "https://login.example/t/token", now()).unwrap();
        let mut rules = Validation::new(expected);
        rules.validate_exp = false;
        rules.set_audience(&["https://login.example/t/token"]);
        rules.set_issuer(&[client]);
        let key = DecodingKey::from_rsa_der(&files.public);
        let claims = jsonwebtoken::decode::<serde_json::Value>(assertion.expose(), &key, &rules).unwrap().claims;
        assert_eq!(claims["sub"], client);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), ASSERTION_LIFETIME_S);
        let header = URL_SAFE_NO_PAD.decode(assertion.expose().split('.').next().unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header[thumbprint].as_str().unwrap().len(), length, "{header}");
        let again = certificate.assertion(client, "https://login.example/t/token", now()).unwrap();
        assert_ne!(again.expose(), assertion.expose(), "each has its own jti");
    }
}

#[test]
fn key_and_certificate_may_be_two_files() {
    let files = Files::new((2020, 2090));
    let (certificate, key) = (files.write("c.pem", &files.certificate), files.write("k.pem", &files.key));
    let loaded = load(&certificate, Some(&key)).unwrap();
    assert_eq!(loaded.portal_thumbprint().len(), 40);
    assert_eq!(loaded.expires_at(), "2090-01-01T00:00:00Z".parse().unwrap());
    assert!(!format!("{loaded:?}").contains("KEY"));
}

#[test]
fn each_way_to_give_the_wrong_file_has_its_name() {
    let (files, other) = (Files::new((2020, 2090)), Files::new((2020, 2090)));
    let (expired, future) = (Files::new((2020, 2021)), Files::new((2080, 2090)));
    let certificate = files.write("c.pem", &files.certificate);
    let elliptic = CertificateKey::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    let variant = |path: PathBuf, key: Option<PathBuf>| {
        let error = load(&path, key.as_deref()).expect_err("broken");
        assert!(!error.remedy().is_empty());
        format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned()
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let broken_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let broken_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (path, key, expected) in [
        (certificate.clone(), None, "KeyMissing"),
        (files.write("k.pem", &files.key), None, "CertificateMissing"),
        (certificate.clone(), Some(other.write("k.pem", &other.key)), "KeyMismatch"),
        (certificate.clone(), Some(files.write("e.pem", encrypted)), "KeyEncrypted"),
        (certificate.clone(), Some(files.write("l.pem", legacy)), "KeyEncrypted"),
        (certificate.clone(), Some(files.write("ec.pem", &elliptic)), "KeyUnusable"),
        (certificate.clone(), Some(files.write("b.pem", broken_key)), "KeyUnusable"),
        (files.write("bc.pem", &format!("{broken_certificate}{}", files.key)), None, "CertificateBroken"),
        (files.write("t.pem", "no pem"), None, "NotPem"),
        (files.directory.path().join("none.pem"), None, "FileMissing"),
        (expired.combined(), None, "CertificateExpired"),
        (future.combined(), None, "CertificateNotYetValid"),
    ] {
        assert_eq!(variant(path, key), expected);
    }
    let binary = files.directory.path().join("app.pfx");
    std::fs::write(&binary, [0x30, 0x82, 0xff, 0xfe]).unwrap();
    assert_eq!(variant(binary, None), "NotPem");
}
