//! The lists of words, reasons, states and uncertainty, each row with the filter for its records.

use crate::record::filter::quoted;
use crate::record::{Field, GroupId, GroupState, Reason};
use crate::tui::records::ValueCounts;
use crate::tui::session::Session;
use crate::wording::Words;

/// A list of counted values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountList {
    Field(Field),
    Reasons,
    States,
    Uncertainty,
}

/// A value with its number of records.
pub struct CountRow {
    pub name: String,
    pub records: u64,
    /// How many of them are uncertain; only for words.
    pub uncertain: Option<u64>,
    /// The filter that shows exactly these records.
    pub filter: String,
    /// The more frequent word of which this is probably a synonym; its row is right above.
    pub synonym_of: Option<String>,
    pub examples: Vec<GroupId>,
    /// Set if the value is a color.
    pub rgb: Option<[u8; 3]>,
}

impl CountList {
    pub fn all() -> Vec<CountList> {
        let fields = Field::shared().map(|(field, _)| Self::Field(field));
        fields
            .chain([Self::Reasons, Self::States, Self::Uncertainty])
            .collect()
    }

    pub fn title(self, words: Words) -> &'static str {
        match self {
            Self::Field(field) => {
                let filter = field.spec().filter;
                filter.map_or("", |filter| words.phrase(filter.title))
            }
            Self::Reasons => words.list_reasons(),
            Self::States => words.list_states(),
            Self::Uncertainty => words.list_uncertainty(),
        }
    }

    pub fn len(self, counts: &ValueCounts) -> usize {
        match self {
            Self::Field(field) => counts.of(field).len(),
            Self::Reasons => counts.reasons.len(),
            Self::States => counts.states.len(),
            Self::Uncertainty => counts.uncertainty.iter().filter(|n| **n > 0).count(),
        }
    }

    pub fn rows(self, session: &Session) -> Vec<CountRow> {
        let words = session.words;
        let counts = session.records.counts();
        let plain = |name: String, records: u64, filter: String| CountRow {
            name,
            records,
            uncertain: None,
            filter,
            synonym_of: None,
            examples: Vec::new(),
            rgb: None,
        };
        match self {
            Self::Field(field) => {
                let key = field.spec().filter.map_or("", |filter| filter.key);
                let rows = counts.of(field).iter().map(|count| {
                    let entry = session.vocabulary().find_exact(field, &count.value);
                    CountRow {
                        name: count.value.clone(),
                        records: count.records,
                        uncertain: Some(count.uncertain),
                        filter: format!("{key}:={}", quoted(&count.value)),
                        synonym_of: count.like.clone(),
                        examples: count.examples.clone(),
                        rgb: entry.and_then(|entry| entry.rgb()),
                    }
                });
                rows.collect()
            }
            Self::Reasons => {
                let reasons = counts.reasons.iter();
                let filter = |reason: Reason| format!("reason:{}", reason.code());
                reasons
                    .map(|(reason, n)| plain(words.reason_code(*reason), *n, filter(*reason)))
                    .collect()
            }
            Self::States => {
                let states = counts.states.iter();
                let filter = |state: GroupState| format!("state:{}", state.name());
                states
                    .map(|(state, n)| plain(words.state(*state).to_owned(), *n, filter(*state)))
                    .collect()
            }
            Self::Uncertainty => {
                let tenths = counts.uncertainty.iter().enumerate().rev();
                let row = |(tenth, n): (usize, &u64)| {
                    let filter = match tenth {
                        9 => "uncertainty:>=0.9".to_owned(),
                        _ => format!("uncertainty:>=0.{tenth} uncertainty:<0.{}", tenth + 1),
                    };
                    plain(words.tenth(tenth), *n, filter)
                };
                tenths.filter(|(_, n)| **n > 0).map(row).collect()
            }
        }
    }
}
