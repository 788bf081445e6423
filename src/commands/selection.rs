//! Selects the records of an outdir that match a filter, for commands without a screen.

use super::load_vocabulary;
use super::options::SelectionOptions;
use crate::error::Result;
use crate::record::filter::{Query, Sort, select};
use crate::record::{GroupSummary, Vocabulary};
use crate::store::Journal;
use std::sync::Arc;

/// A filter, and the vocabulary to parse it with.
pub struct RecordFilter {
    pub vocabulary: Arc<Vocabulary>,
    filter: String,
}

impl RecordFilter {
    /// `default` is the filter if `options` has none.
    pub fn new(options: &SelectionOptions, default: &str) -> Result<Self> {
        Ok(Self {
            vocabulary: load_vocabulary(&options.outdir, options.vocabulary.as_deref())?,
            filter: options.filter.as_deref().unwrap_or(default).to_owned(),
        })
    }

    /// The records that match, in queue order.
    ///
    /// # Errors
    /// `ErrorKind::Usage` if a part of the filter cannot be parsed.
    pub fn apply(&self, journal: &Journal) -> Result<Vec<GroupSummary>> {
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
