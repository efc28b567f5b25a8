//! The engine's answer as Python sees it before anybody looks at it.

use alter_core::client::Response;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A provider's answer. Each part becomes a Python object when it is read.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct RawResponse(Response);

impl RawResponse {
    /// Wraps an answer of the engine's.
    pub fn new(response: Response) -> Self {
        Self(response)
    }
}

type RawHeader<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pymethods]
impl RawResponse {
    /// HTTP status.
    #[getter]
    fn status_code(&self) -> u16 {
        self.0.status
    }

    /// The status line's own words; `None` where the protocol has none.
    #[getter]
    fn reason_phrase<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.reason_phrase.as_ref().map(|words| PyBytes::new(py, words.as_bytes()))
    }

    /// For example `b"HTTP/1.1"`.
    #[getter]
    fn http_version<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let name: &[u8] = match self.0.version {
            http::Version::HTTP_09 => b"HTTP/0.9",
            http::Version::HTTP_10 => b"HTTP/1.0",
            http::Version::HTTP_2 => b"HTTP/2",
            http::Version::HTTP_3 => b"HTTP/3",
            _ => b"HTTP/1.1",
        };
        PyBytes::new(py, name)
    }

    /// Names and values, as bytes.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> Vec<RawHeader<'py>> {
        let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes()))
        };
        self.0.headers.iter().map(pair).collect()
    }

    /// The whole body, decompressed.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// Size of the body before it was decompressed, in bytes.
    #[getter]
    fn bytes_on_wire(&self) -> usize {
        self.0.bytes_on_wire
    }

    /// Seconds from sending the provider's request to having its whole answer.
    #[getter]
    fn elapsed(&self) -> f64 {
        self.0.elapsed.as_secs_f64()
    }

    /// JSON text of what the vault said about retries; `None` if nothing.
    #[getter]
    fn retry_info(&self) -> Option<String> {
        self.0.retry_info.as_ref().map(crate::client::retry_info_json)
    }

    /// The method that was sent.
    #[getter]
    fn request_method(&self) -> &str {
        &self.0.request.method
    }

    /// The URL that was sent, without what the credential added.
    #[getter]
    fn request_url(&self) -> &str {
        &self.0.request.url
    }

    /// The headers that were sent, without what the credential added.
    #[getter]
    fn request_headers(&self) -> Vec<(String, String)> {
        self.0.request.headers.clone()
    }

    /// The body that was sent.
    #[getter]
    fn request_body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.request.body)
    }
}
