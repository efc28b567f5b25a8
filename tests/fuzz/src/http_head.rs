//! HTTP heads: our reader of whole requests agrees with an independent one and gives back what it was given; the vault's reader of signed
//! heads is judged in [`signed_head`].

use alter_testkit::http::{Headers, Request, Response};

use crate::signed_head;

/// The input is a request on the wire.
pub fn check(data: &[u8]) {
    let Ok(Some(request)) = Request::read(&mut &*data) else { return response(data) };
    agree(data, &request);
    again(&request);
    let lines = request.headers.0.iter().map(|(name, value)| (name.clone(), latin1(value)));
    if let Some(parts) = signed_head::parts(&request.method, &request.target, lines) {
        signed_head::check(&parts, &request.body);
    }
}

/// Where httparse reads the head as well, it reads the same.
fn agree(data: &[u8], request: &Request) {
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut other = httparse::Request::new(&mut lines);
    if !matches!(other.parse(data), Ok(httparse::Status::Complete(_))) {
        return;
    }
    assert_eq!((other.method, other.path.map(|path| latin1(&request.target) == path.as_bytes())), (Some(&*request.method), Some(true)));
    let ours: Vec<_> = request.headers.0.iter().map(|(name, value)| (name.as_str(), latin1(value))).collect();
    let theirs: Vec<_> = other.headers.iter().map(|line| (line.name, line.value.to_vec())).collect();
    assert_eq!(ours, theirs);
}

/// A request that is written and read is the same request with its length said.
fn again(request: &Request) {
    let mut wire = Vec::new();
    request.write(&mut wire).expect("a Vec takes it");
    let again = Request::read(&mut &wire[..]).expect("what we write we can read").expect("one request");
    let mut wanted = request.clone();
    framed(&mut wanted.headers, wanted.body.len());
    assert_eq!(again, wanted);
}

/// The same bytes as an answer.
fn response(data: &[u8]) {
    let Ok(response) = Response::read(&mut &*data) else { return };
    let mut wire = Vec::new();
    response.write(&mut wire).expect("a Vec takes it");
    let again = Response::read(&mut &wire[..]).expect("what we write we can read");
    let mut wanted = response.clone();
    framed(&mut wanted.headers, wanted.body.len());
    assert_eq!(again, wanted);
}

fn framed(headers: &mut Headers, length: usize) {
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    headers.0.push(("Content-Length".to_owned(), length.to_string()));
}

/// The bytes that were read as this text.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("read as Latin-1")).collect()
}
