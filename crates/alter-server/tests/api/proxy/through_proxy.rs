//! Calls of a vault whose network has an HTTP proxy in between.

use std::net::SocketAddr;

use alter_testkit::forward_proxy::ForwardProxy;
use alter_testkit::provider::{Account, Credential, Provider};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{SCOPES, body_of};
use crate::certified;
use crate::harness::{Answer, CREDENTIAL, Signed, TestVault};

/// A public name that only the proxy of these tests knows.
const HOST: &str = "api.provider.example";

/// Puts TLS, with a certificate for [`HOST`], before a server. Gives its address and the certificate as PEM.
async fn behind_tls(server: SocketAddr) -> (SocketAddr, String) {
    let (acceptor, pem) = certified::acceptor(&[HOST]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut onward = TcpStream::connect(server).await.expect("the server");
                // Either side may end the connection in any way.
                drop(tokio::io::copy_bidirectional(&mut inside, &mut onward).await);
            });
        }
    });
    (address, pem)
}

/// A vault that leaves names to a proxy, and a provider that only that proxy can reach.
struct Site {
    vault: TestVault,
    proxy: ForwardProxy,
    provider: Provider,
    key: String,
    _authorities: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let provider = Provider::start().expect("a free port");
        let bearer = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/mail/", Account { credentials: vec![bearer], answer: None });
        let (front, pem) = behind_tls(provider.address()).await;
        let proxy = ForwardProxy::refusing("closed.example", 403, front).expect("a free port");
        let authorities = tempfile::tempdir().expect("a folder");
        let ca_file = authorities.path().join("ca.pem");
        std::fs::write(&ca_file, pem).expect("writable");
        let vault = TestVault::start_in(&[
            ("ALTER_EGRESS_PROXY", &format!("http://vault:{CREDENTIAL}-proxy@{}", proxy.address())),
            ("ALTER_EGRESS_RESOLVE", "proxy"),
            ("ALTER_EGRESS_CA_FILE", ca_file.to_str().expect("UTF-8")),
        ])
        .await;
        vault.made("/apps", json!({"name": "demo"})).await;
        let key = vault.key(json!({"scopes": SCOPES})).await;
        Self { vault, proxy, provider, key, _authorities: authorities }
    }

    /// Calls a host with a secret of its own.
    async fn call(&self, host: &str) -> Answer {
        let slug = format!("s{}", uuid::Uuid::new_v4().simple());
        let secret = json!({"slug": slug, "kind": "bearer", "values": {"token": CREDENTIAL}, "allowed_hosts": [host]});
        self.vault.made("/apps/demo/secrets", secret).await;
        let grant = self.vault.grant(json!({"secret": slug})).await;
        let body = json!({"method": "GET", "url": format!("https://{host}/mail/x"), "grant_id": grant});
        Signed::post("/sdk/proxy", &self.key, &body).send(&self.vault).await
    }

    async fn last_row(&self) -> Value {
        self.vault.last_row().await
    }
}

#[tokio::test]
async fn a_proxied_call_leaves_through_the_proxy_and_the_credential_within_tls() {
    let site = Site::new().await;
    let answer = site.call(HOST).await;
    assert_eq!(answer.json()["status_code"], 200, "{:?}", answer.json());
    assert!(!body_of(&answer.json()).is_empty());
    let asked = site.proxy.asked();
    assert_eq!(site.proxy.targets(), [format!("{HOST}:443")]);
    assert!(asked[0].headers.get("authorization").is_none(), "{:?}", asked[0].headers);
    assert_eq!(site.provider.seen("/mail/").len(), 1);
}

#[tokio::test]
async fn what_the_vault_or_the_proxy_does_not_call_is_refused_and_audited() {
    let site = Site::new().await;
    for host in ["erp.internal", "metadata.google.internal", "169.254.169.254", "2130706433"] {
        assert_eq!(site.call(host).await.refusal(), (422, "blocked_destination".into()), "{host}");
        let row = site.last_row().await;
        assert_eq!((&row["action"], &row["code"]), (&json!("proxy.answer"), &json!("blocked_destination")), "{host}: {row}");
    }
    assert!(site.proxy.asked().is_empty());
    assert_eq!(site.call("closed.example").await.refusal(), (502, "provider_error".into()));
    let row = site.last_row().await;
    assert!(row["detail"].as_str().expect("a detail").contains("does not allow this destination"), "{row}");
    assert!(!row.to_string().contains(CREDENTIAL), "{row}");
    assert!(site.provider.seen("/").is_empty());
}
