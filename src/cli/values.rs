//! Parsers for values on the command line.

use std::time::Duration;

use shuffledet_msg::Stamp;

/// Parses non-negative seconds.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected seconds, such as 1.5".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Parses a number greater than 0.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("expected a number greater than 0".to_owned()),
    }
}

/// Parses a score from 0 to 1.
pub fn score(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("expected a score from 0 to 1".to_owned()),
    }
}

/// Parses seconds since 1970 and returns exact nanoseconds.
pub fn stamp_ns(text: &str) -> Result<u64, String> {
    let expected = "expected seconds since 1970 with at most nine decimals, such as 1700000000.25";
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(decimals) || decimals.len() > 9 {
        return Err(expected.to_owned());
    }
    let sec = seconds
        .parse::<i32>()
        .map_err(|_| "expected a time before 2038-01-19, the end of ROS stamps".to_owned())?;
    let nanosec = format!("{decimals:0<9}")
        .parse::<u32>()
        .map_err(|_| expected.to_owned())?;
    // neither part is below zero
    Ok(Stamp { sec, nanosec }.to_ns() as u64)
}

/// Parses a fully qualified ROS topic name.
pub fn topic(text: &str) -> Result<String, String> {
    let is_part = |part: &str| {
        let word = part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        word && !part.is_empty() && !part.starts_with(|first: char| first.is_ascii_digit())
    };
    match text.strip_prefix('/') {
        Some(parts) if parts.split('/').all(is_part) => Ok(text.to_owned()),
        _ => Err("expected a fully qualified topic name such as /camera/image_raw: each part has letters, digits and underscores \
            and does not start with a digit"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_to_its_last_digit() {
        for (text, ns) in [
            ("0", 0),
            ("1700000000.0", 1_700_000_000_000_000_000),
            ("1700000000.123456789", 1_700_000_000_123_456_789),
            ("1700000000.000000001", 1_700_000_000_000_000_001),
            ("5.25", 5_250_000_000),
            ("2147483647.999999999", 2_147_483_647_999_999_999),
        ] {
            assert_eq!(stamp_ns(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e9",
            "1.1234567890",
            "1.+5",
            "2147483648",
            " 1",
        ] {
            assert!(stamp_ns(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_topic_is_a_full_ros_name() {
        for name in ["/a", "/camera/front_2/image_raw", "/_hidden"] {
            assert_eq!(topic(name), Ok(name.to_owned()));
        }
        for name in [
            "", "/", "a", "/a/", "//a", "/2a", "/a b", "~/a", "/a-b", "/ä",
        ] {
            assert!(topic(name).is_err(), "{name:?}");
        }
    }
}
