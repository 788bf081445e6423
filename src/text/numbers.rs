//! Formats numbers for people.

/// Groups digits by thousands: `140 000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `3 records`.
pub fn plural(n: usize, noun: &str) -> String {
    let end = if n == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(n as u64))
}

/// Formats a share in percent, with this many decimals and without the sign: `99.9`. Only all is 100
/// and only nothing is 0, however close a share comes to them.
pub fn percent(share: f64, decimals: usize) -> String {
    let least = 10f64.powi(-(decimals as i32));
    let percent = match 100.0 * share {
        percent if share > 0.0 && share < 1.0 => percent.clamp(least, 100.0 - least),
        percent => percent,
    };
    format!("{percent:.decimals$}")
}

/// Formats a duration: `4.2 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) if s >= 10 => format!("{s} s"),
        (0, 0, _) => format!("{seconds:.1} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// `3.1 MB`, with 1 MB = 10^6 bytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// `3.1 GB`, with 1 GB = 10^9 bytes.
pub fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// `3.1 GiB`, with 1 GiB = 2^30 bytes; small amounts as `31 MiB`.
pub fn gibibytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    match mib < 100.0 {
        true => format!("{mib:.0} MiB"),
        false => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 that a text is, in lower-case hex; `None` for any other text.
pub fn sha256_in(text: &str) -> Option<String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_a_hundred_percent_and_only_nothing_is_none() {
        for (part, whole, expected) in [
            (738, 739, ["99", "99.9"]),
            (9999, 10_000, ["99", "99.9"]),
            (739, 739, ["100", "100.0"]),
            (1, 10_000, ["1", "0.1"]),
            (0, 739, ["0", "0.0"]),
            (1, 3, ["33", "33.3"]),
            (2, 3, ["67", "66.7"]),
        ] {
            let share = f64::from(part) / f64::from(whole);
            assert_eq!([0, 1].map(|decimals| percent(share, decimals)), expected);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(140000), "140 000");
        assert_eq!(plural(0, "record"), "0 records");
        assert_eq!(plural(1, "record"), "1 record");
        assert_eq!(plural(1234, "record"), "1 234 records");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, exact) in [
            (0.0, "0.0 s"),
            (4.25, "4.2 s"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (3599.0, "59 min 59 s"),
            (7500.0, "2 h 5 min"),
        ] {
            assert_eq!(duration(seconds), exact);
        }
    }

    #[test]
    fn byte_counts_have_units() {
        assert_eq!(megabytes(3_149_000), "3.1 MB");
        assert_eq!(gigabytes(12_000_000_000), "12.0 GB");
        assert_eq!(gibibytes(3 << 29), "1.5 GiB");
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }

    #[test]
    fn a_hash_is_read_in_lower_case() {
        let (lower, upper) = ("0a".repeat(32), "0A".repeat(32));
        for text in [&lower, &upper] {
            assert_eq!(sha256_in(text).as_ref(), Some(&lower));
        }
        for text in ["", "0a", &"0g".repeat(32)] {
            assert_eq!(sha256_in(text), None, "{text}");
        }
    }
}
