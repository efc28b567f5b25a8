//! A vault with a certificate, as the command line meets it.

use std::process::Stdio;

use crate::running::{Running, made};
use crate::world::alter;

#[test]
fn commands_reach_a_vault_over_tls() {
    let (folder, data) = made();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("cert.pem"), data.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    // The one by a variable, the other in the settings file with a path that counts from there.
    std::fs::write(data.join("alter.toml"), "tls_key = \"key.pem\"\n").expect("written");
    let certificate = certificate.to_str().expect("text");
    let vault = Running::start(&data, &[("ALTER_TLS_CERT", certificate)], Stdio::null());
    assert!(vault.url.starts_with("https://127.0.0.1:"), "{}", vault.url);
    let trusted = vault.alter(&["app", "create", "demo"], &[("SSL_CERT_FILE", certificate)], "");
    assert_eq!(trusted.exit, 0, "{trusted:?}");
    let untrusted = vault.alter(&["app", "list"], &[], "");
    assert_eq!(untrusted.exit, 3, "{untrusted:?}");
    assert!(untrusted.reads_well().stderr.contains("ertificate"), "{untrusted:?}");
}

#[test]
fn an_unusable_certificate_stops_the_start_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("v");
    let data = data.to_str().expect("text");
    let both = ["serve", "--json", "--data-dir", data, "--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.key"];
    assert_eq!(alter(&both, &[], "").error(), ("tls_unusable".into(), 2));
    assert_eq!(alter(&both[..6], &[], "").error(), ("config_invalid".into(), 2));
    assert!(!std::path::Path::new(data).exists());
}
