//! The words that colors, materials, item types, themes and vibes are told in, with their synonyms.

use crate::error::{Error, ErrorKind, Result};
use crate::text::is_forbidden;
use serde::Deserialize;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

const BUILTIN: &str = include_str!("../../assets/vocabulary.toml");

/// A list of words. Records hold only listed words of the closed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    Color,
    Material,
    ItemType,
    Theme,
    Vibe,
}

impl Category {
    pub const ALL: &'static [Category] = &[
        Self::Color,
        Self::Material,
        Self::ItemType,
        Self::Theme,
        Self::Vibe,
    ];

    /// The table's name in the vocabulary file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Color => "colors",
            Self::Material => "materials",
            Self::ItemType => "item_types",
            Self::Theme => "themes",
            Self::Vibe => "vibes",
        }
    }

    /// Whether a record may hold listed words only; themes and vibes merely prefer them.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Color | Self::Material | Self::ItemType)
    }
}

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
}

#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    words: [Vec<Word>; 5],
    index: [HashMap<String, usize>; 5],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    colors: Vec<Entry>,
    materials: Vec<Entry>,
    item_types: Vec<Entry>,
    themes: Vec<Entry>,
    vibes: Vec<Entry>,
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
}

impl Vocabulary {
    /// The vocabulary that comes with the program.
    pub fn builtin() -> Result<Self> {
        Self::parse(BUILTIN).map_err(|error| error.context("the built-in vocabulary"))
    }

    /// Reads a vocabulary file. All faults are told together.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| {
            fault(error.to_string().trim_end()).with_hint(
                "a vocabulary has the tables [[colors]], [[materials]], [[item_types]], \
                 [[themes]] and [[vibes]], each with word, ko = [..], en = [..]; colors also rgb and shades",
            )
        })?;
        let mut faults = Vec::new();
        let lists = [
            file.colors,
            file.materials,
            file.item_types,
            file.themes,
            file.vibes,
        ];
        let mut words: [Vec<Word>; 5] = Default::default();
        let mut index: [HashMap<String, usize>; 5] = Default::default();
        for (&category, entries) in Category::ALL.iter().zip(lists) {
            let at = category as usize;
            if entries.is_empty() {
                faults.push(format!("{} has no entry", category.key()));
            }
            for entry in entries {
                let number = words[at].len();
                let word = Word::read(entry, category, &mut faults);
                for synonym in [&word.word].into_iter().chain(&word.ko).chain(&word.en) {
                    match index[at].insert(key(synonym), number) {
                        Some(earlier) if earlier == number => faults.push(format!(
                            "{}: \"{synonym}\" stands twice in \"{}\"",
                            category.key(),
                            word.word
                        )),
                        Some(earlier) => faults.push(format!(
                            "{}: \"{synonym}\" of \"{}\" belongs to \"{}\" already",
                            category.key(),
                            word.word,
                            words[at][earlier].word
                        )),
                        None => {}
                    }
                }
                words[at].push(word);
            }
            // Korean is written with and without blanks: `한벌 옷`, `스카이 블루`.
            for (number, word) in words[at].iter().enumerate() {
                for synonym in [&word.word].into_iter().chain(&word.ko).chain(&word.en) {
                    let joined = key(synonym).replace(' ', "");
                    index[at].entry(joined).or_insert(number);
                }
            }
            for word in &words[at] {
                let strange =
                    |shade: &&String| !words[at].iter().any(|other| other.word == **shade);
                for shade in word.shades.iter().filter(strange) {
                    faults.push(format!(
                        "{}: \"{shade}\", a shade of \"{}\", is no word of its own",
                        category.key(),
                        word.word
                    ));
                }
            }
        }
        if faults.is_empty() {
            Ok(Self { words, index })
        } else {
            Err(fault(faults.join("; ")))
        }
    }

    pub fn entries(&self, category: Category) -> &[Word] {
        &self.words[category as usize]
    }

    /// The words themselves, in file order; what a field can be completed to.
    pub fn words(&self, category: Category) -> impl Iterator<Item = &str> {
        self.entries(category).iter().map(|word| word.word.as_str())
    }

    /// The entry that `text` means: the whole text, or what is left when leading words are taken
    /// away (`라이트 블루`, `red leather`: both languages put the noun last). Case, spelling of
    /// spaces and Unicode form do not matter.
    pub fn find(&self, category: Category, text: &str) -> Option<&Word> {
        let index = &self.index[category as usize];
        let full = key(text);
        let mut rest = full.as_str();
        loop {
            let singular = rest.strip_suffix('s').filter(|stem| stem.len() > 2);
            let found = index
                .get(rest)
                .or_else(|| index.get(singular?))
                .or_else(|| index.get(&rest.replace(' ', "")));
            if let Some(&number) = found {
                return self.words[category as usize].get(number);
            }
            rest = rest.split_once(' ')?.1;
        }
    }

    /// The entry that `text` names as a whole.
    pub fn find_exact(&self, category: Category, text: &str) -> Option<&Word> {
        let number = *self.index[category as usize].get(&key(text))?;
        self.words[category as usize].get(number)
    }

    /// The word that a record holds for `text`.
    pub fn canonical(&self, category: Category, text: &str) -> Option<&str> {
        Some(self.find(category, text)?.word.as_str())
    }

    /// What a Korean calls a word of the vocabulary.
    pub fn korean(&self, category: Category, word: &str) -> Option<&str> {
        Some(self.find_exact(category, word)?.ko.first()?.as_str())
    }
}

