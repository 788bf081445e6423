//! `labels_errors.jsonl`: items without a record, and why.

use super::exporter::Exporter;
use super::target::Sink;
use super::truth::View;
use crate::error::{Context, ErrorKind, Result};
use crate::outdir::ERRORS;
use crate::store::Content;
use serde::Serialize;

#[derive(Debug)]
pub(super) struct Errors;

/// One line, its keys in this order.
#[derive(Serialize)]
struct ErrorLine<'a> {
    image_path: &'a str,
    item_name: &'a str,
    source_type: &'a str,
    code: &'a str,
    detail: &'a str,
    at: &'a str,
}

impl Exporter for Errors {
    fn name(&self) -> &'static str {
        ERRORS
    }

    fn content(&self) -> Content {
        Content::Failures
    }

    fn write(&self, view: &View, out: &mut Sink) -> Result<()> {
        view.journal.each_failure(|failed| {
            let line = serde_json::to_string(&ErrorLine {
                image_path: &failed.image_path,
                item_name: &failed.item.item_name,
                source_type: failed.item.source_type.as_str(),
                code: &failed.code,
                detail: &failed.detail,
                at: &failed.at,
            });
            out.line(&line.context(ErrorKind::Internal, "writing a failure")?)
        })
    }
}
