//! `labeler-tui report`: writes the state of an outdir as one self-contained page.

use super::options::ReportOptions;
use super::{latest_audit, load_vocabulary, progress_bar, write_out};
use crate::error::Result;
use crate::export::{ReportPage, write_report};
use crate::store;
use crate::text::{for_line, plural, utc};
use std::io::Write;
use std::sync::Arc;

/// Writes the page and prints a summary.
pub fn run(options: &ReportOptions, out: &mut dyn Write) -> Result<()> {
    let vocabulary = load_vocabulary(&options.outdir, options.vocabulary.as_deref())?;
    let copy = store::copy_to_read(&options.outdir, Arc::clone(&vocabulary))?;
    let bar = progress_bar("{wide_bar} {pos}/{len}");
    let outdir = std::path::absolute(&options.outdir).unwrap_or_else(|_| options.outdir.clone());
    let name = outdir.file_name().unwrap_or(outdir.as_os_str());
    let page = ReportPage {
        audit: latest_audit(&copy.journal)?,
        html: options.html.clone(),
        title: format!("Labels in {}", name.to_string_lossy()),
        about: format!(
            "labeler-tui {}, {}",
            env!("CARGO_PKG_VERSION"),
            utc(jiff::Timestamp::now())
        ),
    };
    let reported = write_report(&copy.journal, &vocabulary, &page, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let reported = reported?;
    let mut text = format!(
        "{} in {}\n",
        plural(reported.images, "image"),
        for_line(&options.html.display().to_string())
    );
    if reported.without_icon > 0 {
        text.push_str(&format!(
            "{} could not be read; shown without a picture\n",
            plural(reported.without_icon, "image")
        ));
    }
    write_out(out, text.as_bytes())
}
