//! Filter expressions and sorting over all summaries; also plain words, fuzzy and by ㅂㅈ.

use super::groups::{Snapshot, state_needs_review};
use crate::record::{Field, GroupId, GroupState, GroupSummary, Reason, SourceType, Vocabulary};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::cmp::Reverse;
use unicode_normalization::UnicodeNormalization;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Uncertainty,
    Name,
    Time,
    Source,
}

impl Sort {
    pub const ALL: [Sort; 4] = [Self::Uncertainty, Self::Name, Self::Time, Self::Source];

    pub fn name(self) -> &'static str {
        match self {
            Self::Uncertainty => "uncertainty",
            Self::Name => "name",
            Self::Time => "time",
            Self::Source => "source order",
        }
    }

    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
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

/// A text that a value contains or, where `whole`, equals.
#[derive(Debug, Clone, PartialEq)]
struct TextTest {
    chars: Vec<char>,
    whole: bool,
}

impl TextTest {
    /// `=` in front asks for the whole text.
    fn new(value: &str) -> Self {
        let whole = value.strip_prefix('=');
        Self {
            chars: whole.unwrap_or(value).chars().collect(),
            whole: whole.is_some(),
        }
    }

    /// Any name of a word of the vocabulary means that word; other texts match a part of a value.
    fn word(value: &str, field: Field, vocabulary: &Vocabulary) -> Self {
        match vocabulary.find_exact(field, value) {
            Some(word) => Self::new(&format!("={}", word.word)),
            None => Self::new(value),
        }
    }

    fn passes(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        if self.whole {
            text == self.chars
        } else {
            find(&text, &self.chars).is_some()
        }
    }
}

/// A parsed filter; every term must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// (negated, test)
    terms: Vec<(bool, Test)>,
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
                        state_needs_review(*state)
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

const LEADS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";

fn lead(c: char) -> Option<char> {
    let code = c as u32;
    (0xac00..=0xd7a3)
        .contains(&code)
        .then(|| LEADS.chars().nth(((code - 0xac00) / 588) as usize))?
}

/// Where a word stands in a text; its lone consonants stand for syllables that begin so.
pub fn find(text: &[char], word: &[char]) -> Option<usize> {
    if word.is_empty() {
        return Some(0);
    }
    text.windows(word.len()).position(|window| {
        window
            .iter()
            .zip(word)
            .all(|(&have, &want)| have == want || lead(have) == Some(want))
    })
}

struct Words {
    patterns: Vec<(bool, Vec<char>, Option<Pattern>)>,
    matcher: Matcher,
    chars: Vec<char>,
}

impl Words {
    fn new(query: &Query) -> Self {
        let patterns = query
            .terms
            .iter()
            .filter_map(|(negated, test)| match test {
                Test::Word(word) => {
                    let chars: Vec<char> = word.chars().collect();
                    // Fuzzy on one or two letters, or on lone consonants, finds everything.
                    let fuzzy =
                        !negated && chars.len() > 2 && !chars.iter().any(|c| LEADS.contains(*c));
                    let pattern = fuzzy.then(|| {
                        Pattern::new(
                            word,
                            CaseMatching::Ignore,
                            Normalization::Smart,
                            AtomKind::Fuzzy,
                        )
                    });
                    Some((*negated, chars, pattern))
                }
                _ => None,
            })
            .collect();
        Self {
            patterns,
            matcher: Matcher::new(Config::DEFAULT),
            chars: Vec::new(),
        }
    }

    /// `None`: no match. `Some(true)`: every word stands there as it is.
    fn test(&mut self, summary: &GroupSummary) -> Option<bool> {
        let Self {
            patterns,
            matcher,
            chars,
        } = self;
        let mut exact = true;
        let tags = || {
            summary
                .labels
                .values(Field::TagsKo)
                .iter()
                .map(String::as_str)
        };
        for (negated, word, pattern) in patterns {
            let mut found = [summary.name.as_str(), summary.labels.label_ko()]
                .into_iter()
                .chain(tags())
                .any(|text| {
                    chars.clear();
                    chars.extend(text.nfc().flat_map(char::to_lowercase));
                    find(chars, word).is_some()
                });
            if !found && let Some(pattern) = pattern {
                exact = false;
                found = std::iter::once(summary.name.as_str())
                    .chain(tags())
                    .any(|text| {
                        let text = Utf32Str::new(text, chars);
                        pattern.score(text, matcher).is_some()
                    });
            }
            if found == *negated {
                return None;
            }
        }
        Some(exact)
    }
}

fn passes(test: &Test, summary: &GroupSummary) -> bool {
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

/// The current record while it is being edited: it stays in the list, where it was, whatever
/// becomes of its uncertainty and reasons, until the operator leaves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldRecord {
    pub group: GroupId,
    pub uncertainty: f32,
    pub changed_at: i64,
}

