//! Paths: of a call, and of a description with names in braces.

use alter_core::encoding::percent_decode;

/// The segments of a path in plain text, as all providers read them; `None` for one in which a provider may see other segments than the vault, or a step
/// up.
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decoded).collect()
}

fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode(segment);
    // U+FFFD stands for what is no UTF-8.
    let plain = !text.contains(['/', '\\', '%', ';', '\u{FFFD}']) && text != "." && text != ".." && !text.chars().any(char::is_control);
    plain.then_some(text)
}

/// A path of a description.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
}

/// A segment of it.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// A text.
    Plain(String),
    /// A name.
    Named(String),
    /// Names between texts (`{base}...{head}`, `{id}.json`): the texts, one more than there are names.
    Mixed { texts: Vec<String>, names: Vec<String> },
}

/// How a call fits a template.
pub(super) struct Fit {
    /// What stands for each name; `None` where more than one reading is possible.
    pub(super) values: Vec<(String, Option<String>)>,
    /// Of each segment how little of it the template says.
    pub(super) looseness: Vec<u8>,
}

impl Template {
    /// Reads a path; `None` if its braces do not pair.
    pub(super) fn read(path: &str) -> Option<Self> {
        let segments = path.strip_prefix('/')?.split('/').map(Segment::read).collect::<Option<_>>()?;
        Some(Self { segments })
    }

    /// How a call's segments fit; `None` if they do not.
    pub(super) fn fit(&self, segments: &[String]) -> Option<Fit> {
        if segments.len() != self.segments.len() {
            return None;
        }
        let mut fit = Fit { values: Vec::new(), looseness: Vec::new() };
        for (template, given) in self.segments.iter().zip(segments) {
            fit.looseness.push(template.fit(given, &mut fit.values)?);
        }
        Some(fit)
    }
}

impl Segment {
    fn read(text: &str) -> Option<Self> {
        let (mut texts, mut names) = (vec![String::new()], Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}')?;
            texts.last_mut()?.push_str(before);
            texts.push(String::new());
            names.push(name.to_owned());
            rest = behind;
        }
        texts.last_mut()?.push_str(rest);
        match (names.len(), texts.iter().all(String::is_empty)) {
            (0, _) => Some(Self::Plain(rest.to_owned())),
            (1, true) => Some(Self::Named(names.swap_remove(0))),
            _ => Some(Self::Mixed { texts, names }),
        }
    }

    fn fit(&self, given: &str, values: &mut Vec<(String, Option<String>)>) -> Option<u8> {
        match self {
            Self::Plain(text) => (text == given).then_some(0),
            Self::Named(name) => {
                values.push((name.clone(), Some(given.to_owned())));
                (!given.is_empty()).then_some(2)
            }
            Self::Mixed { texts, names } => {
                let (first, last) = (texts.first()?, texts.last()?);
                let inner = given.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
                let between = texts.get(1..texts.len() - 1)?;
                let mut rest = inner;
                for text in between {
                    rest = rest.split_once(text.as_str())?.1;
                }
                let only = (names.len() == 1).then(|| inner.to_owned());
                values.extend(names.iter().map(|name| (name.clone(), only.clone())));
                (!inner.is_empty()).then_some(1)
            }
        }
    }
}
