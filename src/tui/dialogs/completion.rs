//! Completes a text being typed: from values in use with their counts, vocabulary words in either
//! language, filter terms and earlier texts.

use crate::record::filter::{filter_field, filter_keys, find, has_targets, last_word, quoted};
use crate::record::{
    Field, GroupState, GroupSummary, SourceType, VERDICTS, Verdict, Vocabulary, Word,
};
use crate::text::{Language, pad, width};
use crate::tui::records::ValueCount;
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::{TextEdit, clear, fill_line};
use crate::wording::Words;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization as _;

const MAX_COMPLETIONS: usize = 8;
/// Number of completions to show below the text, where there is more room above.
const ENOUGH: u16 = 3;
/// Cells kept for a note beside long values.
const MAX_COUNT: usize = 8;

/// A value with a note: how often it is in use, or its name in the other language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub value: String,
    pub note: String,
}

/// Collects completions of a word, best first: values that begin with it, then values that contain
/// it, then values with another name that does. Within a rank, more frequent values come first. A
/// single character is in too many words, so it matches only values or notes that begin with it.
struct Matches {
    word: Vec<char>,
    /// (rank, count, completion)
    found: Vec<(u8, u64, Completion)>,
}

impl Matches {
    fn new(word: &str) -> Self {
        Self {
            word: lower(word),
            found: Vec::new(),
        }
    }

    fn add<'a>(
        &mut self,
        value: &str,
        names: impl IntoIterator<Item = &'a String>,
        count: u64,
        note: impl Into<String>,
    ) {
        let note = note.into();
        let at = |name: &str| find(&lower(name), &self.word);
        let rank = match at(value) {
            Some(0) => 0,
            _ if self.word.len() == 1 => match at(&note) {
                Some(0) => 2,
                _ => return,
            },
            Some(_) => 1,
            None => match names.into_iter().filter_map(|name| at(name)).min() {
                Some(0) => 2,
                Some(_) => 3,
                None => return,
            },
        };
        let completion = Completion {
            value: value.to_owned(),
            note,
        };
        self.found.push((rank, count, completion));
    }

    /// Adds a value that has a name in each language. Unlike in [`Self::add`], a single letter also
    /// matches the names that begin with it, because they are few.
    fn add_named(&mut self, value: &str, name: impl Fn(Words) -> String, count: u64, note: String) {
        let names =
            [Language::English, Language::Korean].map(|language| name(Words::new(language)));
        let begins = |name: &str| find(&lower(name), &self.word) == Some(0);
        if begins(value) || !names.iter().any(|name| begins(name)) {
            return self.add(value, &names, count, note);
        }
        let completion = Completion {
            value: value.to_owned(),
            note,
        };
        self.found.push((2, count, completion));
    }

    /// Adds values in use with their counts, and their Korean names where the vocabulary has them.
    fn add_used(&mut self, field: Field, counts: &[ValueCount], session: &Session) {
        for count in counts {
            let word = session.vocabulary().find_exact(field, &count.value);
            self.add_value(&count.value, word, count.records);
        }
    }

    /// Adds values in use with the number of records that a filter finds by each: all spellings of a
    /// vocabulary word are one.
    fn add_found(&mut self, field: Field, counts: &[ValueCount], session: &Session) {
        let mut words: BTreeMap<&str, (&Word, u64)> = BTreeMap::new();
        for count in counts {
            match session.vocabulary().find_exact(field, &count.value) {
                Some(word) => words.entry(&word.word).or_insert((word, 0)).1 += count.records,
                None => self.add_value(&count.value, None, count.records),
            }
        }
        for (word, records) in words.into_values() {
            self.add_value(&word.word, Some(word), records);
        }
    }

    /// Adds a value, which may be a vocabulary word.
    fn add_value(&mut self, value: &str, word: Option<&Word>, records: u64) {
        let note = match word.and_then(|word| word.ko.first()) {
            Some(korean) => format!("{korean} {records}"),
            None => records.to_string(),
        };
        let spellings = word.into_iter().flat_map(Word::spellings);
        self.add(value, spellings, records, note);
    }

    fn best(mut self) -> Vec<Completion> {
        self.found
            .sort_by_key(|(rank, count, _)| (*rank, std::cmp::Reverse(*count)));
        let mut best: Vec<Completion> = Vec::new();
        for (.., completion) in self.found {
            if best.len() == MAX_COMPLETIONS {
                break;
            }
            // A vocabulary word may also be a value in use.
            if !best.iter().any(|have| have.value == completion.value) {
                best.push(completion);
            }
        }
        best
    }

    /// All completions in the order in which they were added.
    fn all(self) -> Vec<Completion> {
        self.found
            .into_iter()
            .map(|(.., completion)| completion)
            .collect()
    }
}

