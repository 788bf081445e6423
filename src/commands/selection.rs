//! The records of an outdir that a filter shows, for commands without a screen.

use super::words_of;
use crate::error::Result;
use crate::record::filter::{Query, Sort, select};
use crate::record::{GroupSummary, Vocabulary};
use crate::settings::SelectionOptions;
use crate::store::Journal;
use std::sync::Arc;

/// A filter, and the vocabulary that it is in.
pub struct Selection {
    pub vocabulary: Arc<Vocabulary>,
    filter: String,
}

impl Selection {
    /// `default` is the filter where none was given.
    pub fn new(options: &SelectionOptions, default: &str) -> Result<Self> {
        Ok(Self {
            vocabulary: words_of(&options.outdir, options.vocabulary.as_deref())?,
            filter: options.filter.as_deref().unwrap_or(default).to_owned(),
        })
    }

    /// Those that pass, in the order of the queue.
    ///
    /// # Errors
    /// Of kind `Usage` for a filter that cannot be understood whole.
    pub fn of(&self, journal: &Journal) -> Result<Vec<GroupSummary>> {
        let query = Query::parse_whole(&self.filter, &self.vocabulary, &journal.views()?)?;
        let all = journal.summaries()?;
        let places = select(&all, &query, Sort::Uncertainty, None);
        let mut all: Vec<Option<GroupSummary>> = all.into_iter().map(Some).collect();
        let places = places.into_iter();
        Ok(places
            .filter_map(|place| all.get_mut(place as usize)?.take())
            .collect())
    }
}
