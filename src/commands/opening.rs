//! The progress bar on standard error while a model opens.

use crate::error::{Context, ErrorKind, Result};
use crate::text::for_line;
use crate::vlm::LoadStage;
use crate::vlm::open::{OnOpening, Opening};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;

/// Creates the bar, hidden unless standard error is a terminal, and the callback that updates it.
pub fn opening_bar() -> Result<(ProgressBar, OnOpening)> {
    let bar = ProgressBar::new(1);
    let plain = ProgressStyle::with_template("{msg:30} {wide_bar} {percent:>3}%");
    let bytes = ProgressStyle::with_template(
        "{msg:30} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    let task = "parsing the template of the progress bar";
    let plain = plain.context(ErrorKind::Internal, task)?;
    let bytes = bytes.context(ErrorKind::Internal, task)?;
    let shown = bar.clone();
    let on_opening: OnOpening = Arc::new(move |opening| match opening {
        Opening::Download(download) => {
            shown.set_style(bytes.clone());
            shown.set_message(for_line(&download.file));
            shown.set_length(download.total);
            shown.set_position(download.done);
        }
        Opening::Load(stage, done) => {
            shown.set_style(plain.clone());
            shown.set_message(match stage {
                LoadStage::Quantize => "quantizing, the first time only",
                LoadStage::Vision => "loading the vision tower",
                LoadStage::Text => "loading the language model",
            });
            shown.set_length(1000);
            shown.set_position((done * 1000.0) as u64);
        }
    });
    Ok((bar, on_opening))
}
