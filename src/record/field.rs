//! The field table: one row per field that a model writes and an operator edits. Parsing, the
//! grammar, the journal, exports, editing, completion and statistics all read it. Adding a field
//! means adding a row here, plus a word list if it has one.

use crate::text::{Language, Phrase};
use serde::{Deserialize, Serialize};

/// Maximum length of a sentence in characters. Only servers without a grammar come close.
const MAX_SENTENCE: usize = 1000;
/// Maximum length of a tag, query or attribute in characters; longer ones are dropped.
const MAX_ENTRY: usize = 100;
/// The nested object of a record that holds vocabulary words.
const ATTRIBUTES: Option<&str> = Some("attributes");

/// One row of the table.
#[derive(Debug)]
pub struct FieldSpec {
    /// Key in the record, in model answers and in the journal.
    pub key: &'static str,
    /// The nested object that contains the key; `None` for the record itself.
    pub object: Option<&'static str>,
    /// Short display name.
    pub name: Phrase,
    /// The key that chooses it in a dialog.
    pub letter: char,
    pub kind: Kind,
    /// The maximum number of values. If 1, the field is a text or null; otherwise it is a list.
    pub max: usize,
    /// The minimum and maximum number of values that the grammar allows.
    pub answer: (usize, usize),
    /// How to count and filter by its values; `None` if records rarely share values.
    pub filter: Option<FieldFilter>,
}

/// The kind of values that a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sentence. Every record has the Korean one; the English one is optional.
    Sentence(Language),
    /// Short Korean words, separated by commas when typed.
    Keywords,
    /// Korean phrases.
    Phrases,
    /// Vocabulary words, separated by commas when typed.
    Words(WordList),
}

/// The vocabulary list of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordList {
    /// Name of the table in the vocabulary file and of the placeholder in a prompt.
    pub name: &'static str,
    /// Whether a record may hold listed words only. Otherwise they are preferred.
    pub closed: bool,
}

/// Filter key, help and statistics title of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFilter {
    /// The filter key, before the colon.
    pub key: &'static str,
    pub help: Phrase,
    /// Heading of its statistics.
    pub title: Phrase,
}

macro_rules! fields {
    ($($field:ident $spec:expr)*) => {
        /// A field of a record that can be edited or taken from a version.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Field {
            $($field,)*
        }

        impl Field {
            /// All fields in record order.
            pub const ALL: &'static [Field] = &[$(Self::$field,)*];
        }

        const TABLE: &[FieldSpec] = &[$($spec,)*];
    };
}

