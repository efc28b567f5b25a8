//! Calls through an HTTP proxy: where the tunnel leads, who looks names up, what goes directly, and what is said when there is no tunnel.
//!
//! The addresses are public ones that nobody calls: the proxy of the tests leads every tunnel to a server on loopback.

use std::net::SocketAddr;

use alter_server::egress::{Egress, EgressOptions, EgressProxy, HttpHosts, Lookup, NoProxy, Resolve};
use alter_testkit::forward_proxy::ForwardProxy;
use tempfile::TempDir;

use super::{CANARY, PATIENT, Scripted, call, with_tls};

const HOST: &str = "api.provider.example";

/// A TLS server that is called [`HOST`] and 93.184.216.34, and a proxy that leads to it.
struct Site {
    /// Stops with the site.
    _server: Scripted,
    proxy: ForwardProxy,
    folder: TempDir,
}

impl Site {
    async fn new(refused: &'static str, status: u16) -> Self {
        let (server, pem) = with_tls(&[HOST, "93.184.216.34"]).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        let proxy = ForwardProxy::refusing(refused, status, server.address.parse().unwrap()).unwrap();
        Self { _server: server, proxy, folder }
    }

    /// A client for others' calls that knows two addresses of [`HOST`].
    fn egress(&self, resolve: Resolve, direct: &[&str]) -> Egress {
        let url = format!("http://vault:{CANARY}@{}", self.proxy.address());
        let proxy = EgressProxy::parse(&url).unwrap().except(&NoProxy::parse(direct.iter().copied()).unwrap(), resolve);
        let lookup = Lookup::with(|host: String, port| async move {
            match host.as_str() {
                HOST => Ok(vec![SocketAddr::from(([93, 184, 216, 33], port)), SocketAddr::from(([93, 184, 216, 34], port))]),
                "inside.example" => Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]),
                "self.example" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
                _ => Err(std::io::Error::other("no such name")),
            }
        });
        let http_hosts = HttpHosts::parse(["self.example", "93.184.216.34"]).unwrap();
        let ca_file = Some(self.folder.path().join("ca.pem"));
        Egress::new(EgressOptions { ca_file, http_hosts, proxy: Some(proxy), lookup, ..EgressOptions::default() }).unwrap()
    }
}

#[tokio::test]
async fn the_tunnel_leads_to_the_address_that_was_judged() {
    let site = Site::new("nothing", 403).await;
    let answer = call(&site.egress(Resolve::Vault, &[]).guarded(), &format!("https://{HOST}/x"), PATIENT).await.unwrap();
    assert_eq!(answer.body(), "ok");
    let asked = site.proxy.asked();
    assert_eq!(site.proxy.targets(), ["93.184.216.33:443"]);
    assert_eq!(asked[0].headers.get("host"), Some("93.184.216.33:443"));
    assert!(asked[0].headers.get("proxy-authorization").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn an_address_that_the_proxy_cannot_reach_is_followed_by_the_next() {
    let site = Site::new("93.184.216.33", 502).await;
    let answer = call(&site.egress(Resolve::Vault, &[]).guarded(), &format!("https://{HOST}:8443/x"), PATIENT).await.unwrap();
    assert_eq!(answer.body(), "ok");
    assert_eq!(site.proxy.targets(), ["93.184.216.33:8443", "93.184.216.34:8443"]);
}

#[tokio::test]
async fn clear_text_goes_through_a_tunnel_as_well() {
    let plain = Scripted::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let proxy = ForwardProxy::leading_to(plain.address.parse().unwrap()).unwrap();
    let site = Site { proxy, ..Site::new("nothing", 403).await };
    assert_eq!(call(&site.egress(Resolve::Vault, &[]), "http://93.184.216.34/x", PATIENT).await.unwrap().body(), "ok");
    assert_eq!(site.proxy.targets(), ["93.184.216.34:80"]);
}

#[tokio::test]
async fn names_may_be_left_to_the_proxy() {
    let site = Site::new("nothing", 403).await;
    let egress = site.egress(Resolve::Proxy, &[]).guarded();
    assert_eq!(call(&egress, &format!("https://{HOST}/x"), PATIENT).await.unwrap().body(), "ok");
    // A written address is judged all the same, and so are names that only a network knows.
    for url in ["https://10.0.0.1/x", "https://169.254.169.254/x", "https://2130706433/x", "https://erp.internal/x", "https://intranet/x"] {
        let error = call(&egress, url, PATIENT).await.unwrap_err();
        assert_eq!((error.code(), error.may_have_arrived()), ("egress_refused", false), "{url}: {error}");
    }
    assert_eq!(site.proxy.targets(), [format!("{HOST}:443")]);
}

#[tokio::test]
async fn what_is_not_to_be_called_never_reaches_the_proxy() {
    let site = Site::new("nothing", 403).await;
    let egress = site.egress(Resolve::Vault, &[]).guarded();
    for url in ["https://inside.example/x", "https://self.example/x", "https://10.0.0.1/x", "https://[::ffff:a00:1]/x", "https://127.1/x"] {
        assert_eq!(call(&egress, url, PATIENT).await.unwrap_err().code(), "egress_refused", "{url}");
    }
    assert!(site.proxy.asked().is_empty());
}

#[tokio::test]
async fn this_machine_and_the_exceptions_are_called_directly() {
    let plain = Scripted::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let port = plain.address.parse::<SocketAddr>().unwrap().port();
    let site = Site::new("nothing", 403).await;
    let egress = site.egress(Resolve::Vault, &["provider.example"]);
    for host in ["127.0.0.1", "self.example"] {
        assert_eq!(call(&egress, &format!("http://{host}:{port}/x"), PATIENT).await.unwrap().body(), "ok", "{host}");
    }
    // Excepted, so looked up and judged by the vault even where names are the proxy's.
    let inside = site.egress(Resolve::Proxy, &["inside.example"]).guarded();
    assert_eq!(call(&inside, "https://inside.example/x", PATIENT).await.unwrap_err().code(), "egress_refused");
    assert!(site.proxy.asked().is_empty());
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_named_and_the_password_is_not() {
    for (status, word) in [(407, "user and password"), (403, "does not allow this destination"), (502, "answered 502")] {
        let site = Site::new("93.184", status).await;
        let error = call(&site.egress(Resolve::Vault, &[]), &format!("https://{HOST}/x"), PATIENT).await.unwrap_err();
        assert_eq!((error.code(), error.may_have_arrived()), ("egress_unreachable", false), "{error}");
        let text = error.to_string();
        assert!(text.contains(&site.proxy.address().to_string()) && text.contains(word), "{text}");
        // What lies with the proxy is not asked for each address.
        assert_eq!(site.proxy.asked().len(), if status == 502 { 2 } else { 1 });
    }
    let site = Site::new("nothing", 403).await;
    let egress = site.egress(Resolve::Vault, &[]);
    let unknown = call(&egress, "https://unknown.example/x", PATIENT).await.unwrap_err().to_string();
    assert!(unknown.contains("no such name; ") && unknown.contains("egress.resolve has to be proxy"), "{unknown}");
    let address = site.proxy.address().to_string();
    drop(site.proxy);
    let error = call(&egress, &format!("https://{HOST}/x"), PATIENT).await.unwrap_err();
    assert!(error.code() == "egress_unreachable" && error.to_string().contains(&address), "{error}");
}
