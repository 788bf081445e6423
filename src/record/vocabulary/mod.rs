//! The vocabulary: words for colors, materials, item types, themes and vibes, with synonyms.

mod overlay;
mod similar;

pub use similar::similar;

use super::Field;
use crate::error::{Error, ErrorKind, Result};
use crate::text::{hex, is_forbidden, is_plain, with_short_quotes};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;

/// The built-in vocabulary file.
pub const BUILTIN_VOCABULARY: &str = include_str!("../../../assets/vocabulary.toml");

/// One entry of the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The canonical word, as records contain it.
    pub word: String,
    /// Korean synonyms, preferred first.
    pub ko: Vec<String>,
    pub en: Vec<String>,
    /// Typical colors in OKLab (`[l, a, b]`). Colors only.
    pub anchors: Vec<[f32; 3]>,
    /// Words for shades that this word also covers: blue may mean navy. Colors only.
    pub shades: Vec<String>,
    /// How to detect the word in pixels, if not by its anchors. Colors only.
    pub pixels: Option<PixelRule>,
}

/// How to detect a color word that does not name a single color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelRule {
    /// Several colors, each with a substantial share of the pixels.
    ManyColors,
    /// Translucent pixels.
    Translucent,
}

/// The word lists of all fields that have one.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    lists: BTreeMap<Field, List>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct List {
    words: Vec<Word>,
    /// Index of the word for every spelling.
    index: HashMap<String, usize>,
    /// Index of the word for every stem of a Korean spelling; open lists only.
    stems: HashMap<String, usize>,
    /// First letters of everything in `index` and `stems`.
    initials: HashSet<char>,
    /// Upper bound on the letters of a text that can match a word.
    max_letters: usize,
    /// Indexes of each word and of its shades.
    shades: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    word: String,
    #[serde(default)]
    ko: Vec<String>,
    #[serde(default)]
    en: Vec<String>,
    #[serde(default)]
    rgb: Vec<String>,
    #[serde(default)]
    shades: Vec<String>,
    pixels: Option<PixelRule>,
}

impl Vocabulary {
    /// The built-in vocabulary, parsed once.
    pub fn builtin() -> Result<Self> {
        static BUILTIN: OnceLock<Vocabulary> = OnceLock::new();
        if let Some(read) = BUILTIN.get() {
            return Ok(read.clone());
        }
        let read = Self::parse(BUILTIN_VOCABULARY)
            .map_err(|error| error.context("the built-in vocabulary"))?;
        Ok(BUILTIN.get_or_init(|| read).clone())
    }

    /// Parses a vocabulary file.
    ///
    /// # Errors
    /// Lists all problems of the file together.
    pub fn parse(text: &str) -> Result<Self> {
        let mut file: BTreeMap<String, Vec<Entry>> = toml::from_str(text)
            .map_err(|error| usage_error(with_short_quotes(&error)).with_hint(format_hint()))?;
        let mut problems = Vec::new();
        let mut lists = BTreeMap::new();
        for (field, name) in Self::lists() {
            let Some(entries) = file.remove(name) else {
                return Err(
                    usage_error(format!("there is no table [[{name}]]")).with_hint(format_hint())
                );
            };
            lists.insert(field, List::read(name, field, entries, &mut problems));
        }
        if let Some(name) = file.keys().next() {
            return Err(
                usage_error(format!("there is no list \"{name}\"")).with_hint(format_hint())
            );
        }
        match problems.is_empty() {
            true => Ok(Self { lists }),
            false => Err(usage_error(problems.join("; "))),
        }
    }

    /// All lists, as field and name.
    pub fn lists() -> impl Iterator<Item = (Field, &'static str)> {
        let all = Field::ALL.iter().copied();
        all.filter_map(|field| Some((field, field.words()?.name)))
    }

    /// The field's words; empty if it holds free text.
    pub fn entries(&self, field: Field) -> &[Word] {
        self.lists.get(&field).map_or(&[], |list| &list.words)
    }

    /// For each color word, the indexes of it and of its shades.
    pub(super) fn color_shades(&self) -> &[Vec<usize>] {
        let colors = self.lists.get(&Field::Colors);
        colors.map_or(&[], |list| &list.shades)
    }

    /// The canonical words in file order, used for completion.
    pub fn words(&self, field: Field) -> impl Iterator<Item = &str> {
        self.entries(field).iter().map(|word| word.word.as_str())
    }

