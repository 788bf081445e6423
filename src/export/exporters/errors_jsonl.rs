//! `labels_errors.jsonl`: items without a record, and the reason.

use super::exporter::{Exporter, MissingImages};
use crate::error::{Context, ErrorKind, Result};
use crate::export::selection::ExportView;
use crate::export::target::ExportSink;
use crate::outdir::ERRORS;
use crate::record::{Failure, FailureDetail};
use crate::store::{Content, Journal};
use crate::text::shortened;
use serde::{Deserialize, Serialize};

/// Longest detail in characters.
const MAX_DETAIL_CHARS: usize = 2000;

#[derive(Debug)]
pub(super) struct Errors;

/// A line, with its keys in this order.
#[derive(Serialize)]
struct ErrorLine<'a> {
    image_path: &'a str,
    item_name: &'a str,
    source_type: &'a str,
    code: &'a str,
    detail: &'a str,
    at: &'a str,
}

/// A line that an earlier run wrote: exactly these keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EarlierLine {
    image_path: String,
    item_name: String,
    source_type: String,
    code: String,
    detail: String,
    #[serde(rename = "at")]
    _at: String,
}

/// The detail may quote a text of the source or a server, which has any length.
fn detail_text(detail: &FailureDetail) -> String {
    shortened(&detail.to_string(), MAX_DETAIL_CHARS).into_owned()
}

impl Exporter for Errors {
    fn name(&self) -> &'static str {
        ERRORS
    }

    fn title(&self) -> &'static str {
        "failures"
    }

    fn describe(&self) -> &'static str {
        "items that have no record, and why"
    }

    fn content(&self) -> Content {
        Content::Failures
    }

    fn is_updated_during_run(&self, missing: MissingImages) -> bool {
        // Only then is it known which lines of an earlier, lost journal are about items of this one.
        missing == MissingImages::AreGone
    }

    fn write(&self, view: &ExportView, out: &mut ExportSink) -> Result<()> {
        view.journal.each_failure(|failed| {
            let line = serde_json::to_string(&ErrorLine {
                image_path: &failed.image_path,
                item_name: &failed.item.item_name,
                source_type: failed.item.source_type.as_str(),
                code: &failed.code,
                detail: &detail_text(&failed.detail),
                at: &failed.at,
            });
            out.line(&line.context(ErrorKind::Internal, "writing a failure")?)
        })
    }

    fn is_outdated(&self, journal: &Journal, line: &[u8]) -> Result<bool> {
        let Ok(line) = serde_json::from_slice::<EarlierLine>(line) else {
            return Ok(false);
        };
        let Some(group) = journal.group_at(&line.image_path)? else {
            return Ok(false);
        };
        let Some(detail) = journal.detail(group)? else {
            return Ok(false);
        };
        let is_same = |failure: &Failure| {
            failure.code.code() == line.code
                && detail_text(&failure.detail) == line.detail
                && detail.item.item_name == line.item_name
                && detail.item.source_type.as_str() == line.source_type
        };
        // An item without a failure is waiting to be tried again.
        Ok(detail.draft.is_some() || detail.failure.as_ref().is_none_or(is_same))
    }
}
