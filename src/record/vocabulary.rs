//! The words that colors, materials, item types, themes and vibes are told in, with their synonyms.

mod overlay;
mod similar;

pub use similar::similar;

use super::Field;
use crate::error::{Error, ErrorKind, Result};
use crate::text::{is_forbidden, is_plain};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use unicode_normalization::UnicodeNormalization;

/// The vocabulary file that comes with the program.
pub const BUILTIN_VOCABULARY: &str = include_str!("../../assets/vocabulary.toml");

/// One entry of the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// What a record holds.
    pub word: String,
    /// Korean synonyms, the preferred one first.
    pub ko: Vec<String>,
    pub en: Vec<String>,
    /// Typical colors in OKLab (`[l, a, b]`); only colors have any.
    pub anchors: Vec<[f32; 3]>,
    /// Words for shades of this one: who says blue may mean navy. Only colors have any.
    pub shades: Vec<String>,
    /// How the pixels show it, where it is not by colors near its anchors. Only colors have one.
    pub pixels: Option<PixelRule>,
}

/// What pixels show a color word that is no color of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelRule {
    /// Several words with a fair share of the pixels each.
    ManyColors,
    /// Pixels that something behind them shines through.
    Translucent,
}

/// The lists of words that fields are told in.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    lists: BTreeMap<Field, List>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct List {
    words: Vec<Word>,
    /// Every spelling, with the place of its word.
    index: HashMap<String, usize>,
    /// The stems of the Korean spellings of an open list.
    stems: HashMap<String, usize>,
    /// No text with more letters names one of the words.
    most_letters: usize,
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
    /// The vocabulary that comes with the program; its file is read once.
    pub fn builtin() -> Result<Self> {
        static BUILTIN: OnceLock<Vocabulary> = OnceLock::new();
        if let Some(read) = BUILTIN.get() {
            return Ok(read.clone());
        }
        let read = Self::parse(BUILTIN_VOCABULARY)
            .map_err(|error| error.context("the built-in vocabulary"))?;
        Ok(BUILTIN.get_or_init(|| read).clone())
    }

    /// Reads a vocabulary file. All faults are told together.
    pub fn parse(text: &str) -> Result<Self> {
        let mut file: BTreeMap<String, Vec<Entry>> = toml::from_str(text)
            .map_err(|error| fault(error.to_string().trim_end()).with_hint(shape()))?;
        let mut faults = Vec::new();
        let mut lists = BTreeMap::new();
        for (field, name) in Self::lists() {
            let Some(entries) = file.remove(name) else {
                return Err(fault(format!("there is no table [[{name}]]")).with_hint(shape()));
            };
            lists.insert(field, List::read(name, field, entries, &mut faults));
        }
        if let Some(name) = file.keys().next() {
            return Err(fault(format!("there is no list \"{name}\"")).with_hint(shape()));
        }
        match faults.is_empty() {
            true => Ok(Self { lists }),
            false => Err(fault(faults.join("; "))),
        }
    }

    /// The names of all lists, each with the field that it is for.
    pub fn lists() -> impl Iterator<Item = (Field, &'static str)> {
        let all = Field::ALL.iter().copied();
        all.filter_map(|field| Some((field, field.words()?.name)))
    }

    /// The field's words; none where it holds free text.
    pub fn entries(&self, field: Field) -> &[Word] {
        self.lists.get(&field).map_or(&[], |list| &list.words)
    }

    /// The words themselves, in file order; what a field can be completed to.
    pub fn words(&self, field: Field) -> impl Iterator<Item = &str> {
        self.entries(field).iter().map(|word| word.word.as_str())
    }

    /// The entry that `text` means: the whole text, or what is left when leading words are taken
    /// away (`라이트 블루`, `red leather`: both languages put the noun last). See
    /// [`Self::find_exact`] for what does not matter.
    pub fn find(&self, field: Field, text: &str) -> Option<&Word> {
        let list = self.lists.get(&field)?;
        let full = key(text);
        let mut rest = last_words(&full, list.most_letters);
        loop {
            if let Some(word) = list.get(rest) {
                return Some(word);
            }
            rest = rest.split_once(' ')?.1;
        }
    }

    /// The entry that `text` names as a whole. Case, spelling of spaces, Unicode form, and
    /// singular or plural of English words do not matter; in open lists nor does the ending of a
    /// Korean adjective (`신비한`, `신비로운`, `신비함`).
    pub fn find_exact(&self, field: Field, text: &str) -> Option<&Word> {
        self.lists.get(&field)?.get(&key(text))
    }

    /// No text with more letters, blanks not counted, names one of the field's words.
    pub fn most_letters(&self, field: Field) -> usize {
        self.lists.get(&field).map_or(0, |list| list.most_letters)
    }

    /// Whether `text` names an entry of any list.
    pub fn knows(&self, text: &str) -> bool {
        let mut fields = self.lists.keys();
        fields.any(|field| self.find_exact(*field, text).is_some())
    }

    /// The word that a record holds for `text`.
    pub fn canonical(&self, field: Field, text: &str) -> Option<&str> {
        Some(self.find(field, text)?.word.as_str())
    }

    /// What a Korean calls a word of the vocabulary.
    pub fn korean(&self, field: Field, word: &str) -> Option<&str> {
        Some(self.find_exact(field, word)?.ko.first()?.as_str())
    }
}

/// The letters that a noun and an ending add to a stem, more than a plural adds to a word.
const MOST_ENDINGS: usize = 6;

/// What a vocabulary file has to look like.
fn shape() -> String {
    let tables: Vec<String> = Vocabulary::lists()
        .map(|(_, name)| format!("[[{name}]]"))
        .collect();
    format!(
        "a vocabulary has the tables {}, each with word, ko = [..], en = [..]; colors also rgb and \
         shades, or pixels",
        tables.join(", ")
    )
}