    /// Finds the entry for `text` or for its longest matching suffix of words (`라이트 블루`,
    /// `red leather`: both languages put the noun last). See [`Self::find_exact`] for the
    /// differences that are ignored.
    pub fn find(&self, field: Field, text: &str) -> Option<&Word> {
        let list = self.lists.get(&field)?;
        let full = key(text);
        let mut rest = last_words(&full, list.max_letters);
        loop {
            if let Some(word) = list.get(rest) {
                return Some(word);
            }
            rest = rest.split_once(' ')?.1;
        }
    }

    /// Finds the entry for the entire text. Ignores case, spacing, Unicode form, and singular or
    /// plural of English words. Open lists also ignore the endings of Korean adjectives (`신비한`,
    /// `신비로운`, `신비함`).
    pub fn find_exact(&self, field: Field, text: &str) -> Option<&Word> {
        let list = self.lists.get(&field)?;
        self.may_start(field, text).then(|| list.get(&key(text)))?
    }

    /// The keys of all spellings of a word, see [`key`].
    pub fn keys_of(&self, field: Field, word: &Word) -> HashSet<String> {
        let Some(list) = self.lists.get(&field) else {
            return HashSet::new();
        };
        let index = list.index.iter();
        let of_word = index.filter(|(_, at)| list.words.get(**at) == Some(word));
        of_word.map(|(key, _)| key.clone()).collect()
    }

    /// Whether a text that starts like this word may match an entry. A quick check: most words start
    /// with the letter of no entry.
    pub fn may_start(&self, field: Field, word: &str) -> bool {
        let Some(list) = self.lists.get(&field) else {
            return false;
        };
        // Normalizing the word may change its first letter, unless it is plain.
        match word.chars().next() {
            Some(first) if first.is_alphanumeric() && is_plain(word) => {
                list.initials.contains(&first.to_ascii_lowercase())
            }
            _ => true,
        }
    }

    /// Upper bound on the letters, excluding blanks, of a text that can match a word of the field.
    pub fn max_letters(&self, field: Field) -> usize {
        self.lists.get(&field).map_or(0, |list| list.max_letters)
    }

    /// Whether `text` matches an entry of any list.
    pub fn knows(&self, text: &str) -> bool {
        let mut fields = self.lists.keys();
        fields.any(|field| self.find_exact(*field, text).is_some())
    }

    /// Identifies the words, their spellings and colors.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (field, list) in &self.lists {
            hash.update(format!("{field:?} {:?}", list.words));
        }
        hex(&hash.finalize()[..8])
    }

    /// The canonical word for `text`.
    pub fn canonical(&self, field: Field, text: &str) -> Option<&str> {
        Some(self.find(field, text)?.word.as_str())
    }

    /// The preferred Korean name of a vocabulary word.
    pub fn korean(&self, field: Field, word: &str) -> Option<&str> {
        Some(self.find_exact(field, word)?.ko.first()?.as_str())
    }
}

/// Maximum number of letters that a noun and an ending add to a stem. A plural adds fewer.
const MAX_ENDINGS: usize = 6;

/// A hint that describes the format of a vocabulary file.
fn format_hint() -> String {
    let tables: Vec<String> = Vocabulary::lists()
        .map(|(_, name)| format!("[[{name}]]"))
        .collect();
    format!(
        "a vocabulary needs the tables {}, each with word, ko = [..], en = [..]; colors also rgb and \
         shades, or pixels",
        tables.join(", ")
    )
}

impl List {
    /// Looks up a word by a normalized spelling (see [`key`]).
    fn get(&self, key: &str) -> Option<&Word> {
        let joined = match key.contains(' ') {
            true => Cow::Owned(key.replace(' ', "")),
            false => Cow::Borrowed(key),
        };
        let found = self.index.get(key);
        let found = found.or_else(|| self.index.get(joined.as_ref()));
        let other_number = || {
            number_forms(key)
                .iter()
                .find_map(|form| self.index.get(form))
        };
        let stem = || match self.stems.is_empty() {
            true => None,
            false => self.stems.get(stem(&joined)?),
        };
        let number = found.or_else(other_number).or_else(stem)?;
        self.words.get(*number)
    }

