//! The W3C `traceparent` header.

/// Whether a value may be sent as it is: `hh-32hex-16hex-hh` in any case, version not `ff`, ids not zero.
pub fn is_valid(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace_id, span_id, flags] = parts[..] else { return false };
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    let not_zero = |text: &str| text.bytes().any(|b| b != b'0');
    hex(version, 2)
        && !version.eq_ignore_ascii_case("ff")
        && hex(trace_id, 32)
        && not_zero(trace_id)
        && hex(span_id, 16)
        && not_zero(span_id)
        && hex(flags, 2)
}
