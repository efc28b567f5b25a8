//! What a vault tells its operators: lines of the log as JSON, traces over OTLP, and the trace's id in the audit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::running::{Running, made};
use crate::world::{CREDENTIAL, World, alter};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector on loopback: takes what is exported and decodes it.
struct Collector {
    address: String,
    exports: Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let exports = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&exports);
        // Ends with the test's process.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(&connection, &kept));
            }
        });
        Self { address, exports }
    }

    fn spans(&self) -> Vec<Span> {
        let exports = self.exports.lock().expect("no panic");
        let scopes = exports.iter().flat_map(|(_, export)| &export.resource_spans).flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

fn serve(mut connection: &TcpStream, exports: &Mutex<Vec<(String, ExportTraceServiceRequest)>>) {
    connection.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).expect("a length");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a whole body");
        let export = ExportTraceServiceRequest::decode(body.as_slice()).expect("protobuf");
        exports.lock().expect("no panic").push((head, export));
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").expect("an answer");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(span: &Span, name: &str) -> Option<String> {
    let value = span.attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value?;
    match value {
        Attribute::StringValue(text) => Some(text),
        Attribute::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Stops a vault as an operator does, and waits for its end.
fn stop(mut vault: Running) {
    vault.signal("TERM");
    assert!(vault.child.wait().expect("it ends").success());
}

/// Asks the vault who the operator is, as part of a trace.
fn whoami(vault: &Running, key: &str) -> u16 {
    let mut connection = TcpStream::connect(vault.url.trim_start_matches("http://")).expect("a connection");
    let request = format!(
        "GET /admin/v1/whoami?canary=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn traces_are_exported_with_the_clients_as_their_parents() {
    let collector = Collector::start();
    let (_folder, data) = made();
    let endpoint = format!("http://{}/", collector.address);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=ops")];
    let vault = Running::start(&data, &variables, Stdio::null());
    let key = std::fs::read_to_string(data.join("operator.key")).expect("a key");
    let key = key.trim();
    assert_eq!(whoami(&vault, key), 200);
    assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    // What is left is sent before the vault ends.
    stop(vault);
    let spans = collector.spans();
    let joined: Vec<&Span> = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).collect();
    let [request] = joined[..] else { panic!("{joined:?}") };
    assert_eq!((request.name.as_str(), hex(&request.parent_span_id).as_str()), ("GET /admin/v1/whoami", PARENT));
    assert_eq!(text(request, "http.response.status_code").as_deref(), Some("200"));
    let created = spans.iter().find(|span| span.name == "POST /admin/v1/apps").expect("a request without a parent");
    assert!(created.parent_span_id.is_empty(), "{created:?}");
    assert!(spans.iter().any(|span| span.name == "commit" && span.parent_span_id == created.span_id), "{spans:?}");
    let exports = collector.exports.lock().expect("no panic");
    assert!(exports.iter().all(|(head, _)| head.starts_with("POST /v1/traces ") && head.to_ascii_lowercase().contains("x-team: ops")));
    let all = format!("{exports:?}");
    assert!(all.contains("service.name") && !all.contains(key) && !all.contains("canary"), "{all}");
    // Exporting is not traced: there would be no end to it.
    assert!(!spans.iter().any(|span| span.name == "egress"), "{spans:?}");
}

#[test]
fn a_collector_that_may_not_be_called_is_named_at_the_start() {
    let (_folder, data) = made();
    let data = data.to_str().expect("text");
    let start = ["serve", "--data-dir", data, "--address", "127.0.0.1:0"];
    for endpoint in ["http://collector.example.com", "collector", "ftp://127.0.0.1"] {
        let told = alter(&start, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)], "");
        assert_eq!(told.exit, 2, "{told:?}");
        assert!(told.reads_well().stderr.contains("otlp_endpoint"), "{told:?}");
    }
    let told = alter(&start, &[("ALTER_LOG_FORMAT", "xml")], "");
    assert_eq!(told.exit, 2, "{told:?}");
    assert!(told.reads_well().stderr.contains("log.format"), "{told:?}");
}

#[test]
fn a_vault_serves_without_its_collector() {
    let (_folder, data) = made();
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").to_string();
    let vault = Running::start(&data, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}"))], Stdio::null());
    assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    stop(vault);
}

#[test]
fn every_line_of_a_request_has_its_ids() {
    let (folder, data) = made();
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).expect("a file");
    let variables = [("ALTER_LOG", "debug"), ("ALTER_LOG_FORMAT", "json")];
    let vault = Running::start(&data, &variables, Stdio::from(file));
    assert_eq!(whoami(&vault, "alter_pat_unknown"), 401);
    // A signed request with a key of no vault leaves a line.
    let mut connection = TcpStream::connect(vault.url.trim_start_matches("http://")).expect("a connection");
    let unknown = "POST /sdk/token HTTP/1.1\r\nhost: localhost\r\nx-api-key: canary-key\r\ncontent-length: 0\r\nconnection: close\r\n";
    connection.write_all(format!("{unknown}traceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id").to_owned();
    stop(vault);
    let log = std::fs::read_to_string(log).expect("readable");
    // The banner is for people and no part of the log.
    let lines: Vec<Value> = log.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).expect(line)).collect();
    let ours =
        |line: &&Value| line["spans"].as_array().into_iter().flatten().any(|span| span["id"] == id.as_str() && span["trace_id"] == TRACE);
    let line = lines.iter().find(ours).unwrap_or_else(|| panic!("no line of the request: {log}"));
    assert_eq!((&line["message"], &line["level"]), (&"refused: unknown API key".into(), &"INFO".into()));
    assert!(line["timestamp"].is_string() && line["target"] == "alter_server::api::pipeline", "{line}");
    assert!(!log.contains("canary-key"));
}

#[test]
fn the_audit_names_the_clients_trace() {
    let world = World::new();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let ran = world.request(&["GET", &world.at("/v1/me"), "--grant", &world.grant, "--traceparent", &traceparent]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let rows = world.vault.records(&["audit", "tail", "--app", "demo"], "").expect("rows");
    let released = rows.iter().find(|row| row["action"] == "token.retrieve").expect("a row");
    assert_eq!(released["trace_id"], TRACE);
    assert!(rows.iter().filter(|row| row["action"] == "grant.create").all(|row| row["trace_id"].is_null()));
    let shown = crate::world::on(&world.vault, &["audit", "tail", "--app", "demo"]).stdout;
    assert!(shown.contains(&TRACE[..8]) && !shown.contains(CREDENTIAL), "{shown}");
    let verified = crate::world::on(&world.vault, &["audit", "verify"]);
    assert_eq!(verified.exit, 0, "{verified:?}");
}