fields! {
    LabelKo FieldSpec {
        key: "label_ko",
        object: None,
        name: Phrase::new("label", "라벨"),
        letter: 'l',
        kind: Kind::Sentence(Language::Korean),
        max: 1,
        answer: (1, 1),
        filter: None,
    }
    LabelEn FieldSpec {
        key: "label_en",
        object: None,
        name: Phrase::new("english", "영문"),
        letter: 'e',
        kind: Kind::Sentence(Language::English),
        max: 1,
        answer: (1, 1),
        filter: None,
    }
    TagsKo FieldSpec {
        key: "tags_ko",
        object: None,
        name: Phrase::new("tags", "태그"),
        letter: 't',
        kind: Kind::Keywords,
        max: 15,
        answer: (5, 8),
        filter: Some(FieldFilter { key: "tag", help: Phrase::new("a tag, or ㅁㅈ for 모자", "태그. ㅁㅈ은 모자"), title: Phrase::new("Tags", "태그") }),
    }
    Colors FieldSpec {
        key: "colors",
        object: ATTRIBUTES,
        name: Phrase::new("colors", "색"),
        letter: 'c',
        kind: Kind::Words(WordList { name: "colors", closed: true }),
        max: 10,
        answer: (0, 4),
        filter: Some(FieldFilter {
            key: "color",
            help: Phrase::new("a color, in either language", "색. 한국어도 영어도"),
            title: Phrase::new("Colors", "색"),
        }),
    }
    Theme FieldSpec {
        key: "theme",
        object: ATTRIBUTES,
        name: Phrase::new("theme", "테마"),
        letter: 'h',
        kind: Kind::Words(WordList { name: "themes", closed: false }),
        max: 10,
        answer: (0, 2),
        filter: Some(FieldFilter {
            key: "theme",
            help: Phrase::new("a theme, in either language", "테마. 한국어도 영어도"),
            title: Phrase::new("Themes", "테마"),
        }),
    }
    Material FieldSpec {
        key: "material",
        object: ATTRIBUTES,
        name: Phrase::new("material", "재질"),
        letter: 'm',
        kind: Kind::Words(WordList { name: "materials", closed: true }),
        max: 10,
        answer: (0, 3),
        filter: Some(FieldFilter {
            key: "material",
            help: Phrase::new("a material, in either language", "재질. 한국어도 영어도"),
            title: Phrase::new("Materials", "재질"),
        }),
    }
    Vibe FieldSpec {
        key: "vibe",
        object: ATTRIBUTES,
        name: Phrase::new("vibe", "분위기"),
        letter: 'v',
        kind: Kind::Words(WordList { name: "vibes", closed: false }),
        max: 10,
        answer: (0, 3),
        filter: Some(FieldFilter {
            key: "vibe",
            help: Phrase::new("a vibe, in either language", "분위기. 한국어도 영어도"),
            title: Phrase::new("Vibes", "분위기"),
        }),
    }
    ItemTypeGuess FieldSpec {
        key: "item_type_guess",
        object: ATTRIBUTES,
        name: Phrase::new("type", "종류"),
        letter: 'y',
        kind: Kind::Words(WordList { name: "item_types", closed: true }),
        max: 1,
        answer: (1, 1),
        filter: Some(FieldFilter {
            key: "type",
            help: Phrase::new("an item type, in either language", "종류. 한국어도 영어도"),
            title: Phrase::new("Types", "종류"),
        }),
    }
    QueryVariantsKo FieldSpec {
        key: "query_variants_ko",
        object: None,
        name: Phrase::new("queries", "검색어"),
        letter: 'q',
        kind: Kind::Phrases,
        max: 8,
        answer: (3, 5),
        filter: None,
    }
}

impl Field {
    pub(super) const COUNT: usize = TABLE.len();