    fn read(name: &str, field: Field, entries: Vec<Entry>, problems: &mut Vec<String>) -> Self {
        let Self {
            mut words,
            mut index,
            ..
        } = Self::default();
        if entries.is_empty() {
            problems.push(format!("{name} has no entry"));
        }
        for entry in entries {
            let number = words.len();
            let word = Word::read(entry, name, field, problems);
            for synonym in word.spellings() {
                match index.insert(key(synonym), number) {
                    Some(earlier) if earlier == number => problems.push(format!(
                        "{name}: \"{synonym}\" appears twice in \"{}\"",
                        word.word
                    )),
                    Some(earlier) => {
                        let earlier: &Word = &words[earlier];
                        problems.push(format!(
                            "{name}: \"{synonym}\" of \"{}\" already belongs to \"{}\"",
                            word.word, earlier.word
                        ));
                    }
                    None => {}
                }
            }
            words.push(word);
        }
        for word in &words {
            let strange = |shade: &&String| !words.iter().any(|other| other.word == **shade);
            for shade in word.shades.iter().filter(strange) {
                problems.push(format!(
                    "{name}: \"{shade}\", a shade of \"{}\", is not a word of its own",
                    word.word
                ));
            }
        }
        Self::indexed(field, words, index)
    }

    /// Builds a list from words that share no spelling.
    fn new(field: Field, words: Vec<Word>) -> Self {
        let mut index = HashMap::new();
        for (number, word) in words.iter().enumerate() {
            index.extend(word.spellings().map(|text| (key(text), number)));
        }
        Self::indexed(field, words, index)
    }

    /// Builds a list from words and the index of their spellings.
    fn indexed(field: Field, words: Vec<Word>, mut index: HashMap<String, usize>) -> Self {
        let stems = add_joined(&words, field, &mut index);
        let letters = index.keys().chain(stems.keys());
        let letters = letters.map(|key| key.chars().filter(|c| *c != ' ').count());
        let shades = words.iter().enumerate().map(|(own, word)| {
            let covers = |at: &usize| *at == own || word.shades.contains(&words[*at].word);
            (0..words.len()).filter(covers).collect()
        });
        Self {
            shades: shades.collect(),
            max_letters: letters.max().unwrap_or_default() + MAX_ENDINGS,
            initials: index
                .keys()
                .chain(stems.keys())
                .filter_map(|key| key.chars().next())
                .collect(),
            words,
            index,
            stems,
        }
    }
}

/// Adds spellings without blanks to the index, since Korean is written both ways: `한벌 옷`,
/// `스카이 블루`. Returns the stems of the words of an open list, but not of tags, which are no
/// adjectives.
fn add_joined(
    words: &[Word],
    field: Field,
    index: &mut HashMap<String, usize>,
) -> HashMap<String, usize> {
    let mut stems = HashMap::new();
    let is_open = field.words().is_some_and(|list| !list.closed);
    for (number, word) in words.iter().enumerate() {
        for synonym in word.spellings() {
            let joined = key(synonym).replace(' ', "");
            if is_open {
                let stem = stem(&joined).unwrap_or(&joined).to_owned();
                stems.entry(stem).or_insert(number);
            }
            index.entry(joined).or_insert(number);
        }
    }
    stems
}

impl Word {
    /// The first typical color.
    pub fn rgb(&self) -> Option<[u8; 3]> {
        self.anchors.first().map(|anchor| to_rgb(*anchor))
    }

    /// The word and all its synonyms.
    pub fn spellings(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.word).chain(&self.ko).chain(&self.en)
    }

    fn read(entry: Entry, list: &str, field: Field, problems: &mut Vec<String>) -> Self {
        let name = format!("{list}: \"{}\"", entry.word);
        for text in [&entry.word].into_iter().chain(&entry.ko).chain(&entry.en) {
            let is_empty = !text.contains(char::is_alphanumeric) && key(text).is_empty();
            if is_empty || text.chars().any(|c| is_forbidden(c) || c == '"') {
                problems.push(format!(
                    "{name} has a text that is empty or contains control characters or quotes"
                ));
            }
        }
        let colored = !entry.rgb.is_empty() || !entry.shades.is_empty() || entry.pixels.is_some();
        if colored && field != Field::Colors {
            problems.push(format!(
                "{name} has rgb, shades or pixels, which only colors have"
            ));
        }
        if entry.pixels.is_some() && !entry.rgb.is_empty() {
            problems.push(format!("{name} has both rgb and pixels"));
        }
        let mut anchors = Vec::new();
        for code in &entry.rgb {
            match parse_rgb(code) {
                Some(rgb) => anchors.push(to_oklab(rgb)),
                None => problems.push(format!("{name}: \"{code}\" is not of the form #rrggbb")),
            }
        }
        Self {
            word: composed(entry.word),
            ko: entry.ko.into_iter().map(composed).collect(),
            en: entry.en,
            anchors,
            shades: entry.shades,
            pixels: entry.pixels,
        }
    }
}

