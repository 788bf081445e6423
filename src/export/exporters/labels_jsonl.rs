//! `labels.jsonl`: one committed record per line.

use super::exporter::Exporter;
use crate::error::Result;
use crate::export::selection::ExportView;
use crate::export::target::ExportSink;
use crate::outdir::LABELS;
use crate::store::Content;

#[derive(Debug)]
pub(super) struct Jsonl;

impl Exporter for Jsonl {
    fn name(&self) -> &'static str {
        LABELS
    }

    fn title(&self) -> &'static str {
        "labels"
    }

    fn describe(&self) -> &'static str {
        "one record per line, in source order"
    }

    fn content(&self) -> Content {
        Content::Records
    }

    fn write(&self, view: &ExportView, out: &mut ExportSink) -> Result<()> {
        view.each_record(|record| out.line(&record.line()?))
    }
}
