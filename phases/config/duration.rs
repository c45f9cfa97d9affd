//! Durations as Go writes them: `24h0m0s`, `1h30m`, `500ms`.

use std::fmt::Write as _;
use std::time::Duration;

use super::ParseError;

const EXPECTED: &str = "a duration such as 24h0m0s or 90s";

/// Nanoseconds of each unit, longest name first where one begins another.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// Reads a duration; `0` needs no unit.
///
/// # Errors
/// When it is not that, is negative, or is longer than Go can say (292 years).
pub fn parse_duration(text: &str) -> Result<Duration, ParseError> {
    parse(text).ok_or_else(|| ParseError { text: text.to_owned(), expected: EXPECTED })
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0_u128;
    loop {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() || whole.len() > 20 {
            return None;
        }
        let (unit, after) = UNITS.iter().find_map(|(name, unit)| Some((*unit, after.strip_prefix(name)?)))?;
        total += whole.parse::<u128>().unwrap_or(0).checked_mul(unit)?;
        // Digits beyond the eighteenth are less than a nanosecond in any unit.
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        total += fraction.parse::<u128>().unwrap_or(0) * unit / scale;
        if total > i64::MAX as u128 {
            return None;
        }
        if after.is_empty() {
            return Some(Duration::from_nanos(u64::try_from(total).ok()?));
        }
        rest = after;
    }
}

/// Writes a duration as Go does.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    for (unit, size) in [("ns", 1_u128), ("µs", 1_000), ("ms", 1_000_000)] {
        if nanos > 0 && nanos < 1_000_000_000 && nanos < size * 1_000 {
            return format!("{}{unit}", decimal(nanos, size));
        }
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let mut text = String::new();
    if hours > 0 {
        write!(text, "{hours}h").expect("writing to a string does not fail");
    }
    if hours > 0 || minutes > 0 {
        write!(text, "{minutes}m").expect("writing to a string does not fail");
    }
    text + &decimal(nanos % 60_000_000_000, 1_000_000_000) + "s"
}

/// A number with as many decimals as it needs.
fn decimal(nanos: u128, unit: u128) -> String {
    let width = unit.to_string().len() - 1;
    let fraction = format!("{:0width$}", nanos % unit);
    let fraction = if unit == 1 { "" } else { fraction.trim_end_matches('0') };
    if fraction.is_empty() { (nanos / unit).to_string() } else { format!("{}.{fraction}", nanos / unit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, millis, written) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("24h", 86_400_000, "24h0m0s"),
            ("24h0m0s", 86_400_000, "24h0m0s"),
            ("1h30m", 5_400_000, "1h30m0s"),
            ("90s", 90_000, "1m30s"),
            ("4m", 240_000, "4m0s"),
            ("500ms", 500, "500ms"),
            ("1.5s", 1_500, "1.5s"),
            (".5h", 1_800_000, "30m0s"),
            ("1.s", 1_000, "1s"),
            ("1h1ms", 3_600_001, "1h0m0.001s"),
            ("8760h", 31_536_000_000, "8760h0m0s"),
        ] {
            let duration = parse_duration(text).expect(text);
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(format_duration(duration), written, "{text}");
        }
        assert_eq!(format_duration(parse_duration("1500us").expect("a duration")), "1.5ms");
        assert_eq!(format_duration(Duration::from_nanos(999)), "999ns");
        assert_eq!(format_duration(Duration::from_nanos(1_001)), "1.001µs");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "1", "-1h", "1d", "1h 30m", ".s", "h1", "9999999999h", "1e3s", "0.", "ä", "1µ"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
