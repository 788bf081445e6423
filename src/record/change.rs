//! What an operator can do to a group. One `Change` on a list of groups is one undoable step.

use serde::{Deserialize, Serialize};

/// A part of a record that can be edited, or taken from one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    LabelKo,
    LabelEn,
    TagsKo,
    Colors,
    Theme,
    Material,
    Vibe,
    ItemTypeGuess,
    QueryVariantsKo,
}

impl Field {
    pub const ALL: &'static [Field] = &[
        Self::LabelKo,
        Self::LabelEn,
        Self::TagsKo,
        Self::Colors,
        Self::Theme,
        Self::Material,
        Self::Vibe,
        Self::ItemTypeGuess,
        Self::QueryVariantsKo,
    ];

    /// The record's own key.
    pub fn key(self) -> &'static str {
        match self {
            Self::LabelKo => "label_ko",
            Self::LabelEn => "label_en",
            Self::TagsKo => "tags_ko",
            Self::Colors => "colors",
            Self::Theme => "theme",
            Self::Material => "material",
            Self::Vibe => "vibe",
            Self::ItemTypeGuess => "item_type_guess",
            Self::QueryVariantsKo => "query_variants_ko",
        }
    }

    /// Whether the field is a list of short texts.
    pub fn is_list(self) -> bool {
        !matches!(self, Self::LabelKo | Self::LabelEn | Self::ItemTypeGuess)
    }
}

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
    /// Renames a value of a list field, keeping its place.
    Rename {
        field: Field,
        from: String,
        to: String,
    },
    /// Replaces a text wherever it stands in label, tags and queries.
    Replace {
        find: String,
        with: String,
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
