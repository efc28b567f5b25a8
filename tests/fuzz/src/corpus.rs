//! The kept inputs: one JSON file for each target, and seeds from the vectors that all languages share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Target;

/// Inputs of one target.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Corpus {
    /// What once broke the property, kept for ever.
    pub regressions: Vec<Input>,
    /// What together reaches all that fuzzing has reached; replaced as a whole when it is minimised anew.
    pub reached: Vec<Input>,
}

/// Bytes, as text where they are text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// UTF-8.
    Text(String),
    /// Anything else, in hexadecimal.
    Bytes {
        /// Two digits a byte.
        hex: String,
    },
}

impl Input {
    /// From bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes { hex: alter_core::encoding::hex(bytes) },
        }
    }

    /// The bytes; an error names what is no hexadecimal.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`].
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let hex = match self {
            Self::Text(text) => return Ok(text.clone().into_bytes()),
            Self::Bytes { hex } => hex,
        };
        let pair = |at| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(pair).collect();
        bytes.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not hexadecimal: {hex}")))
    }
}

impl Corpus {
    /// Reads the file of a target.
    ///
    /// # Errors
    /// When it is not there or not as [`Corpus::write`] writes it.
    pub fn read(target: &Target) -> io::Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(path(target))?)?)
    }

    /// Writes the file of a target, one input a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, target: &Target) -> io::Result<()> {
        let list = |inputs: &[Input]| -> io::Result<String> {
            let lines: Vec<String> = inputs.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            Ok(if lines.is_empty() { "[]".to_owned() } else { format!("[\n    {}\n  ]", lines.join(",\n    ")) })
        };
        let text = format!("{{\n  \"regressions\": {},\n  \"reached\": {}\n}}\n", list(&self.regressions)?, list(&self.reached)?);
        fs::write(path(target), text)
    }

    /// All inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.regressions.iter().chain(&self.reached)
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn path(target: &Target) -> PathBuf {
    tests().join("fuzz/corpus").join(format!("{}.json", target.name))
}

/// Makes an input of a case.
type Make = fn(&Value) -> Option<String>;

/// Inputs that the shared vectors hold for a target.
///
/// # Errors
/// When a file of vectors cannot be read, or has none for the target.
pub fn seeds(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let (file, cases, make): (&str, &str, Make) = match target.name {
        "bearer_challenge" => ("headers", "/bearer_challenge", |case| text(&case["header"])),
        "canonical_path" => ("request_url", "/cases", |case| text(&case["url"]).map(|url| at_host(&url))),
        "http_head" => ("hmac", "/vectors", request),
        "key_grammar" => ("api_keys", "/cases", |case| text(&case["key"])),
        "token_answer" => ("token_response", "/cases", |case| text(&case["body_text"]).or_else(|| Some(case.get("body")?.to_string()))),
        "url_template" => ("request_url", "/cases", template),
        _ => return Err(io::Error::other(format!("{} has no vectors", target.name))),
    };
    let vectors: Value = serde_json::from_str(&fs::read_to_string(tests().join(format!("vectors/{file}.json")))?)?;
    let cases = vectors.pointer(cases).and_then(Value::as_array);
    let seeds: Vec<_> = cases.into_iter().flatten().filter_map(make).map(String::into_bytes).collect();
    if seeds.is_empty() {
        return Err(io::Error::other(format!("vectors/{file}.json has no case for {}", target.name)));
    }
    Ok(seeds)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn at_host(url: &str) -> String {
    url.replace("{base}", "https://api.example.com")
}

fn template(case: &Value) -> Option<String> {
    let values = case["path_params"].as_object().into_iter().flatten();
    let lines = values.filter_map(|(name, value)| Some(format!("\n{name}={}", value.as_str()?)));
    Some(at_host(case["url"].as_str()?) + &lines.collect::<String>())
}

fn request(case: &Value) -> Option<String> {
    let (input, body) = (&case["input"], case["input"]["body"].as_str()?);
    let lines = case["headers"].as_object()?.iter().filter_map(|(name, value)| Some(format!("{name}: {}\r\n", value.as_str()?)));
    let head = format!("{} {} HTTP/1.1\r\nHost: localhost:7117\r\n", input["method"].as_str()?, input["path"].as_str()?);
    Some(format!("{head}{}Content-Length: {}\r\n\r\n{body}", lines.collect::<String>(), body.len()))
}