/// Places of the summaries that pass, in order.
pub fn run(all: &Snapshot, query: &Query, sort: Sort, held: Option<HeldRecord>) -> Vec<u32> {
    let held = |summary: &GroupSummary| held.filter(|held| held.group == summary.id);
    let mut words = Words::new(query);
    let mut found: Vec<(bool, u32)> = Vec::new();
    for (place, summary) in all.iter().enumerate() {
        let plain = query.terms.iter().all(|(negated, test)| match test {
            Test::Word(_) => true,
            test => passes(test, summary) != *negated,
        });
        if plain && let Some(exact) = words.test(summary) {
            found.push((!exact, place as u32));
        } else if held(summary).is_some() {
            found.push((false, place as u32));
        }
    }
    let at = |place: u32| all[place as usize].as_ref();
    match sort {
        Sort::Uncertainty => found.sort_by_cached_key(|(fuzzy, place)| {
            let summary = at(*place);
            let uncertainty = held(summary).map_or(summary.uncertainty, |held| held.uncertainty);
            let uncertainty = (uncertainty.clamp(0.0, 1.0) * 1e6) as u32;
            (*fuzzy, Reverse(uncertainty), summary.order)
        }),
        Sort::Name => found.sort_by(|a, b| {
            let (x, y) = (at(a.1), at(b.1));
            (a.0, &x.name, x.order).cmp(&(b.0, &y.name, y.order))
        }),
        Sort::Time => found.sort_by_key(|(fuzzy, place)| {
            let summary = at(*place);
            let time = held(summary).map_or(summary.changed_at, |held| held.changed_at);
            (*fuzzy, Reverse(time), summary.order)
        }),
        Sort::Source => found.sort_by_key(|(fuzzy, place)| (*fuzzy, at(*place).order)),
    }
    found.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::summary;
    use std::sync::Arc;

    fn names(filter: &str) -> Vec<String> {
        let mut ring = summary(1, "루비 반지", GroupState::Uncertain);
        ring.reasons = vec![Reason::FewTags];
        ring.labels.set(Field::Colors, ["red"]);
        ring.uncertainty = 0.4;
        let mut hat = summary(2, "검은 모자", GroupState::Failed);
        hat.source_type = SourceType::Cash;
        hat.labels.set(Field::TagsKo, ["모자", "밤 하늘"]);
        hat.uncertainty = 0.9;
        let coat = summary(3, "Frozen Coat", GroupState::Draft);
        let all = Arc::new([ring, hat, coat].map(Arc::new).to_vec());
        let (query, wrong) = Query::parse(filter, &Vocabulary::builtin().unwrap());
        assert_eq!(wrong, None, "{filter}");
        run(&all, &query, Sort::Uncertainty, None)
            .into_iter()
            .map(|place| all[place as usize].name.clone())
            .collect()
    }

    #[test]
    fn expressions() {
        assert_eq!(names("").len(), 3);
        assert_eq!(names("state:review"), ["검은 모자", "루비 반지"]);
        assert_eq!(names("state:draft"), ["Frozen Coat"]);
        assert_eq!(names("state:offered"), Vec::<String>::new());
        assert_eq!(names("state:uncertain,draft"), ["루비 반지", "Frozen Coat"]);
        assert_eq!(names("-state:review"), ["Frozen Coat"]);
        assert_eq!(names("reason:few_tags color:red"), ["루비 반지"]);
        assert_eq!(names("source:cash"), ["검은 모자"]);
        assert_eq!(names("tag:\"밤 하늘\""), ["검은 모자"]);
        assert_eq!(names("uncertainty:>0.5"), ["검은 모자"]);
        assert_eq!(names("tag:"), names(""));
    }

    #[test]
    fn tags_colors_and_types_by_part_whole_or_another_name() {
        assert_eq!(names("tag:하늘"), ["검은 모자"]);
        assert_eq!(names("tag:ㅁㅈ"), ["검은 모자"]);
        assert_eq!(names("tag:=하늘"), Vec::<String>::new());
        assert_eq!(names("tag:=\"밤 하늘\""), ["검은 모자"]);
        for red in ["red", "re", "빨강", "붉은색"] {
            assert_eq!(names(&format!("color:{red}")), ["루비 반지"], "{red}");
        }
        assert_eq!(names("color:blue"), Vec::<String>::new());
    }

    #[test]
    fn the_word_being_typed() {
        assert_eq!(last_word("state:draft tag:모"), "tag:모");
        assert_eq!(last_word("tag:\"밤 하"), "tag:\"밤 하");
        assert_eq!(last_word("반지 "), "");
    }

    #[test]
    fn words_fuzzy_and_by_initial_consonants() {
        assert_eq!(names("ㅂㅈ"), ["루비 반지"]);
        assert_eq!(names("반ㅈ"), ["루비 반지"]);
        assert_eq!(names("ㄱㅇ ㅁㅈ"), ["검은 모자"]);
        assert_eq!(names("frzc"), ["Frozen Coat"]);
        assert_eq!(names("coat -frozen"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let wrong = |filter| Query::parse(filter, &Vocabulary::builtin().unwrap()).1;
        assert_eq!(wrong("state:asleep").as_deref(), Some("no state `asleep`"));
        assert!(wrong("reason:bored").is_some());
        assert!(wrong("uncertainty:much").is_some());
    }
}
