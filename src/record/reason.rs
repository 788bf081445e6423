//! The fixed codes: why a record is uncertain, and why an item has no record.

use super::Field;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $(#[serde(rename = $code)] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code),+ }
            }

            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    /// Why a record is uncertain. The first three are said by the model, the others found by rules.
    Reason {
        TooSmall = "too_small",
        AmbiguousIcon = "ambiguous_icon",
        LowVisualSignal = "low_visual_signal",
        FewTags = "few_tags",
        FewQueries = "few_queries",
        LabelEqualsItemName = "label_equals_item_name",
        ItemNameMissing = "item_name_missing",
        AttributesMissing = "attributes_missing",
        CommaList = "comma_list",
        MixedScript = "mixed_script",
        DuplicateLabel = "duplicate_label",
        ColorMismatch = "color_mismatch",
        MainColorMissing = "main_color_missing",
        NothingVisible = "nothing_visible",
        NameMismatch = "name_mismatch",
        Repetition = "repetition",
        LabelTooLong = "label_too_long",
        LowConfidence = "low_confidence",
        Truncated = "truncated",
        QualityRetryFailed = "quality_retry_failed",
        UnreadLine = "unread_line",
    }
}

codes! {
    /// Why an item has no record.
    FailureCode {
        MissingImage = "missing_image",
        ImageLoadFailed = "image_load_failed",
        InvalidJson = "invalid_json",
        ModelError = "model_error",
    }
}

impl Reason {
    /// Whether the model says this one of an icon; the rules find all others.
    pub fn said_by_model(self) -> bool {
        matches!(
            self,
            Self::TooSmall | Self::AmbiguousIcon | Self::LowVisualSignal
        )
    }

    /// The field that it is about; `None` for the record as a whole.
    pub fn field(self) -> Option<Field> {
        match self {
            Self::LabelEqualsItemName
            | Self::ItemNameMissing
            | Self::CommaList
            | Self::DuplicateLabel
            | Self::NothingVisible
            | Self::NameMismatch
            | Self::LabelTooLong => Some(Field::LabelKo),
            Self::FewTags => Some(Field::TagsKo),
            Self::ColorMismatch | Self::MainColorMissing => Some(Field::Colors),
            // The last of the attributes.
            Self::AttributesMissing => Some(Field::ItemTypeGuess),
            Self::FewQueries => Some(Field::QueryVariantsKo),
            Self::TooSmall
            | Self::AmbiguousIcon
            | Self::LowVisualSignal
            | Self::MixedScript
            | Self::Repetition
            | Self::LowConfidence
            | Self::Truncated
            | Self::QualityRetryFailed
            | Self::UnreadLine => None,
        }
    }

    /// For people: what was found, with the words that it is about (see [`super::about`]).
    pub fn describe(self, about: &[String]) -> String {
        const MOST: usize = 6;
        let (found, _) = self.explain();
        let mut words = about
            .iter()
            .take(MOST)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if about.len() > MOST {
            words.push_str(", ...");
        }
        match (self, about.len()) {
            (_, 0) => found.to_owned(),
            (Self::ColorMismatch, 1) => format!("{words} is not in the picture"),
            (Self::ColorMismatch, _) => format!("{words} are not in the picture"),
            _ => format!("{found}: {words}"),
        }
    }

    /// For people: what was found, and what to do about it.
    pub fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::TooSmall => (
                "the model finds the icon too small to tell",
                "look at the large preview; retry with a larger upscale",
            ),
            Self::AmbiguousIcon => (
                "the model sees more than one thing that this could be",
                "check the item type; retry with a hint that says what it is",
            ),
            Self::LowVisualSignal => (
                "the model finds too little to see in the icon",
                "retry on the other background, or describe what is there",
            ),
            Self::FewTags => ("fewer than 5 tags", "add tags"),
            Self::FewQueries => ("fewer than 3 search queries", "add queries"),
            Self::LabelEqualsItemName => (
                "the label is the item's name and nothing else",
                "describe at least two things one can see",
            ),
            Self::ItemNameMissing => (
                "the label does not hold the item's name as it is written",
                "put the name into the label",
            ),
            Self::AttributesMissing => (
                "no color, no item type, or neither theme, material nor vibe",
                "fill the empty attributes",
            ),
            Self::CommaList => (
                "the label is a list of keywords between commas",
                "write one natural sentence",
            ),
            Self::MixedScript => (
                "a word is in a language or script that its field is not for",
                "write the word in Korean",
            ),
            Self::DuplicateLabel => (
                "another image has the very same label",
                "say what sets this one apart",
            ),
            Self::ColorMismatch => (
                "a color is claimed that the opaque pixels do not show",
                "compare with the palette; remove or change the color",
            ),
            Self::MainColorMissing => (
                "most of the icon is of none of the colors that the record names",
                "compare with the palette; name the main color",
            ),
            Self::NothingVisible => (
                "the label says nothing that can be seen besides the name and the kind",
                "describe colors, parts or material",
            ),
            Self::NameMismatch => (
                "the text was made under another name of the item",
                "update the name, or edit the label",
            ),
            Self::Repetition => (
                "the label repeats a word, or a query repeats the label, the name or another query",
                "leave out what is said twice",
            ),
            Self::LabelTooLong => (
                "the label is estimated at over 64 tokens of a CLIP-like text encoder",
                "shorten the label",
            ),
            Self::LowConfidence => (
                "the model is uncertain of a field",
                "check the marked words",
            ),
            Self::Truncated => (
                "the answer reached the token limit and was cut off",
                "retry with a larger --max-new-tokens, or fill what is missing",
            ),
            Self::QualityRetryFailed => (
                "a second, stricter attempt was no better",
                "compare the attempts and edit by hand",
            ),
            Self::UnreadLine => (
                "the line of an earlier labels.jsonl cannot be read; labels_unread.jsonl holds it",
                "look it up there, then retry or write the record by hand and commit it",
            ),
        }
    }
}
