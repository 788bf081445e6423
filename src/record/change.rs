//! What an operator can do to a group. One `Change` on a list of groups is one undoable step.

use super::Field;
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
    pub fn begins_draft(&self) -> bool {
        matches!(
            self,
            Self::Set {
                field: Field::LabelKo,
                ..
            } | Self::TakeField { .. }
        )
    }
}