fn lower(text: &str) -> Vec<char> {
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// Completions of the word being typed into a field, without those in `taken`.
pub fn of_field(field: Field, word: &str, taken: &[String], session: &Session) -> Vec<Completion> {
    let mut matches = Matches::new(word);
    let vocabulary = session.vocabulary();
    matches.add_used(field, session.records.counts().of(field), session);
    for word in vocabulary.entries(field) {
        let korean = word.ko.first().cloned().unwrap_or_default();
        matches.add(&word.word, word.spellings(), 0, korean);
    }
    // Tags are Korean, so vocabulary words are offered by their Korean names.
    if field == Field::TagsKo && !matches.word.is_empty() {
        for word in Vocabulary::lists().flat_map(|(field, _)| vocabulary.entries(field)) {
            if let Some(korean) = word.ko.first() {
                matches.add(korean, word.spellings(), 0, word.word.as_str());
            }
        }
    }
    matches
        .found
        .retain(|(.., completion)| !taken.contains(&completion.value));
    matches.best()
}

/// Completions from the given values of a field only, with their counts.
pub fn of_counts(
    counts: &[ValueCount],
    field: Field,
    word: &str,
    session: &Session,
) -> Vec<Completion> {
    let mut matches = Matches::new(word);
    matches.add_used(field, counts, session);
    matches.best()
}

/// Moves the completion with this value to the first row, or adds it there.
pub fn put_first(completions: &mut Vec<Completion>, value: &str) {
    let at = completions.iter().position(|have| have.value == value);
    let first = match at {
        Some(at) => completions.remove(at),
        None => Completion {
            value: value.to_owned(),
            note: String::new(),
        },
    };
    completions.insert(0, first);
}

/// A field's current values, in order, to choose one of them.
pub fn of_values(values: &[String], word: &str) -> Vec<Completion> {
    let mut matches = Matches::new(word);
    for value in values {
        matches.add(value, [], 0, "");
    }
    matches.all()
}

/// Completions from earlier texts.
pub fn of_texts<'a>(texts: impl Iterator<Item = &'a str>, word: &str) -> Vec<Completion> {
    let mut matches = Matches::new(word);
    for text in texts {
        matches.add(text, [], 0, "");
    }
    matches.best()
}

/// Completions of the filter being typed: earlier filters, keys, or values of a key.
pub fn of_filter(edit: &TextEdit, session: &Session) -> Vec<Completion> {
    if edit.cursor() != edit.text().len() {
        return Vec::new();
    }
    let word = last_word(edit.text());
    let (minus, word) = match word.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", word),
    };
    let words = session.words;
    let Some((key, value)) = word.split_once(':') else {
        let mut matches = Matches::new(word);
        if edit.text().is_empty() {
            for text in session.history.filters().iter() {
                matches.add(text, [], 1, words.filter_earlier());
            }
            matches.found.truncate(4);
        }
        for key in filter_keys() {
            let name = format!("{}:", key.name);
            matches.add(&name, [], 0, words.phrase(key.help));
        }
        // A search word may occur inside a key or a filter: offer only those that begin with it.
        matches.found.retain(|(rank, ..)| *rank == 0);
        return with_prefix(matches.all(), minus);
    };
    let part = value.trim_start_matches(['"', '=']);
    let (before, part) = match part.rfind(',') {
        Some(at) if matches!(key, "state" | "reason" | "judged") => part.split_at(at + 1),
        _ => ("", part),
    };
    let mut matches = Matches::new(part);
    let groups = session.records.groups();
    match key {
        "state" => {
            let needed = groups.ids_where(GroupSummary::needs_review);
            let needed = needed.count() as u64;
            matches.add("review", [], needed, needed.to_string());
            let offered = groups.ids_where(|summary| summary.offered);
            match offered.count() as u64 {
                0 => {}
                offered => matches.add("offered", [], offered, offered.to_string()),
            }
            for state in GroupState::ALL {
                let count = groups.count(*state);
                let name = |words: Words| words.state(*state).to_owned();
                let note = note(&name(words), count, words);
                matches.add_named(state.name(), name, count, note);
            }
        }
        "reason" => {
            for (reason, count) in &session.records.counts().reasons {
                let name = |words: Words| words.reason(*reason);
                let note = note(&name(words), *count, words);
                matches.add_named(reason.code(), name, *count, note);
            }
        }
        "source" => {
            for source in [SourceType::EquipmentShape, SourceType::Cash] {
                matches.add(source.as_str(), [], 0, "");
            }
        }
        "judged" => {
            for name in VERDICTS {
                let judged = |summary: &GroupSummary| summary.judged.map(Verdict::name);
                let judged = groups.ids_where(|summary| judged(summary) == Some(name));
                let count = judged.count() as u64;
                matches.add(name, [], count, count.to_string());
            }
        }
        "has" | "none" => {
            for target in has_targets() {
                matches.add(target, [], 0, "");
            }
        }
        "view" => {
            for (name, filter) in session.history.views().iter() {
                matches.add(name, [], 0, filter);
            }
        }
        "part" => {
            let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
            let all = groups.snapshot();
            for part in all.iter().filter_map(|summary| summary.part.as_deref()) {
                *parts.entry(part).or_default() += 1;
            }
            for (part, count) in parts {
                matches.add(part, [], count, count.to_string());
            }
        }
        key => {
            if let Some(field) = filter_field(key) {
                matches.add_found(field, session.records.counts().of(field), session);
            }
        }
    }
    let mut all = matches.best();
    for completion in &mut all {
        completion.value = format!("{key}:{before}{}", quoted(&completion.value));
    }
    with_prefix(all, minus)
}

