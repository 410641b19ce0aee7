//! How figures and foreign text are written for people.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

pub use shuffledet_core::count::{count, counted};

/// A duration in milliseconds for a column: three decimals, so that points stand below each other.
pub fn ms_column(ms: f64) -> String {
    format!("{ms:.3}")
}

/// A figure in running text: three significant digits, or all digits before the point.
pub fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// Formats a share of one with four decimals; an undefined one is a dash.
pub fn fraction(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// Formats the second in UTC, as `2026-11-24 05:50:48 UTC`. Beyond the years that the calendar knows it is the nearest.
pub fn utc(time: SystemTime) -> String {
    let beyond = if time < UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let time = Timestamp::try_from(time).unwrap_or(beyond);
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Foreign text without what could steer a terminal or reorder the line: control characters and
/// direction overrides are written as escapes.
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            // writing to a String cannot fail
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Returns the address of a JPEG file that holds the file itself.
pub fn jpeg_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", BASE64.encode(jpeg))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let figures = [0.0041, 0.9996, 9.994, 9.996, 99.96, 12_345.6].map(figure);
        assert_eq!(figures, ["0.004", "1.00", "9.99", "10.0", "100", "12346"]);
    }

    #[test]
    fn counts_are_grouped() {
        let counts = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "frame"), "1 frame");
    }

    /// Expected values are those of `date --utc --date=@SECONDS`.
    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_868_799, "2000-02-29 23:59:59 UTC"),
            (1_795_499_448, "2026-11-24 05:50:48 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
        let before = UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(utc(before), "1969-12-31 23:59:59 UTC");
        let late = UNIX_EPOCH + Duration::from_secs(i64::MAX as u64 / 2);
        assert!(utc(late).starts_with("9999-12-"), "{}", utc(late));
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let clean = printable("/cam\u{1b}[2J\n\u{202e}ü");
        assert_eq!(clean, "/cam\\u{1b}[2J\\n\\u{202e}ü");
    }
}
