//! What an audit has found, in the words of whoever exports it.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The error rate with its interval.
    pub rate: String,
    /// All there is to say, a line each.
    pub lines: Vec<String>,
}