impl List {
    /// The word of a spelling that [`key`] has made.
    fn get(&self, key: &str) -> Option<&Word> {
        let joined = key.replace(' ', "");
        let found = self.index.get(key).or_else(|| self.index.get(&joined));
        let other_number = || numbers(key).iter().find_map(|form| self.index.get(form));
        let stem = || self.stems.get(stem(&joined)?);
        let number = found.or_else(other_number).or_else(stem)?;
        self.words.get(*number)
    }

    fn read(name: &str, field: Field, entries: Vec<Entry>, faults: &mut Vec<String>) -> Self {
        let Self {
            mut words,
            mut index,
            ..
        } = Self::default();
        if entries.is_empty() {
            faults.push(format!("{name} has no entry"));
        }
        for entry in entries {
            let number = words.len();
            let word = Word::read(entry, name, field, faults);
            for synonym in word.spellings() {
                match index.insert(key(synonym), number) {
                    Some(earlier) if earlier == number => faults.push(format!(
                        "{name}: \"{synonym}\" stands twice in \"{}\"",
                        word.word
                    )),
                    Some(earlier) => {
                        let earlier: &Word = &words[earlier];
                        faults.push(format!(
                            "{name}: \"{synonym}\" of \"{}\" belongs to \"{}\" already",
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
                faults.push(format!(
                    "{name}: \"{shade}\", a shade of \"{}\", is no word of its own",
                    word.word
                ));
            }
        }
        Self::indexed(field, words, index)
    }

    /// Of words that do not share a spelling.
    fn of(field: Field, words: Vec<Word>) -> Self {
        let mut index = HashMap::new();
        for (number, word) in words.iter().enumerate() {
            index.extend(word.spellings().map(|text| (key(text), number)));
        }
        Self::indexed(field, words, index)
    }

    /// Of words and their spellings.
    fn indexed(field: Field, words: Vec<Word>, mut index: HashMap<String, usize>) -> Self {
        let stems = add_joined(&words, field, &mut index);
        let letters = index.keys().chain(stems.keys());
        let letters = letters.map(|key| key.chars().filter(|c| *c != ' ').count());
        Self {
            most_letters: letters.max().unwrap_or_default() + MOST_ENDINGS,
            words,
            index,
            stems,
        }
    }
}

/// Korean is written with and without blanks: `한벌 옷`, `스카이 블루`. Gives the stems of the words
/// of an open list; tags are no adjectives.
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
    /// Its first typical color.
    pub fn rgb(&self) -> Option<[u8; 3]> {
        self.anchors.first().map(|anchor| to_rgb(*anchor))
    }

    /// The word in all its names.
    pub fn spellings(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.word).chain(&self.ko).chain(&self.en)
    }

    fn read(entry: Entry, list: &str, field: Field, faults: &mut Vec<String>) -> Self {
        let name = format!("{list}: \"{}\"", entry.word);
        for text in [&entry.word].into_iter().chain(&entry.ko).chain(&entry.en) {
            if key(text).is_empty() || text.chars().any(|c| is_forbidden(c) || c == '"') {
                faults.push(format!(
                    "{name} has an empty text or one with controls or quotes"
                ));
            }
        }
        let colored = !entry.rgb.is_empty() || !entry.shades.is_empty() || entry.pixels.is_some();
        if colored && field != Field::Colors {
            faults.push(format!(
                "{name} has rgb, shades or pixels, which only colors have"
            ));
        }
        if entry.pixels.is_some() && !entry.rgb.is_empty() {
            faults.push(format!("{name} has both rgb and pixels"));
        }
        let mut anchors = Vec::new();
        for code in &entry.rgb {
            match parse_rgb(code) {
                Some(rgb) => anchors.push(to_oklab(rgb)),
                None => faults.push(format!("{name}: \"{code}\" is not of the form #rrggbb")),
            }
        }
        Self {
            word: entry.word.nfc().collect(),
            ko: entry.ko.iter().map(|text| text.nfc().collect()).collect(),
            en: entry.en,
            anchors,
            shades: entry.shades,
            pixels: entry.pixels,
        }
    }
}

/// An OKLab color as a screen shows it.
pub fn to_rgb([l, a, b]: [f32; 3]) -> [u8; 3] {
    let rgb = oklab::oklab_to_srgb(oklab::Oklab { l, a, b });
    [rgb.r, rgb.g, rgb.b]
}

/// An sRGB color as OKLab `[l, a, b]`, the space that [`super::ColorHistogram`] is told in.
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

/// What two spellings of one word have in common.
fn key(text: &str) -> String {
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

/// The longest end of a key, from the beginning of a word, that has so many letters.
fn last_words(key: &str, most_letters: usize) -> &str {
    let mut letters = 0;
    let words = key.rsplit(' ').take_while(|word| {
        letters += word.chars().count();
        letters <= most_letters
    });
    // Each with the blank before it, which the first one has not.
    let bytes: usize = words.map(|word| word.len() + 1).sum();
    &key[(key.len() + 1).saturating_sub(bytes).min(key.len())..]
}

/// The other forms of an English word, singular for plural and plural for singular.
fn numbers(key: &str) -> Vec<String> {
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

/// A Korean description without the noun that it stands before (`유쾌한 분위기`) and without its
/// ending; `None` where nothing of it can be left out.
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
    // A stem itself is looked up like what has one.
    is_long(stem).then_some(stem)
}

/// One syllable is the beginning of too many words.
fn is_long(text: &str) -> bool {
    text.chars().count() > 1
}

fn fault(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

#[cfg(test)]
mod tests;
