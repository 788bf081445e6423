//! What a text being typed could become: values in use with their counts, words of the vocabulary
//! in either language, terms of a filter, texts typed before.

use super::app::App;
use super::dialog::{FilterForm, Input, Purpose};
use super::filter::{self, quoted};
use super::groups::needs_person;
use super::text_edit::TextEdit;
use crate::record::{Field, GroupState, Labels, SourceType, Vocabulary, Word};
use unicode_normalization::UnicodeNormalization;

const OFFERED: usize = 8;

/// A value with a word about it: how often it is in use, or its name in the other language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub value: String,
    pub note: String,
}

/// Texts that were typed before, newest first; kept between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past(Vec<String>);

impl Past {
    const HELD: usize = 20;

    pub fn parse(lines: &str) -> Self {
        Self(
            lines
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    pub fn push(&mut self, text: &str) {
        self.forget(text);
        self.0.insert(0, text.to_owned());
        self.0.truncate(Self::HELD);
    }

    pub fn forget(&mut self, text: &str) {
        self.0.retain(|have| have != text);
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub fn lines(&self) -> String {
        self.0.join("\n")
    }
}

/// Gathers what fits a word, the best first: what begins with it, what holds it, what has another
/// name that does; then what is in use most. A single character stands in many a word and in more
/// names: only what is seen to begin with it fits.
struct Offers {
    word: Vec<char>,
    /// (rank, count, offer)
    found: Vec<(u8, u64, Offer)>,
}

impl Offers {
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
        let at = |name: &str| filter::find(&lower(name), &self.word);
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
        let offer = Offer {
            value: value.to_owned(),
            note,
        };
        self.found.push((rank, count, offer));
    }

    fn best(mut self) -> Vec<Offer> {
        self.found
            .sort_by_key(|(rank, count, _)| (*rank, std::cmp::Reverse(*count)));
        let mut best: Vec<Offer> = Vec::new();
        for (.., offer) in self.found {
            if best.len() == OFFERED {
                break;
            }
            // A word of the vocabulary may be in use as well.
            if !best.iter().any(|have| have.value == offer.value) {
                best.push(offer);
            }
        }
        best
    }

    /// All of them, as they were added.
    fn all(self) -> Vec<Offer> {
        self.found.into_iter().map(|(.., offer)| offer).collect()
    }
}

fn lower(text: &str) -> Vec<char> {
    text.nfc().flat_map(char::to_lowercase).collect()
}

impl App {
    /// What the word being typed into a field could become.
    pub fn completions(&self, input: &Input) -> Vec<Offer> {
        let mut offers = Offers::new(input.word());
        if let Purpose::Reject { .. } = input.purpose {
            for reason in self.rejections.iter() {
                offers.add(reason, [], 0, "");
            }
            return offers.best();
        }
        let Some(field) = input.completes() else {
            return Vec::new();
        };
        let vocabulary = &self.settings.vocabulary;
        self.offer_used(&mut offers, field);
        for word in vocabulary.entries(field) {
            let korean = word.ko.first().cloned().unwrap_or_default();
            offers.add(&word.word, word.spellings(), 0, korean);
        }
        // Tags are Korean: the vocabulary's words by their Korean names.
        if field == Field::TagsKo && !offers.word.is_empty() {
            for word in Vocabulary::lists().flat_map(|(field, _)| vocabulary.entries(field)) {
                if let Some(korean) = word.ko.first() {
                    offers.add(korean, word.spellings(), 0, word.word.as_str());
                }
            }
        }
        if let Purpose::Add { groups, .. } = &input.purpose
            && let [_] = groups[..]
        {
            let have = self.labels().map(|labels: &Labels| labels.values(field));
            let have = have.unwrap_or_default();
            offers
                .found
                .retain(|(.., offer)| !have.contains(&offer.value));
        }
        offers.best()
    }

    /// What the filter being typed could become: earlier filters, keys, or values of a key.
    pub fn filter_offers(&self, edit: &TextEdit) -> Vec<Offer> {
        if edit.cursor() != edit.text().len() {
            return Vec::new();
        }
        let word = filter::last_word(edit.text());
        let (minus, word) = match word.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", word),
        };
        let Some((key, value)) = word.split_once(':') else {
            let mut offers = Offers::new(word);
            if edit.text().is_empty() {
                for text in self.filters.iter() {
                    offers.add(text, [], 1, "earlier");
                }
                offers.found.truncate(4);
            }
            for (key, note) in filter::keys() {
                offers.add(&key, [], 0, note);
            }
            // Inside a word a key would only be in the way of what is being searched for.
            offers.found.retain(|(rank, ..)| *rank == 0);
            return with_prefix(offers.all(), minus);
        };
        let part = value.trim_start_matches(['"', '=']);
        let (before, part) = match part.rfind(',') {
            Some(at) if matches!(key, "state" | "reason") => part.split_at(at + 1),
            _ => ("", part),
        };
        let mut offers = Offers::new(part);
        let counts = &self.counts;
        match key {
            "state" => {
                let needed = self.groups.ids_where(needs_person);
                let needed = needed.count() as u64;
                offers.add("review", [], needed, needed.to_string());
                let offered = self.groups.ids_where(|summary| summary.offered);
                match offered.count() as u64 {
                    0 => {}
                    offered => offers.add("offered", [], offered, offered.to_string()),
                }
                for state in GroupState::ALL {
                    let count = self.groups.count(*state);
                    offers.add(state.name(), [], count, count.to_string());
                }
            }
            "reason" => {
                for (reason, count) in &counts.reasons {
                    offers.add(reason.code(), [], *count, count.to_string());
                }
            }
            "source" => {
                for source in [SourceType::EquipmentShape, SourceType::Cash] {
                    offers.add(source.as_str(), [], 0, "");
                }
            }
            key => {
                if let Some(field) = filter::field(key) {
                    self.offer_used(&mut offers, field);
                }
            }
        }
        let mut all = offers.best();
        for offer in &mut all {
            offer.value = format!("{key}:{before}{}", quoted(&offer.value));
        }
        with_prefix(all, minus)
    }

    /// Values in use with their counts, and with their Korean names where the vocabulary has them.
    fn offer_used(&self, offers: &mut Offers, field: Field) {
        let vocabulary = &self.settings.vocabulary;
        for (value, count) in self.counts.of(field) {
            let word = vocabulary.find_exact(field, value);
            let note = match word.and_then(|word| word.ko.first()) {
                Some(korean) => format!("{korean} {count}"),
                None => count.to_string(),
            };
            offers.add(
                value,
                word.into_iter().flat_map(Word::spellings),
                *count,
                note,
            );
        }
    }
}

fn with_prefix(mut offers: Vec<Offer>, prefix: &str) -> Vec<Offer> {
    for offer in &mut offers {
        offer.value.insert_str(0, prefix);
    }
    offers
}

impl FilterForm {
    /// The text with the chosen offer in the place of the word being typed.
    pub fn text(&self, offers: &[Offer]) -> String {
        let text = self.edit.text();
        match self.chosen.and_then(|at| offers.get(at)) {
            Some(offer) => {
                let start = text.len() - filter::last_word(text).len();
                format!("{}{}", &text[..start], offer.value)
            }
            None => text.to_owned(),
        }
    }
}