impl Word {
    fn read(entry: Entry, category: Category, faults: &mut Vec<String>) -> Self {
        let name = format!("{}: \"{}\"", category.key(), entry.word);
        for text in [&entry.word].into_iter().chain(&entry.ko).chain(&entry.en) {
            if key(text).is_empty() || text.chars().any(|c| is_forbidden(c) || c == '"') {
                faults.push(format!(
                    "{name} has an empty text or one with controls or quotes"
                ));
            }
        }
        let colored = !entry.rgb.is_empty() || !entry.shades.is_empty();
        if colored && category != Category::Color {
            faults.push(format!("{name} has rgb or shades, which only colors have"));
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
        }
    }
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
    let folded: String = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if matches!(c, '-' | '_') { ' ' } else { c })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fault(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin() -> Vocabulary {
        Vocabulary::builtin().unwrap()
    }

    #[test]
    fn builtin_covers_what_the_contract_asks_for() {
        let vocabulary = builtin();
        let colors = vocabulary.entries(Category::Color);
        assert!((15..=25).contains(&colors.len()));
        assert!(colors.iter().all(|word| !word.anchors.is_empty()));
        for &category in Category::ALL {
            for word in vocabulary.entries(category) {
                assert!(!word.ko.is_empty(), "{} has no Korean name", word.word);
            }
        }
    }

    /// The parts that the game itself tells its items apart by.
    #[test]
    fn every_part_of_the_game_is_an_item_type() {
        let vocabulary = builtin();
        for part in [
            "모자",
            "얼굴장식",
            "눈장식",
            "귀고리",
            "상의",
            "하의",
            "한벌옷",
            "신발",
            "장갑",
            "망토",
            "방패",
            "반지",
            "펜던트",
            "벨트",
            "어깨장식",
            "포켓 아이템",
            "훈장",
            "뱃지",
            "엠블렘",
            "기계 심장",
            "무기",
            "보조무기",
            "한손검",
            "두손검",
            "한손도끼",
            "두손도끼",
            "한손둔기",
            "두손둔기",
            "창",
            "폴암",
            "활",
            "석궁",
            "아대",
            "단검",
            "스태프",
            "완드",
            "너클",
            "건",
            "핸드캐논",
            "부채",
            "체인",
            "케인",
            "블레이드",
            "튜너",
            "태도",
            "대검",
            "장검",
            "샤이닝 로드",
            "소울슈터",
            "에너지소드",
            "에인션트 보우",
            "듀얼 보우건",
            "포스실드",
            "소울링",
            "소울실드",
            "부적",
            "마도서",
            "화살촉",
            "활골무",
            "화약통",
            "체스피스",
            "오브",
            "선추",
            "쇠사슬",
            "브레이슬릿",
            "매그넘",
            "로자리오",
            "노리개",
            "문서",
            "단검용 검집",
            "컨트롤러",
            "웨폰 벨트",
            "패스 오브 어비스",
        ] {
            let word = vocabulary.canonical(Category::ItemType, part);
            assert!(word.is_some(), "{part}");
        }
    }

    #[test]
    fn four_spellings_of_gold_are_one_word() {
        let vocabulary = builtin();
        for text in ["금색", "황금", "gold", "골드", " GOLD ", "금색"] {
            assert_eq!(vocabulary.canonical(Category::Color, text), Some("gold"));
        }
        let decomposed: String = "금색".nfd().collect();
        assert_eq!(
            vocabulary.canonical(Category::Color, &decomposed),
            Some("gold")
        );
        assert_eq!(vocabulary.korean(Category::Color, "gold"), Some("금색"));
    }

    #[test]
    fn modifiers_blanks_and_hyphens_do_not_hide_a_word() {
        let vocabulary = builtin();
        assert_eq!(
            vocabulary.canonical(Category::Color, "밝은 파란색"),
            Some("blue")
        );
        assert_eq!(
            vocabulary.canonical(Category::Color, "sky-blue"),
            Some("sky blue")
        );
        assert_eq!(
            vocabulary.canonical(Category::ItemType, "red hats"),
            Some("hat")
        );
        for (category, text, word) in [
            (Category::ItemType, "빨간 한벌 옷", "overall"),
            (Category::ItemType, "기계심장", "mechanical heart"),
            (Category::Color, "스카이 블루", "sky blue"),
        ] {
            assert_eq!(vocabulary.canonical(category, text), Some(word), "{text}");
        }
        assert_eq!(vocabulary.canonical(Category::Color, "빛나는 보석"), None);
        assert_eq!(vocabulary.canonical(Category::Color, ""), None);
    }

    #[test]
    fn faults_are_told_together_with_the_entries() {
        let text = "
            colors = [{ word = 'red', ko = ['빨강'], rgb = ['red'] }, { word = 'pink', ko = ['빨강'], shades = ['rose'] }]
            materials = []
            item_types = [{ word = 'hat' }]
            themes = [{ word = 'sea', en = ['Sea'] }]
            vibes = [{ word = 'cute' }]";
        let cause = Vocabulary::parse(text).unwrap_err().cause;
        for part in [
            "#rrggbb",
            "\"빨강\" of \"pink\" belongs to \"red\"",
            "\"rose\", a shade of \"pink\", is no word",
            "materials has no entry",
            "twice in \"sea\"",
        ] {
            assert!(cause.contains(part), "{cause}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_hint() {
        let error = Vocabulary::parse("colors = []").unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert!(error.hint.is_some_and(|hint| hint.contains("[[colors]]")));
    }
}
