//! What an operator can do to a group. One `Change` on a list of groups is one undoable step.

use super::{Field, Reason};
use crate::text::Phrase;
use serde::{Deserialize, Serialize};

/// One thing done to a group. The rules run again after each that touches the labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Sets a field; a single text for the scalar fields (none clears it), the whole list else.
    Set {
        field: Field,
        values: Vec<String>,
    },
    /// Adds a value to a list field, or several with commas between, at the end; nothing where
    /// it is there already.
    Add {
        field: Field,
        value: String,
    },
    Remove {
        field: Field,
        value: String,
    },
    /// Renames a value, keeping its place; nothing where it is not there.
    Rename {
        field: Field,
        from: String,
        to: String,
    },
    /// The same, and from now on `from` is another name of `to`, whoever writes it.
    Synonym {
        field: Field,
        from: String,
        to: String,
    },
    /// Replaces a text in sentences, tags and queries.
    Replace(Replacement),
    /// Translates every word that the vocabulary knows into its canonical form (`황금` to `gold`).
    /// Colors, materials and item types that it does not know stay, or go where that is asked for.
    Canonicalize {
        drop_unknown: bool,
    },
    /// Brings a text that was made under another name of its item over to the current name: in the
    /// label, the tags and the queries, with the particles behind it.
    UpdateName,
    /// Does what this kind of fix makes of each record that has the reason.
    Fix {
        reason: Reason,
        kind: FixKind,
    },
    /// Makes an earlier or offered version the draft.
    TakeVersion {
        version: i64,
    },
    /// Takes one field of a version into the draft.
    TakeField {
        version: i64,
        field: Field,
    },
    SetNote {
        note: Option<String>,
    },
    /// The draft is good: it waits for the commit, or, where it is the line, is confirmed.
    Accept,
    Reject {
        reason: String,
    },
    /// Takes an acceptance or rejection back.
    Reopen,
    /// The draft becomes the line; the line of a rejected group is removed.
    Commit,
}

/// A text to find in free text, and what takes its place. The item's name stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    pub find: String,
    pub with: String,
    /// Where it is looked for; everywhere if there is none.
    #[serde(default)]
    pub only: Vec<Field>,
    #[serde(default)]
    pub matching: Matching,
    /// Texts that stay as they are.
    #[serde(default)]
    pub except: Vec<String>,
}

/// What counts as a place of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// Any part of a text.
    #[default]
    Part,
    /// A word, with a particle behind it or not.
    Word,
    /// A whole tag, query or sentence.
    Value,
}

impl Matching {
    pub const ALL: [Self; 3] = [Self::Word, Self::Value, Self::Part];
}

impl Replacement {
    /// Of every place in every field.
    pub fn everywhere(find: impl Into<String>, with: impl Into<String>) -> Self {
        Self {
            find: find.into(),
            with: with.into(),
            only: Vec::new(),
            matching: Matching::default(),
            except: Vec::new(),
        }
    }

    /// The fields that it looks into.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        Field::free_text().filter(|field| self.only.is_empty() || self.only.contains(field))
    }
}

impl Change {
    /// The name under which the journal logs its step.
    pub fn name(&self) -> String {
        match self {
            Self::Set { field, .. } => format!("edit {}", field.key()),
            Self::Add { field, value } => format!("add {value:?} to {}", field.key()),
            Self::Remove { field, value } => format!("remove {value:?} from {}", field.key()),
            Self::Rename { from, to, .. } => format!("rename {from:?} to {to:?}"),
            Self::Synonym { from, to, .. } => format!("mark {from:?} as a synonym of {to:?}"),
            Self::Replace(Replacement { find, with, .. }) => {
                format!("replace {find:?} by {with:?}")
            }
            Self::Canonicalize {
                drop_unknown: false,
            } => "translate into the vocabulary".to_owned(),
            Self::Canonicalize { drop_unknown: true } => {
                "translate into the vocabulary and drop unknown words".to_owned()
            }
            Self::UpdateName => "update the name".to_owned(),
            Self::Fix { kind, .. } => kind.title().english.to_owned(),
            Self::TakeVersion { .. } => "take a version".to_owned(),
            Self::TakeField { field, .. } => format!("take {} from a version", field.key()),
            Self::SetNote { .. } => "note".to_owned(),
            Self::Accept => "accept".to_owned(),
            Self::Reject { .. } => "reject".to_owned(),
            Self::Reopen => "reopen".to_owned(),
            Self::Commit => "commit".to_owned(),
        }
    }

