//! Reading and writing HTTP/1.1 messages without changing them.

use std::io::{self, BufRead, Read, Write};

/// The longest header section that is read, in bytes.
const MAX_HEAD: u64 = 64 * 1024;
/// The longest body that is read, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Header lines in the order and spelling in which they were received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The value of the first line with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Replaces the first line with this name, drops its repetitions, or adds the line at the end.
    pub fn set(&mut self, name: &str, value: &str) {
        let first = self.0.iter().position(|(n, _)| n.eq_ignore_ascii_case(name));
        self.remove(name);
        let line = (name.to_owned(), value.to_owned());
        match first {
            Some(at) => self.0.insert(at, line),
            None => self.0.push(line),
        }
    }

    /// Removes every line with this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }
}

/// One request as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The header lines.
    pub headers: Headers,
    /// The body, with any chunked framing removed.
    pub body: Vec<u8>,
}

impl Request {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query without its question mark; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Reads one request, or `None` if the peer closed the connection before sending any.
    ///
    /// # Errors
    /// When the connection breaks in the middle of a request, or what arrives is not HTTP/1.1.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some((start, headers)) = read_head(from)? else { return Ok(None) };
        let mut words = start.split(' ');
        let (Some(method), Some(target), Some(_version), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(malformed(&format!("request line {start:?}")));
        };
        let body = read_body(from, &headers, false)?;
        Ok(Some(Self { method: method.to_owned(), target: target.to_owned(), headers, body }))
    }

    /// Sends the request with a `Content-Length` that fits its body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write_message(to, &format!("{} {} HTTP/1.1", self.method, self.target), &self.headers, &self.body)
    }
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub headers: Headers,
    /// The body, with any chunked framing removed.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON response.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = Headers(vec![("Content-Type".to_owned(), "application/json".to_owned())]);
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    /// The same response with one more header line.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reads one response.
    ///
    /// # Errors
    /// When the connection breaks before the response is whole, or what arrives is not HTTP/1.1.
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let (start, headers) = read_head(from)?.ok_or_else(|| malformed("no response"))?;
        let status = start.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| malformed(&format!("status line {start:?}")))?;
        let bodiless = status == 204 || status == 304;
        let body = if bodiless { Vec::new() } else { read_body(from, &headers, true)? };
        Ok(Self { status, headers, body })
    }

    /// Sends the response with a `Content-Length` that fits its body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write_message(to, &format!("HTTP/1.1 {} -", self.status), &self.headers, &self.body)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 message: {what}"))
}

fn read_head(from: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let mut head = from.take(MAX_HEAD);
    let Some(start) = read_line(&mut head)? else { return Ok(None) };
    let mut headers = Headers::default();
    loop {
        let line = read_line(&mut head)?.ok_or_else(|| malformed("the header section is cut off or too long"))?;
        if line.is_empty() {
            return Ok(Some((start, headers)));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&format!("header line {line:?}")))?;
        // Only what HTTP calls white space: a no-break space belongs to the value.
        headers.0.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| malformed("a line does not end in CR LF"))?;
    // Header values may hold bytes that are not UTF-8; reading them as Latin-1 keeps each one.
    Ok(Some(line.iter().copied().map(char::from).collect()))
}

