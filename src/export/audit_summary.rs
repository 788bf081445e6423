//! Text about an audit, for exports.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSummary {
    /// Error rate with its interval.
    pub rate: String,
    /// Everything about the audit, in lines.
    pub lines: Vec<String>,
}
