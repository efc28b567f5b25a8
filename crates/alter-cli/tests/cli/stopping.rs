//! Stopping with calls in flight.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::running::{Running, made};

/// A call that has begun is answered, nobody new is let in, and the exit code is 0.
#[test]
fn a_call_in_flight_is_finished_and_no_new_one_is_taken() {
    let (_folder, data) = made();
    let mut vault = Running::start(&data, &[], Stdio::null());
    let address: SocketAddr = vault.url.trim_start_matches("http://").parse().expect("an address");
    let key = std::fs::read_to_string(data.join("operator.key")).expect("readable");
    let body = r#"{"name":"late"}"#;
    let mut call = TcpStream::connect(address).expect("connects");
    call.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let head = format!(
        "POST /admin/v1/apps HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        key.trim(),
        body.len()
    );
    call.write_all(head.as_bytes()).expect("sent");
    // The vault asks for the body once it has begun to work on the call.
    let mut begun = [0; 25];
    call.read_exact(&mut begun).expect("the call is in flight");
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");

    vault.signal("TERM");
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < end, "it still takes connections");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(vault.child.try_wait().expect("can be asked").is_none(), "it waits for the call");
    call.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    call.read_to_string(&mut answer).expect("answered and closed");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(vault.child.wait().expect("ends").code(), Some(0));

    let again = Running::start(&data, &[], Stdio::null());
    assert!(again.alter(&["app", "list", "--json"], &[], "").stdout.contains("late"), "what was answered is there");
}