/// Converts an OKLab color to sRGB.
pub fn to_rgb([l, a, b]: [f32; 3]) -> [u8; 3] {
    let rgb = oklab::oklab_to_srgb(oklab::Oklab { l, a, b });
    [rgb.r, rgb.g, rgb.b]
}

/// Converts an sRGB color to OKLab `[l, a, b]`, the color space of [`super::ColorHistogram`].
pub fn to_oklab(rgb: [u8; 3]) -> [f32; 3] {
    let lab = oklab::srgb_to_oklab(oklab::Rgb {
        r: rgb[0],
        g: rgb[1],
        b: rgb[2],
    });
    [lab.l, lab.a, lab.b]
}

fn parse_rgb(code: &str) -> Option<[u8; 3]> {
    let digits = code.strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, r, g, b] = number.to_be_bytes();
    Some([r, g, b])
}

/// Brings a text into Unicode form NFC.
fn composed(text: String) -> String {
    match is_plain(&text) {
        true => text,
        false => text.nfc().collect(),
    }
}

/// Normalizes a spelling for lookup.
pub fn key(text: &str) -> String {
    let is_folded = |c: char| !c.is_ascii_uppercase() && !matches!(c, '-' | '_');
    if is_plain(text) && text.chars().all(is_folded) {
        return text.to_owned();
    }
    let folded: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if matches!(c, '-' | '_') { ' ' } else { c })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The longest suffix of whole words with at most this many letters.
fn last_words(key: &str, max_letters: usize) -> &str {
    let mut letters = 0;
    let words = key.rsplit(' ').take_while(|word| {
        letters += word.chars().count();
        letters <= max_letters
    });
    // Each with the blank before it, which the first word lacks.
    let bytes: usize = words.map(|word| word.len() + 1).sum();
    &key[(key.len() + 1).saturating_sub(bytes).min(key.len())..]
}

/// Other singular and plural forms of an English word.
fn number_forms(key: &str) -> Vec<String> {
    if !key.ends_with(|c: char| c.is_ascii_lowercase()) {
        return Vec::new();
    }
    let mut forms = vec![format!("{key}s"), format!("{key}es")];
    let singulars = [("ies", "y"), ("es", ""), ("s", "")];
    for (plural, singular) in singulars {
        let stem = key.strip_suffix(plural).filter(|stem| stem.len() > 2);
        forms.extend(stem.map(|stem| format!("{stem}{singular}")));
    }
    forms
}

/// Strips a generic noun (`유쾌한 분위기`) and an adjective ending from a Korean description.
/// `None` if the stem would be a single syllable.
fn stem(key: &str) -> Option<&str> {
    const NOUNS: [&str; 9] = [
        "분위기",
        "느낌",
        "스타일",
        "이미지",
        "디자인",
        "무늬",
        "감성",
        "테마",
        "풍",
    ];
    const ENDINGS: [&str; 16] = [
        "스러운",
        "스러움",
        "스럽게",
        "로운",
        "로움",
        "적인",
        "적임",
        "틱한",
        "적",
        "틱",
        "한",
        "함",
        "된",
        "인",
        "의",
        "감",
    ];
    let whole = key.trim();
    let noun = NOUNS.iter().find_map(|noun| whole.strip_suffix(noun));
    let bare = noun.map(str::trim_end).filter(|bare| is_long(bare));
    let bare = bare.unwrap_or(whole);
    let ending = ENDINGS.iter().find_map(|ending| bare.strip_suffix(ending));
    let stem = ending.filter(|stem| is_long(stem)).unwrap_or(bare);
    // A text that already is a stem is looked up the same way.
    is_long(stem).then_some(stem)
}

/// Whether a stem is specific enough: too many words start with any one syllable.
fn is_long(text: &str) -> bool {
    text.chars().count() > 1
}

fn usage_error(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

#[cfg(test)]
mod tests;
