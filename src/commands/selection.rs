//! The records of an outdir that a filter shows, for commands without a screen.

use super::words_of;
use crate::error::Result;
use crate::record::filter::{Query, Sort, select};
use crate::record::{GroupSummary, Vocabulary};
use crate::settings::SelectionOptions;
use std::sync::Arc;

/// A filter that was understood, and the vocabulary that it is in.
pub struct Selection {
    pub vocabulary: Arc<Vocabulary>,
    query: Query,
}

impl Selection {
    /// `default` is the filter where none was given.
    ///
    /// # Errors
    /// Of kind `Usage` for a filter that cannot be understood whole.
    pub fn new(options: &SelectionOptions, default: &str) -> Result<Self> {
        let vocabulary = words_of(&options.outdir, options.vocabulary.as_deref())?;
        let filter = options.filter.as_deref().unwrap_or(default);
        Ok(Self {
            query: Query::parse_whole(filter, &vocabulary)?,
            vocabulary,
        })
    }

    /// Those that pass, in the order of the queue.
    pub fn of(&self, mut all: Vec<GroupSummary>) -> Vec<GroupSummary> {
        let places = select(&all, &self.query, Sort::Uncertainty, None);
        let mut all: Vec<Option<GroupSummary>> = all.drain(..).map(Some).collect();
        let places = places.into_iter();
        places
            .filter_map(|place| all.get_mut(place as usize)?.take())
            .collect()
    }
}
