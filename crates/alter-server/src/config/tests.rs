use super::*;

fn load(flags: &Flags, env: &[(&str, &str)]) -> Result<Config, StartError> {
    Config::load(flags, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

fn in_folder(toml: &str) -> (tempfile::TempDir, Flags) {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join(CONFIG_FILE), toml).expect("writable");
    let flags = Flags { data: Some(dir.path().to_owned()), ..Flags::default() };
    (dir, flags)
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let (dir, mut flags) = in_folder("address = \"127.0.0.1:1\"\n");
    let read = |flags: &Flags, env: &[(&str, &str)]| load(flags, env).expect("valid").address;
    let from_file = read(&flags, &[]);
    assert_eq!((from_file.value.port(), from_file.source), (1, Source::File(dir.path().join(CONFIG_FILE))));
    let from_env = read(&flags, &[("ALTER_ADDRESS", "127.0.0.1:2")]);
    assert_eq!((from_env.value.port(), from_env.source), (2, Source::Environment("ALTER_ADDRESS")));
    flags.address = Some("localhost:3".into());
    let from_flag = read(&flags, &[("ALTER_ADDRESS", "127.0.0.1:2")]);
    assert_eq!((from_flag.value.port(), from_flag.source), (3, Source::Flag("--address")));
}

#[test]
fn defaults_follow_xdg_and_home() {
    let data = |env: &[(&str, &str)]| load(&Flags::default(), env).map(|c| c.data.value);
    assert_eq!(data(&[("HOME", "/h")]).expect("home"), Path::new("/h/.local/share/alter"));
    assert_eq!(data(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]).expect("xdg"), Path::new("/x/alter"));
    assert_eq!(data(&[("HOME", "/h"), ("XDG_DATA_HOME", "x")]).expect("relative"), Path::new("/h/.local/share/alter"));
    assert_eq!(data(&[("ALTER_DATA_DIR", "/d"), ("HOME", "/h")]).expect("variable"), Path::new("/d"));
    assert!(data(&[]).expect_err("nothing set").message().contains("HOME"));
}

#[test]
fn a_bad_value_is_named_with_its_source() {
    let (_dir, flags) = in_folder("public_url = \"http://vault.example.com\"\n");
    let error = load(&flags, &[]).expect_err("http to a remote host");
    assert_eq!(error.kind(), StartErrorKind::ConfigInvalid);
    assert!(error.message().contains("public_url") && error.message().contains("alter.toml"), "{error}");
    for url in ["https://u@h", "https://h/p", "ftp://h", "https://h?x=1", "h", ""] {
        assert!(parse_public_url(url).is_err(), "{url}");
    }
    assert_eq!(parse_public_url("https://vault.example.com/").as_deref(), Ok("https://vault.example.com"));
    for address in ["", "7117", "127.0.0.1", "example.com:1", "127.0.0.1:99999"] {
        assert!(parse_address(address).is_err(), "{address}");
    }
    let error = load(&Flags { data: Some("/nonexistent".into()), ..Flags::default() }, &[("ALTER_INSECURE_BIND", "yes")]);
    assert!(error.expect_err("not a boolean").message().contains("$ALTER_INSECURE_BIND"));
}

#[test]
fn no_link_leads_to_every_address() {
    for (address, url) in
        [("0.0.0.0:7117", "http://127.0.0.1:7117"), ("[::]:7117", "http://[::1]:7117"), ("192.168.1.5:7117", "http://192.168.1.5:7117")]
    {
        let config = load(&Flags { data: Some("/nonexistent".into()), address: Some(address.into()), ..Flags::default() }, &[]);
        let config = config.expect("valid");
        assert_eq!(config.url(config.address.value), url);
    }
}

#[test]
fn a_database_is_named_and_its_password_is_never_shown() {
    let (_dir, flags) = in_folder("store = \"postgres://alter@db/vault\"\n");
    let store = load(&flags, &[]).expect("valid").store;
    assert_eq!(store.value.to_string(), "postgres://alter@db/vault");
    let from_env = load(&flags, &[("ALTER_STORE", "postgres://alter:swordfish@other/vault")]).expect("valid").store;
    assert_eq!(
        (from_env.value.to_string(), &from_env.source),
        ("postgres://alter@other/vault".to_owned(), &Source::Environment("ALTER_STORE"))
    );
    assert!(!format!("{from_env:?}").contains("swordfish"));
    assert_eq!(load(&flags, &[("ALTER_STORE", "sqlite")]).expect("valid").store.value.to_string(), "sqlite");
    for (text, part) in [("mysql://u:swordfish@h/d", "must be sqlite"), ("postgres://u:swordfish@h/d?sslmode=no", "sslmode must be")] {
        let error = load(&flags, &[("ALTER_STORE", text)]).expect_err(text);
        assert!(error.message().contains(part) && error.message().contains("$ALTER_STORE"), "{error}");
        assert!(!format!("{error:?}").contains("swordfish"), "{error:?}");
    }
    let (_dir, flags) = in_folder("store = \"postgres://alter:swordfish@db/vault\"\n");
    let error = load(&flags, &[]).expect_err("a secret in the file");
    assert!(error.message().contains("holds a password") && !format!("{error:?}").contains("swordfish"), "{error:?}");
}