    pub fn spec(self) -> &'static FieldSpec {
        &TABLE[self as usize]
    }

    pub fn key(self) -> &'static str {
        self.spec().key
    }

    /// The English name, also used in filters.
    pub fn name(self) -> &'static str {
        self.spec().name.english
    }

    /// The field at a key of the record or of a nested object.
    pub fn at(object: Option<&str>, key: &str) -> Option<Field> {
        let mut all = Self::ALL.iter().copied();
        all.find(|field| field.key() == key && field.spec().object == object)
    }

    /// The attributes that say what an item is like. A record needs a value in one of them.
    pub fn describing() -> impl Iterator<Item = Field> {
        let all = Self::ALL.iter().copied();
        all.filter(|field| {
            field.spec().object.is_some() && field.is_list() && *field != Self::Colors
        })
    }

    /// All fields in record order, grouped by nested object.
    pub fn by_object() -> impl Iterator<Item = (Option<&'static str>, &'static [Field])> {
        Self::ALL
            .chunk_by(|a, b| a.spec().object == b.spec().object)
            .map(|fields| (fields[0].spec().object, fields))
    }

    /// Whether the field is a list. Otherwise it holds at most one text.
    pub fn is_list(self) -> bool {
        self.spec().max > 1
    }

    /// Whether every record must have a text here. Other fields may be null or empty.
    pub fn is_required(self) -> bool {
        self.spec().kind == Kind::Sentence(Language::Korean)
    }

    /// The language of free text; `None` if the values are vocabulary words.
    pub fn language(self) -> Option<Language> {
        match self.spec().kind {
            Kind::Sentence(language) => Some(language),
            Kind::Keywords | Kind::Phrases => Some(Language::Korean),
            Kind::Words(_) => None,
        }
    }

    /// Fields that hold free text; find and replace works on these.
    pub fn free_text() -> impl Iterator<Item = Field> {
        let all = Self::ALL.iter().copied();
        all.filter(|field| field.language().is_some())
    }

    /// The vocabulary list of the field; `None` if it holds free text.
    pub fn words(self) -> Option<WordList> {
        match self.spec().kind {
            Kind::Words(list) => Some(list),
            _ => None,
        }
    }

    /// Whether the field may hold vocabulary words only.
    pub fn is_closed(self) -> bool {
        self.words().is_some_and(|list| list.closed)
    }

    /// Whether second opinions include the field. They leave out queries, which follow from the
    /// other fields and are the longest part of an answer.
    pub fn is_in_opinions(self) -> bool {
        self != Self::QueryVariantsKo
    }

    /// The maximum length of a value in characters.
    pub fn max_chars(self) -> usize {
        match self.spec().kind {
            Kind::Sentence(_) => MAX_SENTENCE,
            _ => MAX_ENTRY,
        }
    }

    /// Fields whose values many records share. These are counted, completed, filtered and edited in
    /// bulk.
    pub fn shared() -> impl Iterator<Item = (Field, FieldFilter)> {
        let all = Self::ALL.iter();
        all.filter_map(|field| Some((*field, field.spec().filter?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_field_is_stored_under_its_key() {
        for field in Field::ALL {
            assert_eq!(json!(field), field.key());
        }
    }

    /// `assets/record.schema.json` lists the same keys in the same order with the same limits.
    #[test]
    fn the_schema_matches_the_field_table() {
        let schema = include_str!("../../assets/record.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let names = |value: &Value| -> Vec<String> {
            let names = value.as_object().unwrap().keys();
            names.cloned().collect()
        };
        let objects: Vec<_> = Field::by_object()
            .filter_map(|(object, _)| object)
            .collect();
        let described: Vec<String> = names(&schema["properties"])
            .into_iter()
            .filter(|key| objects.contains(&&**key) || Field::at(None, key).is_some())
            .collect();
        let mut expected = Vec::new();
        for (object, fields) in Field::by_object() {
            let keys: Vec<&str> = fields.iter().map(|field| field.key()).collect();
            let holder = match object {
                Some(name) => {
                    expected.push(name);
                    assert_eq!(names(&schema["properties"][name]["properties"]), keys);
                    &schema["properties"][name]
                }
                None => {
                    expected.extend(&keys);
                    &schema
                }
            };
            let required = holder["required"].as_array().unwrap();
            for (key, field) in keys.iter().zip(fields) {
                assert!(required.contains(&json!(key)), "{key} is not required");
                let text = json!({"$ref": "#/$defs/text"});
                let expected = match (field.is_list(), field.is_required()) {
                    (true, _) => json!({"$ref": "#/$defs/texts", "maxItems": field.spec().max}),
                    (false, true) => text,
                    (false, false) => json!({"anyOf": [text, {"type": "null"}]}),
                };
                assert_eq!(holder["properties"][key], expected, "{key}");
            }
        }
        assert_eq!(described, expected);
    }

    /// The documentation lists the same fields in the same order with the same limits.
    #[test]
    fn the_documentation_matches_the_field_table() {
        let page = include_str!("../../docs/files-and-record.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        let mut at = 0;
        for field in Field::ALL {
            let path = match field.spec().object {
                Some(object) => format!("`{object}.{}`", field.key()),
                None => format!("`{}`", field.key()),
            };
            let found = rows[at..]
                .iter()
                .position(|row| row.get(1) == Some(&&*path));
            at += found.unwrap_or_else(|| panic!("{path} is missing or out of order"));
            let [_, _, kind, contents, ..] = rows[at][..] else {
                panic!("{path} has no type and contents");
            };
            let expected = match (field.is_list(), field.is_required()) {
                (true, _) => "list",
                (false, true) => "string",
                (false, false) => "string or null",
            };
            assert_eq!(kind, expected, "{path}");
            if field.is_list() {
                let max = field.spec().max.to_string();
                let mut numbers = contents.split(|c: char| !c.is_ascii_digit());
                assert!(numbers.any(|number| number == max), "{path} holds {max}");
            }
        }
    }
}
