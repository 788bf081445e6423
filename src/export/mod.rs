//! Writes the files that other programs read from the journal. Each exporter writes one file.
//! Version counters in the journal show which files are stale.

mod audit_summary;
mod compare;
mod dataset;
mod exporters;
mod exports;
mod image_path;
mod report;
mod selection;
mod staged;
mod target;

pub use audit_summary::AuditSummary;
pub use compare::{ComparedFile, Comparison, compare};
pub use dataset::{
    Caption, DatasetOptions, DatasetProgress, Exported, LeftOut, PathStyle, SplitShare,
    dataset_formats, export_dataset,
};
pub use exporters::{MissingImages, check_outdir, files};
pub use exports::{Exports, OutputFile};
pub use report::{ReportPage, Reported, write_report};
pub use selection::{ExportIssues, exported_records};
