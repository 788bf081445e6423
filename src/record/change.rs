//! The changes that an operator can make. One `Change` on a list of groups is one undoable step.

use super::{Field, Reason};
use crate::text::Phrase;
use serde::{Deserialize, Serialize};

/// A change to a group. The rules run again after every change of the labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Sets a field: one text for a scalar field (no text clears it), or the entire list.
    Set {
        field: Field,
        values: Vec<String>,
    },
    /// Appends a value, or several comma-separated ones, to a list field. Values already in the
    /// list are skipped.
    Add {
        field: Field,
        value: String,
    },
    Remove {
        field: Field,
        value: String,
    },
    /// Renames a value in place. Does nothing if the list does not contain it.
    Rename {
        field: Field,
        from: String,
        to: String,
    },
    /// Renames a value and makes `from` a synonym of `to` from now on.
    Synonym {
        field: Field,
        from: String,
        to: String,
    },
    /// Replaces text in sentences, tags and queries.
    Replace(Replacement),
    /// Translates every word that the vocabulary knows into its canonical form (`황금` to `gold`).
    /// Unknown colors, materials and item types stay unless `drop_unknown` is set.
    Canonicalize {
        drop_unknown: bool,
    },
    /// Replaces an outdated item name with the current one in the label, tags and queries, and
    /// adjusts the particles after it.
    UpdateName,
    /// Applies this kind of fix to each record that has the reason.
    Fix {
        reason: Reason,
        kind: FixKind,
    },
    /// Makes another version the draft.
    TakeVersion {
        version: i64,
    },
    /// Copies one field of a version into the draft.
    TakeField {
        version: i64,
        field: Field,
    },
    SetNote {
        note: Option<String>,
    },
    /// Accepts the draft. It waits for the commit, or is confirmed if it is already the line.
    Accept,
    Reject {
        reason: String,
    },
    /// Withdraws an acceptance or rejection.
    Reopen,
    /// Makes the draft the line, or removes the line of a rejected group.
    Commit,
}

/// A find-and-replace in free text. The item's name is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    pub find: String,
    pub with: String,
    /// The fields to search; all free-text fields if empty.
    #[serde(default)]
    pub only: Vec<Field>,
    #[serde(default)]
    pub matching: Matching,
    /// Texts to leave unchanged.
    #[serde(default)]
    pub except: Vec<String>,
}

/// What counts as a match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// Any substring.
    #[default]
    Part,
    /// A word, with or without a particle.
    Word,
    /// An entire tag, query or sentence.
    Value,
}

impl Matching {
    pub const ALL: [Self; 3] = [Self::Word, Self::Value, Self::Part];
}

impl Replacement {
    /// Replaces every match in every field.
    pub fn everywhere(find: impl Into<String>, with: impl Into<String>) -> Self {
        Self {
            find: find.into(),
            with: with.into(),
            only: Vec::new(),
            matching: Matching::default(),
            except: Vec::new(),
        }
    }

    /// The fields to search.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        Field::free_text().filter(|field| self.only.is_empty() || self.only.contains(field))
    }
}

