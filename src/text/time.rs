//! Times as records, the log of events and file names hold them: UTC, to the second.

use jiff::Timestamp;

/// `2026-11-25T21:03:09Z`, as RFC 3339 writes it.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `20261125T210309Z`, which every file system takes as a part of a name.
pub fn file_stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_to_the_second() {
        let at: Timestamp = "2026-11-25T22:03:09.75+01:00".parse().unwrap();
        assert_eq!(utc(at), "2026-11-25T21:03:09Z");
        assert_eq!(file_stamp(at), "20261125T210309Z");
    }
}