    /// Whether it makes a draft where there is none. A tag given to many is no draft of those that
    /// wait for the model: it would stand in the way of its answer.
    pub fn starts_draft(&self) -> bool {
        matches!(
            self,
            Self::Set {
                field: Field::LabelKo,
                ..
            } | Self::TakeField { .. }
        )
    }
}

/// One way to fix a record. A kind and a record give one result, so that one kind can be taken for
/// many records as one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// The current name of the item takes the place of an outdated one.
    UpdateName,
    /// A near-miss spelling of the item's name becomes the name.
    CorrectName,
    /// The name goes where a person would put it.
    InsertName,
    /// The label is written from the colors, the material and the name.
    Describe,
    /// False color words become words of colors that the pixels show.
    ReplaceColors,
    /// False color words are left out.
    RemoveColors,
    /// The main color goes into the label and among the colors.
    NameMainColor,
    /// The main color goes among the colors.
    ListMainColor,
    SetColors,
    SetType,
    FillAttributes,
    AddTags,
    AddQueries,
    DropRepetition,
    /// Foreign words become Korean ones.
    TranslateWords,
    /// Foreign words are left out.
    DropWords,
    /// A list of keywords becomes one sentence.
    JoinList,
    /// The label of two images says what is special to this one.
    TellApart,
}