impl Change {
    /// The version from which the change takes text.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::TakeVersion { version } | Self::TakeField { version, .. } => Some(*version),
            _ => None,
        }
    }

    /// The step name that the journal logs.
    pub fn name(&self) -> String {
        match self {
            Self::Set { field, .. } => format!("edit {}", field.key()),
            Self::Add { field, value } => format!("add {value:?} to {}", field.key()),
            Self::Remove { field, value } => format!("remove {value:?} from {}", field.key()),
            Self::Rename { from, to, .. } => format!("rename {from:?} to {to:?}"),
            Self::Synonym { from, to, .. } => format!("mark {from:?} as a synonym of {to:?}"),
            Self::Replace(Replacement { find, with, .. }) => {
                format!("replace {find:?} with {with:?}")
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

    /// Whether the change creates a draft if there is none. Adding a tag to many records does not:
    /// for records that wait for the model, that draft would block the model's answer.
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

/// A kind of fix. A kind and a record determine one result, so one step can apply a kind to many
/// records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// Replaces an outdated item name with the current one.
    UpdateName,
    /// Corrects a misspelled item name.
    CorrectName,
    /// Inserts the item's name where a person would put it.
    InsertName,
    /// Writes the label from the colors, the material and the name.
    Describe,
    /// Replaces wrong color words with colors that the pixels show.
    ReplaceColors,
    /// Removes wrong color words.
    RemoveColors,
    /// Adds the main color to the label and to the list of colors.
    NameMainColor,
    /// Adds the main color to the list of colors.
    ListMainColor,
    SetColors,
    SetType,
    FillAttributes,
    AddTags,
    AddQueries,
    DropRepetition,
    /// Translates foreign words into Korean.
    TranslateWords,
    /// Removes foreign words.
    DropWords,
    /// Joins a list of keywords into one sentence.
    JoinList,
    /// Adds a distinguishing detail to a label that two images share.
    TellApart,
    /// Keeps only what the item and the pixels confirm.
    KeepConfirmed,
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
        Self::KeepConfirmed,
    ];

    /// The code used in the journal and in `list --json`.
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
            Self::KeepConfirmed => "keep_confirmed",
        }
    }

    /// The kinds that may clear a reason, best first.
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

    /// Whether it fixes only part of the problem, so that the reason may remain.
    pub fn is_part(self) -> bool {
        matches!(self, Self::SetColors | Self::SetType | Self::KeepConfirmed)
    }

    /// The main field that it changes.
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
            | Self::TellApart
            | Self::KeepConfirmed => Field::LabelKo,
            Self::ListMainColor | Self::SetColors => Field::Colors,
            Self::SetType | Self::FillAttributes => Field::ItemTypeGuess,
            Self::AddTags => Field::TagsKo,
            Self::AddQueries => Field::QueryVariantsKo,
        }
    }

    /// Display texts in the imperative and in the past tense.
    fn texts(self) -> (Phrase, Phrase) {
        match self {
            Self::UpdateName => (
                Phrase::new("replace the outdated name", "낡은 이름 바꾸기"),
                Phrase::new(
                    "replaced the outdated name and dropped its other words from the lists",
                    "낡은 이름을 바꾸고, 그 이름의 다른 단어를 목록에서 뺐습니다",
                ),
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
                    "replace wrong colors with the icon's",
                    "틀린 색을 아이콘의 색으로 바꾸기",
                ),
                Phrase::new(
                    "replaced wrong colors with the icon's",
                    "틀린 색을 아이콘의 색으로 바꿨습니다",
                ),
            ),
            Self::RemoveColors => (
                Phrase::new("remove wrong colors", "틀린 색 빼기"),
                Phrase::new("removed wrong colors", "틀린 색을 뺐습니다"),
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
                Phrase::new(
                    "add tags from the item and its values",
                    "아이템과 다른 값에서 태그 추가하기",
                ),
                Phrase::new(
                    "added tags from the item and its values",
                    "아이템과 다른 값에서 태그를 추가했습니다",
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
                Phrase::new("remove repetitions", "되풀이한 것 빼기"),
                Phrase::new("removed repetitions", "되풀이한 것을 뺐습니다"),
            ),
            Self::TranslateWords => (
                Phrase::new(
                    "translate foreign words into Korean",
                    "외국어를 한국어로 쓰기",
                ),
                Phrase::new(
                    "translated foreign words into Korean",
                    "외국어를 한국어로 썼습니다",
                ),
            ),
            Self::DropWords => (
                Phrase::new("remove foreign words", "외국어 빼기"),
                Phrase::new("removed foreign words", "외국어를 뺐습니다"),
            ),
            Self::JoinList => (
                Phrase::new("join the list into a sentence", "나열을 한 문장으로 잇기"),
                Phrase::new(
                    "joined the list into a sentence",
                    "나열을 한 문장으로 이었습니다",
                ),
            ),
            Self::TellApart => (
                Phrase::new("describe what sets this one apart", "이 그림만의 특징 쓰기"),
                Phrase::new(
                    "described what sets this one apart",
                    "이 그림만의 특징을 썼습니다",
                ),
            ),
            Self::KeepConfirmed => (
                Phrase::new(
                    "keep only what the item and the icon confirm",
                    "아이템과 아이콘이 뒷받침하는 것만 남기기",
                ),
                Phrase::new(
                    "kept only what the item and the icon confirm",
                    "아이템과 아이콘이 뒷받침하는 것만 남겼습니다",
                ),
            ),
        }
    }

    /// Display text in the imperative.
    pub fn title(self) -> Phrase {
        self.texts().0
    }

    /// Display text in the past tense.
    pub fn done(self) -> Phrase {
        self.texts().1
    }
}
