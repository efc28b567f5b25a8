//! API keys: two readers agree, a complete key is accepted, and a key with any one letter changed is not.

use alter_core::key::{KeyKind, is_valid_key};

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const SCOPED: [(&str, KeyKind); 4] =
    [("rk", KeyKind::Runtime), ("ak", KeyKind::Agent), ("dk", KeyKind::Derived), ("pk", KeyKind::Publishable)];

/// The input is a text that may be a key; its letters also make up a key that must be one.
pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        judge(text);
    }
    let (tag, kind) = SCOPED[data.len() % SCOPED.len()];
    let key = complete(tag, data);
    assert_eq!(judge(&key), Some(kind), "{key}");
    for other in neighbours(&key) {
        assert_eq!(KeyKind::of(&other), None, "one letter away from {key}: {other}");
    }
}

/// What both readers say about a text.
fn judge(text: &str) -> Option<KeyKind> {
    let kind = KeyKind::of(text);
    assert_eq!(kind, second_reader(text), "the readers differ about {text:?}");
    assert_eq!(kind.is_some(), is_valid_key(text));
    if kind.is_some() {
        for padded in [format!(" {text}"), format!("{text}\n"), format!("{text}_"), text.to_ascii_uppercase()] {
            assert_eq!(KeyKind::of(&padded), None, "{padded:?}");
        }
    }
    kind
}

/// The grammar as the protocol's pages say it.
fn second_reader(text: &str) -> Option<KeyKind> {
    if let Some(body) = text.strip_prefix("alter_key_") {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        return (body.chars().count() == 40 && body.chars().all(fits)).then_some(KeyKind::Legacy);
    }
    let body = text.strip_prefix("alter_")?;
    let (tag, kind) = SCOPED.into_iter().find(|(tag, _)| body.starts_with(tag))?;
    let random = body.strip_prefix(tag)?.strip_prefix('_')?.get(..22)?;
    let whole = random.bytes().all(|b| LETTERS.contains(&b)) && text == written(tag, random);
    whole.then_some(kind)
}

/// A key whose random part is made of the input.
fn complete(tag: &str, data: &[u8]) -> String {
    let letter = |i: usize| char::from(LETTERS[usize::from(data.get(i).copied().unwrap_or(0)) % LETTERS.len()]);
    written(tag, &(0..22).map(letter).collect::<String>())
}

fn written(tag: &str, random: &str) -> String {
    let crc = crc32(format!("{tag}:{random}").as_bytes());
    let check: String = (0..6).map(|i| char::from(LETTERS[(crc >> (5 * i)) as usize & 31])).collect();
    format!("alter_{tag}_{random}_{check}")
}

/// CRC-32 (IEEE), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The key with each of its letters replaced, one at a time, and with its type replaced.
fn neighbours(key: &str) -> impl Iterator<Item = String> + '_ {
    let replaced = key.char_indices().map(|(i, c)| {
        let next = if c == 'b' { 'c' } else { 'b' };
        format!("{}{next}{}", &key[..i], &key[i + 1..])
    });
    let retyped = SCOPED.iter().map(|(tag, _)| format!("alter_{tag}{}", &key[8..])).filter(move |other| other != key);
    replaced.chain(retyped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_reader_is_right_by_itself() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
        assert_eq!(second_reader("alter_rk_abcdefghijklmnopqrstuv_iwpykn"), Some(KeyKind::Runtime));
        assert_eq!(second_reader("alter_rk_abcdefghijklmnopqrstuv_iwpykm"), None);
    }
}