impl FixKind {
    pub const ALL: &'static [FixKind] = &[
        Self::UpdateName,
        Self::CorrectName,
        Self::InsertName,
        Self::Describe,
        Self::ReplaceColors,
        Self::RemoveColors,
        Self::NameMainColor,
        Self::ListMainColor,
        Self::SetColors,
        Self::SetType,
        Self::FillAttributes,
        Self::AddTags,
        Self::AddQueries,
        Self::DropRepetition,
        Self::TranslateWords,
        Self::DropWords,
        Self::JoinList,
        Self::TellApart,
    ];

    /// As it is written in the journal and by `list --json`.
    pub fn code(self) -> &'static str {
        match self {
            Self::UpdateName => "update_name",
            Self::CorrectName => "correct_name",
            Self::InsertName => "insert_name",
            Self::Describe => "describe",
            Self::ReplaceColors => "replace_colors",
            Self::RemoveColors => "remove_colors",
            Self::NameMainColor => "name_main_color",
            Self::ListMainColor => "list_main_color",
            Self::SetColors => "set_colors",
            Self::SetType => "set_type",
            Self::FillAttributes => "fill_attributes",
            Self::AddTags => "add_tags",
            Self::AddQueries => "add_queries",
            Self::DropRepetition => "drop_repetition",
            Self::TranslateWords => "translate_words",
            Self::DropWords => "drop_words",
            Self::JoinList => "join_list",
            Self::TellApart => "tell_apart",
        }
    }

    /// The kinds that may clear a reason, the best first.
    pub fn of(reason: Reason) -> &'static [FixKind] {
        match reason {
            Reason::NameMismatch => &[Self::UpdateName],
            Reason::ItemNameMissing => &[Self::CorrectName, Self::InsertName, Self::Describe],
            Reason::LabelEqualsItemName | Reason::NothingVisible => &[Self::Describe],
            Reason::ColorMismatch => &[Self::ReplaceColors, Self::RemoveColors],
            Reason::MainColorMissing => &[Self::NameMainColor, Self::ListMainColor],
            Reason::AttributesMissing => &[Self::FillAttributes],
            Reason::FewTags => &[Self::AddTags],
            Reason::FewQueries => &[Self::AddQueries],
            Reason::Repetition => &[Self::DropRepetition],
            Reason::MixedScript => &[Self::TranslateWords, Self::DropWords],
            Reason::CommaList => &[Self::JoinList],
            Reason::DuplicateLabel => &[Self::TellApart, Self::Describe],
            _ => &[],
        }
    }

    /// Whether it does a part of what its reason asks for, so that the reason may stay.
    pub fn is_part(self) -> bool {
        matches!(self, Self::SetColors | Self::SetType)
    }

    /// The field that it is about.
    pub fn field(self) -> Field {
        match self {
            Self::UpdateName
            | Self::CorrectName
            | Self::InsertName
            | Self::Describe
            | Self::ReplaceColors
            | Self::RemoveColors
            | Self::NameMainColor
            | Self::DropRepetition
            | Self::TranslateWords
            | Self::DropWords
            | Self::JoinList
            | Self::TellApart => Field::LabelKo,
            Self::ListMainColor | Self::SetColors => Field::Colors,
            Self::SetType | Self::FillAttributes => Field::ItemTypeGuess,
            Self::AddTags => Field::TagsKo,
            Self::AddQueries => Field::QueryVariantsKo,
        }
    }

    /// For people: as an order, and as what was done.
    fn texts(self) -> (Phrase, Phrase) {
        match self {
            Self::UpdateName => (
                Phrase::new("replace the outdated name", "낡은 이름 바꾸기"),
                Phrase::new("replaced the outdated name", "낡은 이름을 바꿨습니다"),
            ),
            Self::CorrectName => (
                Phrase::new("correct the spelling of the name", "이름 철자 바로잡기"),
                Phrase::new(
                    "corrected the spelling of the name",
                    "이름의 철자를 바로잡았습니다",
                ),
            ),
            Self::InsertName => (
                Phrase::new("put the name into the label", "라벨에 이름 넣기"),
                Phrase::new("put the name into the label", "라벨에 이름을 넣었습니다"),
            ),
            Self::Describe => (
                Phrase::new(
                    "write the label from colors, material and name",
                    "색·재질·이름으로 라벨 쓰기",
                ),
                Phrase::new(
                    "wrote the label from colors, material and name",
                    "색·재질·이름으로 라벨을 썼습니다",
                ),
            ),
            Self::ReplaceColors => (
                Phrase::new(
                    "replace false colors by those of the icon",
                    "틀린 색을 아이콘의 색으로 바꾸기",
                ),
                Phrase::new(
                    "replaced false colors by those of the icon",
                    "틀린 색을 아이콘의 색으로 바꿨습니다",
                ),
            ),
            Self::RemoveColors => (
                Phrase::new("leave false colors out", "틀린 색 빼기"),
                Phrase::new("left false colors out", "틀린 색을 뺐습니다"),
            ),
            Self::NameMainColor => (
                Phrase::new("name the main color in the label", "라벨에 주된 색 쓰기"),
                Phrase::new(
                    "named the main color in the label",
                    "라벨에 주된 색을 썼습니다",
                ),
            ),
            Self::ListMainColor => (
                Phrase::new("add the main color to the colors", "색에 주된 색 추가하기"),
                Phrase::new(
                    "added the main color to the colors",
                    "색에 주된 색을 추가했습니다",
                ),
            ),
            Self::SetColors => (
                Phrase::new("fill the colors from the icon", "아이콘에서 색 채우기"),
                Phrase::new(
                    "filled the colors from the icon",
                    "아이콘에서 색을 채웠습니다",
                ),
            ),
            Self::SetType => (
                Phrase::new("fill the type from the item's part", "부위에서 종류 채우기"),
                Phrase::new(
                    "filled the type from the item's part",
                    "부위에서 종류를 채웠습니다",
                ),
            ),
            Self::FillAttributes => (
                Phrase::new("fill the empty attributes", "빈 속성 채우기"),
                Phrase::new("filled the empty attributes", "빈 속성을 채웠습니다"),
            ),
            Self::AddTags => (
                Phrase::new("add tags from the attributes", "속성에서 태그 추가하기"),
                Phrase::new(
                    "added tags from the attributes",
                    "속성에서 태그를 추가했습니다",
                ),
            ),
            Self::AddQueries => (
                Phrase::new(
                    "add queries from the attributes",
                    "속성에서 검색어 추가하기",
                ),
                Phrase::new(
                    "added queries from the attributes",
                    "속성에서 검색어를 추가했습니다",
                ),
            ),
            Self::DropRepetition => (
                Phrase::new("leave repetitions out", "되풀이한 것 빼기"),
                Phrase::new("left repetitions out", "되풀이한 것을 뺐습니다"),
            ),
            Self::TranslateWords => (
                Phrase::new("write foreign words in Korean", "외국어를 한국어로 쓰기"),
                Phrase::new(
                    "wrote foreign words in Korean",
                    "외국어를 한국어로 썼습니다",
                ),
            ),
            Self::DropWords => (
                Phrase::new("leave foreign words out", "외국어 빼기"),
                Phrase::new("left foreign words out", "외국어를 뺐습니다"),
            ),
            Self::JoinList => (
                Phrase::new("join the list into a sentence", "나열을 한 문장으로 잇기"),
                Phrase::new(
                    "joined the list into a sentence",
                    "나열을 한 문장으로 이었습니다",
                ),
            ),
            Self::TellApart => (
                Phrase::new("say what sets this one apart", "이 그림만의 특징 쓰기"),
                Phrase::new(
                    "said what sets this one apart",
                    "이 그림만의 특징을 썼습니다",
                ),
            ),
        }
    }

    /// For people, as an order.
    pub fn title(self) -> Phrase {
        self.texts().0
    }

    /// For people, as what was done.
    pub fn done(self) -> Phrase {
        self.texts().1
    }
}
