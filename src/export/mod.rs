//! The files that others read, written from the journal. An exporter writes one of them; which
//! ones are stale is told by the versions of what the journal holds.

mod audited;
mod compare;
mod dataset;
mod errors;
mod exporter;
mod exporters;
mod exports;
mod image_path;
mod jsonl;
mod parquet;
mod prepared;
mod report;
mod target;
mod truth;

pub use audited::Audited;
pub use compare::{ComparedFile, Comparison, compare};
pub use dataset::{Exported, LeftOut, Step, dataset_formats, export_dataset};
pub use exporters::{check_outdir, files};
pub use exports::Exports;
pub use report::{ReportPage, Reported, write_report};
pub use truth::{Tally, true_records};