#[test]
fn an_unknown_setting_is_refused() {
    let (_dir, flags) = in_folder("adress = \"127.0.0.1:1\"\n");
    let error = load(&flags, &[]).expect_err("mistyped");
    assert!(error.cause().is_some_and(|cause| cause.contains("adress")), "{error}");
}

#[test]
fn outgoing_calls_have_a_table_of_their_own() {
    let (dir, flags) = in_folder("[egress]\nca_file = \"ca.pem\"\nhttp_hosts = [\"idp.internal\", \"10.0.0.5:8080\"]\n");
    let config = load(&flags, &[]).expect("valid");
    assert_eq!(config.egress().ca_file, Some(dir.path().join("ca.pem")));
    assert_eq!(config.egress_http_hosts.value.entries().collect::<Vec<_>>(), ["idp.internal", "10.0.0.5:8080"]);
    let allowed = load(&flags, &[("ALTER_EGRESS_ALLOW", "127.0.0.1:9000,crm.internal:443 in 10.0.0.0/8")]).expect("valid").egress_allow;
    assert_eq!(allowed.value.entries().collect::<Vec<_>>(), ["127.0.0.1:9000", "crm.internal:443 in 10.0.0.0/8"]);
    let error = load(&flags, &[("ALTER_EGRESS_ALLOW", "crm.internal")]).expect_err("no port");
    assert!(error.message().contains("egress.allow"), "{error}");
    let other = load(&flags, &[("ALTER_EGRESS_HTTP_HOSTS", "a.internal,b.internal:1")]).expect("valid").egress_http_hosts;
    assert_eq!(other.value.entries().collect::<Vec<_>>(), ["a.internal", "b.internal:1"]);
    assert_eq!(other.source, Source::Environment("ALTER_EGRESS_HTTP_HOSTS"));
    let error = load(&flags, &[("ALTER_EGRESS_HTTP_HOSTS", "http://a.internal")]).expect_err("a URL");
    assert!(error.message().contains("egress.http_hosts") && error.message().contains("ALTER_EGRESS_HTTP_HOSTS"), "{error}");
    let (_dir, flags) = in_folder("[egress]\nproxies = []\n");
    assert!(load(&flags, &[]).is_err());
}

#[test]
fn a_proxy_for_outgoing_calls_is_named_and_its_password_is_never_shown() {
    let (_dir, flags) =
        in_folder("[egress]\nproxy = \"http://proxy.internal:3128\"\nno_proxy = [\"crm.internal\", \"10.0.0.0/8\"]\nresolve = \"proxy\"\n");
    let config = load(&flags, &[]).expect("valid");
    assert_eq!(config.egress_proxy.value.as_ref().map(ToString::to_string).as_deref(), Some("http://proxy.internal:3128"));
    assert_eq!(config.egress_no_proxy.value.entries().collect::<Vec<_>>(), ["crm.internal", "10.0.0.0/8"]);
    assert_eq!(config.egress_resolve.value, Resolve::Proxy);
    assert!(config.egress().proxy.is_some());
    let env = [
        ("ALTER_EGRESS_PROXY", "http://vault:swordfish@other:8080"),
        ("ALTER_EGRESS_NO_PROXY", "a.internal,b.internal"),
        ("ALTER_EGRESS_RESOLVE", "vault"),
    ];
    let config = load(&flags, &env).expect("valid");
    assert_eq!(config.egress_proxy.source, Source::Environment("ALTER_EGRESS_PROXY"));
    assert_eq!((config.egress_no_proxy.value.entries().count(), config.egress_resolve.value), (2, Resolve::Vault));
    assert!(!format!("{config:?}{:?}", config.egress()).contains("swordfish"));
    for (name, value) in [
        ("ALTER_EGRESS_PROXY", "swordfish:3128"),
        ("ALTER_EGRESS_PROXY", "https://swordfish:3128"),
        ("ALTER_EGRESS_NO_PROXY", "crm.internal:443"),
        ("ALTER_EGRESS_RESOLVE", "nobody"),
    ] {
        let error = load(&flags, &[(name, value)]).expect_err(value);
        assert!(error.message().contains(name) && !format!("{error:?}").contains("swordfish"), "{error:?}");
    }
    let (_dir, flags) = in_folder("[egress]\nproxy = \"http://vault:swordfish@proxy.internal:3128\"\n");
    let error = load(&flags, &[]).expect_err("a secret in the file");
    assert!(error.message().contains("holds a password") && !format!("{error:?}").contains("swordfish"), "{error:?}");
    let nothing = load(&Flags { data: Some("/nonexistent".into()), ..Flags::default() }, &[]).expect("valid");
    assert!(nothing.egress().proxy.is_none() && nothing.egress_resolve.value == Resolve::Vault);
}

