//! A name is looked up once for each connection, and what was judged is what is connected to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alter_server::egress::{Destinations, Egress, EgressOptions, HttpHosts, Lookup};

use super::{PATIENT, Scripted, call};

/// Looks every name up as the next of these lists, and then as the last one again and again; counts how often it was asked.
fn answering(answers: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let answers: Vec<Vec<IpAddr>> = answers.iter().map(|list| list.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let lookup = Lookup::with(move |_, port| {
        let turn = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let found: Vec<SocketAddr> = answers[turn].iter().map(|address| SocketAddr::new(*address, port)).collect();
        async move { Ok(found) }
    });
    (lookup, asked)
}

/// A client for others' calls that finds names with `lookup` and may call `moving.test` on one port of 127.0.0.2.
fn guarded(lookup: Lookup, port: u16) -> Egress {
    let allow = Destinations::parse([format!("moving.test:{port} in 127.0.0.2/32").as_str()]).unwrap();
    let http_hosts = HttpHosts::parse(["moving.test"]).unwrap();
    Egress::new(EgressOptions { allow, http_hosts, lookup, ..EgressOptions::default() }).unwrap().guarded()
}

#[tokio::test]
async fn an_answer_that_changes_after_the_check_changes_nothing() {
    let server = Scripted::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let port = server.address.parse::<SocketAddr>().unwrap().port();
    let url = format!("http://moving.test:{port}/x");
    // Allowed when it is judged (nobody listens there), and this machine ever after: a second lookup would find the server.
    let (lookup, asked) = answering(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let egress = guarded(lookup, port);
    let error = call(&egress, &url, PATIENT).await.unwrap_err();
    assert_eq!((error.code(), asked.load(Ordering::SeqCst)), ("egress_unreachable", 1), "{error}");
    // The next connection looks it up again, and judges again.
    let error = call(&egress, &url, PATIENT).await.unwrap_err();
    assert_eq!((error.code(), asked.load(Ordering::SeqCst)), ("egress_refused", 2), "{error}");
}

#[tokio::test]
async fn one_forbidden_address_among_many_is_enough() {
    let (lookup, _) = answering(&[&["93.184.216.34", "10.0.0.1"]]);
    let error = call(&guarded(lookup, 1), "https://moving.test/x", PATIENT).await.unwrap_err();
    assert_eq!(error.code(), "egress_refused", "{error}");
}