/// Note of a filter value: its count, after its Korean name in the Korean interface.
fn note(name: &str, count: u64, words: Words) -> String {
    match words.language() {
        Language::English => count.to_string(),
        Language::Korean => format!("{name} {count}"),
    }
}

fn with_prefix(mut completions: Vec<Completion>, prefix: &str) -> Vec<Completion> {
    for completion in &mut completions {
        completion.value.insert_str(0, prefix);
    }
    completions
}

/// Width in cells of the longest text.
fn longest(completions: &[Completion], text: fn(&Completion) -> &str) -> usize {
    let widths = completions.iter().map(|completion| width(text(completion)));
    widths.max().unwrap_or(0)
}

/// The rectangle of the completions of a text: below `anchor`, the rows that they must not cover, if
/// there is room for some, because what was read before is above; else on the side with more room. `None` without completions or room.
pub fn popup_area(completions: &[Completion], anchor: Rect, body: Rect) -> Option<Rect> {
    if completions.is_empty() {
        return None;
    }
    let notes = longest(completions, |completion| &completion.note);
    let values = longest(completions, |completion| &completion.value);
    let width = ((values + notes + 4).clamp(24, 56) as u16).min(body.width);
    let below = body.bottom().saturating_sub(anchor.bottom());
    let above = anchor.y.saturating_sub(body.y);
    let wanted = completions.len() as u16;
    let (y, height) = match below >= wanted.min(ENOUGH) || below >= above {
        true => (anchor.bottom(), wanted.min(below)),
        false => (anchor.y - wanted.min(above), wanted.min(above)),
    };
    let area = Rect {
        x: anchor.x.min(body.right().saturating_sub(width)),
        y,
        width,
        height,
    };
    (height > 0).then_some(area)
}

/// Index of the completion at a screen position.
pub fn row_at(popup: Rect, chosen: Option<usize>, at: Position) -> Option<usize> {
    let row = usize::from(at.y.checked_sub(popup.y)?);
    popup.contains(at).then(|| top(popup, chosen) + row)
}

/// Index of the first completion on screen: the chosen one is in view.
fn top(popup: Rect, chosen: Option<usize>) -> usize {
    let end = chosen.map_or(0, |chosen| chosen + 1);
    end.saturating_sub(usize::from(popup.height))
}

/// Draws the completions; with `numbered`, each starts with the digit that picks it.
pub fn draw(
    completions: &[Completion],
    chosen: Option<usize>,
    numbered: bool,
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) {
    clear(area, buf);
    let notes = longest(completions, |completion| &completion.note);
    let values = longest(completions, |completion| &completion.value);
    let room = usize::from(area.width).saturating_sub(4);
    // An explanation gives way to the values; a count does not.
    let least = values.min(room.saturating_sub(notes.min(MAX_COUNT)));
    let cells = room.saturating_sub(notes).max(least);
    for ((row, completion), y) in completions
        .iter()
        .enumerate()
        .skip(top(area, chosen))
        .zip(area.top()..area.bottom())
    {
        let here = chosen == Some(row);
        let style = if here { theme.cursor() } else { theme.chip() };
        let mark = match row {
            0..9 if numbered => (row + 1).to_string(),
            _ if here => ">".to_owned(),
            _ => " ".to_owned(),
        };
        let line = format!(
            "{mark} {} {}",
            pad(&completion.value, cells),
            completion.note
        );
        let row = Rect {
            y,
            height: 1,
            ..area
        };
        fill_line(&line, style, row, buf);
    }
}