#[test]
fn what_is_told_to_operators_is_set() {
    let (_dir, flags) = in_folder("[log]\nformat = \"json\"\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\"\n");
    let config = load(&flags, &[]).expect("valid");
    assert_eq!((config.log_format.value, config.otlp_endpoint.value.as_deref()), (LogFormat::Json, Some("http://127.0.0.1:4318")));
    let env = [("ALTER_LOG_FORMAT", "text"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com")];
    let config = load(&flags, &env).expect("valid");
    assert_eq!((config.log_format.value.as_str(), &config.log_format.source), ("text", &Source::Environment("ALTER_LOG_FORMAT")));
    assert_eq!(config.otlp_endpoint.value.as_deref(), Some("https://collector.example.com"));
    let error = load(&flags, &[("ALTER_LOG_FORMAT", "xml")]).expect_err("no such format");
    assert!(error.message().contains("log.format") && error.message().contains("text or json"), "{error}");
    let nothing = load(&Flags { data: Some("/nonexistent".into()), ..Flags::default() }, &[]).expect("valid");
    assert_eq!((nothing.log_format.value, nothing.otlp_endpoint.value), (LogFormat::Text, None));
}

#[test]
fn callers_are_bounded_and_proxies_named() {
    let (_dir, flags) = in_folder("rate_limit_rpm = 60\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n");
    let admission = load(&flags, &[]).expect("valid").admission();
    assert_eq!(admission.usual_limit, 60);
    assert_eq!(admission.trusted_proxies.expect("some").texts(), ["10.0.0.0/8", "::1/128"]);
    let other = load(&flags, &[("ALTER_RATE_LIMIT_RPM", "1000"), ("ALTER_TRUSTED_PROXIES", "192.0.2.1")]).expect("valid");
    assert_eq!((other.rate_limit_rpm.value, other.rate_limit_rpm.source), (1000, Source::Environment("ALTER_RATE_LIMIT_RPM")));
    assert_eq!(other.trusted_proxies.value.expect("some").texts(), ["192.0.2.1/32"]);
    let nothing = load(&Flags { data: Some("/nonexistent".into()), ..Flags::default() }, &[]).expect("valid");
    assert_eq!(nothing.admission(), Admission::default());
    for (name, value) in [("ALTER_RATE_LIMIT_RPM", "0"), ("ALTER_RATE_LIMIT_RPM", "many"), ("ALTER_TRUSTED_PROXIES", "proxy.example")] {
        let error = load(&flags, &[(name, value)]).expect_err(value);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let (dir, mut flags) = in_folder("tls_cert = \"tls/cert.pem\"\ntls_key = \"/etc/key.pem\"\n");
    let config = load(&flags, &[]).expect("both");
    let files = config.tls().expect("both").expect("TLS");
    assert_eq!(files, TlsFiles { certificate: dir.path().join("tls/cert.pem"), key: "/etc/key.pem".into() });
    assert_eq!(config.url(config.address.value), "https://127.0.0.1:7117");
    flags.public_url = Some("https://vault.example.com".into());
    let config = load(&flags, &[("ALTER_TLS_KEY", "other.pem")]).expect("both");
    assert_eq!(
        (config.tls().expect("both").expect("TLS").key, &config.tls_key.source),
        ("other.pem".into(), &Source::Environment("ALTER_TLS_KEY"))
    );
    assert_eq!(config.url(config.address.value), "https://vault.example.com");

    let (_dir, mut flags) = in_folder("tls_cert = \"cert.pem\"\n");
    let error = load(&flags, &[]).and_then(|config| config.tls()).expect_err("no key");
    assert!(error.message().contains("tls_key is not") && error.message().contains("alter.toml"), "{error}");
    flags.data = Some("/nonexistent".into());
    flags.tls_key = Some("key.pem".into());
    let error = load(&flags, &[]).and_then(|config| config.tls()).expect_err("no certificate");
    assert!(error.message().contains("tls_cert is not") && error.message().contains("--tls-key"), "{error}");
    flags.tls_key = None;
    let plain = load(&flags, &[]).expect("neither");
    assert!(!plain.speaks_tls() && plain.url(plain.address.value).starts_with("http://"));
}
