//! Where the vault does not go, whoever asks and however the place is written.

use alter_testkit::provider::Provider;
use serde_json::json;

use super::Site;
use crate::harness::Signed;

/// Ways to write the address of this machine, of a private network, or of a metadata service.
const INSIDE: [&str; 9] =
    ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]"];

#[tokio::test]
async fn an_address_inside_is_not_called_however_it_is_written() {
    let site = Site::new().await;
    let elsewhere = Provider::start().expect("a free port");
    let port = elsewhere.address().port();
    let places = INSIDE.iter().map(|host| (*host, port)).chain([("169.254.169.254", 443), ("[fd00:ec2::254]", 443)]);
    for (host, port) in places {
        let slug = format!("s{}", uuid::Uuid::new_v4().simple());
        let wanted = json!({
            "slug": slug, "kind": "bearer", "values": {"token": "t"}, "allowed_hosts": [format!("{host}:{port}")],
        });
        let grant = site.secret(wanted).await;
        let body = json!({"method": "GET", "url": format!("https://{host}:{port}/x"), "grant_id": grant});
        let answer = Signed::post("/sdk/proxy", &site.key, &body).send(&site.vault).await;
        assert_eq!(answer.refusal(), (422, "blocked_destination".into()), "{host}: {:?}", answer.json());
        let row = &site.rows(1).await[0];
        assert_eq!((&row["action"], &row["code"]), (&json!("proxy.answer"), &json!("blocked_destination")), "{host}: {row}");
    }
    assert!(elsewhere.seen("/").is_empty());
}

#[tokio::test]
async fn what_the_operator_allows_is_one_port_of_one_host() {
    let site = Site::new().await;
    assert_eq!(site.call("/mail/x", json!({})).await.json()["status_code"], 200);
    // The same address under another name.
    let port = site.provider.address().port();
    let wanted = json!({"slug": "named", "kind": "bearer", "values": {"token": "t"}, "allowed_hosts": [format!("localhost:{port}")]});
    let grant = site.secret(wanted).await;
    let named = site.call("/mail/x", json!({"grant_id": grant, "url": format!("http://localhost:{port}/mail/x")})).await;
    assert_eq!(named.refusal(), (422, "blocked_destination".into()));
    assert_eq!(site.provider.seen("/").len(), 1);
}