fn read_body(from: &mut impl BufRead, headers: &Headers, until_close: bool) -> io::Result<Vec<u8>> {
    if headers.get("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return read_chunks(from);
    }
    let mut body = Vec::new();
    match headers.get("content-length") {
        Some(length) => {
            let digits = length.bytes().all(|b| b.is_ascii_digit());
            let length: usize = length.parse().ok().filter(|_| digits).ok_or_else(|| malformed(&format!("Content-Length {length:?}")))?;
            if length > MAX_BODY {
                return Err(malformed(&format!("a body of {length} bytes; at most {MAX_BODY} are read")));
            }
            take(from, length, &mut body)?;
        }
        None if until_close => drop(from.take(MAX_BODY as u64).read_to_end(&mut body)?),
        None => {}
    }
    Ok(body)
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from)?.ok_or_else(|| malformed("a chunked body is cut off"))?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed(&format!("chunk size {size:?}")))?;
        if body.len().saturating_add(size) > MAX_BODY {
            return Err(malformed("a chunked body is too long"));
        }
        if size == 0 {
            while read_line(from)?.is_some_and(|trailer| !trailer.is_empty()) {}
            return Ok(body);
        }
        take(from, size, &mut body)?;
        if read_line(from)?.is_none_or(|rest| !rest.is_empty()) {
            return Err(malformed("a chunk is longer than it says, or cut off"));
        }
    }
}

/// Adds so many bytes to the body. Room is made as they come, not because a length says so.
fn take(from: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    if from.take(length as u64).read_to_end(body)? == length { Ok(()) } else { Err(malformed("the body is cut off")) }
}

/// The other half of reading as Latin-1.
fn latin1(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
}

fn write_message(to: &mut impl Write, start: &str, headers: &Headers, body: &[u8]) -> io::Result<()> {
    let mut message: Vec<u8> = latin1(start).chain(*b"\r\n").collect();
    for (name, value) in &headers.0 {
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding") {
            continue;
        }
        message.extend(latin1(&format!("{name}: {value}\r\n")));
    }
    message.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
    message.extend(body);
    to.write_all(&message)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_order_spelling_and_body() {
        let wire = b"POST /a?b=1 HTTP/1.1\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 3\r\n\r\nabc";
        let request = Request::read(&mut &wire[..]).expect("well formed").expect("one request");
        assert_eq!((request.path(), request.query()), ("/a", "b=1"));
        let lines: Vec<_> = request.headers.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(lines, [("X-One", "1"), ("x-one", "2"), ("Content-Length", "3")]);
        assert_eq!(request.body, b"abc");
    }

    #[test]
    fn a_chunked_response_is_joined() {
        let wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let response = Response::read(&mut &wire[..]).expect("well formed");
        assert_eq!((response.status, response.body.as_slice()), (200, &b"abcde"[..]));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut request = Request {
            method: "PUT".to_owned(),
            target: "/x".to_owned(),
            headers: Headers(vec![("Host".to_owned(), "h".to_owned())]),
            body: b"12".to_vec(),
        };
        let mut wire = Vec::new();
        request.write(&mut wire).expect("a Vec takes it");
        request.headers.0.push(("Content-Length".to_owned(), "2".to_owned()));
        assert_eq!(Request::read(&mut &wire[..]).expect("well formed"), Some(request));
    }

    #[test]
    fn bytes_beyond_ascii_pass_through_unchanged() {
        let wire = b"GET /\xe9 HTTP/1.1\r\nX: \xa0a\xff \r\nContent-Length: 0\r\n\r\n";
        let request = Request::read(&mut &wire[..]).expect("well formed").expect("one request");
        let mut written = Vec::new();
        request.write(&mut written).expect("a Vec takes it");
        assert_eq!(written, b"GET /\xe9 HTTP/1.1\r\nX: \xa0a\xff\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn cut_off_and_foreign_bytes_are_errors() {
        for wire in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n"[..],
            b"GET /\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
            b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        ] {
            assert!(Request::read(&mut &*wire).is_err(), "{wire:?}");
        }
        assert_eq!(Request::read(&mut &b""[..]).expect("a closed connection is no error"), None);
    }

    #[test]
    fn set_replaces_every_spelling() {
        let mut headers = Headers(vec![("A".into(), "1".into()), ("b".into(), "2".into()), ("a".into(), "3".into())]);
        headers.set("a", "4");
        assert_eq!(headers.0, [("a".into(), "4".into()), ("b".into(), "2".into())]);
        headers.set("c", "5");
        assert_eq!(headers.get("C"), Some("5"));
    }
}
