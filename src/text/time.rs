//! Formats times in UTC, to the second, for records, the event log and file names.

use jiff::Timestamp;

/// RFC 3339: `2026-11-25T21:03:09Z`.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `20261125T210309Z`, which is valid in file names everywhere.
pub fn file_stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_truncated_to_seconds() {
        let at: Timestamp = "2026-11-25T22:03:09.75+01:00".parse().unwrap();
        assert_eq!(utc(at), "2026-11-25T21:03:09Z");
        assert_eq!(file_stamp(at), "20261125T210309Z");
    }
}
