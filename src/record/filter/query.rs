//! A filter that is read: which records it asks for.

use super::text::TextTest;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Field, GroupState, GroupSummary, Reason, SourceType, Vocabulary};
use unicode_normalization::UnicodeNormalization;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    State {
        any: Vec<GroupState>,
        /// Also match records with a new answer to compare.
        offered: bool,
    },
    Reason(Vec<Reason>),
    Source(SourceType),
    /// A value of a field that records share.
    Value(Field, TextTest),
    /// At least this uncertainty.
    Uncertainty(f32),
    Word(String),
}

/// A parsed filter; every term must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// (negated, test)
    pub(super) terms: Vec<(bool, Test)>,
}

/// The filter that shows what has failed.
pub const FAILED: &str = "state:failed";

/// The filter that the workstation opens with.
pub const NEEDS_REVIEW: &str = "state:review";

/// What may stand before a colon, and what it asks for.
pub fn filter_keys() -> impl Iterator<Item = (String, &'static str)> {
    let before = [
        ("state", "draft, uncertain, accepted, ..."),
        ("reason", "why a record is uncertain"),
    ];
    let after = [
        ("source", "equipment_shape or cash"),
        ("uncertainty", "at least, from 0 to 1"),
    ];
    let fields = Field::shared().map(|(_, filter)| (filter.key, filter.help));
    let all = before.into_iter().chain(fields).chain(after);
    all.map(|(key, help)| (format!("{key}:"), help))
}

/// The field that a key asks about.
pub fn filter_field(key: &str) -> Option<Field> {
    let found = Field::shared().find(|(_, filter)| filter.key == key);
    Some(found?.0)
}

impl Query {
    /// The second part says what was not understood; those terms are left out.
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> (Query, Option<String>) {
        let mut terms = Vec::new();
        let mut wrong = None;
        let text: String = text.nfc().collect();
        for word in split(&text) {
            let (negated, word) = match word.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => (true, rest),
                _ => (false, word.as_str()),
            };
            match term(word, vocabulary) {
                Ok(Some(test)) => terms.push((negated, test)),
                Ok(None) => {}
                Err(what) => wrong = Some(what),
            }
        }
        (Query { terms }, wrong)
    }

    /// A filter that has to be understood whole: for commands, where nobody sees what is left out.
    pub fn parse_whole(text: &str, vocabulary: &Vocabulary) -> Result<Query> {
        match Self::parse(text, vocabulary) {
            (query, None) => Ok(query),
            (_, Some(wrong)) => {
                let cause = format!("filter `{text}`: {wrong}");
                Err(Error::new(ErrorKind::Usage, cause))
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// Words at spaces; quotes keep a value with spaces together.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The part of a filter that is being typed: what follows the last space outside quotes.
pub fn last_word(text: &str) -> &str {
    let mut quoted = false;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => start = at + c.len_utf8(),
            _ => {}
        }
    }
    &text[start..]
}

/// A value as it is written in a filter.
pub fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) {
        format!("\"{}\"", value.replace('"', ""))
    } else {
        value.to_owned()
    }
}

fn term(word: &str, vocabulary: &Vocabulary) -> Result<Option<Test>, String> {
    let Some((key, value)) = word.split_once(':') else {
        return Ok(Some(Test::Word(word.to_lowercase())));
    };
    let value = value.to_lowercase();
    if value.is_empty() || value == "=" {
        // Still being typed.
        return Ok(None);
    }
    let each = || value.split(',').filter(|part| !part.is_empty());
    Ok(Some(match key.to_lowercase().as_str() {
        "state" => {
            let mut states = Vec::new();
            let mut offered = false;
            for part in each() {
                let before = states.len();
                let is_offered = "offered".starts_with(part);
                let is_needed = "review".starts_with(part) && part.len() > 1 && part != "draft";
                offered |= is_offered || is_needed;
                states.extend(GroupState::ALL.iter().copied().filter(|state| {
                    if is_needed {
                        state.needs_review()
                    } else {
                        state.name().starts_with(part)
                    }
                }));
                if states.len() == before && !is_offered {
                    return Err(format!("no state `{part}`"));
                }
            }
            Test::State {
                any: states,
                offered,
            }
        }
        "reason" => {
            let mut reasons = Vec::new();
            for part in each() {
                let before = reasons.len();
                reasons.extend(
                    Reason::ALL
                        .iter()
                        .copied()
                        .filter(|reason| reason.code().contains(part)),
                );
                if reasons.len() == before {
                    return Err(format!("no reason `{part}`"));
                }
            }
            Test::Reason(reasons)
        }
        "source" => {
            let found = [SourceType::EquipmentShape, SourceType::Cash]
                .into_iter()
                .find(|source| source.as_str().starts_with(&value));
            Test::Source(found.ok_or_else(|| format!("no source `{value}`"))?)
        }
        "uncertainty" => {
            let number = value.trim_start_matches(['>', '=']);
            Test::Uncertainty(
                number
                    .parse()
                    .map_err(|_| format!("`{value}` is not a number from 0 to 1"))?,
            )
        }
        key => match filter_field(key) {
            Some(field) => Test::Value(field, TextTest::word(&value, field, vocabulary)),
            // A colon in a name is no key.
            None => Test::Word(word.to_lowercase()),
        },
    }))
}

pub(super) fn passes(test: &Test, summary: &GroupSummary) -> bool {
    match test {
        Test::State { any, offered } => {
            any.contains(&summary.state) || (*offered && summary.offered)
        }
        Test::Reason(reasons) => summary.reasons.iter().any(|have| reasons.contains(have)),
        Test::Source(source) => summary.source_type == *source,
        Test::Value(field, text) => {
            let mut values = summary.labels.values(*field).iter();
            values.any(|have| text.passes(have))
        }
        Test::Uncertainty(least) => summary.uncertainty >= *least,
        Test::Word(_) => true,
    }
}
