//! Undoing `Content-Encoding`.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Value of `Accept-Encoding`: what [`decode`] can undo.
pub(super) const ACCEPTED: &str = "gzip, deflate";

/// Undoes the encodings in reverse order. One that is not known ends it: the rest is handed on as it came.
///
/// # Errors
/// In words, if the data is not what its encoding says.
pub(super) fn decode(encodings: &str, body: Bytes) -> Result<Bytes, String> {
    let mut body = body;
    for encoding in encodings.split(',').rev().map(str::trim).filter(|encoding| !encoding.is_empty()) {
        if body.is_empty() {
            break;
        }
        body = match encoding.to_ascii_lowercase().as_str() {
            "identity" => body,
            "gzip" | "x-gzip" => read_all("gzip", MultiGzDecoder::new(&*body))?,
            // Some servers send the bare stream instead of the zlib wrapping that the name stands for.
            "deflate" => read_all("deflate", ZlibDecoder::new(&*body)).or_else(|_| read_all("deflate", DeflateDecoder::new(&*body)))?,
            _ => return Ok(body),
        };
    }
    Ok(body)
}

fn read_all(encoding: &str, mut reader: impl Read) -> Result<Bytes, String> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).map_err(|_| format!("the answer's {encoding} body is damaged"))?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_encoding_is_undone() {
        let zlib = {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"text").unwrap();
            encoder.finish().unwrap()
        };
        let bare = {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"text").unwrap();
            encoder.finish().unwrap()
        };
        let twice = gzip(&gzip(b"text"));
        for (encoding, body) in
            [("", b"text".to_vec()), ("GZIP", gzip(b"text")), ("deflate", zlib), ("deflate", bare), ("gzip, gzip", twice)]
        {
            assert_eq!(decode(encoding, body.into()).unwrap(), "text", "{encoding}");
        }
    }

    #[test]
    fn unknown_encodings_are_handed_on_and_damage_is_told() {
        assert_eq!(decode("br", Bytes::from_static(b"xyz")).unwrap(), "xyz");
        assert_eq!(decode("gzip", Bytes::from_static(b"xyz")).unwrap_err(), "the answer's gzip body is damaged");
        assert_eq!(decode("gzip", Bytes::new()).unwrap(), "");
    }
}
