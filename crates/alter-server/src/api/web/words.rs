//! Times and spans as people read them.

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use crate::clock::Timestamp;

const MOMENT: StaticFormatDescription = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment to the minute: `28 November 2026, 14:05 UTC`.
pub fn moment(at: Timestamp) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(at.as_secs()).ok().and_then(|moment| moment.format(MOMENT).ok());
    moment.unwrap_or_else(|| at.to_string())
}

/// A span in its largest whole unit: `1 hour`, `7 days`, `90 minutes`.
pub fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        s if s >= DAY && s.is_multiple_of(DAY) => (s / DAY, "day"),
        s if s >= HOUR && s.is_multiple_of(HOUR) => (s / HOUR, "hour"),
        s if s >= MINUTE && s.is_multiple_of(MINUTE) => (s / MINUTE, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_sentences() {
        assert_eq!(moment(Timestamp::from_millis(1_795_874_700_000)), "28 November 2026, 14:05 UTC");
        let spans = [3600, 86_400, 604_800, 5400, 61, 1, 7200].map(span);
        assert_eq!(spans, ["1 hour", "1 day", "7 days", "90 minutes", "61 seconds", "1 second", "2 hours"]);
        assert_eq!(moment(Timestamp::from_millis(i64::MAX)), format!("{} ms", i64::MAX));
    }
}
