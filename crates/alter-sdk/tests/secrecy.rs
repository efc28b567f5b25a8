//! A credential on every way through the SDK, with everything logged that the SDK and the libraries below it have to say.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alter_sdk::{App, CaCertificates, Request, Response};
use common::tls::TlsProvider;
use common::{GRANT, KEY, Server, http};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

const TOKEN: &str = "token-canary-51f0";
const PIN: &str = "pin-canary-88e2";
const AWS: &str = "aws-canary-40d7";

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn clean(what: &str, text: &str) {
    for secret in [TOKEN, PIN, AWS, KEY] {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

/// Everything that an error or a response lets a program see.
fn look(what: &str, outcome: &alter_sdk::Result<Response>) {
    let shown = match outcome {
        Ok(response) => format!("{response:?} {}", response.text()),
        Err(error) => {
            let attributes = Value::from(error.attributes());
            format!("{error} {error:?} {error:#?} {} {} {attributes}", error.code(), Value::from(error.details().clone()))
        }
    };
    clean(what, &shown);
}

/// The ways in which a credential is injected.
fn answers() -> [Value; 3] {
    let plain = json!({"access_token": TOKEN, "grant_id": GRANT, "provider_id": "p"});
    let with = |more: Value| {
        let mut answer = plain.clone();
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer
    };
    let rule = |target: &str, key: &str| json!({"target": target, "key": key, "value_source": "additional_credentials.pin"});
    let several = with(json!({
        "additional_credentials": {"pin": PIN},
        "additional_injections": [rule("header", "X-Pin"), rule("query_param", "pin")],
    }));
    let aws = with(json!({
        "injection_format": "AWS4-HMAC-SHA256",
        "additional_credentials": {"secret_key": AWS, "session_token": PIN, "region": "us-east-1", "service": "s3"},
    }));
    [plain, several, aws]
}

async fn vault(status: u16, body: String) -> Server {
    Server::start(move |request| {
        Some(if request.target() == "/sdk/token" { http(status, "", body.as_bytes()) } else { http(204, "", b"") })
    })
    .await
}

fn app(vault: &Server, certificates: CaCertificates) -> App {
    App::builder(KEY).base_url(vault.url()).timeout(Duration::from_millis(500)).ca_certificates(certificates).build().unwrap()
}

async fn call(app: &App, what: &str, url: &str) -> alter_sdk::Result<Response> {
    let request = Request::post(url).grant_id(GRANT).json(&json!({"a": 1})).reason("why");
    clean(what, &format!("{app:?} {app:#?}"));
    let outcome = app.request(request).await;
    look(what, &outcome);
    outcome
}

/// A provider in a thread of its own, since what it logs of its requests is not ours. It serves until the test program ends.
fn tls_provider() -> TlsProvider {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tell.send(TlsProvider::start().await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

#[tokio::test]
async fn nothing_shows_however_much_is_logged_and_whatever_fails() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let secure = tls_provider();
    let trusted = || CaCertificates::Pem(secure.certificate.clone().into_bytes());

    for answer in answers() {
        let vault = vault(200, answer.to_string()).await;
        for status in [200, 204, 302, 401, 403, 429, 500] {
            let provider = Server::start(move |_| Some(http(status, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", b"{}"))).await;
            let app = app(&vault, CaCertificates::System);
            let outcome = call(&app, &format!("status {status}"), &provider.url()).await;
            assert_eq!(outcome.is_ok(), status < 400, "{outcome:?}");
            assert!(format!("{:?}", provider.arrived()).contains(TOKEN), "the provider got it");
            app.close().await;
            assert!(call(&app, "a closed client", &provider.url()).await.is_err());
        }
        let silent = Server::start(|_| None).await;
        let broken = Server::start(|_| Some(b"nonsense\r\n\r\n".to_vec())).await;
        let app = app(&vault, trusted());
        for (what, url) in [
            ("a time-out", silent.url()),
            ("no HTTP", broken.url()),
            ("nobody listens", "http://127.0.0.1:9/".to_owned()),
            ("a bad URL", "https://h.example/{x}".to_owned()),
            ("clear text", "http://h.example/".to_owned()),
        ] {
            assert!(call(&app, what, &url).await.is_err(), "{what}");
        }
        // HTTP/2 has more to say about headers than HTTP/1.1. Its provider repeats the header that it got, so only the log is looked at.
        let request = Request::get(secure.url()).grant_id(GRANT);
        let seen = app.request(request).await.unwrap();
        assert!(seen.version == http::Version::HTTP_2 && seen.text().contains(TOKEN), "{}", seen.text());
        clean("a response's Debug", &format!("{:?}", seen.headers));
        app.close().await;
    }
    malformed(&secure).await;

    let text = log.text();
    for library in ["h2::", "hyper_util::", "TRACE", "DEBUG"] {
        assert!(text.contains(library), "{library} logged nothing: the level is not as it should be");
    }
    clean("the log", &text);
    // The log would have it, if anybody logged it.
    tracing::trace!(value = TOKEN, "told");
    assert!(log.text().contains(TOKEN));
}

/// Token answers and refusals that go wrong, and a provider whom nobody vouches for.
async fn malformed(secure: &TlsProvider) {
    for (status, body) in [
        (200, format!("{{\"access_token\": \"{TOKEN}\"")),
        (200, json!({"access_token": TOKEN}).to_string()),
        (200, json!({"access_token": format!("{TOKEN}\n"), "grant_id": GRANT}).to_string()),
        (200, json!({"access_token": format!("{TOKEN}é"), "grant_id": GRANT}).to_string()),
        (200, json!({"access_token": TOKEN, "grant_id": "other"}).to_string()),
        (200, json!({"access_token": TOKEN, "grant_id": GRANT, "injection_header": "Host"}).to_string()),
        (200, json!({"access_token": TOKEN, "grant_id": GRANT, "additional_credentials": {"pin": [PIN]}}).to_string()),
        (200, json!({"access_token": TOKEN, "grant_id": GRANT, "additional_credentials": {"pin": format!("{PIN}\r")}}).to_string()),
        (200, json!([TOKEN]).to_string()),
        (500, json!({"access_token": TOKEN, "grant_id": GRANT}).to_string()),
    ] {
        let vault = vault(status, body.clone()).await;
        let provider = Server::start(|_| Some(http(200, "", b""))).await;
        assert!(call(&app(&vault, CaCertificates::System), "a malformed answer", &provider.url()).await.is_err(), "{body}");
        assert!(provider.arrived().is_empty(), "{body}");
    }
    let vault = vault(200, answers()[1].to_string()).await;
    assert!(call(&app(&vault, CaCertificates::Pem(b"none".to_vec())), "no certificates", &secure.url()).await.is_err());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    assert!(call(&app(&vault, CaCertificates::Pem(other.into_bytes())), "a stranger's certificate", &secure.url()).await.is_err());
}
