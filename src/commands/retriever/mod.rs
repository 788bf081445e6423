//! The commands that run a retriever.

pub mod embed;
mod measure;
pub mod retrieval;

use super::opening::opening_bar;
use crate::embed::{Retriever, RetrieverOptions};
use crate::error::Result;

/// Opens the retriever with a progress bar on standard error, if that is a terminal.
fn open_with_bar(options: &RetrieverOptions) -> Result<Retriever> {
    let (bar, on_opening) = opening_bar()?;
    let opened = Retriever::open(options, &on_opening);
    bar.finish_and_clear();
    opened
}
