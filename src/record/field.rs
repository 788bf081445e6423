//! The field table: one row for each part of a record that a model writes and an operator edits.
//! Parsing, the grammar, the journal, exports, editing, completion and statistics all read it, so
//! that a new field is a new row here (and its words, where it has a list of them).

use crate::text::{Language, Phrase};
use serde::{Deserialize, Serialize};

/// Sentences are kept up to this many characters; only a server without a grammar comes near.
const MAX_SENTENCE: usize = 1000;
/// Longer tags, queries and attributes are dropped.
const MAX_ENTRY: usize = 100;
/// The object of a record that holds the words of the vocabulary.
const ATTRIBUTES: Option<&str> = Some("attributes");

/// One row of the table.
#[derive(Debug)]
pub struct FieldSpec {
    /// In the record, the answer and the journal.
    pub key: &'static str,
    /// The object of the record that the key stands in; `None` is the record itself.
    pub object: Option<&'static str>,
    /// For people, in a narrow column.
    pub name: Phrase,
    pub kind: Kind,
    /// The most values that it holds. With one it is a text (or null), with more it is a list.
    pub most: usize,
    /// The fewest and the most values that the grammar lets a model write.
    pub answer: (usize, usize),
    /// How its values are counted and filtered by; fields that records hardly share have none.
    pub filter: Option<FieldFilter>,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sentence. Every record has the Korean one, the English one is written on demand.
    Sentence(Language),
    /// Short Korean words; a comma separates two of them.
    Keywords,
    /// Korean phrases.
    Phrases,
    /// Words of the vocabulary; a comma separates two of them.
    Words(WordList),
}

/// The vocabulary's list for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordList {
    /// The table in the vocabulary file, and the placeholder in a prompt.
    pub name: &'static str,
    /// Whether a record holds listed words only; else they are merely preferred.
    pub closed: bool,
}

/// How people count and filter by a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFilter {
    /// Before the colon of a filter.
    pub key: &'static str,
    pub help: Phrase,
    /// Above its statistics.
    pub title: Phrase,
}

macro_rules! fields {
    ($($field:ident $spec:expr)*) => {
        /// A part of a record that can be edited, or taken from one version.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Field {
            $($field,)*
        }

        impl Field {
            /// In the order of the record.
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
        kind: Kind::Sentence(Language::Korean),
        most: 1,
        answer: (1, 1),
        filter: None,
    }
    LabelEn FieldSpec {
        key: "label_en",
        object: None,
        name: Phrase::new("english", "영문"),
        kind: Kind::Sentence(Language::English),
        most: 1,
        answer: (1, 1),
        filter: None,
    }
    TagsKo FieldSpec {
        key: "tags_ko",
        object: None,
        name: Phrase::new("tags", "태그"),
        kind: Kind::Keywords,
        most: 15,
        answer: (5, 8),
        filter: Some(FieldFilter { key: "tag", help: Phrase::new("a tag, or ㅁㅈ for 모자", "태그. ㅁㅈ은 모자"), title: Phrase::new("Tags", "태그") }),
    }
    Colors FieldSpec {
        key: "colors",
        object: ATTRIBUTES,
        name: Phrase::new("colors", "색"),
        kind: Kind::Words(WordList { name: "colors", closed: true }),
        most: 10,
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
        kind: Kind::Words(WordList { name: "themes", closed: false }),
        most: 10,
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
        kind: Kind::Words(WordList { name: "materials", closed: true }),
        most: 10,
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
        kind: Kind::Words(WordList { name: "vibes", closed: false }),
        most: 10,
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
        kind: Kind::Words(WordList { name: "item_types", closed: true }),
        most: 1,
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
        kind: Kind::Phrases,
        most: 8,
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

    /// What it is called in English, and in a filter.
    pub fn name(self) -> &'static str {
        self.spec().name.english
    }

    /// The field at a key of the record, or of one of its objects.
    pub fn at(object: Option<&str>, key: &str) -> Option<Field> {
        let mut all = Self::ALL.iter().copied();
        all.find(|field| field.key() == key && field.spec().object == object)
    }

    /// All fields in the record's order, those of one object together.
    pub fn by_object() -> impl Iterator<Item = (Option<&'static str>, &'static [Field])> {
        Self::ALL
            .chunk_by(|a, b| a.spec().object == b.spec().object)
            .map(|fields| (fields[0].spec().object, fields))
    }

    /// Whether the field is a list; else it holds one text or none.
    pub fn is_list(self) -> bool {
        self.spec().most > 1
    }

    /// Whether every record has a text here; others may be null or empty.
    pub fn is_required(self) -> bool {
        self.spec().kind == Kind::Sentence(Language::Korean)
    }

    /// The language of free text; `None` where the values are words of the vocabulary.
    pub fn language(self) -> Option<Language> {
        match self.spec().kind {
            Kind::Sentence(language) => Some(language),
            Kind::Keywords | Kind::Phrases => Some(Language::Korean),
            Kind::Words(_) => None,
        }
    }

    /// Fields that a text is looked for and replaced in.
    pub fn free_text() -> impl Iterator<Item = Field> {
        let all = Self::ALL.iter().copied();
        all.filter(|field| field.language().is_some())
    }

    /// The vocabulary's list of its words; `None` where it holds free text.
    pub fn words(self) -> Option<WordList> {
        match self.spec().kind {
            Kind::Words(list) => Some(list),
            _ => None,
        }
    }

    /// Whether it holds words of the vocabulary only.
    pub fn is_closed(self) -> bool {
        self.words().is_some_and(|list| list.closed)
    }

    /// Whether a second opinion says it anew. Queries follow from the rest, and are the longest part
    /// of an answer.
    pub fn is_in_opinions(self) -> bool {
        self != Self::QueryVariantsKo
    }

    /// The longest value, in characters.
    pub fn most_chars(self) -> usize {
        match self.spec().kind {
            Kind::Sentence(_) => MAX_SENTENCE,
            _ => MAX_ENTRY,
        }
    }

    /// Fields whose values many records share: what is counted, completed, filtered by and edited
    /// in bulk.
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

    /// `assets/record.schema.json` describes the same keys, in the same order, with the same limits.
    #[test]
    fn the_schema_says_what_the_table_says() {
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
                    (true, _) => json!({"$ref": "#/$defs/texts", "maxItems": field.spec().most}),
                    (false, true) => text,
                    (false, false) => json!({"anyOf": [text, {"type": "null"}]}),
                };
                assert_eq!(holder["properties"][key], expected, "{key}");
            }
        }
        assert_eq!(described, expected);
    }

    /// The page of the record lists the same fields, in the same order, with the same limits.
    #[test]
    fn the_page_says_what_the_table_says() {
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
            at += found.unwrap_or_else(|| panic!("{path} is missing or stands too late"));
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
                let most = field.spec().most.to_string();
                let mut numbers = contents.split(|c: char| !c.is_ascii_digit());
                assert!(numbers.any(|number| number == most), "{path} holds {most}");
            }
        }
    }
}
